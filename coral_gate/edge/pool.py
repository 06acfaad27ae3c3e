"""
Connections toward sandboxes: opened within caps, kept for the session that they belong to, given to whoever waits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from typing import cast

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IAddress, IProtocol
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.python.failure import Failure

from coral_gate.config.sections.limits import LimitsConfig
from coral_gate.edge.deadlines import Deadlines, ticks
from coral_gate.edge.upstream import Exchange, UpstreamConnection
from coral_gate.errors import Fault, Unavailable, UpstreamUnreachable
from coral_gate.http1.head import HeadLimits


@define(eq=False)
class _Waiting:
    """A request that waits for a place; `opening` is set once it has one."""

    exchange: Exchange
    opening: Deferred[None] | None = None


@define
class _Owner:
    connections: int = 0
    waiting: deque[_Waiting] = field(factory=deque)
    idle: dict[UpstreamConnection, None] = field(factory=dict)
    starting: bool = False


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
        return self._connect(exchange)

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
        """A place is free. One that fails at once while its turn is being given comes back here: the loop goes on, not deeper."""
        owner.connections -= 1
        if owner.starting:
            return
        owner.starting = True
        try:
            while owner.waiting and owner.connections < self._most:
                waiting = owner.waiting.popleft()
                waiting.opening = self._start(waiting.exchange, owner)
        finally:
            owner.starting = False
        if not owner.connections and not owner.waiting:
            self._owners.pop(name, None)

    def _connect(self, exchange: Exchange) -> Deferred[None] | None:
        name = exchange.plan.owner
        full = self._owners.get(name)
        if full is not None and full.connections >= self._most and full.idle:
            next(iter(full.idle)).abort()  # the one that has been idle longest gives way
        owner = self._owners.setdefault(name, _Owner())  # looked up anew: with its last connection an owner is forgotten
        if owner.connections < self._most:
            return self._start(exchange, owner)
        if len(owner.waiting) >= self._most_waiting:
            exchange.upstream_failed(Unavailable())
            return None
        return self._wait(exchange, owner)

    def _wait(self, exchange: Exchange, owner: _Owner) -> Deferred[None]:
        waiting = _Waiting(exchange)
        owner.waiting.append(waiting)

        def give_up(_: object) -> None:
            if waiting.opening is not None:
                waiting.opening.cancel()
            elif waiting in owner.waiting:
                owner.waiting.remove(waiting)

        wait: Deferred[None] = Deferred(give_up)
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
