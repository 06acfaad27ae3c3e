"""
The sinks that keep nothing, or nothing for long.
"""

from __future__ import annotations

from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from coral_gate.audit.events import RequestRefused
from coral_gate.audit.sinks import MemorySink, RefusingSink
from coral_gate.errors import AuditUnavailable, Unavailable
from coral_gate.interfaces import IAuditSink
from tests.audit.contract import SinkContract
from tests.audit.samples import SANDBOX, USER, opened


class MemorySinkTests(SinkContract):
    def make(self) -> IAuditSink:
        return MemorySink()

    def events(self) -> list[dict[str, Any]]:
        return cast(MemorySink, self.sink).written()

    def a_minute(self) -> None:
        cast(MemorySink, self.sink).flush()

    def test_kept(self) -> None:
        """A test can ask for the events themselves, and for their names."""
        sink = MemorySink()
        self.do(sink.record(opened()))
        self.assertEqual((sink.events, sink.types()), ([opened()], ["stream.opened"]))


class RefusingSinkTests(SynchronousTestCase):
    def test_refuses(self) -> None:
        """It records nothing, says why, and counting still does not fail."""
        sink = RefusingSink("the disk is full")
        self.assertTrue(verifyObject(IAuditSink, sink))
        failure = self.failureResultOf(Deferred.fromCoroutine(sink.record(opened())), AuditUnavailable)
        self.assertTrue(failure.check(Unavailable))
        self.assertEqual(str(failure.value), "the disk is full")
        self.assertEqual(sink.ready(), "the disk is full")
        sink.count_allowed("s", SANDBOX, USER, "203.0.113.7")
        sink.count_refused(RequestRefused, "203.0.113.7", "no_session")
        self.assertEqual(sink.counted, 2)


del SinkContract  # trial would run the contract by itself
