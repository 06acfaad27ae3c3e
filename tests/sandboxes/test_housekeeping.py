"""Sandboxes are made and unmade whole, wherever a crash cuts the way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.audit.sinks import MemorySink, RefusingSink
from coral_gate.custody.generate import new_credential
from coral_gate.errors import AuditUnavailable, DriverFault
from coral_gate.interfaces import IAuditSink
from coral_gate.model import Condition, Role, SandboxId, SandboxState, Secret, ServiceName, UserId
from coral_gate.records import AsGate, Capacity
from coral_gate.sandboxes.housekeeping import BeingDestroyed, Housekeeper, NoSuchDriver, NoSuchOwner, NoSuchSandbox
from coral_gate.sandboxes.memory_driver import MemoryDriver
from coral_gate.stores.providers import Stores, memory_stores
from tests.stores.contract import NOW

T = TypeVar("T")
ANN = UserId("https://issuer.example", "ann")
BOX = SandboxId("a" * 26)
GATE = AsGate(Capacity.SANDBOXES)


class Crash(Exception):
    """The process ends here."""


@define(eq=False)
class Crashing:
    """
    Something whose coroutines count as steps; at the step that was asked for the process ends, before or after it took effect.

    :ivar steps: counted by all that share it.
    """

    _inner: Any
    _steps: list[int]
    _at: int
    _after: bool

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if not callable(found) or name in ("condition", "link"):
            return found

        async def step(*words: object, **named: object) -> object:
            self._steps[0] += 1
            mine = self._steps[0] == self._at
            if mine and not self._after:
                raise Crash
            given = await found(*words, **named)
            if mine:
                raise Crash
            return given

        return step


@define(eq=False)
class MemoryVault:
    """Credentials in memory."""

    kept: dict[tuple[SandboxId, ServiceName], Secret] = field(factory=dict)
    drawn: int = 0

    async def open(self, owner: UserId, sandbox: SandboxId, service: ServiceName) -> Secret | None:
        """The one there is."""
        return self.kept.get((sandbox, service))

    async def rotate(self, owner: UserId, sandbox: SandboxId, service: ServiceName) -> Secret:
        """Draw one."""
        self.drawn += 1
        self.kept[sandbox, service] = new_credential(service, lambda size: bytes([self.drawn]) * size)
        return self.kept[sandbox, service]

    async def destroy(self, owner: UserId, sandbox: SandboxId) -> None:
        """Forget all."""
        self.kept = {place: secret for place, secret in self.kept.items() if place[0] != sandbox}


class HousekeepingCase(SynchronousTestCase):
    """A house with one person."""

    def setUp(self) -> None:
        self.fresh()

    def fresh(self) -> None:
        """Nothing made yet."""
        self.stores: Stores = memory_stores()
        self.vault, self.driver, self.audit = MemoryVault(), MemoryDriver(), MemorySink()
        self.cuts: list[SandboxId] = []
        self.do(self.stores.users.allow(AsGate(Capacity.OPERATOR), ANN, Role.USER, NOW))

    def do(self, work: Coroutine[Any, Any, T] | Awaitable[T]) -> T:
        """What it gives."""
        return self.successResultOf(Deferred.fromCoroutine(work))  # type: ignore[arg-type]  # the stores' methods are coroutines

    def house(self, crash_at: int = 0, after: bool = False, audit: IAuditSink | None = None) -> Housekeeper:
        """A housekeeper, of a process that ends at a step."""
        steps = [0]

        def through(inner: object) -> Any:
            return Crashing(inner, steps, crash_at, after)

        self.steps = steps
        return Housekeeper(
            through(self.stores.sandboxes),
            self.stores.users,
            through(self.vault),
            through(audit or self.audit),
            {"memory": through(self.driver)},
            lambda sandbox: f"https://{sandbox}.sbx.example",
            self.cuts.append,
            lambda: NOW,
            lambda: BOX,
        )

    def state(self) -> str:
        """The row's state."""
        row = self.do(self.stores.sandboxes.find(GATE, BOX))
        return "none" if row is None else row.state

    def given(self) -> bytes | None:
        """The password that the sandbox was last given."""
        found = self.driver.given.get(BOX, {}).get(ServiceName.APP)
        return None if found is None else found.reveal()

    def sealed(self) -> bytes | None:
        """The password in the vault."""
        found = self.vault.kept.get((BOX, ServiceName.APP))
        return None if found is None else found.reveal()

    def nothing_left(self) -> None:
        """It is destroyed: a tombstone, and nothing else."""
        self.assertEqual((self.state(), self.given(), self.sealed()), ("destroyed", None, None))
        self.assertEqual(self.driver.condition(BOX), Condition(SandboxState.UNKNOWN))
        self.assertIn(BOX, self.cuts)


def quiet(sentence: str) -> None:
    """Nobody waits."""


class WholeTests(HousekeepingCase):
    """Without a crash."""

    def test_life(self) -> None:
        """A sandbox is made, runs, stops and is destroyed; each step is recorded, and the vault's password is the sandbox's."""
        house = self.house()
        row = self.do(house.create(ANN, "Ann's", "memory", quiet))
        self.assertEqual((row.id, row.state, self.given()), (BOX, "stopped", self.sealed()))
        self.assertIsNotNone(self.given())
        self.assertEqual(self.do(house.start(BOX, quiet)).state, "running")
        self.assertEqual(self.do(house.conditions()), {BOX: Condition(SandboxState.RUNNING)})
        self.assertEqual(self.do(house.stop(BOX, quiet)).state, "stopped")
        self.do(house.destroy(BOX, quiet))
        self.nothing_left()
        self.assertEqual(
            [event["change"] for event in self.audit.written() if event["type"] == "sandbox.changed"],
            ["created", "started", "stopped", "destroyed"],
        )

    def test_rotate(self) -> None:
        """A new password reaches the sandbox; nobody is told that it is gone, and what was open is the caller's to cut."""
        house = self.house()
        self.do(house.create(ANN, "Ann's", "memory", quiet))
        before = self.sealed()
        self.do(house.rotate(BOX, ServiceName.APP, quiet))
        self.assertNotEqual(self.sealed(), before)
        self.assertEqual((self.given(), self.cuts), (self.sealed(), []))

    def test_refused(self) -> None:
        """What cannot be is refused before anything happens."""
        house = self.house()
        for work, why in (
            (house.create(UserId(ANN.iss, "eve"), "x", "memory", quiet), NoSuchOwner),
            (house.create(ANN, "x", "static", quiet), NoSuchDriver),
            (house.start(BOX, quiet), NoSuchSandbox),
            (house.destroy(BOX, quiet), NoSuchSandbox),
        ):
            self.failureResultOf(Deferred.fromCoroutine(work), why)
        self.assertEqual((self.state(), self.audit.types()), ("none", []))

    def test_not_recorded_not_done(self) -> None:
        """What cannot be recorded is not done."""
        self.do(self.house().create(ANN, "Ann's", "memory", quiet))
        house = self.house(audit=RefusingSink())
        works: tuple[Callable[[], Coroutine[Any, Any, object]], ...] = (
            lambda: house.start(BOX, quiet),
            lambda: house.stop(BOX, quiet),
            lambda: house.destroy(BOX, quiet),
        )
        for work in works:
            self.failureResultOf(Deferred.fromCoroutine(work()), AuditUnavailable)
        self.assertEqual((self.state(), self.driver.condition(BOX).state), ("stopped", SandboxState.STOPPED))

    def test_destruction_is_final(self) -> None:
        """Once it is being destroyed nothing else can be done with a sandbox, and asking again finishes it."""
        self.do(self.house().create(ANN, "Ann's", "memory", quiet))

        async def stuck(driver: MemoryDriver, sandbox: SandboxId) -> None:
            raise DriverFault("The disk is busy.")

        patched = self.patch(MemoryDriver, "destroy", stuck)
        self.failureResultOf(Deferred.fromCoroutine(self.house().destroy(BOX, quiet)), DriverFault)
        self.failureResultOf(Deferred.fromCoroutine(self.house().start(BOX, quiet)), BeingDestroyed)
        patched.restore()
        self.do(self.house().destroy(BOX, quiet))
        self.nothing_left()


class CrashTests(HousekeepingCase):
    """The process ends at each step in turn, before it took effect and after."""

    def cut(self, begin: Callable[[Housekeeper], Coroutine[Any, Any, object]], made: bool, check: Callable[[], None]) -> None:
        """Cut one piece of work everywhere, and look each time at what can be made of it."""
        cuts = 0
        for after in (False, True):
            for at in range(1, 40):
                self.fresh()
                if made:
                    self.do(self.house().create(ANN, "Ann's", "memory", quiet))
                work = Deferred.fromCoroutine(begin(self.house(at, after)))
                if self.steps[0] < at:
                    self.successResultOf(work)
                    break
                self.failureResultOf(work, Crash)
                cuts += 1
                check()
        self.assertGreater(cuts, 8)

    def test_create(self) -> None:
        """What is half made is not there, or can be started, or destroyed."""

        def check() -> None:
            if self.state() == "none":
                self.assertEqual((self.given(), self.sealed()), (None, None))
                return
            self.do(self.house().start(BOX, quiet))
            self.assertEqual((self.state(), self.given()), ("running", self.sealed()))
            self.assertIsNotNone(self.given())

        def check_end() -> None:
            if self.state() != "none":
                self.do(self.house().destroy(BOX, quiet))
                self.nothing_left()

        for each in (check, check_end):
            self.cut(lambda house: house.create(ANN, "Ann's", "memory", quiet), False, each)

    def test_start(self) -> None:
        """A start that was cut can be asked for again."""

        def check() -> None:
            self.assertEqual(self.do(self.house().start(BOX, quiet)).state, "running")
            self.assertEqual(self.driver.condition(BOX).state, SandboxState.RUNNING)

        self.cut(lambda house: house.start(BOX, quiet), True, check)

    def test_rotate(self) -> None:
        """After a rotation that was cut the next start, or the next rotation, makes vault and sandbox agree."""

        def check() -> None:
            self.do(self.house().start(BOX, quiet))
            self.assertEqual(self.given(), self.sealed())

        self.cut(lambda house: house.rotate(BOX, ServiceName.APP, quiet), True, check)

    def test_destroy(self) -> None:
        """A destruction that was cut is finished by asking again, and nothing is left."""

        def check() -> None:
            if self.state() != "destroyed":
                self.do(self.house().destroy(BOX, quiet))
            self.nothing_left()

        self.cut(lambda house: house.destroy(BOX, quiet), True, check)
