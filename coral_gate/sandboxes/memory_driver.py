"""Sandboxes that are nothing but their links: the driver for tests, and the model of what a driver does."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import define, field
from zope.interface import implementer

from coral_gate.errors import DriverFault
from coral_gate.interfaces import ILink, ISandboxDriver
from coral_gate.model import Condition, SandboxId, SandboxState, Secret, ServiceName


@implementer(ISandboxDriver)
@define(eq=False)
class MemoryDriver:
    """
    A driver that makes nothing.

    :ivar links: each sandbox's services, for whoever sets up a test.
    :ivar given: the credentials that each sandbox was last given.
    """

    links: dict[SandboxId, dict[ServiceName, ILink]] = field(factory=dict)
    given: dict[SandboxId, Mapping[ServiceName, Secret]] = field(factory=dict)
    word: str = field(default="memory", init=False)
    _states: dict[SandboxId, SandboxState] = field(factory=dict, init=False)

    def link(self, sandbox: SandboxId, service: ServiceName) -> ILink | None:
        """See `ISandboxDriver.link`."""
        return self.links.get(sandbox, {}).get(service)

    def condition(self, sandbox: SandboxId) -> Condition:
        """See `ISandboxDriver.condition`."""
        return Condition(self._states.get(sandbox, SandboxState.UNKNOWN))

    async def provide(self, sandbox: SandboxId, origin: str, credentials: Mapping[ServiceName, Secret]) -> None:
        """See `ISandboxDriver.provide`."""
        self.given[sandbox] = dict(credentials)
        self._states.setdefault(sandbox, SandboxState.STOPPED)

    async def start(self, sandbox: SandboxId) -> None:
        """See `ISandboxDriver.start`."""
        self._require(sandbox)
        self._states[sandbox] = SandboxState.RUNNING

    async def stop(self, sandbox: SandboxId) -> None:
        """See `ISandboxDriver.stop`."""
        self._require(sandbox)
        self._states[sandbox] = SandboxState.STOPPED

    async def destroy(self, sandbox: SandboxId) -> None:
        """See `ISandboxDriver.destroy`."""
        self._states.pop(sandbox, None)
        self.given.pop(sandbox, None)
        self.links.pop(sandbox, None)

    def _require(self, sandbox: SandboxId) -> None:
        if sandbox not in self._states:
            raise DriverFault("There is no such sandbox.")
