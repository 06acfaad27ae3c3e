"""Sandboxes that are there already, each with its links, as the configuration lists them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from attrs import field, frozen
from zope.interface import implementer

from coral_gate.interfaces import ILink, ISandboxDriver
from coral_gate.model import SandboxId, ServiceName

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

    def link(self, sandbox: SandboxId, service: ServiceName) -> ILink | None:
        """The link to a service, or None where the sandbox or the service is not known here."""
        services = self._links.get(sandbox)
        return None if services is None else services.get(service)
