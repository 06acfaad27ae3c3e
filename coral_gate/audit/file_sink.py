"""
The sink that keeps events: in segment files, in a chain, durable before anything takes effect.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from attrs import Factory, define, field
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from zope.interface import implementer

from coral_gate.audit.chain import canonical
from coral_gate.audit.event import Event, Refusal, as_json
from coral_gate.audit.granularity import Tally
from coral_gate.audit.group_commit import GroupCommit, Limits
from coral_gate.audit.segments import Segments
from coral_gate.audit.thread import RunInThread
from coral_gate.errors import AuditUnavailable
from coral_gate.interfaces import IAuditSink
from coral_gate.model import SandboxId, UserId

_SECONDS_A_MINUTE = 60
_AT_ONCE = 500


def _utc_now() -> datetime:
    return datetime.now(UTC)


@implementer(IAuditSink)
@define(eq=False)
class FileSink:
    """
    Records events in the segments of a folder (`Segments`), in batches (`GroupCommit`), with summaries of what is only
    counted (`Tally`) each second and each minute.

    :param segments: not open yet; this sink owns them from now on.
    :param run_in_thread: runs the file's work, one piece after the other, never on the reactor's thread.
    :param now: the time of day, aware, UTC.
    """

    _log = Logger()

    _segments: Segments
    _run_in_thread: RunInThread
    _clock: IReactorTime
    _now: Callable[[], datetime] = _utc_now
    _limits: Limits = field(factory=Limits)
    _tally: Tally = field(default=Factory(lambda self: Tally(self._clock.seconds), takes_self=True))
    _commits: GroupCommit = field(init=False)
    _timer: LoopingCall = field(init=False)
    _minute_began: float = field(default=0.0, init=False)
    _owed: list[Event] = field(factory=list, init=False)

    def __attrs_post_init__(self) -> None:
        self._commits = GroupCommit(self._segments, self._run_in_thread, self._clock, self._now, self._limits)
        self._timer = LoopingCall(lambda: Deferred.fromCoroutine(self._each_second()))
        self._timer.clock = self._clock

    async def start(self) -> None:
        """
        Open the folder and recover what a crash left in it.

        :raises ConfigError: the folder cannot be used: others can reach it, another process writes it, it is another
            node's, or what is in it is not a chain as it was written.
        :raises AuditUnavailable: the disk fails.
        """
        await self._commits.start()
        self._minute_began = self._clock.seconds()
        self._timer.start(1.0, now=False).addErrback(lambda failure: self._log.failure("audit summaries ended", failure))

    async def stop(self, last: Event | None = None) -> None:
        """
        Write the summaries of what was counted so far, wait for what is under way, and close the folder.

        :param last: what the log ends with; where it cannot be recorded the log ends without it.
        """
        if self._timer.running:
            self._timer.stop()
        await self._summarise(self._tally.take_second() + self._tally.take_minute())
        if last is not None:
            await self._record_or_owe(last)
        await self._commits.stop()

    async def record(self, event: Event) -> None:
        """
        Record an event; when this returns, it is in the segment and synced.

        :raises AuditUnavailable: the disk is full, fails or does not answer, or too many wait already.
        """
        await self._commits.add(canonical(as_json(event)))

    def count_allowed(self, session: str, sandbox: SandboxId, who: UserId, address: str) -> None:
        """Count an allowed request."""
        self._tally.allowed(session, sandbox, who, address)

    def count_refused(self, kind: type[Refusal], address: str, reason: str) -> None:
        """Count a refusal to a stranger."""
        self._tally.refused(kind, address, reason)

    def ready(self) -> str | None:
        """Why an event would be turned away now; None if it would not."""
        return self._commits.ready()

    async def _each_second(self) -> None:
        if self.ready() is not None:
            return  # counting goes on in the same counts, which are bounded
        due: list[Event] = [*self._tally.take_second()]
        if self._clock.seconds() - self._minute_began >= _SECONDS_A_MINUTE:
            self._minute_began = self._clock.seconds()
            due += self._tally.take_minute()
        await self._summarise(due)

    async def _summarise(self, due: Sequence[Event]) -> None:
        """Record summaries, a part at a time to leave room for others; what fails is owed and comes first next time."""
        due, self._owed = [*self._owed, *due], []
        for first in range(0, len(due), _AT_ONCE):
            part = due[first : first + _AT_ONCE]
            await gatherResults([Deferred.fromCoroutine(self._record_or_owe(event)) for event in part], consumeErrors=True)

    async def _record_or_owe(self, event: Event) -> None:
        try:
            await self.record(event)
        except AuditUnavailable:
            self._owed.append(event)
