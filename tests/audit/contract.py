"""
What every sink that keeps events must do.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from coral_gate.audit.event import as_json
from coral_gate.audit.events import RequestRefused, SessionEnded
from coral_gate.interfaces import IAuditSink
from coral_gate.model import Secret
from tests.audit.samples import INJECTIONS, SANDBOX, USER, opened

_T = TypeVar("_T")


class SinkCase(SynchronousTestCase):
    """A case about one sink: how to make it, and how to read it back."""

    def make(self) -> IAuditSink:
        """A sink that is ready."""
        raise NotImplementedError

    def events(self) -> list[dict[str, Any]]:
        """The events as a reader sees them, oldest first."""
        raise NotImplementedError

    def a_minute(self) -> None:
        """Let the summaries of a minute be written."""
        raise NotImplementedError

    def do(self, work: Coroutine[Any, Any, _T]) -> _T:
        """The result of something that need not wait."""
        return self.successResultOf(Deferred.fromCoroutine(work))

    def setUp(self) -> None:
        self.sink = self.make()


class SinkContract(SinkCase):
    """The promises; mixed into a case for each sink."""

    def test_interface(self) -> None:
        """It is a sink."""
        self.assertTrue(verifyObject(IAuditSink, self.sink))

    def test_order(self) -> None:
        """Events are kept in the order in which they were recorded."""
        for number in range(20):
            self.do(self.sink.record(opened(f"s{number}")))
        self.assertEqual([event["session"] for event in self.events()], [f"s{number}" for number in range(20)])

    def test_whole(self) -> None:
        """What is kept is what the event says, whatever is in it."""
        recorded = [RequestRefused(who=USER, sandbox=hostile, address=hostile, reason="no_right") for hostile in INJECTIONS]
        for event in recorded:
            self.do(self.sink.record(event))
        self.assertEqual(self.events(), [as_json(event) for event in recorded])

    def test_ready(self) -> None:
        """A sink that keeps events is ready."""
        self.do(self.sink.record(SessionEnded(session="s", reason="signed_out")))
        self.assertIsNone(self.sink.ready())

    def test_no_event(self) -> None:
        """What is no event is not recorded, and the sink goes on."""
        for wrong in (Secret(b"hunter2"), "text", None, {"type": "session.opened"}):
            self.failureResultOf(Deferred.fromCoroutine(self.sink.record(wrong)), TypeError)  # type: ignore[arg-type]  # that is the test
        self.do(self.sink.record(opened()))
        self.assertEqual(len(self.events()), 1)

    def test_counts(self) -> None:
        """What was counted is one event for each session and for each stranger, a minute later at the latest."""
        for _ in range(3):
            self.sink.count_allowed("s1", SANDBOX, USER, "203.0.113.7")
            self.sink.count_refused(RequestRefused, "2001:db8::1", "no_session")
        self.assertEqual(self.events(), [])
        self.a_minute()
        written = sorted((event["type"], event["count"], event["from"]) for event in self.events())
        self.assertEqual(written, [("request.counted", 3, "203.0.113.7"), ("request.refused", 3, "2001:db8::/64")])
