"""
One-time codes in memory.
"""

from __future__ import annotations

from datetime import datetime

from attrs import define, field
from zope.interface import implementer

from coral_gate.interfaces import IHandoffStore
from coral_gate.records import Handoff
from coral_gate.stores.memory import MemoryTables


@implementer(IHandoffStore)
@define
class MemoryHandoffStore:
    """One-time codes in memory."""

    _tables: MemoryTables = field(factory=MemoryTables)

    async def put(self, handoff: Handoff) -> bool:
        """See `IHandoffStore.put`."""
        session = self._tables.sessions.get(handoff.session)
        if session is None or session.user != handoff.user:
            return False
        self._tables.require_new(handoff.digest)
        self._tables.handoffs[handoff.digest] = handoff
        return True

    async def take(self, digest: bytes, now: datetime) -> Handoff | None:
        """See `IHandoffStore.take`."""
        handoff = self._tables.handoffs.pop(digest, None)
        return None if handoff is None or now >= handoff.expires_at else handoff

    async def purge(self, now: datetime) -> int:
        """See `IHandoffStore.purge`."""
        old = [digest for digest, handoff in self._tables.handoffs.items() if now >= handoff.expires_at]
        for digest in old:
            del self._tables.handoffs[digest]
        return len(old)
