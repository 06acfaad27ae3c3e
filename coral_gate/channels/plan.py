"""
What a channel asks the edge to do for one allowed request: which stream, which head, and what becomes of the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Hashable
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from coral_gate.http1.body import Piece
    from coral_gate.http1.head import RequestHead, ResponseHead
    from coral_gate.interfaces import ILink
    from coral_gate.model import Allowed, Asker


class Answering(Protocol):
    """
    What becomes of one answer, where that depends on the request, or on what is in it.

    :ivar most: known once `head` has returned: up to so many octets are collected and given to `whole`; 0 where they stream.
    """

    most: int

    def head(self, head: ResponseHead) -> list[bytes]:
        """As `Forwarding.answer`."""

    def look(self, pieces: list[Piece]) -> None:
        """
        Look at content before it is passed on.

        :raises UpstreamFault: it may not be.
        """

    def whole(self, content: bytes) -> bytes:
        """
        What is passed on in place of the whole content.

        :raises UpstreamFault: nothing.
        """


class Plan:
    """
    How one request is served.

    Not an attrs class: one is made for every request on the hot path.

    :ivar link: the way to the service.
    :ivar owner: what the cap on upstream connections counts by: the sandbox.
    :ivar pool: upstream connections are shared only between plans with an equal key; it names sandbox, service and session.
        None for a connection that serves this request alone.
    :ivar lines: the request line and fields to send, but those that frame the content; the edge adds these.
    :ivar body_bytes: the most content that may be sent, in octets.
    :ivar answering: makes the answer in the channel's place; None where the channel does.
    """

    __slots__ = ("answering", "body_bytes", "lines", "link", "owner", "pool")

    def __init__(
        self, link: ILink, owner: Hashable, pool: Hashable, lines: list[bytes], body_bytes: int, answering: Answering | None = None
    ) -> None:
        self.answering = answering
        self.link = link
        self.owner = owner
        self.pool = pool
        self.lines = lines
        self.body_bytes = body_bytes


class Browser(Protocol):
    """A browser's connection once it is a stream: what a channel may do with it."""

    asker: Asker

    def send(self, octets: bytes) -> None:
        """Send; `Stream.full` says when there is enough under way."""

    def pause(self) -> None:
        """Read no more of what the browser sends."""

    def resume(self) -> None:
        """Read again."""

    def wake_in(self, seconds: float) -> None:
        """Call `Stream.woken` once, in so many seconds or up to half a second later; a later call replaces this one."""

    def see_off(self, abort: Callable[[], None]) -> None:
        """Call `abort` when a connection that was told to close has had its time to; also where the browser is gone."""

    def finish(self, answered: bool = False) -> None:
        """
        Send what is left, then close; nothing more is read.

        :param answered: the browser has said already that it is over, so that nothing more is waited for.
        """

    def abort(self) -> None:
        """Close at once."""


class Stream(Protocol):
    """What a channel does with a browser's connection after 101."""

    def received(self, data: bytes) -> None:
        """Bytes of the browser."""

    def full(self) -> None:
        """The browser does not take what it is sent: send no more for now."""

    def drained(self) -> None:
        """It takes again."""

    def lost(self) -> None:
        """The browser is gone. Also called after `finish` and `abort`; the last call of all."""

    def woken(self) -> None:
        """The time that was asked for has passed."""

    def leave(self) -> None:
        """The daemon is stopping: say so to the browser and close."""


class Opened:
    """
    A stream that can begin.

    :ivar switching: the 101 answer, whole.
    :ivar start: called once the answer is sent, with the connection; gives what it is used for.
    :ivar discard: called in its place where the browser has gone meanwhile.
    """

    __slots__ = ("discard", "start", "switching")

    def __init__(self, switching: bytes, start: Callable[[Browser], Stream], discard: Callable[[], None]) -> None:
        self.switching = switching
        self.start = start
        self.discard = discard


class Upgrading(Protocol):
    """A channel that takes over a connection (RFC 9110 §7.8)."""

    async def open(self, head: RequestHead, allowed: Allowed, asker: Asker) -> Opened:
        """
        Do all that has to be done before 101; where this is cancelled, nothing stays open.

        :raises Fault: it cannot be opened; the browser is told over HTTP.
        """


class Forwarding(Protocol):
    """A channel that forwards requests and answers."""

    def plan(self, head: RequestHead, allowed: Allowed, asker: Asker) -> Plan | Coroutine[Any, Any, Plan]:
        """
        Say how a request is served: at once, or after what has to be waited for; where that is cancelled, nothing stays open.

        :raises UpstreamUnreachable: there is no way to the service now.
        """

    def answer(self, head: ResponseHead, allowed: Allowed) -> list[bytes]:
        """
        The status line and fields of the answer toward the browser, but those that frame the content.

        :raises UpstreamFault: the answer may not be passed on.
        """
