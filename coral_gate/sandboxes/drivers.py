"""All drivers as one: each sandbox is asked of the driver that makes it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from attrs import define, field
from zope.interface import implementer

from coral_gate.errors import DriverFault
from coral_gate.interfaces import ILink, ISandboxDriver
from coral_gate.model import Condition, SandboxId, SandboxState, Secret, ServiceName
from coral_gate.records import Sandbox


def _by_word(drivers: Iterable[ISandboxDriver]) -> dict[str, ISandboxDriver]:
    found: dict[str, ISandboxDriver] = {}
    for driver in drivers:
        if driver.word in found:
            raise ValueError(f"two drivers are called {driver.word}")
        found[driver.word] = driver
    return found


@implementer(ISandboxDriver)
@define(eq=False)
class Drivers:
    """
    Several drivers behind one face. A sandbox of which nobody has said whose it is belongs to the first driver that knows it.

    :ivar drivers: by their words.
    :raises ValueError: two have the same word.
    """

    drivers: Mapping[str, ISandboxDriver] = field(converter=_by_word)
    word: str = field(default="several", init=False)
    _of: dict[SandboxId, ISandboxDriver] = field(factory=dict, init=False)

    def named(self, sandboxes: Iterable[SandboxId], word: str) -> None:
        """
        Know whose these sandboxes are, such as those that the configuration names.

        :raises DriverFault: no driver has this word.
        """
        driver = self._driver(word)
        self._of.update(dict.fromkeys(sandboxes, driver))

    def load(self, rows: Iterable[Sandbox]) -> None:
        """Know the sandboxes of the store; one whose driver this configuration lacks stays unknown, as one destroyed does."""
        for row in rows:
            if row.destroyed_at is None and row.driver in self.drivers:
                self._of.setdefault(row.id, self.drivers[row.driver])

    def forget(self, sandbox: SandboxId) -> None:
        """Know a sandbox no more, once it is destroyed."""
        self._of.pop(sandbox, None)

    def link(self, sandbox: SandboxId, service: ServiceName) -> ILink | None:
        """See `ISandboxDriver.link`."""
        driver = self._knowing(sandbox)
        return None if driver is None else driver.link(sandbox, service)

    def condition(self, sandbox: SandboxId) -> Condition:
        """See `ISandboxDriver.condition`."""
        driver = self._knowing(sandbox)
        return Condition(SandboxState.UNKNOWN) if driver is None else driver.condition(sandbox)

    async def provide(self, sandbox: SandboxId, origin: str, credentials: Mapping[ServiceName, Secret]) -> None:
        """See `ISandboxDriver.provide`; say with `named` or `load` first whose it is."""
        await self._whose(sandbox).provide(sandbox, origin, credentials)

    async def start(self, sandbox: SandboxId) -> None:
        """See `ISandboxDriver.start`."""
        await self._whose(sandbox).start(sandbox)

    async def stop(self, sandbox: SandboxId) -> None:
        """See `ISandboxDriver.stop`."""
        await self._whose(sandbox).stop(sandbox)

    async def destroy(self, sandbox: SandboxId) -> None:
        """See `ISandboxDriver.destroy`; its driver is asked for it as long as it is not forgotten."""
        driver = self._knowing(sandbox)
        if driver is not None:
            await driver.destroy(sandbox)
            self.forget(sandbox)

    def _whose(self, sandbox: SandboxId) -> ISandboxDriver:
        driver = self._knowing(sandbox)
        if driver is None:
            raise DriverFault("There is no such sandbox.")
        return driver

    def _knowing(self, sandbox: SandboxId) -> ISandboxDriver | None:
        known = (driver for driver in self.drivers.values() if driver.condition(sandbox).state is not SandboxState.UNKNOWN)
        return self._of.get(sandbox) or next(known, None)

    def _driver(self, word: str) -> ISandboxDriver:
        driver = self.drivers.get(word)
        if driver is None:
            raise DriverFault(f"The configuration has no driver {word}.")
        return driver
