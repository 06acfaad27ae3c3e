"""
What all connections of a listener share.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from attrs import Factory, define, field
from twisted.internet.defer import Deferred

from coral_gate.channels.plan import Forwarding, Upgrading
from coral_gate.config.sections.deadlines import DeadlinesConfig
from coral_gate.edge.connection import Wait
from coral_gate.edge.deadlines import Deadlines, ticks
from coral_gate.edge.limits import ConnectionCaps
from coral_gate.edge.pool import UpstreamPool
from coral_gate.gate.judge import Judge
from coral_gate.http1.head import HeadLimits
from coral_gate.model import Asker, ChannelKind


class Leaving(Protocol):
    """A connection, as a door that closes sees it."""

    def leave(self) -> None:
        """Close as soon as nothing is being served."""

    def abort(self) -> None:
        """Close at once."""


@define
class Counters:
    """What a door has done since the start."""

    connections: int = 0
    requests: int = 0
    refused: int = 0
    timed_out: int = 0
    capped: int = 0


@define
class Door:
    """
    What all connections of a listener share.

    :ivar judge: decides on each request.
    :ivar channels: what serves allowed ones.
    :ivar upgrading: what takes over the connection of an allowed one.
    :ivar refused: called with a word and who asked, for each refusal and each deadline that passed.
    :ivar open: the connections that are open now.
    :ivar leaving: the daemon is stopping: no connection is kept for another request.
    """

    judge: Judge
    channels: Mapping[ChannelKind, Forwarding]
    pool: UpstreamPool
    deadlines: Deadlines
    caps: ConnectionCaps
    head_limits: HeadLimits
    times: DeadlinesConfig
    refused: Callable[[str, Asker], None]
    upgrading: Mapping[ChannelKind, Upgrading] = field(factory=dict)
    counters: Counters = Factory(Counters)
    open: set[Leaving] = field(factory=set, repr=False)
    leaving: bool = False
    ticks: dict[Wait, int] = field(init=False, repr=False)
    _drained: Deferred[None] | None = field(default=None, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self.wait_as(self.times)

    def wait_as(self, times: DeadlinesConfig) -> None:
        """Wait so long from now on; a deadline that is running stays."""
        self.times = times
        self.ticks = {wait: ticks(getattr(self.times, wait.value)) for wait in Wait}

    def leave(self) -> Deferred[None]:
        """Take no further request on any connection; fires when the last one is closed."""
        self.leaving = True
        self._drained = Deferred()
        for connection in list(self.open):
            connection.leave()
        self.gone(None)
        return self._drained

    def cut(self) -> None:
        """Close what is still open."""
        for connection in list(self.open):
            connection.abort()

    def gone(self, connection: Leaving | None) -> None:
        """A connection is closed."""
        if connection is not None:
            self.open.discard(connection)
        if not self.open and self._drained is not None and not self._drained.called:
            self._drained.callback(None)
