"""The built-in issuer and a client of it, in one process without connections."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlencode, urlsplit

from attrs import define, field
from zope.interface import implementer

from coral_gate.identity.in_process import InProcessHTTPClient
from coral_gate.identity.local import LocalIssuer, local_issuer
from coral_gate.identity.local_page import LocalUser
from coral_gate.identity.policy import sign_in_policy
from coral_gate.identity.settings import ClientAuthentication, ClientSettings
from coral_gate.interfaces import IHTTPClient
from coral_gate.model import HTTPAnswer
from tests.identity.rig import Rig
from tests.identity.tampering import Tampering
from tests.identity.wall_clock import WallClock

ORIGIN = "https://gate.localhost:8443"
ISSUER = ORIGIN + "/local-issuer"
REDIRECT = ORIGIN + "/sign-in/callback"
CLIENT = "coral-gate"
USERS = (LocalUser("alice", "Alice", "alice@gate.localhost"), LocalUser("bob", "Bob", "bob@gate.localhost"))

Fields = Sequence[tuple[bytes, bytes]]


@implementer(IHTTPClient)
@define
class TamperedHTTPClient:
    """Changes what goes to and fro."""

    _tampering: Tampering = field(repr=False)
    _http: IHTTPClient

    async def get(self, url: str, fields: Fields) -> HTTPAnswer:
        self._tampering.request(url, b"")
        return self._tampering.answer(url, await self._http.get(url, fields))

    async def post(self, url: str, fields: Fields, body: bytes) -> HTTPAnswer:
        body = self._tampering.request(url, body)
        return self._tampering.answer(url, await self._http.post(url, fields, body))


@define
class LocalRig(Rig):
    """A rig of the built-in issuer; its browser reads the word from the terminal."""

    issuer: LocalIssuer
    words: list[str] = field(factory=list)

    def again(self) -> None:
        """The issuer lets nobody try more than five words a minute."""
        super().again()
        self.clock.advance(61)

    async def visit(self, url: str) -> bytes:
        parts = urlsplit(url)
        target = f"{parts.path}?{parts.query}".encode()
        form = urlencode({"user": self.subject, "word": self.words[-1]}).encode()
        answer = self.issuer.respond(b"POST", target, [(b"Origin", ORIGIN.encode())], form)
        location = dict(answer.fields)[b"Location"].decode()
        assert location.startswith(REDIRECT + "?"), location
        return urlsplit(location).query.encode()


def local_rig(clock: WallClock) -> LocalRig:
    """A fresh issuer and a fresh client; only its first user may sign in."""
    words: list[str] = []
    issuer = local_issuer(ISSUER, REDIRECT, CLIENT, ["127.0.0.1", "::1"], USERS, words.append, now=clock)
    tampering = Tampering()
    settings = ClientSettings(
        issuer=ISSUER,
        client_id=CLIENT,
        policy=sign_in_policy(subject=["alice"]),
        authentication=ClientAuthentication.NONE,
        algorithms=frozenset({"ES256", "RS256"}),
    )
    return LocalRig(
        tampering=tampering,
        http=TamperedHTTPClient(tampering, InProcessHTTPClient(ORIGIN, issuer.respond)),
        settings=settings,
        redirect_uri=REDIRECT,
        clock=clock,
        subject="alice",
        email="alice@gate.localhost",
        issuer=issuer,
        words=words,
    )
