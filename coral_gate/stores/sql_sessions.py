"""
Sessions in a database.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from attrs import define
from zope.interface import implementer

from coral_gate.errors import NotPermitted
from coral_gate.interfaces import ISessionStore
from coral_gate.model import SandboxId, sandbox_id
from coral_gate.records import (
    AsGate,
    Because,
    Capacity,
    Principal,
    RevocationKind,
    SandboxSession,
    Session,
    SessionId,
    SessionLabel,
    UserRowId,
)
from coral_gate.stores.access import SANDBOX_SESSIONS, SESSIONS, Verb, may
from coral_gate.stores.sql import Database, Row, Rows, Value, decoded, first, insert, octets, select, text, whole
from coral_gate.stores.sql_ending import end_session, end_sessions_of, revoke
from coral_gate.stores.times import microseconds, moment

_GATE = AsGate(Capacity.SESSIONS)
_SESSION = select(SESSIONS)
_INSERT = insert(SESSIONS)
_CHILD = select(SANDBOX_SESSIONS)
_INSERT_CHILD = insert(SANDBOX_SESSIONS)
_TO_END = "SELECT digest, id, user_id FROM sessions"


@implementer(ISessionStore)
@define
class SQLSessionStore:
    """Sessions in a database."""

    _database: Database

    async def create(self, session: Session, most: int) -> tuple[SessionId, ...]:
        """See `ISessionStore.create`."""
        return await self._database.run(_GATE, lambda rows: _create(rows, session, most))

    async def find(self, digest: bytes) -> Session | None:
        """See `ISessionStore.find`."""
        return await self._database.read(_GATE, lambda rows: _find(rows, digest))

    async def create_child(self, child: SandboxSession, most: int) -> bool:
        """See `ISessionStore.create_child`."""
        return await self._database.run(_GATE, lambda rows: _create_child(rows, child, most))

    async def find_child(self, digest: bytes) -> tuple[SandboxSession, Session] | None:
        """See `ISessionStore.find_child`."""
        return await self._database.read(_GATE, lambda rows: _find_child(rows, digest))

    async def touch_many(self, seen: Mapping[bytes, datetime]) -> None:
        """See `ISessionStore.touch_many`."""
        times = [(digest, microseconds(at)) for digest, at in seen.items()]
        if times:
            await self._database.run(_GATE, lambda rows: _touch_many(rows, times))

    async def end(self, digest: bytes, because: Because) -> bool:
        """See `ISessionStore.end`."""
        return await self._database.run(_GATE, lambda rows: _end(rows, digest, because))

    async def end_by_id(self, by: Principal, session: SessionId, because: Because) -> bool:
        """See `ISessionStore.end_by_id`."""

        def work(rows: Rows) -> bool:
            found = rows.execute(f"{_TO_END} WHERE id = ?", (session,))
            ending = [row for row in found if may(by, SESSIONS, Verb.DELETE, text(row[2]))]
            for row in ending:
                end_session(rows, row, because)
            return bool(ending)

        return await self._database.run(by, work)

    async def end_all(self, by: Principal, user: UserRowId, because: Because, keep: SessionId | None = None) -> tuple[SessionId, ...]:
        """See `ISessionStore.end_all`."""
        allowed = may(by, SESSIONS, Verb.DELETE, user)
        return await self._database.run(by, lambda rows: end_sessions_of(rows, user, because, keep) if allowed else ())

    async def list(self, by: Principal, user: UserRowId) -> tuple[Session, ...]:
        """See `ISessionStore.list`."""
        mine = f"{_SESSION} WHERE user_id = ? ORDER BY created_at DESC, id DESC"
        return await self._database.read(by, lambda rows: decoded(_session, rows.execute(mine, (user,))))

    async def opened(self, digest: bytes) -> tuple[SandboxId, ...]:
        """See `ISessionStore.opened`."""
        below = "SELECT DISTINCT sandbox FROM sandbox_sessions WHERE parent = ? ORDER BY sandbox"
        return await self._database.read(_GATE, lambda rows: decoded(lambda row: sandbox_id(text(row[0])), rows.execute(below, (digest,))))

    async def purge(self, now: datetime, most: int = 500) -> int:
        """See `ISessionStore.purge`."""
        because, now_us = Because("expired", now), microseconds(now)

        def work(rows: Rows) -> int:
            over = f"{_TO_END} WHERE absolute_expires_at <= ? OR last_seen_at + idle_s * 1000000 <= ? LIMIT ?"
            ending = rows.execute(over, (now_us, now_us, most))
            for row in ending:
                end_session(rows, row, because)
            return len(ending)

        return await self._database.run(_GATE, work)


def _create(rows: Rows, session: Session, most: int) -> tuple[SessionId, ...]:
    if not rows.execute("SELECT 1 FROM users WHERE id = ? AND disabled = 0", (session.user,)):
        raise NotPermitted
    rows.execute(_INSERT, _columns(session))
    others = f"{_TO_END} WHERE user_id = ? AND digest <> ? ORDER BY last_seen_at DESC, id DESC"
    ending = rows.execute(others, (session.user, session.digest))[max(most - 1, 0) :]
    because = Because("limit", session.created_at)
    return tuple(end_session(rows, row, because) for row in ending)


def _find(rows: Rows, digest: bytes) -> Session | None:
    return first(_session, rows.execute(f"{_SESSION} WHERE digest = ?", (digest,)))


def _create_child(rows: Rows, child: SandboxSession, most: int) -> bool:
    if not rows.execute("SELECT 1 FROM sessions WHERE digest = ? AND user_id = ?", (child.parent, child.user)):
        return False
    times = (microseconds(child.created_at), microseconds(child.last_seen_at))
    rows.execute(_INSERT_CHILD, (child.digest, child.id, child.parent, child.user, child.sandbox, *times))
    siblings = "SELECT digest FROM sandbox_sessions WHERE parent = ? AND sandbox = ? AND digest <> ? ORDER BY created_at DESC, id DESC"
    for row in rows.execute(siblings, (child.parent, child.sandbox, child.digest))[max(most - 1, 0) :]:
        rows.execute("DELETE FROM sandbox_sessions WHERE digest = ?", row)
    return True


def _find_child(rows: Rows, digest: bytes) -> tuple[SandboxSession, Session] | None:
    child = first(_child, rows.execute(f"{_CHILD} WHERE digest = ?", (digest,)))
    parent = None if child is None else _find(rows, child.parent)
    return None if child is None or parent is None else (child, parent)


def _touch_many(rows: Rows, times: list[tuple[bytes, int]]) -> None:
    for digest, at_us in times:
        rows.execute("UPDATE sessions SET last_seen_at = ? WHERE digest = ? AND last_seen_at < ?", (at_us, digest, at_us))
        rows.execute("UPDATE sandbox_sessions SET last_seen_at = ? WHERE digest = ? AND last_seen_at < ?", (at_us, digest, at_us))


def _end(rows: Rows, digest: bytes, because: Because) -> bool:
    for row in rows.execute(f"{_TO_END} WHERE digest = ?", (digest,)):
        end_session(rows, row, because)
        return True
    for row in rows.execute("SELECT id, user_id FROM sandbox_sessions WHERE digest = ?", (digest,)):
        rows.execute("DELETE FROM sandbox_sessions WHERE digest = ?", (digest,))
        revoke(rows, RevocationKind.SANDBOX_SESSION, text(row[0]), UserRowId(text(row[1])), because)
        return True
    return False


def _columns(session: Session) -> tuple[Value, ...]:
    return (
        session.digest,
        session.id,
        session.user,
        microseconds(session.created_at),
        microseconds(session.last_seen_at),
        microseconds(session.absolute_expires_at),
        session.idle_s,
        microseconds(session.auth_time),
        session.label.agent,
        session.label.address,
    )


def _session(row: Row) -> Session:
    digest, row_id, user, created_at, last_seen_at, absolute_expires_at, idle_s, auth_time, agent, address = row
    return Session(
        id=SessionId(text(row_id)),
        digest=octets(digest),
        user=UserRowId(text(user)),
        created_at=moment(created_at),
        last_seen_at=moment(last_seen_at),
        absolute_expires_at=moment(absolute_expires_at),
        idle_s=whole(idle_s),
        auth_time=moment(auth_time),
        label=SessionLabel(text(agent), text(address)),
    )


def _child(row: Row) -> SandboxSession:
    digest, row_id, parent, user, sandbox, created_at, last_seen_at = row
    return SandboxSession(
        id=SessionId(text(row_id)),
        digest=octets(digest),
        parent=octets(parent),
        user=UserRowId(text(user)),
        sandbox=SandboxId(text(sandbox)),
        created_at=moment(created_at),
        last_seen_at=moment(last_seen_at),
    )
