"""
Credentials for tests and for trying out: in the clear in memory, or none at all.
"""

from __future__ import annotations

from attrs import define, field
from zope.interface import implementer

from coral_gate.errors import KeysUnavailable
from coral_gate.interfaces import ICredentials
from coral_gate.model import SandboxId, Secret, ServiceName, UserId


@implementer(ICredentials)
@define
class MemoryCredentials:
    """
    Credentials that were put here.

    :ivar dropped: the sandboxes that were dropped, in order; None stands for all at once.
    """

    _secrets: dict[tuple[UserId, SandboxId, ServiceName], Secret] = field(factory=dict, repr=False)
    dropped: list[SandboxId | None] = field(factory=list, init=False)

    def put(self, owner: UserId, sandbox: SandboxId, service: ServiceName, value: Secret) -> None:
        """Put a credential here."""
        self._secrets[owner, sandbox, service] = value

    async def open(self, owner: UserId, sandbox: SandboxId, service: ServiceName) -> Secret | None:
        """See `ICredentials.open`."""
        return self._secrets.get((owner, sandbox, service))

    def kept(self, owner: UserId, sandbox: SandboxId, service: ServiceName) -> Secret | None:
        """See `ICredentials.kept`."""
        return self._secrets.get((owner, sandbox, service))

    def drop(self, sandbox: SandboxId) -> None:
        """See `ICredentials.drop`."""
        self.dropped.append(sandbox)

    def drop_all(self) -> None:
        """See `ICredentials.drop_all`."""
        self.dropped.append(None)


@implementer(ICredentials)
@define
class RefusingCredentials:
    """Opens nothing, as a vault whose master keys are gone."""

    async def open(self, owner: UserId, sandbox: SandboxId, service: ServiceName) -> Secret | None:
        """
        Refuse.

        :raises KeysUnavailable: always.
        """
        raise KeysUnavailable

    def kept(self, owner: UserId, sandbox: SandboxId, service: ServiceName) -> Secret | None:
        """Nothing is kept."""
        return None

    def drop(self, sandbox: SandboxId) -> None:
        """There is nothing to drop."""

    def drop_all(self) -> None:
        """There is nothing to drop."""
