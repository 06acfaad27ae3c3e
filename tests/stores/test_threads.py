"""
The database's work is done in a thread of its own, one piece after the other.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from queue import Queue
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from coral_gate.errors import Unavailable
from coral_gate.model import Role, UserId
from coral_gate.records import Handoff
from coral_gate.stores.providers import database_stores
from coral_gate.stores.sqlite import open_beside, open_for_daemon
from coral_gate.stores.threads import OneThread
from tests.stores.contract import NOW, OPERATOR, Asking, a_handoff, a_session, digest, later

WAIT_S = 30


@implementer(IReactorFromThreads)
class CallsFromThreads:
    """What threads hand over, until it is called here."""

    def __init__(self) -> None:
        self._calls: Queue[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]] = Queue()  # Any: whatever is handed over

    def callFromThread(self, callable: Callable[..., Any], *args: Any, **kwargs: Any) -> None:  # noqa: A002 - the interface's name
        """Keep a call."""
        self._calls.put((callable, args, kwargs))

    def call(self) -> None:
        """Call the next one, as the reactor would."""
        called, args, kwargs = self._calls.get(timeout=WAIT_S)
        called(*args, **kwargs)


class OneThreadTests(SynchronousTestCase):
    """One thread."""

    def setUp(self) -> None:
        self.reactor = CallsFromThreads()
        self.thread = OneThread(self.reactor, "store-writer", most_waiting=3)
        self.thread.start()
        self.addCleanup(self.thread.stop)
        self.gate = threading.Event()
        self.addCleanup(self.gate.set)

    def test_elsewhere(self) -> None:
        """Work is done in the thread of that name, and its answer comes in the reactor's."""
        answer = self.thread(lambda: threading.current_thread().name)
        self.assertNoResult(answer)
        self.reactor.call()
        self.assertIn("store-writer", self.successResultOf(answer))

    def test_failure(self) -> None:
        """What the work raises, the answer raises."""

        def fail() -> None:
            raise ValueError("x")

        answer = self.thread(fail)
        self.reactor.call()
        self.failureResultOf(answer, ValueError)

    def test_in_order(self) -> None:
        """Pieces of work are done one after the other, in the order of the calls."""
        done: list[int] = []
        answers: list[Deferred[Any]] = [self.thread(lambda: self.gate.wait(WAIT_S))]  # Any: of either kind
        answers += [self.thread(partial(done.append, number)) for number in (1, 2)]
        self.gate.set()
        for _ in answers:
            self.reactor.call()
        self.assertEqual([True, None, None], [self.successResultOf(answer) for answer in answers])
        self.assertEqual([1, 2], done)

    def test_bounded(self) -> None:
        """Only so many pieces of work may wait; one more is refused at once, and there is room again when one is done."""
        answers = [self.thread(lambda: self.gate.wait(WAIT_S)) for _ in range(3)]
        self.assertRaises(Unavailable, self.thread, lambda: None)
        self.gate.set()
        for answer in answers:
            self.reactor.call()
            self.successResultOf(answer)
        late = self.thread(lambda: "room")
        self.reactor.call()
        self.assertEqual("room", self.successResultOf(late))

    def test_cancelled_before_it_began(self) -> None:
        """Work that is cancelled while it waits is not begun."""
        begun: list[int] = []
        first, second = self.thread(lambda: self.gate.wait(WAIT_S)), self.thread(lambda: begun.append(1))
        second.cancel()
        self.failureResultOf(second, CancelledError)
        self.gate.set()
        for _ in (first, second):
            self.reactor.call()
        self.assertTrue(self.successResultOf(first))
        self.assertEqual([], begun)

    def test_cancelled_later(self) -> None:
        """Work that has begun is done though nobody waits for it any more, and its answer troubles nobody."""
        begun, done = threading.Event(), threading.Event()

        def work() -> None:
            begun.set()
            self.gate.wait(WAIT_S)
            done.set()

        answer = self.thread(work)
        self.assertTrue(begun.wait(WAIT_S))
        answer.cancel()
        self.failureResultOf(answer, CancelledError)
        self.gate.set()
        self.reactor.call()
        self.assertTrue(done.is_set())

    def test_not_running(self) -> None:
        """Before it starts and after it stops, work is refused."""
        other = OneThread(self.reactor, "other")
        self.assertRaises(Unavailable, other, lambda: None)
        other.start()
        other.stop()
        other.stop()
        self.assertRaises(Unavailable, other, lambda: None)


class ThreadedDatabaseTests(Asking, SynchronousTestCase):
    """A database with its two threads."""

    def test_two_threads(self) -> None:
        """Writing and reading work from their own threads, and a read sees the write before it."""
        reactor = CallsFromThreads()
        writer, reader = OneThread(reactor, "writer"), OneThread(reactor, "reader")
        database = open_for_daemon(Path(self.mktemp()), writer, reader, NOW)
        for thread in (writer, reader):
            thread.start()
        self.addCleanup(database.close)
        self.addCleanup(reader.stop)
        self.addCleanup(writer.stop)
        stores = database_stores(database)
        who = UserId("https://issuer.example", "ann")
        allowed = Deferred.fromCoroutine(stores.users.allow(OPERATOR, who, Role.USER, NOW))
        reactor.call()
        found = Deferred.fromCoroutine(stores.users.find(who))
        reactor.call()
        self.assertEqual(self.successResultOf(allowed), self.successResultOf(found))


class RacingTests(Asking, SynchronousTestCase):
    """Several connections at the same time, as several processes have them."""

    def test_a_code_is_taken_once(self) -> None:
        """Of eight takers of the same code, at the same moment, one gets it; so it is with each of thirty codes."""
        folder = Path(self.mktemp())
        owner = open_beside(folder, NOW)
        self.addCleanup(owner.close)
        stores = database_stores(owner)
        ann = self.ask(stores.users.allow(OPERATOR, UserId("https://issuer.example", "ann"), Role.USER, NOW))
        session = a_session(ann, "mine")
        self.ask(stores.sessions.create(session, most=5))
        names = [f"code {number}" for number in range(30)]
        for name in names:
            self.ask(stores.handoffs.put(a_handoff(session, name, later(30))))
        answers: Queue[object] = Queue()
        start = threading.Barrier(8)

        def take() -> None:
            database = open_beside(folder, NOW)
            handoffs = database_stores(database).handoffs
            for name in names:
                start.wait(WAIT_S)
                Deferred.fromCoroutine(handoffs.take(digest(name), NOW)).addBoth(answers.put)
            database.close()

        takers = [threading.Thread(target=take) for _ in range(8)]
        for taker in takers:
            taker.start()
        for taker in takers:
            taker.join(WAIT_S)
        taken = [answer.digest for answer in answers.queue if isinstance(answer, Handoff)]
        self.assertEqual(sorted(digest(name) for name in names), sorted(taken))
        # All others were told that it is gone; nobody was sent away.
        self.assertEqual(7 * 30, sum(answer is None for answer in answers.queue))
