"""
Sealed credentials in memory.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from attrs import define, field
from zope.interface import implementer

from coral_gate.interfaces import ICredentialStore
from coral_gate.model import SandboxId, SealedCredential, ServiceName, UserId
from coral_gate.records import CREDENTIAL_CHANGED, CREDENTIAL_DELETED, Because, RevocationKind, owner_id
from coral_gate.stores.memory import MemoryTables


@implementer(ICredentialStore)
@define
class MemoryCredentialStore:
    """
    Sealed credentials in memory, each reached on behalf of its owner alone.

    :param now: aware, UTC; for what tells of a deletion.
    """

    _tables: MemoryTables = field(factory=MemoryTables, repr=False)
    _now: Callable[[], datetime] = lambda: datetime.now(UTC)
    _rows: dict[tuple[SandboxId, ServiceName], SealedCredential] = field(factory=dict, repr=False)

    async def put(self, row: SealedCredential, replaces: int | None) -> bool:
        """See `ICredentialStore.put`."""
        stored = self._rows.get((row.sandbox, row.service))
        if stored is not None and stored.owner != row.owner:
            return False
        if (None if stored is None else stored.version) != replaces:
            return False
        self._rows[row.sandbox, row.service] = row
        if stored is not None:
            self._tell(row.sandbox, row.owner, Because(CREDENTIAL_CHANGED, row.changed_at))
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
        self._tell(sandbox, owner, Because(CREDENTIAL_DELETED, self._now()))
        return True

    def _tell(self, sandbox: SandboxId, owner: UserId, because: Because) -> None:
        self._tables.revoke(RevocationKind.CREDENTIAL, sandbox, owner_id(owner), because)
