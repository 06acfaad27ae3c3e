"""
Many waiters, few syncs: events that arrive while a batch is being synced go into the next batch together.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from datetime import datetime
from functools import partial
from math import ceil

from attrs import define, field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from coral_gate.audit.chain import canonical
from coral_gate.audit.event import as_json
from coral_gate.audit.events import AuditGap, AuditRecovered
from coral_gate.audit.segments import Segments
from coral_gate.audit.thread import RunInThread
from coral_gate.errors import AuditUnavailable

_FULL = (errno.ENOSPC, errno.EDQUOT)


@frozen
class Limits:
    """
    How much may wait, and for how long.

    :ivar events: how many events may wait for the batch before theirs.
    :ivar event_bytes: how many bytes they may be.
    :ivar stall_s: how long a batch may take before everyone who waits is turned away.
    :ivar retry_s: how long after a failure the disk is tried again.
    """

    events: int = 10_000
    event_bytes: int = 8 * 1024 * 1024
    stall_s: float = 5.0
    retry_s: float = 1.0


@define(eq=False)
class _Waiting:
    """An event, when it came, and who waits for it."""

    at: datetime
    event: bytes
    done: Deferred[None] = field(factory=Deferred)

    def succeed(self) -> None:
        if not self.done.called:
            self.done.callback(None)

    def fail(self, why: str) -> None:
        if not self.done.called:
            self.done.errback(AuditUnavailable(why))


@frozen
class _Down:
    """Why nothing can be written: a word for the log, a sentence for operators."""

    reason: str
    why: str


@define
class _Gap:
    """What was turned away since when, to be said in the log as soon as it can be written again."""

    reason: str
    since: float
    count: int = 0

    def event(self, now: float) -> bytes:
        return canonical(as_json(AuditGap(reason=self.reason, count=self.count, seconds=max(0, ceil(now - self.since)))))


@define(eq=False)
class GroupCommit:
    """
    Commits events to the segments in the order in which they came, in as few batches as there are syncs.

    After a failure everyone is turned away at once, and the disk is tried again once a `retry_s` with an `audit.gap` that
    says how many were. So nothing is recorded late that its asker gave up on, apart from the batch that was under way.
    """

    _log = Logger()

    _segments: Segments
    _run_in_thread: RunInThread
    _clock: IReactorTime
    _now: Callable[[], datetime]
    _limits: Limits = field(factory=Limits)
    _open: bool = field(default=False, init=False)
    _queue: list[_Waiting] = field(factory=list, init=False)
    _queued_bytes: int = field(default=0, init=False)
    _batch: list[_Waiting] = field(factory=list, init=False)
    _busy: bool = field(default=False, init=False)
    _idle: Deferred[None] | None = field(default=None, init=False)
    _down: _Down | None = field(default=None, init=False)
    _gap: _Gap | None = field(default=None, init=False)
    _retry: IDelayedCall | None = field(default=None, init=False)

    async def start(self) -> None:
        """
        Open the folder; see `Segments.open`.

        :raises ConfigError: the folder cannot be used.
        :raises AuditUnavailable: the disk fails.
        """
        try:
            recovered = await self._run_in_thread(self._segments.open)
        except OSError as error:
            raise AuditUnavailable(f"the audit folder cannot be opened: {error.strerror}") from error
        self._open = True
        if recovered.torn_bytes:
            event = AuditRecovered(torn_bytes=recovered.torn_bytes, kept_as=recovered.kept_as)
            await self.add(canonical(as_json(event)))

    async def stop(self) -> None:
        """Take no more, commit what waits, and close the folder."""
        self._open = False
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        if self._busy:
            self._idle = Deferred()
            await self._idle
        await self._run_in_thread(self._segments.close)

    def ready(self) -> str | None:
        """Why an event would be turned away now; None if it would not."""
        if not self._open:
            return "The audit log is not open."
        if len(self._queue) >= self._limits.events or self._queued_bytes >= self._limits.event_bytes:
            return "More events wait for the audit log's disk than may."
        return self._down.why if self._down else None

    async def add(self, event: bytes) -> None:
        """
        Commit an event; when this returns, it is durable.

        :param event: in canonical JSON.
        :raises AuditUnavailable: it may not be.
        """
        why = self.ready()
        if why is not None:
            self._turned_away(1, self._down.reason if self._down else "queue_full")
            raise AuditUnavailable(why)
        waiting = _Waiting(self._now(), event)
        self._queue.append(waiting)
        self._queued_bytes += len(event)
        self._wake()
        await waiting.done

    def _wake(self) -> None:
        if not self._busy:
            self._busy = True
            Deferred.fromCoroutine(self._run()).addErrback(lambda failure: self._log.failure("audit commits ended", failure))

    async def _run(self) -> None:
        try:
            while self._queue or self._gap:
                self._batch, self._queue, self._queued_bytes = self._queue, [], 0
                gap, self._gap = self._gap, None
                if not await self._commit(gap):
                    break
        finally:
            self._busy = False
            if self._idle is not None:
                self._idle.callback(None)

    async def _commit(self, gap: _Gap | None) -> bool:
        events = [(waiting.at, waiting.event) for waiting in self._batch]
        if gap is not None:
            events.insert(0, (events[0][0] if events else self._now(), gap.event(self._clock.seconds())))
        stall = self._clock.callLater(self._limits.stall_s, self._stall)
        try:
            await self._run_in_thread(partial(self._segments.append, events))
        except Exception as error:  # whatever it was, nobody may be told that their event was recorded
            self._fail(error, gap)
            return False
        finally:
            if stall.active():
                stall.cancel()
        self._succeed()
        return True

    def _succeed(self) -> None:
        if self._down is not None:
            self._log.info("the audit log can be written again")
            self._down = None
        batch, self._batch = self._batch, []
        for waiting in batch:
            waiting.succeed()

    def _fail(self, error: Exception, gap: _Gap | None) -> None:
        if self._down is None:
            self._log.failure("the audit log cannot be written; nothing new opens", Failure(error))
        if gap is not None:
            gap.count += self._gap.count if self._gap else 0
            self._gap = gap
        if self._open:
            self._retry = self._clock.callLater(self._limits.retry_s, self._try_again)
        full = isinstance(error, OSError) and error.errno in _FULL
        why = error.strerror if isinstance(error, OSError) else None
        self._turn_everyone_away(_Down("disk_full" if full else "failed", f"The audit log cannot be written: {why or 'see the log'}."))

    def _stall(self) -> None:
        self._log.error("the audit log's disk does not answer; nothing new opens")
        self._turn_everyone_away(_Down("stalled", "The audit log's disk does not answer."))

    def _try_again(self) -> None:
        self._retry = None
        self._wake()

    def _turn_everyone_away(self, down: _Down) -> None:
        self._down = down
        everyone = self._batch + self._queue
        self._batch, self._queue, self._queued_bytes = [], [], 0
        self._turned_away(len(everyone), down.reason)
        for waiting in everyone:
            waiting.fail(down.why)

    def _turned_away(self, count: int, reason: str) -> None:
        if self._gap is None:
            self._gap = _Gap(reason, self._clock.seconds())
        self._gap.count += count
