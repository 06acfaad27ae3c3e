"""What was opened, and for how long."""

from __future__ import annotations

import gc
import weakref

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from coral_gate.custody.opened import OpenedSecrets, Place
from coral_gate.errors import Unavailable
from coral_gate.model import SandboxId, Secret, ServiceName, UserId
from tests.custody import contract

ALICE = UserId("https://id.example", "alice")
A, B = SandboxId("a" * 26), SandboxId("b" * 26)
PLACE: Place = (ALICE, A, ServiceName.APP)
OTHER: Place = (ALICE, B, ServiceName.APP)


class Weakly(Secret):
    """A secret whose end can be seen."""

    __slots__ = ("__weakref__",)


class OpenedTests(contract.Case):
    """`OpenedSecrets`."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.opened = OpenedSecrets(self.clock)
        self.openings: list[Deferred[Secret | None]] = []

    def ask(self, place: Place = PLACE) -> Deferred[Secret | None]:
        return Deferred.fromCoroutine(self.opened.get(place, self.opening))

    async def opening(self) -> Secret | None:
        answer: Deferred[Secret | None] = Deferred()
        self.openings.append(answer)
        return await answer

    def answer(self, value: bytes | None = b"secret") -> None:
        self.openings.pop(0).callback(None if value is None else Secret(value))

    def got(self, asked: Deferred[Secret | None]) -> bytes:
        secret = self.successResultOf(asked)
        assert secret is not None
        return secret.reveal()

    def keep(self, place: Place = PLACE, value: bytes = b"secret") -> None:
        asked = self.ask(place)
        self.answer(value)
        self.got(asked)

    def test_kept(self) -> None:
        """What was opened is given again without opening, for less than a minute."""
        self.keep()
        self.clock.advance(59.9)
        self.assertEqual(self.got(self.ask()), b"secret")
        self.clock.advance(0.1)
        self.assertNoResult(self.ask())
        self.assertEqual(len(self.openings), 1)

    def test_late_timer(self) -> None:
        """After its minute nothing is given, even before the timer could run."""
        self.keep()
        self.clock.rightNow += 60
        self.assertNoResult(self.ask())

    def test_not_renewed(self) -> None:
        """Using what is kept does not keep it longer."""
        self.keep()
        for _ in range(59):
            self.clock.advance(1)
            self.got(self.ask())
        self.clock.advance(1)
        self.assertNoResult(self.ask())

    def test_freed(self) -> None:
        """After a minute, and after a drop, nothing refers to the secret any more, and no timer is left."""
        ends = (lambda: self.clock.advance(60), lambda: self.opened.drop(A), self.opened.drop_all)
        for end in ends:
            asked = self.ask()
            secret = Weakly(b"secret")
            gone = weakref.ref(secret)
            self.openings.pop(0).callback(secret)
            del secret
            self.successResultOf(asked)
            del asked
            gc.collect()
            self.assertIsNotNone(gone())
            end()
            gc.collect()
            self.assertIsNone(gone())
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_opened_once(self) -> None:
        """However many ask at once, it is opened once."""
        asked = [self.ask() for _ in range(5)]
        self.assertEqual(len(self.openings), 1)
        self.answer()
        self.assertEqual([self.got(each) for each in asked], [b"secret"] * 5)
        self.assertEqual(self.openings, [])

    def test_places_apart(self) -> None:
        """One place waits for no other, and has its own."""
        first, second = self.ask(PLACE), self.ask(OTHER)
        self.openings.reverse()
        self.answer(b"other")
        self.assertEqual(self.got(second), b"other")
        self.assertNoResult(first)
        self.answer(b"secret")
        self.assertEqual((self.got(first), self.got(self.ask(OTHER))), (b"secret", b"other"))

    def test_nothing_is_not_kept(self) -> None:
        """That there is nothing is found out anew each time."""
        asked = self.ask()
        self.answer(None)
        self.assertIs(self.successResultOf(asked), None)
        self.ask()
        self.assertEqual(len(self.openings), 1)

    def test_failure_is_not_kept(self) -> None:
        """An opening that fails fails for its asker; the next one opens anew."""
        first, second = self.ask(), self.ask()
        self.openings.pop(0).errback(Unavailable())
        self.failureResultOf(first, Unavailable)
        self.answer()
        self.assertEqual(self.got(second), b"secret")

    def test_drop(self) -> None:
        """What is dropped is opened anew; other sandboxes keep theirs."""
        self.keep(PLACE)
        self.keep(OTHER, b"other")
        self.opened.drop(A)
        self.assertNoResult(self.ask(PLACE))
        self.assertEqual(self.got(self.ask(OTHER)), b"other")

    def test_drop_all(self) -> None:
        """Dropping everything leaves nothing."""
        self.keep(PLACE)
        self.keep(OTHER)
        self.opened.drop_all()
        for place in (PLACE, OTHER):
            self.assertNoResult(self.ask(place))

    def test_dropped_while_opening(self) -> None:
        """What was opened before a drop is not given after it: it is opened again."""
        for drop in (lambda: self.opened.drop(A), self.opened.drop_all):
            asked = self.ask()
            drop()
            self.answer(b"before")
            self.assertNoResult(asked)
            self.answer(b"after")
            self.assertEqual((self.got(asked), self.got(self.ask())), (b"after", b"after"))
            self.opened.drop_all()

    def test_other_dropped_while_opening(self) -> None:
        """A drop of another sandbox disturbs no opening."""
        asked = self.ask()
        self.opened.drop(B)
        self.answer()
        self.assertEqual(self.got(asked), b"secret")

    def test_dropped_again_and_again(self) -> None:
        """Dropped with each try, it is unavailable in the end, and nothing is kept."""
        asked = self.ask()
        for _ in range(3):
            self.opened.drop(A)
            self.answer()
        self.failureResultOf(asked, Unavailable)
        self.assertNoResult(self.ask())

    def test_cancelled(self) -> None:
        """Whoever gives up, in front or in the queue, leaves the others to go on and nothing behind."""
        first, second, third = self.ask(), self.ask(), self.ask()
        second.cancel()
        self.failureResultOf(second, CancelledError)
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.openings.pop(0)
        self.answer()
        self.assertEqual(self.got(third), b"secret")
        self.opened.drop_all()
        self.assertEqual((self.opened._locks, self.opened._opening, self.opened._kept), ({}, {}, {}))

    def test_repr(self) -> None:
        """What is kept is not shown."""
        self.keep()
        self.assertNotIn("secret", repr(self.opened).replace("OpenedSecrets", ""))
