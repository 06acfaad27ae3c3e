"""
Sealed credentials in memory.
"""

from __future__ import annotations

from attrs import define, field
from zope.interface import implementer

from coral_gate.interfaces import ICredentialStore
from coral_gate.model import SandboxId, SealedCredential, ServiceName, UserId


@implementer(ICredentialStore)
@define
class MemoryCredentialStore:
    """Sealed credentials in memory, each reached on behalf of its owner alone."""

    _rows: dict[tuple[SandboxId, ServiceName], SealedCredential] = field(factory=dict, repr=False)

    async def put(self, row: SealedCredential, replaces: int | None) -> bool:
        """See `ICredentialStore.put`."""
        stored = self._rows.get((row.sandbox, row.service))
        if stored is not None and stored.owner != row.owner:
            return False
        if (None if stored is None else stored.version) != replaces:
            return False
        self._rows[row.sandbox, row.service] = row
        return True

    async def find(self, owner: UserId, sandbox: SandboxId, service: ServiceName) -> SealedCredential | None:
        """See `ICredentialStore.find`."""
        row = self._rows.get((sandbox, service))
        return None if row is None or row.owner != owner else row

    async def list(self, owner: UserId, sandbox: SandboxId) -> tuple[SealedCredential, ...]:
        """See `ICredentialStore.list`."""
        rows = (row for row in self._rows.values() if row.sandbox == sandbox and row.owner == owner)
        return tuple(sorted(rows, key=lambda row: row.service.value))

    async def delete(self, owner: UserId, sandbox: SandboxId, service: ServiceName) -> bool:
        """See `ICredentialStore.delete`."""
        if await self.find(owner, sandbox, service) is None:
            return False
        del self._rows[sandbox, service]
        return True
