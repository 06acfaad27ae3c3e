"""Several drivers behind one face."""

from __future__ import annotations

from datetime import UTC, datetime

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from coral_gate.errors import DriverFault
from coral_gate.interfaces import ISandboxDriver
from coral_gate.model import SandboxId, SandboxState, Secret, ServiceName
from coral_gate.records import Sandbox, UserRowId
from coral_gate.sandboxes.drivers import Drivers
from coral_gate.sandboxes.memory_driver import MemoryDriver
from coral_gate.sandboxes.static import StaticDriver

NAMED, MADE, GONE, FOREIGN, NEVER = (SandboxId(letter * 26) for letter in "abcde")
OWNER = UserRowId("u" * 26)
AT = datetime(2026, 1, 1, tzinfo=UTC)


class DriversTests(SynchronousTestCase):
    """Who is asked."""

    def setUp(self) -> None:
        self.memory = MemoryDriver()
        self.drivers = Drivers((StaticDriver({NAMED: {}}), self.memory))
        self.drivers.named([NAMED], "static")
        rows = [(MADE, "memory", None), (GONE, "memory", AT), (FOREIGN, "qemu", None), (NAMED, "memory", None)]
        self.drivers.load(Sandbox(one, OWNER, "x", word, "stopped", AT, ended) for one, word, ended in rows)

    def test_interface(self) -> None:
        """It is a driver like any other."""
        verifyObject(ISandboxDriver, self.drivers)

    def test_each_by_its_own(self) -> None:
        """Each sandbox is its driver's; one named by the configuration is not a row's, and the others are not there at all."""
        self.successResultOf(Deferred.fromCoroutine(self.drivers.provide(MADE, "https://x", {ServiceName.APP: Secret(b"x")})))
        self.successResultOf(Deferred.fromCoroutine(self.drivers.start(MADE)))
        self.assertEqual(set(self.memory.given), {MADE})
        states = [self.drivers.condition(one).state for one in (MADE, NAMED, GONE, FOREIGN, NEVER)]
        self.assertEqual(states, [SandboxState.RUNNING, SandboxState.RUNNING, *[SandboxState.UNKNOWN] * 3])
        for one in (GONE, FOREIGN, NEVER):
            self.assertIsNone(self.drivers.link(one, ServiceName.APP))
            for act in (self.drivers.start, self.drivers.stop):
                self.failureResultOf(Deferred.fromCoroutine(act(one)), DriverFault)
            self.failureResultOf(Deferred.fromCoroutine(self.drivers.provide(one, "https://x", {})), DriverFault)
        self.failureResultOf(Deferred.fromCoroutine(self.drivers.stop(NAMED)), DriverFault)

    def test_made_since(self) -> None:
        """One that a driver has made by itself since is that driver's."""
        self.successResultOf(Deferred.fromCoroutine(self.memory.provide(NEVER, "https://x", {})))
        self.assertEqual(self.drivers.condition(NEVER).state, SandboxState.STOPPED)
        self.successResultOf(Deferred.fromCoroutine(self.drivers.start(NEVER)))
        self.assertEqual(self.memory.condition(NEVER).state, SandboxState.RUNNING)

    def test_destroyed(self) -> None:
        """One that was destroyed is not known any more; destroying it again does nothing."""
        for _ in range(2):
            self.successResultOf(Deferred.fromCoroutine(self.drivers.destroy(MADE)))
        self.assertEqual(self.drivers.condition(MADE).state, SandboxState.UNKNOWN)
        self.failureResultOf(Deferred.fromCoroutine(self.drivers.start(MADE)), DriverFault)

    def test_words(self) -> None:
        """Two drivers of one word are a mistake, and so is a word that none has."""
        with self.assertRaises(ValueError):
            Drivers((MemoryDriver(), MemoryDriver()))
        with self.assertRaises(DriverFault):
            self.drivers.named([NEVER], "qemu")
