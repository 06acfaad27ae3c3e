"""
What the portal's pages ask of the gate.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Protocol, TypeAlias

from attrs import frozen

from coral_gate.errors import Unavailable
from coral_gate.model import HTTPAnswer, SandboxId, Secret
from coral_gate.records import Session, SessionId
from coral_gate.visitor import Visitor


class Journey(Protocol):
    """
    Where a browser goes.

    :ivar location: a path or an absolute URL; never logged.
    :ivar cookies: Set-Cookie values.
    """

    @property
    def location(self) -> str:
        """See above."""

    @property
    def cookies(self) -> tuple[bytes, ...]:
        """See above."""


class SessionDesk(Protocol):
    """A visitor's own sessions."""

    async def list(self, visitor: Visitor) -> tuple[Session, ...]:
        """Those that live, the newest first."""

    async def end_other(self, visitor: Visitor, session: SessionId, address: str) -> bool:
        """End one; False where there is none of that id."""

    async def end_others(self, visitor: Visitor, address: str) -> int:
        """End all but this one; gives how many."""


class FrontDesk(Protocol):
    """Signing in and out."""

    async def begin(self, cookie: bytes | None, return_to: bytes) -> Journey:
        """To the issuer."""

    async def finish(self, query: bytes, cookie: bytes | None, agent: str, address: str) -> Journey:
        """Back from the issuer."""

    async def hand_off(self, visitor: Visitor, sandbox: SandboxId, binding: str, path: bytes, address: str) -> Journey | None:
        """Over to a sandbox."""

    async def enter(self, code: bytes, sandbox: SandboxId, cookie: bytes | None, address: str) -> Journey | None:
        """In at a sandbox."""

    async def sign_out(self, visitor: Visitor, address: str) -> Journey:
        """Out, by way of the sandboxes."""

    def farewell(self, sandbox: SandboxId, rest: str, until: str, proof: str) -> Journey | None:
        """The next sandbox on the way out."""


LocalResponder: TypeAlias = Callable[[bytes, bytes, Sequence[tuple[bytes, bytes]], bytes], HTTPAnswer]
"""The built-in issuer: method, target, fields and content give an answer."""


Minting: TypeAlias = Callable[[Visitor, SandboxId, str], Awaitable[Secret]]
"""Visitor, sandbox and the browser's address give a ticket for the control channel."""


async def no_tickets(visitor: Visitor, sandbox: SandboxId, address: str) -> Secret:
    """
    Where nothing is opened with tickets.

    :raises Unavailable: always.
    """
    raise Unavailable


@frozen
class SandboxCard:
    """
    A sandbox as its owner sees it.

    :ivar url: its origin.
    """

    id: SandboxId
    name: str
    url: str


@frozen
class PortalServices:
    """
    What the pages need.

    :ivar sandboxes: those that a visitor may use.
    :ivar portal: the portal's origin, e.g. `https://gate.localhost:8443`.
    :ivar issuer: what people sign in with, for the button.
    :ivar failing: names what the gate needs and cannot use now.
    :ivar mint: gives the page of a sandbox its tickets.
    :ivar local_issuer: answers below `/local-issuer/`; None where it is not configured.
    """

    desk: FrontDesk
    sessions: SessionDesk
    sandboxes: Callable[[Visitor], Awaitable[Sequence[SandboxCard]]]
    portal: str
    issuer: str
    local_issuer: LocalResponder | None = None
    failing: Callable[[], Collection[str]] = tuple
    mint: Minting = no_tickets
