"""What every store of attempts promises; mixed into a TestCase of each."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Coroutine
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import evolve
from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from coral_gate.interfaces import ISignInAttempts
from coral_gate.model import SignInAttempt
from tests.identity.test_token_endpoint import ATTEMPT
from tests.identity.wall_clock import BEGIN, WallClock

if TYPE_CHECKING:
    from twisted.trial.unittest import SynchronousTestCase as _Base
else:

    class _Base:
        """Nothing: what is mixed in comes from the TestCase."""


T = TypeVar("T")


def attempt(number: int, begun_s: float = 0) -> SignInAttempt:
    """One of many attempts."""
    begun_at = BEGIN + timedelta(seconds=begun_s)
    return evolve(
        ATTEMPT,
        state_digest=number.to_bytes(32, "big"),
        nonce=f"{number:043}",
        begun_at=begun_at,
        expires_at=begun_at + timedelta(minutes=10),
    )


class SignInAttemptsContract(_Base):
    """The promises of `ISignInAttempts`."""

    @abstractmethod
    def attempts(self, clock: WallClock) -> ISignInAttempts:
        """An empty store that goes by this clock."""

    def now(self, coroutine: Coroutine[Deferred[Any], Any, T]) -> T:
        """What a coroutine gives that has nothing to wait for."""
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def test_interface(self) -> None:
        """It provides what it says."""
        self.assertTrue(verifyObject(ISignInAttempts, self.attempts(WallClock())))

    def test_taken_once(self) -> None:
        """What was put is taken whole, its verifier too, and only once."""
        kept = self.attempts(WallClock())
        self.now(kept.put(attempt(1)))
        taken = self.now(kept.take(attempt(1).state_digest))
        self.assertEqual(taken, attempt(1))
        assert taken is not None
        self.assertEqual(taken.code_verifier.reveal(), b"v" * 43)
        self.assertIsNone(self.now(kept.take(attempt(1).state_digest)))

    def test_unknown(self) -> None:
        """What was not put is not there."""
        kept = self.attempts(WallClock())
        self.now(kept.put(attempt(1)))
        for digest in (attempt(2).state_digest, b"", b"\xff" * 32):
            self.assertIsNone(self.now(kept.take(digest)))

    def test_expires(self) -> None:
        """It is there until its time and not from then on."""
        clock = WallClock()
        kept = self.attempts(clock)
        for number in (1, 2):
            self.now(kept.put(attempt(number)))
        clock.advance(599.999)
        self.assertIsNotNone(self.now(kept.take(attempt(1).state_digest)))
        clock.advance(0.001)
        self.assertIsNone(self.now(kept.take(attempt(2).state_digest)))
