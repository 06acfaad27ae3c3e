"""The life of a sandbox on the gate's own machine."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from attrs import define, field
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.errors import DriverFault
from coral_gate.model import Condition, SandboxState
from coral_gate.sandboxes.local.life import BACK_OFF_S, LOOK_S, PORTS, STOP_S, Life
from coral_gate.sandboxes.local.process import KeptProcess


class FakeKept(KeptProcess):
    """A keeper that does what the test says."""

    def __init__(self, on_end: Callable[[int], None]) -> None:
        super().__init__(on_end)
        self.stopped = self.killed = 0

    def stop(self) -> None:
        self.stopped += 1

    def kill(self) -> None:
        self.killed += 1
        self.end(1)

    def end(self, code: int) -> None:
        """It ends."""
        self.code = code
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            one.callback(None)
        self.on_end(code)


@define(eq=False)
class Ground:
    """What the life stands on, as the test says."""

    answering: bool = False
    occupied: set[int] = field(factory=set)
    spawned: list[FakeKept] = field(factory=list)
    ports: list[int] = field(factory=list)

    def port(self, avoid: int | None = None) -> int:
        self.ports.append(1000 + len(self.ports))
        return self.ports[-1]

    def spawn(self, port: int, on_end: Callable[[int], None]) -> KeptProcess:
        self.spawned.append(FakeKept(on_end))
        return self.spawned[-1]

    async def ready(self, port: int) -> bool:
        return self.answering

    def taken(self, port: int) -> bool:
        return port in self.occupied

    def in_thread(self, work: Callable[[], int]) -> Awaitable[int]:
        return succeed(work())


class LifeTests(SynchronousTestCase):
    """Coming up, ending, falling."""

    def setUp(self) -> None:
        self.clock, self.ground = Clock(), Ground()
        self.life = Life(self.clock, self.ground, 120.0, Condition(SandboxState.RUNNING, "so"))

    def start(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self.life.start())

    def running(self) -> FakeKept:
        self.ground.answering = True
        self.successResultOf(self.start())
        return self.ground.spawned[-1]

    @property
    def state(self) -> SandboxState:
        return self.life.condition.state

    def test_start(self) -> None:
        """It is starting until it answers, and then as its driver says a running one is."""
        started = self.start()
        self.assertEqual(self.state, SandboxState.STARTING)
        self.assertNoResult(started)
        self.ground.answering = True
        self.clock.advance(LOOK_S)
        self.successResultOf(started)
        self.assertEqual(self.life.condition, Condition(SandboxState.RUNNING, "so"))

    def test_two_starts_are_one(self) -> None:
        """Who asks while it is starting waits for the same; who asks when it runs waits for nothing."""
        first, second = self.start(), self.start()
        self.ground.answering = True
        self.clock.advance(LOOK_S)
        for started in (first, second, self.start()):
            self.successResultOf(started)
        self.assertEqual(len(self.ground.spawned), 1)

    def test_giving_up_waiting(self) -> None:
        """Who gives up waiting does not end it."""
        first, second = self.start(), self.start()
        first.addErrback(lambda _: None)
        first.cancel()
        self.ground.answering = True
        self.clock.advance(LOOK_S)
        self.successResultOf(second)
        self.assertEqual(self.state, SandboxState.RUNNING)

    def test_never_ready(self) -> None:
        """One that does not answer within its time is ended, and everybody who waits is told."""
        started = self.start()
        for _ in range(481):
            self.clock.advance(LOOK_S)
        [kept] = self.ground.spawned
        self.assertEqual(kept.stopped, 1)
        kept.end(0)
        self.assertIn("120 seconds", str(self.failureResultOf(started, DriverFault).value))
        self.assertEqual(self.state, SandboxState.FAILED)

    def test_ends_while_starting(self) -> None:
        """One that ends while it is starting has failed; the next start tries again."""
        started = self.start()
        self.ground.spawned[0].end(78)
        self.clock.advance(LOOK_S)
        self.assertIn("78", str(self.failureResultOf(started, DriverFault).value))
        self.assertEqual(self.state, SandboxState.FAILED)
        self.running()
        self.assertEqual(self.state, SandboxState.RUNNING)

    def test_port_is_taken(self) -> None:
        """Where another program has its port, it tries others, but not for ever."""
        self.ground.occupied = {1000, 1001, 1002, 1003}
        started = self.start()
        for number in range(PORTS):
            self.ground.spawned[number].end(1)
            self.clock.advance(LOOK_S)
        self.failureResultOf(started, DriverFault)
        self.assertEqual(self.ground.ports, [1000, 1001, 1002])
        self.ground.occupied = {1003}
        started = self.start()
        self.ground.spawned[-1].end(1)
        self.ground.answering = True
        self.clock.advance(LOOK_S)
        self.successResultOf(started)
        self.assertEqual(self.life.port, 1004)

    def test_fall(self) -> None:
        """One that ends by itself is started again, each time later, and in the end stays down until it is asked for."""
        kept = self.running()
        for wait_s in BACK_OFF_S:
            kept.end(1)
            self.assertEqual(self.state, SandboxState.FAILED)
            self.assertIn(f"{wait_s:g} seconds", self.life.condition.why)
            self.clock.advance(wait_s)
            self.assertEqual(self.state, SandboxState.RUNNING)
            kept = self.ground.spawned[-1]
        kept.end(1)
        self.assertEqual((self.state, self.clock.getDelayedCalls()), (SandboxState.FAILED, []))
        self.running()
        self.assertEqual(self.state, SandboxState.RUNNING)

    def test_stop(self) -> None:
        """It is stopped when its keeper has ended; one that was falling does not come up again."""
        kept = self.running()
        stopped = Deferred.fromCoroutine(self.life.stop())
        self.assertEqual((self.state, kept.stopped), (SandboxState.STOPPING, 1))
        self.assertNoResult(stopped)
        kept.end(0)
        self.successResultOf(stopped)
        self.assertEqual((self.state, self.clock.getDelayedCalls()), (SandboxState.STOPPED, []))
        self.running().end(1)
        self.successResultOf(Deferred.fromCoroutine(self.life.stop()))
        self.assertEqual((self.state, self.clock.getDelayedCalls()), (SandboxState.STOPPED, []))

    def test_force(self) -> None:
        """A keeper that does not end in time is ended."""
        kept = self.running()
        stopped = Deferred.fromCoroutine(self.life.stop())
        self.clock.advance(STOP_S)
        self.successResultOf(stopped)
        self.assertEqual(kept.killed, 1)

    def test_stop_while_starting(self) -> None:
        """Stopping one that is starting ends it, and who waits for it is told."""
        started = self.start()
        stopped = Deferred.fromCoroutine(self.life.stop())
        self.ground.spawned[0].end(0)
        self.clock.advance(LOOK_S)
        self.successResultOf(stopped)
        self.failureResultOf(started, DriverFault)
        self.assertEqual(self.state, SandboxState.STOPPED)
        self.assertEqual(self.clock.getDelayedCalls(), [])
