"""The client itself, where the suite of cheats does not go: settings, clocks, keys over time."""

from __future__ import annotations

from collections.abc import Coroutine
from datetime import timedelta
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from coral_gate.errors import IssuerUnavailable, SignInRefused, UpstreamFault, UpstreamTooSlow, UpstreamUnreachable
from coral_gate.identity.in_process import InProcessHTTPClient
from coral_gate.identity.oidc import ATTEMPT_LIFE, openid_provider
from coral_gate.identity.policy import sign_in_policy
from coral_gate.identity.settings import ClientAuthentication, ClientSettings
from coral_gate.interfaces import IHTTPClient, IIdentityProvider
from coral_gate.model import HTTPAnswer, Secret
from tests.identity.forging import forger
from tests.identity.local_rig import ISSUER, LocalRig, local_rig
from tests.identity.rig import BROWSER
from tests.identity.tampering import DISCOVERY, JWKS
from tests.identity.wall_clock import WallClock

T = TypeVar("T")

POLICY = sign_in_policy(subject=["1"])


class _Rigged(SynchronousTestCase):
    rig: LocalRig

    def setUp(self) -> None:
        self.rig = local_rig(WallClock())

    def now(self, coroutine: Coroutine[Deferred[Any], Any, T]) -> T:
        """What a coroutine gives that has nothing to wait for."""
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def refused(self, coroutine: Coroutine[Deferred[Any], Any, object]) -> str:
        """The reason of a refusal."""
        failure = self.failureResultOf(Deferred.fromCoroutine(coroutine), SignInRefused, IssuerUnavailable)
        reason: str = failure.value.reason
        return reason


class BeginTests(_Rigged):
    """`OpenIDProvider.begin`."""

    def test_interfaces(self) -> None:
        """The client and its ways of asking provide what they say."""
        provider = openid_provider(self.rig.settings, self.rig.http)
        self.assertTrue(verifyObject(IIdentityProvider, provider))
        self.assertTrue(verifyObject(IHTTPClient, InProcessHTTPClient("https://x", self.rig.issuer.respond)))

    def test_the_attempt(self) -> None:
        """It lives ten minutes, is bound to the browser, and holds the digest of the state, not the state."""
        provider = openid_provider(self.rig.settings, self.rig.http, self.rig.clock)
        start = self.now(provider.begin(self.rig.redirect_uri, BROWSER, "/x", 300, "login"))
        asked = {name: values[0] for name, values in parse_qs(urlsplit(start.url).query).items()}
        attempt = start.attempt
        self.assertEqual((asked["max_age"], asked["prompt"], asked["nonce"]), ("300", "login", attempt.nonce))
        self.assertEqual((attempt.browser_digest, attempt.issuer, attempt.return_to), (BROWSER, ISSUER, "/x"))
        self.assertEqual(attempt.expires_at - attempt.begun_at, ATTEMPT_LIFE)
        self.assertEqual(len(attempt.state_digest), 32)
        for shown in (repr(attempt), repr(start)):
            self.assertNotIn(asked["state"], shown)

    def test_all_different(self) -> None:
        """No two attempts share a state, a nonce or a challenge, nor are those the same within one."""
        urls = [self.now(self.rig.start()) for _ in range(50)]
        queries = [parse_qs(urlsplit(url).query) for url in urls]
        tokens = [query[name][0] for query in queries for name in ("state", "nonce", "code_challenge")]
        self.assertEqual(len(set(tokens)), 150)

    def test_prompts(self) -> None:
        """`none` and words of a stranger are mistakes of the caller."""
        provider = openid_provider(self.rig.settings, self.rig.http)
        for prompt in ("none", "", "login consent"):
            coroutine = provider.begin(self.rig.redirect_uri, BROWSER, prompt=prompt)
            self.failureResultOf(Deferred.fromCoroutine(coroutine), ValueError)

    def test_endpoint_with_a_query(self) -> None:
        """An authorization endpoint that has a query already keeps it."""
        self.rig.tampering.members(DISCOVERY, lambda members: members.update(authorization_endpoint=f"{ISSUER}/authorize?p=policy"))
        self.assertIn("/authorize?p=policy&response_type=code&", self.now(self.rig.start()))


class FinishTests(_Rigged):
    """`OpenIDProvider.finish`."""

    def test_attempt_expired(self) -> None:
        """A store that gives out an attempt too late is not believed."""
        provider = openid_provider(self.rig.settings, self.rig.http, self.rig.clock)
        start = self.now(provider.begin(self.rig.redirect_uri, BROWSER))
        query = self.now(self.rig.visit(start.url))
        self.rig.clock.advance(600)
        self.assertEqual(self.refused(provider.finish(start.attempt, query, BROWSER)), "attempt.expired")

    def test_attempt_at_another_issuer(self) -> None:
        """After the configuration has changed the issuer, a code is not sent to the new one."""
        provider = openid_provider(self.rig.settings, self.rig.http, self.rig.clock)
        start = self.now(provider.begin(self.rig.redirect_uri, BROWSER))
        query = self.now(self.rig.visit(start.url))
        other = evolve(start.attempt, issuer="https://old.example")
        self.assertEqual(self.refused(provider.finish(other, query, BROWSER)), "attempt.issuer")

    def test_state_of_another_attempt(self) -> None:
        """A store that gives out the wrong attempt is not believed."""
        provider = openid_provider(self.rig.settings, self.rig.http, self.rig.clock)
        first, second = (self.now(provider.begin(self.rig.redirect_uri, BROWSER)) for _ in range(2))
        query = self.now(self.rig.visit(first.url))
        self.assertEqual(self.refused(provider.finish(second.attempt, query, BROWSER)), "state.unknown")


class OverTimeTests(_Rigged):
    """Metadata and keys are kept, and not for ever."""

    def test_fetched_once(self) -> None:
        """Two sign-ins ask for metadata and keys once; after an hour they are asked for anew."""
        for _ in range(2):
            self.now(self.rig.sign_in())
        self.assertEqual([self.rig.tampering.asked.count(one) for one in (DISCOVERY, JWKS)], [1, 1])
        self.rig.clock.advance(3600)
        self.now(self.rig.sign_in())
        self.assertEqual([self.rig.tampering.asked.count(one) for one in (DISCOVERY, JWKS)], [2, 2])

    def test_withdrawn_key(self) -> None:
        """A key that the issuer has withdrawn counts for an hour at most."""
        self.rig.tampering.claims(lambda claims: None)
        self.now(self.rig.sign_in())
        self.rig.tampering.keys(forger(kid="another"))
        self.rig.clock.advance(3600)
        self.assertEqual(self.refused(self.rig.sign_in()), "id_token.key_unknown")

    def test_unknown_keys_are_asked_for_seldom(self) -> None:
        """Tokens with names of keys that nobody has do not make us ask more than once in thirty seconds."""
        self.rig.tampering.claims(lambda claims: None, header={"kid": "nobody"})
        for _ in range(4):
            self.assertEqual(self.refused(self.rig.sign_in()), "id_token.key_unknown")
        self.assertEqual(self.rig.tampering.asked.count(JWKS), 2)
        self.rig.clock.advance(30)
        self.assertEqual(self.refused(self.rig.sign_in()), "id_token.key_unknown")
        self.assertEqual(self.rig.tampering.asked.count(JWKS), 3)


class FailingClientTests(_Rigged):
    """Each way in which asking fails has its word."""

    def test_words(self) -> None:
        """Unreachable, slow, broken."""
        for fault, word in ((UpstreamUnreachable, "unreachable"), (UpstreamTooSlow, "too_slow"), (UpstreamFault, "broken")):

            def fail(method: bytes, target: bytes, fields: object, body: bytes, fault: type[UpstreamFault] = fault) -> HTTPAnswer:
                raise fault

            self.rig.http = InProcessHTTPClient("https://gate.localhost:8443", fail)
            self.rig.configure()
            self.assertEqual(self.refused(self.rig.start()), f"discovery.{word}")

    def test_another_origin(self) -> None:
        """The client of the built-in issuer reaches that one and no other."""
        http = InProcessHTTPClient("https://gate.localhost:8443", self.rig.issuer.respond)
        for url in ("https://gate.localhost/x", "http://gate.localhost:8443/x", "https://gate.localhost:8443@evil.example/"):
            self.failureResultOf(Deferred.fromCoroutine(http.get(url, [])), UpstreamUnreachable)


class SettingsTests(SynchronousTestCase):
    """`ClientSettings`."""

    def test_refused(self) -> None:
        """What cannot work, or is not safe, is not taken."""
        secret = Secret(b"x")
        good: dict[str, Any] = {"issuer": "https://id.example", "client_id": "us", "policy": POLICY, "secret": secret}
        ClientSettings(**good)
        wrong: list[dict[str, Any]] = [
            {"issuer": "http://id.example"},
            {"client_id": ""},
            {"client_id": "é"},
            {"algorithms": frozenset()},
            {"algorithms": frozenset({"none"})},
            {"algorithms": frozenset({"RS256", "HS256"})},
            {"secret": None},
            {"authentication": ClientAuthentication.NONE},
        ]
        for changes in wrong:
            self.assertRaises(ValueError, ClientSettings, **{**good, **changes})

    def test_shows_no_secret(self) -> None:
        """The secret is not in the repr, and two settings can be compared all the same."""
        settings = ClientSettings(issuer="https://id.example", client_id="us", policy=POLICY, secret=Secret(b"hush"))
        self.assertNotIn("hush", repr(settings))
        self.assertEqual(settings, evolve(settings, secret=Secret(b"other")))
        self.assertEqual(ATTEMPT_LIFE, timedelta(minutes=10))
