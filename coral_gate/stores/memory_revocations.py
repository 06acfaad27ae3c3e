"""
Revocations in memory.
"""

from __future__ import annotations

from datetime import datetime

from attrs import define, field
from zope.interface import implementer

from coral_gate.interfaces import IRevocationLog
from coral_gate.records import Revocation
from coral_gate.stores.memory import MemoryTables


@implementer(IRevocationLog)
@define
class MemoryRevocationLog:
    """Revocations in memory."""

    _tables: MemoryTables = field(factory=MemoryTables)

    async def last(self) -> int:
        """See `IRevocationLog.last`."""
        return self._tables.last_seq

    async def since(self, seq: int, most: int = 1000) -> tuple[Revocation, ...] | None:
        """See `IRevocationLog.since`."""
        rows = self._tables.revocations
        oldest = rows[0].seq if rows else 1
        if not oldest - 1 <= seq <= self._tables.last_seq:
            return None
        return tuple(row for row in rows if row.seq > seq)[:most]

    async def forget(self, before: datetime) -> int:
        """See `IRevocationLog.forget`."""
        rows = self._tables.revocations
        forgotten = next((index for index, row in enumerate(rows[:-1]) if row.at >= before), max(len(rows) - 1, 0))
        del rows[:forgotten]
        return forgotten
