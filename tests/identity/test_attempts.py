"""Attempts in memory."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from coral_gate.identity.attempts import MemorySignInAttempts
from tests.identity.contract import SignInAttemptsContract, attempt
from tests.identity.wall_clock import WallClock


class MemoryAttemptsTests(SignInAttemptsContract, SynchronousTestCase):
    """`MemorySignInAttempts`."""

    def attempts(self, clock: WallClock) -> MemorySignInAttempts:
        return MemorySignInAttempts(clock)

    def test_bounded(self) -> None:
        """When it is full the oldest goes, so that a flood shuts nobody out who is quick."""
        kept = MemorySignInAttempts(WallClock(), most=3)
        for number in range(5):
            self.now(kept.put(attempt(number)))
        there = [self.now(kept.take(attempt(number).state_digest)) is not None for number in range(5)]
        self.assertEqual(there, [False, False, True, True, True])

    def test_old_ones_go(self) -> None:
        """What has expired takes no room from what has not."""
        clock = WallClock()
        kept = MemorySignInAttempts(clock, most=3)
        for number in range(3):
            self.now(kept.put(attempt(number)))
        clock.advance(601)
        self.now(kept.put(attempt(7, begun_s=601)))
        self.assertEqual(len(kept._kept), 1)

    def test_one_that_is_old_already(self) -> None:
        """To put one that has expired is no error."""
        clock = WallClock()
        clock.advance(3600)
        self.now(MemorySignInAttempts(clock).put(attempt(1)))

    def test_shows_nothing(self) -> None:
        """No attempt is in the repr of the store, no verifier in that of an attempt."""
        kept = MemorySignInAttempts(WallClock())
        self.now(kept.put(attempt(1)))
        self.assertNotIn("0001", repr(kept))
        self.assertNotIn("vvv", repr(attempt(1)))
