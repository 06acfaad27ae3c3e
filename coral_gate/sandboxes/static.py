"""Sandboxes that are there already, each with its links, as the configuration lists them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from attrs import field, frozen
from zope.interface import implementer

from coral_gate.errors import DriverFault
from coral_gate.interfaces import ILink, ISandboxDriver
from coral_gate.model import Condition, SandboxId, SandboxState, Secret, ServiceName

Services = Mapping[ServiceName, ILink]


def _copied(links: Mapping[SandboxId, Services]) -> Mapping[SandboxId, Services]:
    return MappingProxyType({sandbox: MappingProxyType(dict(services)) for sandbox, services in links.items()})


@implementer(ISandboxDriver)
@frozen(eq=False)
class StaticDriver:
    """
    Knows the sandboxes that it was built with, and no others.

    :ivar links: each sandbox's services; copied.
    """

    _links: Mapping[SandboxId, Services] = field(converter=_copied)
    word: str = field(default="static", init=False)

    def link(self, sandbox: SandboxId, service: ServiceName) -> ILink | None:
        """The link to a service, or None where the sandbox or the service is not known here."""
        services = self._links.get(sandbox)
        return None if services is None else services.get(service)

    def condition(self, sandbox: SandboxId) -> Condition:
        """Whether it is one of these; how it is, nobody says."""
        return Condition(SandboxState.RUNNING if sandbox in self._links else SandboxState.UNKNOWN)

    async def provide(self, sandbox: SandboxId, origin: str, credentials: Mapping[ServiceName, Secret]) -> None:
        """Whoever runs it gives it its credentials; here is nothing to do for one that is known."""
        self._require(sandbox)

    async def start(self, sandbox: SandboxId) -> None:
        """Whoever runs it starts it."""
        self._require(sandbox)

    async def stop(self, sandbox: SandboxId) -> None:
        """
        Not from here.

        :raises DriverFault: always.
        """
        raise DriverFault("This sandbox is run by somebody else and cannot be stopped from here.")

    async def destroy(self, sandbox: SandboxId) -> None:
        """Nothing of it is kept here."""

    def _require(self, sandbox: SandboxId) -> None:
        if sandbox not in self._links:
            raise DriverFault("The configuration names no such sandbox.")
