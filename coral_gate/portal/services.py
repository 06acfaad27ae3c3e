"""
What the portal's pages ask of the gate.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime
from typing import Protocol, TypeAlias

from attrs import frozen

from coral_gate.errors import Unavailable
from coral_gate.model import ChannelKind, Condition, HTTPAnswer, SandboxId, SandboxState, Secret
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


WORDS = {
    ChannelKind.PORTAL: "Portal",
    ChannelKind.HTTP: "Page",
    ChannelKind.CONTROL: "OpenClaw's own page",
    ChannelKind.CHAT: "Chat",
    ChannelKind.TERMINAL: "Terminal",
    ChannelKind.DESKTOP: "Desktop",
}
"""What a stream is, for a person."""


@frozen
class Connected:
    """
    A stream as its owner sees it.

    :ivar label: names it to the gate, and gives no right.
    :ivar what: what it is, in plain words.
    :ivar address: where the browser is.
    :ivar since: when it was opened, aware UTC.
    """

    label: str
    what: str
    address: str
    since: datetime


_RUNNING = Condition(SandboxState.RUNNING)


@frozen
class SandboxCard:
    """
    A sandbox as its owner sees it.

    :ivar url: its origin.
    :ivar condition: how it is.
    :ivar connected: what is open to it now, the oldest first.
    :ivar locked: why it may not be used now, in an administrator's words; None where it may.
    """

    id: SandboxId
    name: str
    url: str
    condition: Condition = _RUNNING
    connected: tuple[Connected, ...] = ()
    locked: str | None = None


Cutting: TypeAlias = Callable[[Visitor, str, str], Awaitable[bool]]
"""Visitor, label and the browser's address end one of the visitor's own streams; False where there is none of that label."""


async def cuts_nothing(visitor: Visitor, label: str, address: str) -> bool:
    """Where nothing is open."""
    return False


@frozen
class PortalServices:
    """
    What the pages need.

    :ivar sandboxes: those that a visitor may use.
    :ivar portal: the portal's origin, e.g. `https://gate.localhost:8443`.
    :ivar issuer: what people sign in with, for the button.
    :ivar cut: ends one of a visitor's own streams.
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
    cut: Cutting = cuts_nothing
