"""
One-time codes in a database.
"""

from __future__ import annotations

from datetime import datetime

from attrs import define
from zope.interface import implementer

from coral_gate.interfaces import IHandoffStore
from coral_gate.model import SandboxId
from coral_gate.records import AsGate, Capacity, Handoff, UserRowId
from coral_gate.stores.access import HANDOFFS
from coral_gate.stores.sql import Database, Row, Rows, first, insert, octets, select, text, whole
from coral_gate.stores.times import microseconds, moment

_GATE = AsGate(Capacity.HANDOFF)
_CODE = select(HANDOFFS)
_INSERT = insert(HANDOFFS)


@implementer(IHandoffStore)
@define
class SQLHandoffStore:
    """One-time codes in a database."""

    _database: Database

    async def put(self, handoff: Handoff) -> bool:
        """See `IHandoffStore.put`."""
        return await self._database.run(_GATE, lambda rows: _put(rows, handoff))

    async def take(self, digest: bytes, now: datetime) -> Handoff | None:
        """See `IHandoffStore.take`."""
        handoff = await self._database.run(_GATE, lambda rows: _take(rows, digest))
        return None if handoff is None or now >= handoff.expires_at else handoff

    async def purge(self, now: datetime) -> int:
        """See `IHandoffStore.purge`."""
        return await self._database.run(_GATE, lambda rows: _purge(rows, microseconds(now)))


def _put(rows: Rows, handoff: Handoff) -> bool:
    if not rows.execute("SELECT 1 FROM sessions WHERE digest = ? AND user_id = ?", (handoff.session, handoff.user)):
        return False
    place = (handoff.sandbox, handoff.browser, handoff.path)
    rows.execute(_INSERT, (handoff.digest, handoff.user, handoff.session, *place, microseconds(handoff.expires_at)))
    return True


def _take(rows: Rows, digest: bytes) -> Handoff | None:
    found = rows.execute(f"{_CODE} WHERE digest = ?", (digest,))
    if found:
        rows.execute("DELETE FROM handoffs WHERE digest = ?", (digest,))
    return first(_handoff, found)


def _purge(rows: Rows, now_us: int) -> int:
    ((count,),) = rows.execute("SELECT count(*) FROM handoffs WHERE expires_at <= ?", (now_us,))
    rows.execute("DELETE FROM handoffs WHERE expires_at <= ?", (now_us,))
    return whole(count)


def _handoff(row: Row) -> Handoff:
    digest, user, session, sandbox, browser, path, expires_at = row
    return Handoff(
        digest=octets(digest),
        user=UserRowId(text(user)),
        session=octets(session),
        sandbox=SandboxId(text(sandbox)),
        browser=octets(browser),
        path=text(path),
        expires_at=moment(expires_at),
    )
