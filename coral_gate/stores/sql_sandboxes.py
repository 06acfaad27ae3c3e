"""
Whose sandbox is whose, in a database.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from attrs import define, evolve
from zope.interface import implementer

from coral_gate.errors import Conflict, NotPermitted, SandboxIdTaken
from coral_gate.interfaces import ISandboxStore
from coral_gate.model import SandboxId
from coral_gate.records import TOMBSTONE_DAYS, AsGate, Because, Capacity, Principal, RevocationKind, Sandbox, UserRowId, lock_revocation
from coral_gate.stores.access import SANDBOXES, Verb, may, may_all
from coral_gate.stores.sql import Database, Row, Rows, decoded, first, insert, maybe_text, select, text, whole
from coral_gate.stores.sql_ending import revoke
from coral_gate.stores.times import maybe_moment, microseconds, moment

_GATE = AsGate(Capacity.SANDBOXES)
_SANDBOX = select(SANDBOXES)
_INSERT = insert(SANDBOXES)


@implementer(ISandboxStore)
@define
class SQLSandboxStore:
    """Whose sandbox is whose, in a database."""

    _database: Database

    async def find(self, by: Principal, sandbox: SandboxId) -> Sandbox | None:
        """See `ISandboxStore.find`."""
        return await self._database.read(by, lambda rows: _find(rows, sandbox))

    async def list(self, by: Principal, owner: UserRowId, destroyed: bool = False) -> tuple[Sandbox, ...]:
        """See `ISandboxStore.list`."""
        which = "NOT NULL" if destroyed else "NULL"
        mine = f"{_SANDBOX} WHERE owner = ? AND destroyed_at IS {which} ORDER BY created_at, id"
        return await self._database.read(by, lambda rows: decoded(_sandbox, rows.execute(mine, (owner,))))

    async def put(self, by: Principal, sandbox: Sandbox) -> Sandbox:
        """See `ISandboxStore.put`."""
        try:
            return await self._database.run(by, lambda rows: _put(rows, by, sandbox))
        except Conflict as error:
            # The id is there, in a row that `by` may not see.
            raise SandboxIdTaken from error

    async def tombstone(self, by: Principal, sandbox: SandboxId, because: Because) -> bool:
        """See `ISandboxStore.tombstone`."""
        return await self._database.run(by, lambda rows: _tombstone(rows, by, sandbox, because))

    async def lock(self, by: Principal, sandbox: SandboxId, why: str | None, because: Because) -> Sandbox | None:
        """See `ISandboxStore.lock`."""
        if not may_all(by, SANDBOXES, Verb.GOVERN):
            raise NotPermitted
        return await self._database.run(by, lambda rows: _lock(rows, sandbox, why, because))

    async def purge(self, now: datetime) -> int:
        """See `ISandboxStore.purge`."""
        before_us = microseconds(now - timedelta(days=TOMBSTONE_DAYS))
        return await self._database.run(_GATE, lambda rows: _purge(rows, before_us))


def _find(rows: Rows, sandbox: SandboxId) -> Sandbox | None:
    return first(_sandbox, rows.execute(f"{_SANDBOX} WHERE id = ?", (sandbox,)))


def _put(rows: Rows, by: Principal, sandbox: Sandbox) -> Sandbox:
    if not may(by, SANDBOXES, Verb.INSERT, sandbox.owner):
        raise NotPermitted
    row = _find(rows, sandbox.id)
    if row is None:
        return _insert(rows, evolve(sandbox, destroyed_at=None, locked=None))
    if row.owner != sandbox.owner or row.destroyed_at is not None:
        raise SandboxIdTaken
    rows.execute("UPDATE sandboxes SET name = ?, state = ? WHERE id = ?", (sandbox.name, sandbox.state, sandbox.id))
    return evolve(row, name=sandbox.name, state=sandbox.state)


def _insert(rows: Rows, sandbox: Sandbox) -> Sandbox:
    words = (sandbox.id, sandbox.owner, sandbox.name, sandbox.driver, sandbox.state)
    rows.execute(_INSERT, (*words, microseconds(sandbox.created_at), None, None))
    return sandbox


def _tombstone(rows: Rows, by: Principal, sandbox: SandboxId, because: Because) -> bool:
    row = _find(rows, sandbox)
    if row is None or row.destroyed_at is not None or not may(by, SANDBOXES, Verb.UPDATE, row.owner):
        return False
    change = "UPDATE sandboxes SET state = 'destroyed', destroyed_at = ? WHERE id = ?"
    rows.execute(change, (microseconds(because.at), sandbox))
    revoke(rows, RevocationKind.SANDBOX, sandbox, row.owner, because)
    return True


def _lock(rows: Rows, sandbox: SandboxId, why: str | None, because: Because) -> Sandbox | None:
    row = _find(rows, sandbox)
    if row is None or row.destroyed_at is not None:
        return None
    after = evolve(row, locked=why)
    if after != row:
        rows.execute("UPDATE sandboxes SET locked = ? WHERE id = ?", (why, sandbox))
        kind, told = lock_revocation(why, because)
        revoke(rows, kind, sandbox, row.owner, told)
    return after


def _purge(rows: Rows, before_us: int) -> int:
    ((count,),) = rows.execute("SELECT count(*) FROM sandboxes WHERE destroyed_at < ?", (before_us,))
    rows.execute("DELETE FROM sandboxes WHERE destroyed_at < ?", (before_us,))
    return whole(count)


def _sandbox(row: Row) -> Sandbox:
    row_id, owner, name, driver, state, created_at, destroyed_at, locked = row
    return Sandbox(
        id=SandboxId(text(row_id)),
        owner=UserRowId(text(owner)),
        name=text(name),
        driver=text(driver),
        state=text(state),
        created_at=moment(created_at),
        destroyed_at=maybe_moment(destroyed_at),
        locked=maybe_text(locked),
    )
