"""
Tickets in a database.
"""

from __future__ import annotations

from datetime import datetime

from attrs import define
from zope.interface import implementer

from coral_gate.interfaces import ITicketStore
from coral_gate.model import SandboxId
from coral_gate.records import AsGate, Capacity, Ticket, UserRowId
from coral_gate.stores.access import TICKETS
from coral_gate.stores.sql import Database, Row, Rows, first, insert, octets, select, text, whole
from coral_gate.stores.times import microseconds, moment

_GATE = AsGate(Capacity.HANDOFF)
_TICKET = select(TICKETS)
_INSERT = insert(TICKETS)


@implementer(ITicketStore)
@define
class SQLTicketStore:
    """Tickets in a database."""

    _database: Database

    async def put(self, ticket: Ticket) -> bool:
        """See `ITicketStore.put`."""
        return await self._database.run(_GATE, lambda rows: _put(rows, ticket))

    async def take(self, digest: bytes, now: datetime) -> Ticket | None:
        """See `ITicketStore.take`."""
        ticket = await self._database.run(_GATE, lambda rows: _take(rows, digest))
        return None if ticket is None or now >= ticket.expires_at else ticket

    async def purge(self, now: datetime) -> int:
        """See `ITicketStore.purge`."""
        return await self._database.run(_GATE, lambda rows: _purge(rows, microseconds(now)))


def _put(rows: Rows, ticket: Ticket) -> bool:
    if not rows.execute("SELECT 1 FROM sessions WHERE digest = ? AND user_id = ?", (ticket.session, ticket.user)):
        return False
    what = (ticket.sandbox, ticket.channel, ticket.origin)
    rows.execute(_INSERT, (ticket.digest, ticket.user, ticket.session, *what, microseconds(ticket.expires_at)))
    return True


def _take(rows: Rows, digest: bytes) -> Ticket | None:
    found = rows.execute(f"{_TICKET} WHERE digest = ?", (digest,))
    if found:
        rows.execute("DELETE FROM tickets WHERE digest = ?", (digest,))
    return first(_ticket, found)


def _purge(rows: Rows, now_us: int) -> int:
    ((count,),) = rows.execute("SELECT count(*) FROM tickets WHERE expires_at <= ?", (now_us,))
    rows.execute("DELETE FROM tickets WHERE expires_at <= ?", (now_us,))
    return whole(count)


def _ticket(row: Row) -> Ticket:
    digest, user, session, sandbox, channel, origin, expires_at = row
    return Ticket(
        digest=octets(digest),
        user=UserRowId(text(user)),
        session=octets(session),
        sandbox=SandboxId(text(sandbox)),
        channel=text(channel),
        origin=text(origin),
        expires_at=moment(expires_at),
    )
