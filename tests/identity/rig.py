"""
A client, an issuer and a browser, wired together for one test.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl, urlencode

from attrs import define, evolve, field

from coral_gate.identity.attempts import MemorySignInAttempts
from coral_gate.identity.oidc import Known, nobody_known, openid_provider
from coral_gate.identity.policy import sign_in_policy
from coral_gate.identity.settings import ClientSettings
from coral_gate.interfaces import IHTTPClient
from tests.identity.gate_flow import SignedIn, SignInFlow
from tests.identity.tampering import Tampering
from tests.identity.wall_clock import WallClock

BROWSER = hashlib.sha256(b"the pre-login cookie").digest()
OTHER_BROWSER = hashlib.sha256(b"the cookie of somebody else").digest()


@define
class Rig(ABC):
    """
    One issuer and one client of it.

    :ivar subject: whom the issuer signs in, under which address.
    """

    tampering: Tampering
    http: IHTTPClient
    settings: ClientSettings
    redirect_uri: str
    clock: WallClock
    subject: str
    email: str
    attempts: MemorySignInAttempts = field(init=False)
    flow: SignInFlow = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.attempts = MemorySignInAttempts(self.clock)
        self.configure()

    def configure(self, known: Known = nobody_known, **changes: Any) -> None:
        """Make the client anew, with other settings."""
        self.settings = evolve(self.settings, **changes)
        self.flow = SignInFlow(openid_provider(self.settings, self.http, self.clock, known=known), self.attempts)

    def admit(self, hd: Iterable[str] = (), email: Iterable[str] = (), subject: Iterable[str] = ()) -> None:
        """Make the client anew with other lists of who may sign in."""
        self.configure(policy=sign_in_policy(hd, email, subject))

    def again(self) -> None:
        """Before one more try in the same test: nothing is tampered with any more."""
        self.tampering.answers.clear()

    @abstractmethod
    async def visit(self, url: str) -> bytes:
        """What a person's browser brings back from the issuer: the callback's query."""

    async def start(self, max_age_s: int | None = None, browser: bytes = BROWSER) -> str:
        """The URL that a browser is sent to."""
        return await self.flow.start(self.redirect_uri, browser, "/after", max_age_s)

    async def callback(self, max_age_s: int | None = None) -> bytes:
        """The callback's query of a person who has been at the issuer."""
        return await self.visit(await self.start(max_age_s))

    async def sign_in(self, max_age_s: int | None = None, browser: bytes = BROWSER, **changes: str | None) -> SignedIn:
        """
        A whole sign-in.

        :param browser: whose cookie comes with the callback.
        :param changes: parameters of the callback that are set to something else, or taken out with None.
        """
        query = await self.callback(max_age_s)
        return await self.flow.complete(changed(query, **changes), browser)


def changed(query: bytes, **changes: str | None) -> bytes:
    """The query with some of its parameters changed."""
    named = {**dict(parse_qsl(query.decode())), **changes}
    return urlencode({name: value for name, value in named.items() if value is not None}).encode()


def parameters(query: bytes) -> dict[str, str]:
    """The query's parameters."""
    return dict(parse_qsl(query.decode()))
