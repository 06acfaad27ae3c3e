"""The life of one sandbox: it comes up, answers, ends or falls, and comes up again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from coral_gate.errors import DriverFault
from coral_gate.model import Condition, SandboxState
from coral_gate.sandboxes.local.process import KeptProcess

LOOK_S: Final = 0.25
STOP_S: Final = 15.0
"""How long a keeper may take to end everything, ten seconds of it graceful; then the gate does."""
BACK_OFF_S: Final = (1.0, 5.0, 15.0, 60.0, 300.0)
"""How long a sandbox that has fallen waits to be started again; after the last it stays down until somebody asks for it."""
STEADY_S: Final = 600.0
"""Who has run for so long is forgiven the earlier falls."""
PORTS: Final = 3
"""How many ports are tried where another program is faster."""


class Ground(Protocol):
    """What a life stands on; the driver gives it."""

    def port(self, avoid: int | None = None) -> int:
        """Choose the port that it shall listen on, and write it where OpenClaw reads it; blocks on files."""

    def spawn(self, port: int, on_end: Callable[[int], None]) -> KeptProcess:
        """Start its processes."""

    async def ready(self, port: int) -> bool:
        """Whether it answers, and is who it must be."""

    def taken(self, port: int) -> bool:
        """Whether another program listens on a port."""

    def in_thread(self, work: Callable[[], int]) -> Awaitable[int]:
        """Do what blocks elsewhere."""


@define(eq=False)
class Life:
    """
    One sandbox.

    :ivar condition: how it is.
    :ivar port: where it listens; 0 before it has run.
    """

    _reactor: IReactorTime
    _ground: Ground
    _start_s: float
    _running: Condition
    condition: Condition = field(factory=lambda: Condition(SandboxState.STOPPED))
    port: int = 0
    _kept: KeptProcess | None = field(default=None, init=False)
    _starting: bool = field(default=False, init=False)
    _waiting: list[Deferred[None]] = field(factory=list, init=False)
    _again: IDelayedCall | None = field(default=None, init=False)
    _falls: int = field(default=0, init=False)
    _since: float = field(default=0.0, init=False)
    _wanted: bool = field(default=False, init=False)

    _log = Logger()

    async def start(self) -> None:
        """
        Come up, if it is not up; who asks meanwhile waits for the same. Who gives up waiting does not end it.

        :raises DriverFault: it did not come up.
        """
        if self.condition.state is SandboxState.RUNNING:
            return
        waiting: Deferred[None] = Deferred(self._forget)
        self._waiting.append(waiting)
        self._begin()
        await waiting

    def _forget(self, waiting: Deferred[None]) -> None:
        if waiting in self._waiting:
            self._waiting.remove(waiting)

    def _begin(self) -> None:
        self._wanted = True
        self._drop_again()
        if not self._starting:
            self._starting = True
            Deferred.fromCoroutine(self._come_up()).addBoth(self._came)

    def _came(self, outcome: object) -> None:
        self._starting = False
        waiting, self._waiting = self._waiting, []
        if isinstance(outcome, Failure):
            fault = self._fault(outcome)
            self.condition = Condition(SandboxState.FAILED if self._wanted else SandboxState.STOPPED, str(fault))
        for one in waiting:
            if isinstance(outcome, Failure):
                one.errback(fault)
            else:
                one.callback(None)

    def _fault(self, outcome: Failure) -> DriverFault:
        if isinstance(outcome.value, DriverFault):
            return outcome.value
        self._log.failure("a sandbox could not be started", outcome)
        return DriverFault("OpenClaw could not be started; the log says why.")

    async def _come_up(self) -> None:
        if self._kept is not None:
            await self._end()
        self.condition = Condition(SandboxState.STARTING)
        avoid: int | None = None
        for _ in range(PORTS):
            self.port = await self._ground.in_thread(lambda avoid=avoid: self._ground.port(avoid))  # type: ignore[misc]  # a lambda's default
            if not self._wanted:
                raise DriverFault("It was stopped while it was starting.")
            self._kept = kept = self._ground.spawn(self.port, self._fell)
            if await self._answers(kept):
                self._since = self._reactor.seconds()
                self.condition = self._running
                return
            if not self._ground.taken(self.port):
                break
            avoid = self.port
        raise DriverFault(f"OpenClaw ended while it was starting (exit code {kept.code}); the log in the sandbox's folder says why.")

    async def _answers(self, kept: KeptProcess) -> bool:
        until = self._reactor.seconds() + self._start_s
        while kept.code is None:
            if await self._ground.ready(self.port) and self._runs(kept):
                return True
            if self._reactor.seconds() >= until:
                await self._end()
                raise DriverFault(f"OpenClaw was not ready within {self._start_s:g} seconds; the log in the sandbox's folder says why.")
            await deferLater(self._reactor, LOOK_S, lambda: None)
        if not self._wanted:
            raise DriverFault("It was stopped while it was starting.")
        return False

    def _runs(self, kept: KeptProcess) -> bool:
        return kept.code is None and self._wanted

    def _fell(self, code: int) -> None:
        self._kept = None
        if self.condition.state is not SandboxState.RUNNING:
            return
        if self._reactor.seconds() - self._since >= STEADY_S:
            self._falls = 0
        self._falls += 1
        if self._falls > len(BACK_OFF_S):
            self.condition = Condition(SandboxState.FAILED, "It has ended by itself too often; it starts again when it is asked for.")
            self._falls = 0
        else:
            wait_s = BACK_OFF_S[self._falls - 1]
            self.condition = Condition(SandboxState.FAILED, f"It ended by itself and is started again in {wait_s:g} seconds.")
            self._again = self._reactor.callLater(wait_s, self._begin_again)
        self._log.warn("a sandbox's OpenClaw ended by itself with {code}: {why}", code=code, why=self.condition.why)

    def _begin_again(self) -> None:
        self._again = None
        self._begin()

    def _drop_again(self) -> None:
        if self._again is not None:
            self._again.cancel()
            self._again = None

    async def stop(self) -> None:
        """End it; nothing of it runs when this returns."""
        self._wanted = False
        self._drop_again()
        if self._kept is not None:
            self.condition = Condition(SandboxState.STOPPING)
            await self._end()
        if not self._wanted:
            self.condition = Condition(SandboxState.STOPPED)

    async def _end(self) -> None:
        kept = self._kept
        if kept is None or kept.code is not None:
            return
        if self.condition.state is SandboxState.RUNNING:
            self.condition = Condition(SandboxState.STOPPING)
        kept.stop()
        forcing = self._reactor.callLater(STOP_S, kept.kill)
        await kept.ended()
        if forcing.active():
            forcing.cancel()
