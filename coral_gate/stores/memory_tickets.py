"""
Tickets in memory.
"""

from __future__ import annotations

from datetime import datetime

from attrs import define, field
from zope.interface import implementer

from coral_gate.interfaces import ITicketStore
from coral_gate.records import Ticket
from coral_gate.stores.memory import MemoryTables


@implementer(ITicketStore)
@define
class MemoryTicketStore:
    """Tickets in memory."""

    _tables: MemoryTables = field(factory=MemoryTables)

    async def put(self, ticket: Ticket) -> bool:
        """See `ITicketStore.put`."""
        session = self._tables.sessions.get(ticket.session)
        if session is None or session.user != ticket.user:
            return False
        self._tables.require_new(ticket.digest)
        self._tables.tickets[ticket.digest] = ticket
        return True

    async def take(self, digest: bytes, now: datetime) -> Ticket | None:
        """See `ITicketStore.take`."""
        ticket = self._tables.tickets.pop(digest, None)
        return None if ticket is None or now >= ticket.expires_at else ticket

    async def purge(self, now: datetime) -> int:
        """See `ITicketStore.purge`."""
        old = [digest for digest, ticket in self._tables.tickets.items() if now >= ticket.expires_at]
        for digest in old:
            del self._tables.tickets[digest]
        return len(old)
