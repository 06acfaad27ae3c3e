"""What a sandbox refused."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.channels.breaker import AGAIN_S, Breaker, CredentialRefused
from coral_gate.model import SandboxId, Secret

ONE, OTHER = SandboxId("a" * 26), SandboxId("b" * 26)


class BreakerTests(SynchronousTestCase):
    """A refused credential is not sent again, a changed one at once."""

    def setUp(self) -> None:
        """One credential was refused."""
        self.clock = Clock()
        self.breaker = Breaker(self.clock.seconds)
        self.breaker.refused(ONE, Secret(b"wrong password"))

    def test_held(self) -> None:
        """The same one is held back, from this sandbox alone."""
        self.assertRaises(CredentialRefused, self.breaker.check, ONE, Secret(b"wrong password"))
        self.breaker.check(OTHER, Secret(b"wrong password"))

    def test_changed(self) -> None:
        """Another one is tried, and then nothing is held back any more."""
        self.breaker.check(ONE, Secret(b"right password"))
        self.breaker.check(ONE, Secret(b"wrong password"))

    def test_told(self) -> None:
        """Where a sandbox was told its credential since, the same one is tried at once."""
        self.breaker.forget(OTHER)
        self.assertRaises(CredentialRefused, self.breaker.check, ONE, Secret(b"wrong password"))
        self.breaker.forget(ONE)
        self.breaker.check(ONE, Secret(b"wrong password"))

    def test_again(self) -> None:
        """After a while the same one is tried once; refused again, it is held back again."""
        self.clock.advance(AGAIN_S)
        self.breaker.check(ONE, Secret(b"wrong password"))
        self.breaker.refused(ONE, Secret(b"wrong password"))
        self.assertRaises(CredentialRefused, self.breaker.check, ONE, Secret(b"wrong password"))

    def test_shows_nothing(self) -> None:
        """Nothing of the credential can be seen in it."""
        self.assertNotIn("password", repr(self.breaker) + repr(vars(type(self.breaker))))
