"""
The audit log on a real disk, with a thread of its own and the real reactor.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from twisted.internet import reactor as _module
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from coral_gate.audit.events import SessionOpened
from coral_gate.audit.file_sink import FileSink
from coral_gate.audit.files import Files
from coral_gate.audit.segments import Segments
from coral_gate.audit.thread import OwnThread
from coral_gate.audit.verify import Folder

reactor: Any = _module  # to the type checker it is a module


class CountedSyncs(Files):
    """Counts syncs, and says who does them."""

    def __init__(self) -> None:
        self.count = 0
        self.threads: set[int] = set()

    def sync(self, file: int) -> None:
        self.count += 1
        self.threads.add(threading.get_ident())
        super().sync(file)


class CommitTests(TestCase):
    timeout = 60

    async def setUp(self) -> None:  # type: ignore[override]  # trial waits for coroutines
        self.folder = Path(self.mktemp())
        self.files = CountedSyncs()
        self.thread = OwnThread(reactor)
        self.thread.start()
        self.addCleanup(self.thread.stop)
        self.sink = FileSink(Segments(str(self.folder), "gate-1", 50_000, self.files), self.thread, reactor)
        await self.sink.start()

    async def record_one_after_the_other(self, name: str, count: int) -> None:
        for number in range(count):
            await self.sink.record(SessionOpened(session=f"{name}.{number}"))

    async def test_shared_syncs(self) -> None:
        """A thousand events of fifty who wait share their syncs, which no other thread does than the sink's own."""
        before = self.files.count
        await gatherResults([Deferred.fromCoroutine(self.record_one_after_the_other(str(name), 20)) for name in range(50)])
        syncs = self.files.count - before
        await self.sink.stop()
        report = Folder(self.folder).verify()
        self.assertEqual((report.first_bad, report.records), (None, 1000))
        self.assertLess(syncs, 100)
        self.assertEqual(len(self.files.threads), 1)
        self.assertNotIn(threading.get_ident(), self.files.threads)

    async def test_verified_while_written(self) -> None:
        """A log that is being written verifies as whole, again and again."""
        writing = gatherResults([Deferred.fromCoroutine(self.record_one_after_the_other(str(name), 100)) for name in range(20)])
        verified = 0
        while not writing.called:
            report = await deferToThread(lambda: Folder(self.folder, patience_s=5.0).verify())
            self.assertIsNone(report.first_bad, report)
            verified += 1
        await writing
        await self.sink.stop()
        self.assertGreater(verified, 1)
