"""
The sink that keeps events: when it acknowledges, whom it turns away, and how it comes back.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar, cast

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from coral_gate.audit.event import Event
from coral_gate.audit.events import DaemonStopped, RequestRefused
from coral_gate.audit.file_sink import FileSink
from coral_gate.audit.granularity import Bounds, Tally
from coral_gate.audit.group_commit import Limits
from coral_gate.audit.recovery import segment_name
from coral_gate.audit.segments import Segments
from coral_gate.audit.thread import RunInThread
from coral_gate.audit.verify import Folder
from coral_gate.errors import AuditUnavailable, ConfigError
from coral_gate.interfaces import IAuditSink
from tests.audit.contract import SinkCase, SinkContract
from tests.audit.disk import BadDisk, HeldThread, at_once
from tests.audit.samples import SANDBOX, USER, opened

_T = TypeVar("_T")
_NOON = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)


class FileSinkCase(SinkCase):
    """A sink on a disk that can fail, whose thread and clock do what they are told."""

    limits = Limits(events=10, event_bytes=100_000)

    def make(self) -> IAuditSink:
        self.folder = Path(self.mktemp())
        self.disk = BadDisk()
        self.clock = Clock()
        sink = self.sink_on(at_once)
        self.do(sink.start())
        self.addCleanup(lambda: self.do(sink.stop()))
        return sink

    def sink_on(self, run_in_thread: RunInThread) -> FileSink:
        return FileSink(Segments(str(self.folder), "gate-1", 2**20, self.disk), run_in_thread, self.clock, self.time_of_day, self.limits)

    def time_of_day(self) -> datetime:
        return _NOON + timedelta(seconds=self.clock.seconds())

    def events(self) -> list[dict[str, Any]]:
        report = Folder(self.folder).verify()
        self.assertIsNone(report.first_bad, report)
        lines = b"".join(path.read_bytes() for path in sorted(self.folder.glob("*.jsonl"))).splitlines()
        return [json.loads(line)["event"] for line in lines]

    def a_minute(self) -> None:
        self.clock.pump([1.0] * 61)

    def seen(self) -> list[Any]:
        """What of each event matters here: the session it names, or its kind and number."""
        return [event.get("session") or (event["type"], event["reason"], event["count"]) for event in self.events()]

    def start_record(self, event: Event) -> Deferred[None]:
        return Deferred.fromCoroutine(self.sink.record(event))


class FileSinkContractTests(FileSinkCase, SinkContract):
    pass


class CommittingTests(FileSinkCase):
    def make(self) -> IAuditSink:
        super().make()
        self.thread, self.clock = HeldThread(), Clock()
        self.folder = Path(self.mktemp())
        sink = self.sink_on(self.thread)
        self.now(sink.start())
        self.addCleanup(lambda: self.now(sink.stop()))
        return sink

    def do(self, work: Any) -> Any:
        return self.now(work) if hasattr(self, "thread") else super().do(work)

    def now(self, work: Any) -> Any:
        """The result of something whose thread's work is done at once."""
        done = Deferred.fromCoroutine(work)
        while self.thread.waiting:
            self.thread.go()
        return self.successResultOf(done)

    def test_acknowledged_when_synced(self) -> None:
        """Nobody is told that their event is recorded before the thread has synced it."""
        first = self.start_record(opened("a"))
        self.assertNoResult(first)
        self.thread.go()
        self.successResultOf(first)
        self.assertEqual(self.disk.calls[-1], "sync")
        self.assertEqual(self.seen(), ["a"])

    def test_shared_syncs(self) -> None:
        """Events that come while a batch is synced share the next sync, in the order in which they came."""
        del self.disk.calls[:]
        waiting = [self.start_record(opened(str(number))) for number in range(10)]
        self.thread.go()
        self.successResultOf(waiting[0])
        for each in waiting[1:]:
            self.assertNoResult(each)
        self.thread.go()
        for each in waiting[1:]:
            self.successResultOf(each)
        self.assertEqual(self.disk.calls.count("sync"), 2)
        self.assertEqual(self.seen(), [str(number) for number in range(10)])

    def test_recorded_from_within(self) -> None:
        """Whoever is told may record the next event at once; there are never two batches under way."""
        first = self.start_record(opened("a"))
        after: list[Deferred[None]] = []
        first.addCallback(lambda _: after.append(self.start_record(opened("c"))))
        second = self.start_record(opened("b"))
        self.thread.go()
        self.assertEqual(len(self.thread.waiting), 1)
        self.thread.go()
        self.successResultOf(second)
        self.successResultOf(after[0])
        self.assertEqual(self.seen(), ["a", "b", "c"])

    def test_cancelled(self) -> None:
        """Who gives up waiting hears so at once; the others and the log are not disturbed."""
        first, second = self.start_record(opened("a")), self.start_record(opened("b"))
        first.cancel()
        second.cancel()
        third = self.start_record(opened("c"))
        self.thread.go()
        self.thread.go()
        self.successResultOf(third)
        for each in (first, second):
            self.assertIsInstance(self.failureResultOf(each), Failure)
        self.assertEqual(self.seen(), ["a", "b", "c"])

    def test_too_many(self) -> None:
        """When as many wait as may, the next is turned away at once, and the log says afterwards that it was."""
        waiting = [self.start_record(opened(str(number))) for number in range(11)]
        self.assertIsNotNone(self.sink.ready())
        self.failureResultOf(self.start_record(opened("11")), AuditUnavailable)
        self.thread.go()
        self.assertIsNone(self.sink.ready())
        self.thread.go()
        for each in waiting:
            self.successResultOf(each)
        self.assertEqual(self.seen(), ["0", ("audit.gap", "queue_full", 1), *(str(number) for number in range(1, 11))])

    def test_too_many_bytes(self) -> None:
        """So too for bytes."""
        self.limits = Limits(event_bytes=1000)
        self.folder = Path(self.mktemp())
        sink = self.sink = self.sink_on(self.thread)
        self.now(sink.start())
        waiting = [self.start_record(opened("x" * 60)) for _ in range(6)]
        self.failureResultOf(waiting.pop(), AuditUnavailable)
        self.now(sink.stop())
        for each in waiting:
            self.successResultOf(each)

    def test_a_disk_that_hangs(self) -> None:
        """A disk that does not answer turns everyone away in time; when it answers, recording goes on and says so."""
        waiting = [self.start_record(opened("a")), self.start_record(opened("b"))]
        self.clock.advance(4.9)
        self.assertIsNone(self.sink.ready())
        self.clock.advance(0.1)
        for each in waiting:
            self.failureResultOf(each, AuditUnavailable)
        self.assertEqual(self.sink.ready(), "The audit log's disk does not answer.")
        self.failureResultOf(self.start_record(opened("c")), AuditUnavailable)
        self.assertEqual(len(self.thread.waiting), 1)
        self.thread.go()
        self.assertIsNone(self.sink.ready())
        self.now(self.sink.record(opened("d")))
        # "a" was on its way to the disk when its asker was turned away; "b" never set out
        self.assertEqual(self.seen(), ["a", ("audit.gap", "stalled", 3), "d"])

    def test_turned_away_while_trying_again(self) -> None:
        """Who is turned away while the disk is being tried again is counted too."""
        self.disk.failing = {"write"}
        first = self.start_record(opened("a"))
        self.thread.go()
        self.failureResultOf(first, AuditUnavailable)
        self.clock.advance(1.0)
        self.failureResultOf(self.start_record(opened("b")), AuditUnavailable)
        self.thread.go()
        self.disk.failing = set()
        self.clock.advance(1.0)
        self.failureResultOf(self.start_record(opened("c")), AuditUnavailable)
        self.thread.go()
        self.thread.go()
        self.assertEqual(self.seen(), [("audit.gap", "failed", 2), ("audit.gap", "failed", 1)])
        self.flushLoggedErrors(OSError)

    def test_a_failure_while_stopping(self) -> None:
        """A disk that fails while the sink stops is not tried again afterwards."""
        self.disk.failing = {"write"}
        first = self.start_record(opened("a"))
        stopped = Deferred.fromCoroutine(cast(FileSink, self.sink).stop())
        while self.thread.waiting:
            self.thread.go()
        self.successResultOf(stopped)
        self.failureResultOf(first, AuditUnavailable)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.flushLoggedErrors(OSError)

    def test_stop(self) -> None:
        """Stopping waits for what is under way, takes nothing more, and writes what was counted."""
        waiting = [self.start_record(opened("a")), self.start_record(opened("b"))]
        self.sink.count_refused(RequestRefused, "203.0.113.7", "no_session")
        stopped = Deferred.fromCoroutine(cast(FileSink, self.sink).stop())
        while self.thread.waiting:
            self.assertNoResult(stopped)
            self.thread.go()
        self.successResultOf(stopped)
        for each in waiting:
            self.successResultOf(each)
        self.failureResultOf(self.start_record(opened("c")), AuditUnavailable)
        self.assertEqual(self.seen(), ["a", "b", ("request.refused", "no_session", 1)])
        self.assertEqual(self.sink.ready(), "The audit log is not open.")


class FailingTests(FileSinkCase):
    def turned_away(self, name: str) -> None:
        self.failureResultOf(self.start_record(opened(name)), AuditUnavailable)

    def logged(self) -> list[str]:
        return [str(failure.value) for failure in self.flushLoggedErrors(OSError)]

    def test_disk_full(self) -> None:
        """A full disk turns everyone away, and is found to have room again without a restart or anyone asking."""
        self.do(self.sink.record(opened("a")))
        self.disk.room_bytes = 100
        for name in "bcd":
            self.turned_away(name)
        self.assertEqual(self.sink.ready(), "The audit log cannot be written: No space left on device.")
        self.clock.pump([1.0] * 30)
        self.turned_away("e")
        self.disk.room_bytes = None
        self.clock.advance(1.0)
        self.assertIsNone(self.sink.ready())
        self.do(self.sink.record(opened("f")))
        self.assertEqual(self.seen(), ["a", ("audit.gap", "disk_full", 4), "f"])
        self.assertEqual(self.events()[1]["seconds"], 31)
        self.assertEqual(len(self.logged()), 1)

    def test_tried_rarely(self) -> None:
        """While the disk fails it is tried once a second, however many ask."""
        self.disk.failing = {"write"}
        self.turned_away("a")
        del self.disk.calls[:]
        for _ in range(100):
            self.turned_away("b")
        self.assertEqual(self.disk.calls, [])
        self.clock.advance(1.0)
        self.assertEqual(self.disk.calls.count("write"), 1)
        self.logged()

    def test_each_failure(self) -> None:
        """Whichever call fails, no acknowledged event is lost and none that was turned away is done later."""
        for call in ("write", "sync", "state"):
            self.disk.failing = {call}
            self.turned_away("lost")
            self.disk.failing = set()
            self.clock.advance(1.0)
            self.do(self.sink.record(opened(call)))
        self.assertEqual([each for each in self.seen() if isinstance(each, str)], ["write", "sync", "state"])
        self.assertEqual(len(self.logged()), 3)

    def test_counts_survive(self) -> None:
        """What is counted while the disk fails is written when it works again; it is neither lost nor counted twice."""
        for _ in range(2):
            self.sink.count_allowed("s", SANDBOX, USER, "203.0.113.7")
            self.sink.count_refused(RequestRefused, "203.0.113.7", "no_session")
        self.disk.failing = {"sync"}
        self.clock.advance(1.0)
        self.assertIsNotNone(self.sink.ready())
        for _ in range(3):
            self.sink.count_allowed("s", SANDBOX, USER, "203.0.113.7")
            self.sink.count_refused(RequestRefused, "203.0.113.7", "no_session")
        self.clock.pump([1.0] * 100)
        self.disk.failing = set()
        self.a_minute()
        counts: dict[str, int] = {}
        for event in self.events():
            counts[event["type"]] = counts.get(event["type"], 0) + event["count"]
        self.assertEqual(counts, {"audit.gap": 1, "request.counted": 5, "request.refused": 5})
        self.logged()

    def test_a_mistake_of_ours(self) -> None:
        """An error that no disk made turns people away all the same, is logged, and does not end the sink."""
        real = self.disk.write

        def wrong(file: int, content: memoryview) -> int:
            raise ZeroDivisionError

        self.disk.write = wrong  # type: ignore[method-assign]  # that is the test
        self.turned_away("a")
        self.disk.write = real  # type: ignore[method-assign]  # as it was
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.clock.advance(1.0)
        self.do(self.sink.record(opened("b")))
        self.assertEqual(self.seen(), [("audit.gap", "failed", 1), "b"])

    def test_stop_while_failing(self) -> None:
        """A sink whose disk fails can be stopped, and leaves no timer behind."""
        self.disk.failing = {"write", "truncate"}
        self.turned_away("a")
        self.do(cast(FileSink, self.sink).stop())
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.logged()


class StartingTests(FileSinkCase):
    def again(self) -> FileSink:
        """The same folder, opened by the next process."""
        self.do(cast(FileSink, self.sink).stop())
        return self.sink_on(at_once)

    def test_torn(self) -> None:
        """A start that cut off an unfinished line says so in the log."""
        self.do(self.sink.record(opened("a")))
        sink = self.again()
        with (self.folder / segment_name(1)).open("ab") as file:
            file.write(b'{"at":"20')
        self.do(sink.start())
        self.do(sink.stop())
        kept_as = self.events()[1].pop("kept_as")
        self.assertEqual((self.folder / kept_as).read_bytes(), b'{"at":"20')
        self.assertEqual(self.events()[1]["torn_bytes"], 9)

    def test_not_started(self) -> None:
        """A sink that is not open records nothing."""
        sink = self.again()
        self.assertEqual(sink.ready(), "The audit log is not open.")
        self.failureResultOf(Deferred.fromCoroutine(sink.record(opened())), AuditUnavailable)

    def test_cannot_start(self) -> None:
        """A folder that cannot be used ends the start: what is wrong with it as such, a failing disk as unavailable."""
        taken = self.sink_on(at_once)
        self.failureResultOf(Deferred.fromCoroutine(taken.start()), ConfigError)
        sink = self.again()
        self.disk.failing = {"sync"}
        self.failureResultOf(Deferred.fromCoroutine(sink.start()), AuditUnavailable)
        self.disk.failing = set()
        self.do(sink.start())
        self.do(sink.stop())


class CountingTests(FileSinkCase):
    def test_a_scanner(self) -> None:
        """A scanner with any number of addresses costs a bounded number of events, and the sink stays ready."""
        sink = cast(FileSink, self.sink)
        sink._tally = Tally(self.clock.seconds, Bounds(refused_events=5))
        for second in range(59):
            for host in range(50):
                self.sink.count_refused(RequestRefused, f"2001:db8:{second:x}:{host:x}::1", "no_session")
            self.clock.advance(1.0)
            self.assertIsNone(self.sink.ready())
        self.assertEqual(len(self.events()), 5)
        self.clock.pump([1.0, 1.0])
        self.assertEqual(len(self.events()), 6)
        self.assertEqual(sum(event["count"] for event in self.events()), 59 * 50)

    def test_a_second(self) -> None:
        """A stranger's refusals are written within a second, a session's requests within a minute."""
        self.sink.count_allowed("s", SANDBOX, USER, "203.0.113.7")
        self.sink.count_refused(RequestRefused, "203.0.113.7", "no_session")
        self.clock.advance(1.0)
        self.assertEqual(self.seen(), [("request.refused", "no_session", 1)])
        self.clock.pump([1.0] * 59)
        self.assertEqual(self.seen(), [("request.refused", "no_session", 1), "s"])

    def test_last(self) -> None:
        """What a log is to end with comes after the last summaries."""
        self.sink.count_refused(RequestRefused, "192.0.2.1", "no-session")
        sink = cast(FileSink, self.sink)
        self.do(sink.stop(last=DaemonStopped()))
        self.assertEqual([event["type"] for event in self.events()], ["request.refused", "daemon.stopped"])

    def test_many_summaries(self) -> None:
        """More summaries than may wait at once are all written in the end."""
        for number in range(25):
            self.sink.count_allowed(f"s{number}", SANDBOX, USER, "203.0.113.7")
        self.a_minute()
        self.assertEqual(len(self.events()), 25)


del SinkContract  # trial would run the contract by itself
