"""Answers that are fetched once."""

from __future__ import annotations

from datetime import timedelta

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.errors import IssuerUnavailable
from coral_gate.identity.remembered import Remembered
from tests.identity.wall_clock import WallClock


@define
class Source:
    """Gives what a test says, when it says so."""

    waiting: list[Deferred[str]] = field(factory=list)
    asked: int = 0

    async def __call__(self) -> str:
        self.asked += 1
        answer: Deferred[str] = Deferred()
        self.waiting.append(answer)
        return await answer


class RememberedTests(SynchronousTestCase):
    """`Remembered`."""

    def setUp(self) -> None:
        self.clock, self.source = WallClock(), Source()
        self.kept = Remembered(self.source, self.clock, timedelta(seconds=100))

    def get(self) -> Deferred[str]:
        return Deferred.fromCoroutine(self.kept.get())

    def renew(self) -> Deferred[str]:
        return Deferred.fromCoroutine(self.kept.renew())

    def give(self, answer: str) -> None:
        self.source.waiting.pop(0).callback(answer)

    def fail_with(self, reason: str) -> None:
        self.source.waiting.pop(0).errback(IssuerUnavailable(reason))

    def test_fetched_once(self) -> None:
        """However many ask, before and after it came, it is fetched once."""
        first = [self.get(), self.get()]
        self.give("a")
        self.assertEqual([self.successResultOf(one) for one in (*first, self.get())], ["a"] * 3)
        self.assertEqual(self.source.asked, 1)

    def test_too_old(self) -> None:
        """Up to its age it is kept, then fetched anew; also after the clock was set back."""
        first = self.get()
        self.give("a")
        self.successResultOf(first)
        self.clock.advance(99)
        self.assertEqual(self.successResultOf(self.get()), "a")
        for seconds in (1, -1000):
            self.clock.advance(seconds)
            again = self.get()
            self.assertNoResult(again)
            self.give("b")
            self.assertEqual(self.successResultOf(again), "b")

    def test_failures_are_kept_shortly(self) -> None:
        """A crowd does not fall upon an issuer that is down: everybody in the next five seconds hears the same."""
        waiting = [self.get(), self.get()]
        self.fail_with("jwks.status")
        for one in (*waiting, self.get()):
            self.assertEqual(self.failureResultOf(one, IssuerUnavailable).value.reason, "jwks.status")
        self.assertEqual(self.source.asked, 1)
        self.clock.advance(5)
        again = self.get()
        self.give("a")
        self.assertEqual(self.successResultOf(again), "a")

    def test_renew(self) -> None:
        """A renewal fetches though the answer is young; those who ask for one while it is under way share it."""
        first = self.get()
        self.give("a")
        self.successResultOf(first)
        renewals = [self.renew(), self.renew()]
        self.give("b")
        self.assertEqual([self.successResultOf(one) for one in renewals], ["b", "b"])
        self.assertEqual(self.source.asked, 2)

    def test_cancelled(self) -> None:
        """Who gives up while fetching leaves the work to the next; who gives up while waiting leaves nothing behind."""
        first, second, third = self.get(), self.get(), self.get()
        second.cancel()
        first.cancel()
        self.failureResultOf(first)
        self.failureResultOf(second)
        self.source.waiting.pop(0)
        self.give("a")
        self.assertEqual(self.successResultOf(third), "a")
        self.assertEqual(self.source.asked, 2)

    def test_other_errors(self) -> None:
        """A mistake of ours is not remembered as the issuer's."""
        first = self.get()
        self.source.waiting.pop(0).errback(ZeroDivisionError())
        self.failureResultOf(first, ZeroDivisionError)
        again = self.get()
        self.give("a")
        self.assertEqual(self.successResultOf(again), "a")
