"""
A connection toward a sandbox: one request at a time, every byte of the answer checked.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Protocol

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IPushProducer, ITransport
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from coral_gate.edge.deadlines import NEVER
from coral_gate.errors import Fault, UpstreamUnreachable
from coral_gate.http1.body import BodyReader, ChunkedBody, EmptyBody, LengthBody, Piece, UntilCloseBody
from coral_gate.http1.head import ResponseHead, find_head, read_response
from coral_gate.http1.rules import RefusedResponse, Rule

if TYPE_CHECKING:
    from coral_gate.channels.plan import Plan
    from coral_gate.edge.pool import UpstreamPool

INTERIM_RESPONSES = 8
"""How many 1xx responses may come before the answer (RFC 9110 §15.2); they are dropped."""


class Exchange(Protocol):
    """What an upstream connection asks of the exchange that it serves."""

    plan: Plan
    bodyless: bool

    def upstream_ready(self, upstream: UpstreamConnection) -> None:
        """A connection is there; send the request."""

    def upstream_failed(self, fault: Fault) -> None:
        """No connection can be had."""

    def answered(self, head: ResponseHead, length: int, pieces: list[Piece], done: bool) -> None:
        """
        The answer's head and the first of its content.

        :param length: octets of content if that is known, else -1.
        """

    def content(self, pieces: list[Piece], done: bool) -> None:
        """More content."""

    def upstream_lost(self, fault: Fault, stale: bool) -> None:
        """
        The connection ended before the answer did.

        :param stale: it had been used before, and not one byte of an answer had come: it closed while it was idle.
        """

    def upstream_full(self) -> None:
        """Send no more content for now."""

    def upstream_drained(self) -> None:
        """Go on sending content."""


@implementer(IPushProducer)
class UpstreamConnection(TwistedProtocol):
    """
    One connection to a service of a sandbox. Every byte from it is checked.

    :ivar due: see `deadlines.Watched`; set only while it is idle.
    :ivar lost: the connection has ended.
    """

    transport: ITransport

    def __init__(self, pool: UpstreamPool, owner: Hashable, key: Hashable) -> None:
        self._pool = pool
        self.owner = owner
        self.key = key
        self.due = NEVER
        self._exchange: Exchange | None = None
        self._buffer = b""
        self._body: BodyReader | None = None
        self._interim = 0
        self._used = False
        self._keep = False
        self._paused = False
        self._full = False
        self._idle_s: float | None = None
        self.lost = False

    def connectionMade(self) -> None:
        """Learn from the transport when it is full."""
        self.transport.registerProducer(self, True)  # type: ignore[attr-defined]  # every stream's transport is a consumer too

    # -- the exchange's side -------------------------------------------------------------------------------------------

    def attach(self, exchange: Exchange) -> None:
        """Serve one exchange until its answer has ended."""
        self._exchange = exchange
        self._body = None
        self._interim = 0
        self.due = NEVER

    def send(self, octets: bytes) -> None:
        """Send some of the request."""
        self.transport.write(octets)

    def pause(self) -> None:
        """Read no more of the answer for now."""
        if not self._paused:
            self._paused = True
            self.transport.pauseProducing()  # type: ignore[attr-defined]  # every stream's transport is a producer too

    def resume(self) -> None:
        """Go on reading."""
        if self._paused:
            self._paused = False
            self.transport.resumeProducing()  # type: ignore[attr-defined]  # every stream's transport is a producer too

    @property
    def reusable(self) -> bool:
        """Whether another request may be sent after the answer that has ended."""
        whole = self._body is not None and not self._body.rest
        return whole and self._keep and self.key is not None and not self._full

    def release(self) -> None:
        """The exchange is over: wait for another, or close."""
        self._exchange = None
        if not self.reusable:
            self.abort()
            return
        self.resume()  # one that is pooled while it is paused would hang the next request
        self._used = True
        self._pool.put(self, self._idle_s)

    def abort(self) -> None:
        """Close at once; nothing more comes of it."""
        self._exchange = None
        self._pool.drop(self)
        self.transport.abortConnection()  # type: ignore[attr-defined]  # every stream's transport has it

    # -- the transport's side ------------------------------------------------------------------------------------------

    def dataReceived(self, data: bytes) -> None:
        """Read a piece of the answer."""
        exchange = self._exchange
        if exchange is None:
            self.abort()  # bytes that nobody asked for
            return
        try:
            if self._body is None:
                self._head(exchange, data)
            else:
                self._content(exchange, self._body, data)
        except RefusedResponse as fault:
            self.abort()
            exchange.upstream_lost(fault, stale=False)

    def connectionLost(self, reason: Failure = None) -> None:  # type: ignore[assignment]  # Twisted's own signature
        """End what was being served."""
        exchange, self._exchange = self._exchange, None
        self.lost = True
        self._pool.drop(self)
        if exchange is None:
            return
        if isinstance(self._body, UntilCloseBody) and reason.check(ConnectionDone):
            self._keep = False
            exchange.content([], True)
            return
        stale = self._used and self._body is None and not self._buffer and not self._interim
        exchange.upstream_lost(UpstreamUnreachable(), stale)

    def pauseProducing(self) -> None:
        """The transport's buffer toward the sandbox is full; not every transport says so again before it has drained."""
        self._full = True
        if self._exchange is not None:
            self._exchange.upstream_full()

    def resumeProducing(self) -> None:
        """It has room again."""
        self._full = False
        if self._exchange is not None:
            self._exchange.upstream_drained()

    def stopProducing(self) -> None:
        """The connection is gone; connectionLost follows."""

    def expired(self) -> None:
        """It was idle for too long."""
        self.abort()

    # -- reading -------------------------------------------------------------------------------------------------------

    def _head(self, exchange: Exchange, piece: bytes) -> None:
        buffer, seen = self._buffer + piece, len(self._buffer)
        limits = self._pool.head_limits
        while True:
            end = find_head(buffer, limits, RefusedResponse, seen)
            if end < 0:
                self._buffer = buffer
                return
            head = read_response(buffer[:end], limits)
            buffer, seen = buffer[end + 4 :], 0
            if head.status >= 200:
                break
            self._interim += 1
            if head.status == 101 or self._interim > INTERIM_RESPONSES or head.length >= 0 or head.chunked:
                raise RefusedResponse(Rule.STATUS_LINE)
        self._buffer = b""
        self._answer(exchange, head, buffer)

    def _answer(self, exchange: Exchange, head: ResponseHead, piece: bytes) -> None:
        self._keep = head.keep_alive
        self._idle_s = _offered_idle(head.read.get(b"keep-alive"))
        self._body = body = response_body(head, exchange.bodyless)
        pieces = body.feed(piece) if piece else []
        length = body.left + sum(map(len, pieces)) if isinstance(body, LengthBody) else 0 if isinstance(body, EmptyBody) else -1
        exchange.answered(head, length, pieces, body.done)

    def _content(self, exchange: Exchange, body: BodyReader, piece: bytes) -> None:
        pieces = body.feed(piece)
        if pieces or body.done:
            exchange.content(pieces, body.done)


def response_body(head: ResponseHead, bodyless: bool) -> BodyReader:
    """
    The reader of a response's content (RFC 9112 §6.3).

    :param bodyless: the request was HEAD.
    """
    if bodyless or head.status in (204, 304):
        return EmptyBody()
    if head.chunked:
        return ChunkedBody(RefusedResponse)
    if head.length >= 0:
        return LengthBody(head.length)
    return UntilCloseBody()


def _offered_idle(keep_alive: bytes | None) -> float | None:
    """How long the peer says it keeps an idle connection, in seconds; it is a hint and no more."""
    if keep_alive is None:
        return None
    for part in keep_alive.split(b","):
        name, _, value = part.strip(b" \t").partition(b"=")
        if name.lower() == b"timeout" and value.isdigit() and len(value) < 6:
            return float(value)
    return None
