"""Signing in at an issuer that is not ours: npm's oidc-provider, and a proxy before it that cheats."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from attrs import define
from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred
from twisted.internet.ssl import PrivateCertificate, trustRootFromCertificates
from twisted.trial.unittest import TestCase
from twisted.web.resource import Resource
from twisted.web.server import Site
from twisted.web.static import Data

from coral_gate.errors import UpstreamUnreachable
from coral_gate.identity.http_client import ANSWER_BYTES, NetworkHTTPClient
from coral_gate.identity.issuer_tls import IssuerTLS
from coral_gate.identity.policy import sign_in_policy
from coral_gate.identity.settings import ClientAuthentication, ClientSettings
from coral_gate.model import HTTPAnswer, Secret
from tests.identity import sign_in_suite
from tests.identity.forging import claims_of
from tests.identity.rig import BROWSER, Rig
from tests.identity.tampering import DISCOVERY, JWKS, TOKEN, USERINFO, Tampering
from tests.identity.wall_clock import WallClock
from tests.integration.certificates import certificate, options
from tests.integration.oidc.browser import Browser
from tests.integration.oidc.named_certificate import named_certificate
from tests.integration.oidc.node_issuer import NodeIssuer, running_issuer
from tests.integration.oidc.shim import Shim, agent_to

reactor: Any = _reactor  # it provides a dozen interfaces, and no type says which
REDIRECT = "https://gate.example/sign-in/callback"


@define
class NodeRig(Rig):
    """A rig of the real issuer, the client talking to it over real connections."""

    shim: Shim
    node: NodeIssuer

    async def visit(self, url: str) -> bytes:
        return await Browser(agent_to(reactor, self.shim.port), account=self.subject).follow(url, REDIRECT)

    def authenticate(self, how: ClientAuthentication, algorithm: str = "RS256") -> None:
        """Be another of the issuer's clients."""
        secret = None if how is ClientAuthentication.NONE else Secret(self.node.secret.encode())
        self.configure(client_id=f"coral {how.value}:{algorithm}", authentication=how, secret=secret, algorithms=frozenset({algorithm}))

    def hurry(self, deadline_s: float) -> None:
        """Make the client anew, with less patience."""
        self.http = NetworkHTTPClient(reactor, deadline_s=deadline_s)
        self.configure()


def node_rig(node: NodeIssuer, host: str = "full.localhost") -> NodeRig:
    """A fresh client and a fresh proxy before the running issuer."""
    tampering = Tampering()
    shim = Shim.listen(reactor, tampering, node.port)
    settings = ClientSettings(
        issuer=f"http://{host}:{shim.port}",
        client_id="coral client_secret_basic:RS256",
        secret=Secret(node.secret.encode()),
        policy=sign_in_policy(subject=["alice"]),
    )
    return NodeRig(
        tampering=tampering,
        http=NetworkHTTPClient(reactor),
        settings=settings,
        redirect_uri=REDIRECT,
        clock=WallClock(datetime.now(UTC)),
        subject="alice",
        email="alice@people.example",
        shim=shim,
        node=node,
    )


class _Node(TestCase):
    rig: NodeRig
    host = "full.localhost"

    def setUp(self) -> None:
        self.rig = node_rig(running_issuer(), self.host)

    def tearDown(self) -> Deferred[None]:  # type: ignore[override]  # trial waits for it; unittest's type does not know
        return Deferred.fromCoroutine(self.rig.shim.close())


class NodeHonestTests(sign_in_suite.HonestTests[NodeRig], _Node):
    """What is right is taken."""

    async def test_client_authentication(self) -> None:
        """Each way of authenticating ourselves is one that the issuer takes."""
        for how in ClientAuthentication:
            self.rig.authenticate(how)
            await self.rig.sign_in()

    async def test_wrong_secret(self) -> None:
        """With a wrong secret nobody signs in, and it is said whose fault that is."""
        self.rig.configure(secret=Secret(b"wrong"))
        await self.has_no_answer("token.client_refused")

    async def test_es256(self) -> None:
        """The issuer's own ES256."""
        self.rig.authenticate(ClientAuthentication.BASIC, "ES256")
        await self.rig.sign_in()

    async def test_renewed_after_a_while(self) -> None:
        """A person known to the issuer proves anew who they are when that is asked for."""
        browser = Browser(agent_to(reactor, self.rig.shim.port))
        for max_age_s in (None, 0):
            query = await browser.follow(await self.rig.start(max_age_s), REDIRECT)
            signed_in = await self.rig.flow.complete(query, BROWSER)
        self.assertTrue(signed_in.renewed)


class NodeTokenTests(sign_in_suite.TokenTests[NodeRig], _Node):
    """Forged tokens."""


class NodePersonTests(sign_in_suite.PersonTests[NodeRig], _Node):
    """Lists."""

    async def test_own_hd(self) -> None:
        """The organisation as the issuer states it, nothing forged."""
        self.rig.admit(hd=["people.example"])
        self.assertEqual((await self.rig.sign_in()).identity.hd, "people.example")

    async def test_somebody_else(self) -> None:
        """Another person at the same issuer."""
        self.rig.subject = "mallory"
        await self.refuses("person.not_listed")


class NodeCallbackTests(sign_in_suite.CallbackTests[NodeRig], _Node):
    """Callbacks."""


class NodeIssuerTests(sign_in_suite.IssuerTests[NodeRig], _Node):
    """An issuer that answers wrongly, over a real connection."""

    async def test_stalls(self) -> None:
        """An issuer that never answers costs the deadline, whichever document it is, and no connection stays open."""
        for document in (DISCOVERY, JWKS, TOKEN):
            self.rig.hurry(0.3)
            self.rig.shim.stalled = {document}
            await self.has_no_answer(f"{document}.too_slow")
            await self.rig.shim.open_connections(0)

    async def test_floods(self) -> None:
        """Of a gigabyte of keys little more than the limit is read, and the connection is dropped."""
        self.rig.shim.flooding = {JWKS}
        await self.has_no_answer("jwks.too_large")
        await self.rig.shim.open_connections(0)
        self.assertLess(self.rig.shim.flooded_bytes, 16 * 1024 * 1024)  # what the kernel's buffers take is in there
        self.assertGreater(self.rig.shim.flooded_bytes, ANSWER_BYTES)

    async def test_large_answer(self) -> None:
        """An answer that fits the wire but not the limit."""
        self.rig.tampering.members(JWKS, lambda members: members.update(filler="x" * ANSWER_BYTES))
        await self.has_no_answer("jwks.too_large")

    async def test_compressed_answer(self) -> None:
        """Compressed content was not asked for and is not taken."""
        self.rig.tampering.status(JWKS, 200, (b"Content-Encoding", b"gzip"))
        await self.has_no_answer("jwks.broken")

    async def test_nobody_there(self) -> None:
        """Nobody listens."""
        self.rig.configure(issuer="http://full.localhost:1")
        await self.has_no_answer("discovery.unreachable")


class TLSTests(TestCase):
    """An issuer over TLS is whom its certificate says, or nobody."""

    def get(self, shown: PrivateCertificate, *, trusted: bool) -> Deferred[HTTPAnswer]:
        root = Resource()
        root.putChild(b"", Data(b"{}", "application/json"))
        site = Site(root)
        site.noisy = False
        port = reactor.listenSSL(0, site, options(shown), interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        client = NetworkHTTPClient(reactor, IssuerTLS(trustRootFromCertificates([shown]))) if trusted else NetworkHTTPClient(reactor)
        return Deferred.fromCoroutine(client.get(f"https://id.localhost:{port.getHost().port}/", []))

    async def test_right(self) -> None:
        """An authority that we trust, and that name among others."""
        answer = await self.get(named_certificate("other.localhost", "id.localhost"), trusted=True)
        self.assertEqual((answer.status, answer.body), (200, b"{}"))

    async def test_not_trusted(self) -> None:
        """An authority that the system does not know."""
        await self.assertFailure(self.get(named_certificate("id.localhost"), trusted=False), UpstreamUnreachable)

    async def test_another_name(self) -> None:
        """Another name."""
        await self.assertFailure(self.get(named_certificate("evil.localhost"), trusted=True), UpstreamUnreachable)

    async def test_no_name(self) -> None:
        """No name but the old kind, which counts for nothing."""
        await self.assertFailure(self.get(certificate("id.localhost"), trusted=True), UpstreamUnreachable)


class NodeSecrecyTests(sign_in_suite.SecrecyTests[NodeRig], _Node):
    """Secrets."""


class UserinfoTests(sign_in_suite.SignInSuite[NodeRig], _Node):
    """An issuer that keeps what it knows about a person for those who ask."""

    host = "sparse.localhost"

    async def test_asked_for(self) -> None:
        """An address that the lists need and the ID token leaves out is asked for."""
        self.rig.admit(email=[self.rig.email])
        self.assertEqual((await self.rig.sign_in()).identity.email, self.rig.email)
        self.assertNotIn("email", claims_of(self.rig.tampering.tokens[1]))

    async def test_hd_asked_for(self) -> None:
        """So is the organisation."""
        self.rig.admit(hd=["people.example"])
        self.assertEqual((await self.rig.sign_in()).identity.hd, "people.example")

    async def test_not_asked_for(self) -> None:
        """What no list needs is not asked for."""
        await self.rig.sign_in()
        self.assertNotIn(USERINFO, self.rig.tampering.asked)

    async def test_sub_mismatch(self) -> None:
        """An answer about another person."""
        self.rig.admit(email=[self.rig.email])
        self.rig.tampering.members(USERINFO, lambda members: members.update(sub="bob"))
        await self.refuses("userinfo.subject")

    async def test_sub_absent(self) -> None:
        """An answer about nobody."""
        self.rig.admit(email=[self.rig.email])
        self.rig.tampering.members(USERINFO, lambda members: members.pop("sub"))
        await self.refuses("userinfo.subject")

    async def test_not_verified(self) -> None:
        """The address is the listed one and not verified."""
        self.rig.admit(email=[self.rig.email])
        self.rig.tampering.members(USERINFO, lambda members: members.update(email_verified=False))
        await self.refuses("email.unverified")

    async def test_verified_in_another_place(self) -> None:
        """The ID token's word that an address is verified does not cover the address that userinfo gives."""
        self.rig.admit(email=["root@people.example"])
        self.forge(email=None, email_verified=True)
        self.rig.tampering.members(USERINFO, lambda members: members.update(email="root@people.example", email_verified=False))
        await self.refuses("email.unverified")

    async def test_fails(self) -> None:
        """Userinfo that fails, redirects, or is no JSON."""
        for status, reason in ((500, "status"), (302, "redirected"), (401, "status")):
            self.rig.again()
            self.rig.admit(email=[self.rig.email])
            self.rig.tampering.status(USERINFO, status)
            await self.has_no_answer(f"userinfo.{reason}")


class AuthorizationTests(_Node):
    """What the issuer makes of our authorization request."""

    async def test_other_redirect(self) -> None:
        """It sends nobody to an address that is not registered."""
        self.rig.redirect_uri = "https://gate.example/sign-in/elsewhere"
        with self.assertRaises(AssertionError) as caught:
            await self.rig.callback()
        self.assertIn("redirect_uri", str(caught.exception))

    async def test_discovery_is_the_issuers_own(self) -> None:
        """The issuer says `iss` in each callback and knows S256: what the tests above rely on."""
        answer = await self.rig.http.get(f"{self.rig.settings.issuer}/.well-known/openid-configuration", [])
        metadata = json.loads(answer.body)
        self.assertTrue(metadata["authorization_response_iss_parameter_supported"])
        self.assertEqual(metadata["code_challenge_methods_supported"], ["S256"])
        self.assertEqual(urlsplit(metadata["jwks_uri"]).port, self.rig.shim.port)
