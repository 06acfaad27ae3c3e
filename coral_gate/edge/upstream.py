"""
Connections toward sandboxes: one request at a time each, shared by one session alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from typing import TYPE_CHECKING, Protocol, cast

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IAddress, IProtocol, IPushProducer, ITransport
from twisted.internet.protocol import Factory
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from coral_gate.config.sections.limits import LimitsConfig
from coral_gate.edge.deadlines import NEVER, Deadlines, ticks
from coral_gate.errors import Fault, Unavailable, UpstreamUnreachable
from coral_gate.http1.body import BodyReader, ChunkedBody, EmptyBody, LengthBody, Piece, UntilCloseBody
from coral_gate.http1.head import HeadLimits, ResponseHead, find_head, read_response
from coral_gate.http1.rules import RefusedResponse, Rule

if TYPE_CHECKING:
    from coral_gate.channels.plan import Plan

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
        return self._keep and self.key is not None and not (self._body is not None and self._body.rest)

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
        """The transport's buffer toward the sandbox is full."""
        if self._exchange is not None:
            self._exchange.upstream_full()

    def resumeProducing(self) -> None:
        """It has room again."""
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


@define
class _Owner:
    connections: int = 0
    waiting: deque[Exchange] = field(factory=deque)
    idle: dict[UpstreamConnection, None] = field(factory=dict)


class UpstreamPool:
    """
    Opens connections, and keeps those that may be used again.

    :param limits: how many connections one sandbox may have, how many requests may wait for one, how long one is kept.
    :ivar head_limits: what an answer's head may be.
    """

    def __init__(self, deadlines: Deadlines, limits: LimitsConfig) -> None:
        self.head_limits = HeadLimits(limits.response_head_bytes, 0, limits.response_fields)
        self._most = limits.upstream_connections_per_sandbox
        self._most_waiting = limits.upstream_waiting
        self._deadlines = deadlines
        self._idle: dict[Hashable, list[UpstreamConnection]] = {}
        self._owners: dict[Hashable, _Owner] = {}
        self._open: set[UpstreamConnection] = set()
        self._idle_ticks = ticks(limits.upstream_idle_s)

    def acquire(self, exchange: Exchange, fresh: bool = False) -> Deferred[None] | None:
        """
        Give an exchange a connection: at once where one is idle, else when one is open.

        :param fresh: do not take an idle one.
        :return: None, or what the exchange cancels when it wants it no more.
        """
        plan = exchange.plan
        idle = self._idle.get(plan.pool) if not fresh else None
        if idle:
            upstream = idle.pop()
            self._owners[upstream.owner].idle.pop(upstream, None)
            self._deadlines.forget(upstream)
            upstream.attach(exchange)
            exchange.upstream_ready(upstream)
            return None
        return self._connect(exchange, self._owners.setdefault(plan.owner, _Owner()))

    def put(self, upstream: UpstreamConnection, offered_s: float | None) -> None:
        """Keep an idle connection for its session."""
        owner = self._owners[upstream.owner]
        if owner.waiting:
            upstream.abort()  # its place is wanted by somebody else
            return
        self._idle.setdefault(upstream.key, []).append(upstream)
        owner.idle[upstream] = None
        idle = self._idle_ticks if offered_s is None else min(self._idle_ticks, max(0, ticks(offered_s - 1)))
        upstream.due = self._deadlines.tick + idle
        self._deadlines.watch(upstream)

    def drop(self, upstream: UpstreamConnection) -> None:
        """A connection is over, or about to be; give its place to who waits."""
        if upstream not in self._open:
            return
        self._open.discard(upstream)
        self._deadlines.forget(upstream)
        idle = self._idle.get(upstream.key)
        if idle and upstream in idle:
            idle.remove(upstream)
        if not idle:
            self._idle.pop(upstream.key, None)
        owner = self._owners[upstream.owner]
        owner.idle.pop(upstream, None)
        self._gone(upstream.owner, owner)

    def close(self) -> None:
        """Close every connection."""
        for upstream in list(self._open):
            upstream.abort()

    def forget(self, key: Hashable) -> None:
        """Close the idle connections of a session that is over."""
        for upstream in list(self._idle.get(key, ())):
            upstream.abort()

    def _gone(self, name: Hashable, owner: _Owner) -> None:
        owner.connections -= 1
        while owner.waiting and owner.connections < self._most:
            self._start(owner.waiting.popleft(), owner)
        if not owner.connections and not owner.waiting:
            self._owners.pop(name, None)

    def _connect(self, exchange: Exchange, owner: _Owner) -> Deferred[None] | None:
        if owner.connections >= self._most and owner.idle:
            next(iter(owner.idle)).abort()  # the one that has been idle longest gives way
        if owner.connections < self._most:
            return self._start(exchange, owner)
        if len(owner.waiting) >= self._most_waiting:
            exchange.upstream_failed(Unavailable())
            return None
        owner.waiting.append(exchange)
        wait: Deferred[None] = Deferred(lambda _: owner.waiting.remove(exchange) if exchange in owner.waiting else None)
        wait.addErrback(_ignore_cancelled)
        return wait

    def _start(self, exchange: Exchange, owner: _Owner) -> Deferred[None]:
        owner.connections += 1
        plan = exchange.plan
        opening: Deferred[IProtocol] = Deferred.fromCoroutine(plan.link.connect(_Once(UpstreamConnection(self, plan.owner, plan.pool))))
        return opening.addCallbacks(self._opened, self._not_opened, (exchange,), {}, (exchange, owner), {})

    def _opened(self, protocol: IProtocol, exchange: Exchange) -> None:
        upstream = cast(UpstreamConnection, protocol)
        if upstream.lost:
            self._gone(upstream.owner, self._owners[upstream.owner])
            exchange.upstream_failed(UpstreamUnreachable())
            return
        self._open.add(upstream)
        upstream.attach(exchange)
        exchange.upstream_ready(upstream)

    def _not_opened(self, failure: Failure, exchange: Exchange, owner: _Owner) -> None:
        self._gone(exchange.plan.owner, owner)
        if failure.check(CancelledError):
            return
        if not failure.check(Fault):
            _log.failure("a link failed in a way that it does not say it can", failure)
        exchange.upstream_failed(failure.value if isinstance(failure.value, Fault) else UpstreamUnreachable())


_log = Logger()


def _ignore_cancelled(failure: Failure) -> None:
    failure.trap(CancelledError)


class _Once(Factory):
    """A factory for one connection."""

    noisy = False

    def __init__(self, upstream: UpstreamConnection) -> None:
        self._upstream = upstream

    def buildProtocol(self, addr: IAddress | None) -> UpstreamConnection:
        return self._upstream
