"""
Revocations in a database.
"""

from __future__ import annotations

from datetime import datetime

from attrs import define
from zope.interface import implementer

from coral_gate.interfaces import IRevocationLog
from coral_gate.records import AsGate, Capacity, Revocation, RevocationKind, UserRowId
from coral_gate.stores.access import REVOCATIONS
from coral_gate.stores.sql import Database, Row, Rows, decoded, select, text, whole
from coral_gate.stores.times import microseconds, moment

_GATE = AsGate(Capacity.REVOCATIONS)
_AFTER = f"{select(REVOCATIONS)} WHERE seq > ? ORDER BY seq LIMIT ?"


@implementer(IRevocationLog)
@define
class SQLRevocationLog:
    """Revocations in a database."""

    _database: Database

    async def last(self) -> int:
        """See `IRevocationLog.last`."""
        return await self._database.read(_GATE, lambda rows: _ends(rows)[1])

    async def since(self, seq: int, most: int = 1000) -> tuple[Revocation, ...] | None:
        """See `IRevocationLog.since`."""

        def work(rows: Rows) -> tuple[Revocation, ...] | None:
            oldest, last = _ends(rows)
            if not oldest - 1 <= seq <= last:
                return None
            return decoded(_revocation, rows.execute(_AFTER, (seq, most)))

        return await self._database.read(_GATE, work)

    async def forget(self, before: datetime) -> int:
        """See `IRevocationLog.forget`."""
        return await self._database.run(_GATE, lambda rows: _forget(rows, microseconds(before)))


def _ends(rows: Rows) -> tuple[int, int]:
    # Not min() and max(), which would look at every row of the view.
    oldest = rows.execute("SELECT seq FROM revocations ORDER BY seq LIMIT 1")
    last = rows.execute("SELECT seq FROM revocations ORDER BY seq DESC LIMIT 1")
    return (whole(oldest[0][0]), whole(last[0][0])) if oldest and last else (1, 0)


def _forget(rows: Rows, before_us: int) -> int:
    _, last = _ends(rows)
    # The last row stays, as what remembers the last number; so does all that follows the first row to keep.
    ((kept,),) = rows.execute("SELECT min(seq) FROM revocations WHERE at >= ? OR seq = ?", (before_us, last))
    first = 0 if kept is None else whole(kept)
    ((count,),) = rows.execute("SELECT count(*) FROM revocations WHERE seq < ?", (first,))
    rows.execute("DELETE FROM revocations WHERE seq < ?", (first,))
    return whole(count)


def _revocation(row: Row) -> Revocation:
    seq, kind, subject, user, reason, at = row
    return Revocation(
        seq=whole(seq),
        kind=RevocationKind(kind),
        subject=text(subject),
        user=UserRowId(text(user)),
        reason=text(reason),
        at=moment(at),
    )
