"""Decisions for which the store has to be asked: nothing is read, nothing passes and nothing is lost meanwhile."""

from __future__ import annotations

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.config.sections.deadlines import DeadlinesConfig
from coral_gate.errors import Unavailable
from tests.edge.bench import Bench, get, lose

CLOSED = b"b" * 26
COOKIE = b"Cookie: __Host-coral-sandbox=" + b"x" * 43
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


@define
class SlowStore:
    """Answers when the test says so."""

    asked: list[Deferred[None]] = field(factory=list)
    cancelled: int = 0

    async def find_child(self, digest: bytes) -> None:
        """Nobody's, later."""
        answer: Deferred[None] = Deferred(lambda _: setattr(self, "cancelled", self.cancelled + 1))
        self.asked.append(answer)
        await answer


class LateTests(SynchronousTestCase):
    """One connection whose first request needs the store."""

    def setUp(self) -> None:
        self.bench = Bench(times=DeadlinesConfig(decide_s=3))
        self.store = SlowStore()
        self.bench.sessions.store = self.store  # type: ignore[assignment]  # what of a store is asked
        self.connection, self.wire = self.bench.browser()

    def ask(self, *more: bytes) -> None:
        """A request for a sandbox that is not open, with a token that memory does not know."""
        self.connection.dataReceived(get(b"/", COOKIE).replace(b"a" * 26, CLOSED) + b"".join(more))

    def test_waits(self) -> None:
        """Nothing is answered and nothing read until the store has answered; then the next request has its turn."""
        self.ask(get(b"/next"))
        self.assertEqual((self.wire.take(), self.wire.producerState, self.bench.link.wires), (b"", "paused", []))
        self.store.asked[0].callback(None)
        self.assertTrue(self.wire.take().startswith(b"HTTP/1.1 401 "))
        self.assertEqual(self.wire.producerState, "producing")
        self.bench.sandbox()[0].dataReceived(OK)
        self.assertTrue(self.wire.take().endswith(b"hi"))

    def test_bytes_meanwhile(self) -> None:
        """Bytes that come all the same, after the reading was stopped, wait for their turn."""
        self.ask()
        self.connection.dataReceived(get(b"/later"))
        self.store.asked[0].callback(None)
        self.assertTrue(self.wire.take().startswith(b"HTTP/1.1 401 "))
        self.assertTrue(self.bench.sandbox()[1].take().startswith(b"GET /later "))

    def test_deadline(self) -> None:
        """A store that does not answer within the deadline lets nobody in: 503, and the question is given up."""
        self.ask(get(b"/next"))
        self.bench.pass_time(2.5)
        self.assertEqual(self.wire.take(), b"")
        self.bench.pass_time(1)
        self.assertTrue(self.wire.take().startswith(b"HTTP/1.1 503 "))
        self.assertTrue(self.wire.closed)
        self.assertEqual((self.store.cancelled, self.bench.link.wires), (1, []))

    def test_store_fails(self) -> None:
        """A store that cannot answer lets nobody in, and nothing of its error is shown."""
        for error in (Unavailable(), ValueError("secret detail")):
            connection, wire = self.bench.browser()
            connection.dataReceived(get(b"/", COOKIE).replace(b"a" * 26, CLOSED))
            self.store.asked[-1].errback(error)
            answer = wire.take()
            self.assertTrue(answer.startswith(b"HTTP/1.1 503 ") and b"secret" not in answer)
            self.assertTrue(wire.closed)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_browser_gone(self) -> None:
        """A browser that goes takes its question along."""
        self.ask()
        lose(self.connection, ConnectionDone())
        self.assertEqual(self.store.cancelled, 1)

    def test_content_waits(self) -> None:
        """The content of a request that is being decided is not taken for a request."""
        self.connection.dataReceived(
            get(b"/", COOKIE, b"Content-Length: 40", method=b"POST").replace(b"a" * 26, CLOSED) + get(b"/smuggled")
        )
        self.store.asked[0].callback(None)
        self.assertTrue(self.wire.take().startswith(b"HTTP/1.1 401 "))
        self.assertTrue(self.wire.closed)
        self.assertEqual(self.bench.link.wires, [])

    def test_leaving(self) -> None:
        """A request that is being decided when the daemon stops is served like one that was decided: answered, then closed."""
        self.ask()
        left = self.bench.door.leave()
        self.assertEqual((self.wire.closed, self.wire.take()), (False, b""))
        self.store.asked[0].callback(None)
        answer = self.wire.take()
        self.assertTrue(answer.startswith(b"HTTP/1.1 401 ") and b"\r\nConnection: close\r\n" in answer)
        self.assertTrue(self.wire.closed)
        lose(self.connection, ConnectionDone())
        self.successResultOf(left)
