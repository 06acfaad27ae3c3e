"""
Whose sandbox is whose, in memory.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from attrs import define, evolve, field
from zope.interface import implementer

from coral_gate.errors import NotPermitted, SandboxIdTaken
from coral_gate.interfaces import ISandboxStore
from coral_gate.model import SandboxId
from coral_gate.records import TOMBSTONE_DAYS, Because, Principal, RevocationKind, Sandbox, UserRowId, lock_revocation
from coral_gate.stores.access import SANDBOXES, Verb
from coral_gate.stores.memory import MemoryTables


@implementer(ISandboxStore)
@define
class MemorySandboxStore:
    """Whose sandbox is whose, in memory."""

    _tables: MemoryTables = field(factory=MemoryTables)

    async def find(self, by: Principal, sandbox: SandboxId) -> Sandbox | None:
        """See `ISandboxStore.find`."""
        self._tables.admit(by)
        row = self._tables.sandboxes.get(sandbox)
        return row if row is not None and self._tables.may(by, SANDBOXES, Verb.SELECT, row.owner) else None

    async def list(self, by: Principal, owner: UserRowId, destroyed: bool = False) -> tuple[Sandbox, ...]:
        """See `ISandboxStore.list`."""
        if not self._tables.may(by, SANDBOXES, Verb.SELECT, owner):
            return ()
        rows = (row for row in self._tables.sandboxes.values() if row.owner == owner)
        wanted = (row for row in rows if (row.destroyed_at is not None) is destroyed)
        return tuple(sorted(wanted, key=lambda row: (row.created_at, row.id)))

    async def put(self, by: Principal, sandbox: Sandbox) -> Sandbox:
        """See `ISandboxStore.put`."""
        if not self._tables.may(by, SANDBOXES, Verb.INSERT, sandbox.owner):
            raise NotPermitted
        row = self._tables.sandboxes.get(sandbox.id)
        if row is None:
            return self._keep(evolve(sandbox, destroyed_at=None, locked=None))
        if row.owner != sandbox.owner or row.destroyed_at is not None:
            raise SandboxIdTaken
        return self._keep(evolve(row, name=sandbox.name, state=sandbox.state))

    async def tombstone(self, by: Principal, sandbox: SandboxId, because: Because) -> bool:
        """See `ISandboxStore.tombstone`."""
        self._tables.admit(by)
        row = self._tables.sandboxes.get(sandbox)
        if row is None or row.destroyed_at is not None or not self._tables.may(by, SANDBOXES, Verb.UPDATE, row.owner):
            return False
        self._keep(evolve(row, state="destroyed", destroyed_at=because.at))
        self._tables.revoke(RevocationKind.SANDBOX, sandbox, row.owner, because)
        return True

    async def lock(self, by: Principal, sandbox: SandboxId, why: str | None, because: Because) -> Sandbox | None:
        """See `ISandboxStore.lock`."""
        self._tables.require_all(by, SANDBOXES, Verb.GOVERN)
        row = self._tables.sandboxes.get(sandbox)
        if row is None or row.destroyed_at is not None:
            return None
        after = evolve(row, locked=why)
        if after != row:
            kind, told = lock_revocation(why, because)
            self._tables.revoke(kind, sandbox, row.owner, told)
        return self._keep(after)

    async def purge(self, now: datetime) -> int:
        """See `ISandboxStore.purge`."""
        before = now - timedelta(days=TOMBSTONE_DAYS)
        old = [row.id for row in self._tables.sandboxes.values() if row.destroyed_at is not None and row.destroyed_at < before]
        for sandbox in old:
            del self._tables.sandboxes[sandbox]
        return len(old)

    def _keep(self, sandbox: Sandbox) -> Sandbox:
        self._tables.sandboxes[sandbox.id] = sandbox
        return sandbox
