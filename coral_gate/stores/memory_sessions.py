"""
Sessions in memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from attrs import define, evolve, field
from zope.interface import implementer

from coral_gate.errors import NotPermitted
from coral_gate.interfaces import ISessionStore
from coral_gate.model import SandboxId
from coral_gate.records import Because, Principal, RevocationKind, SandboxSession, Session, SessionId, UserRowId
from coral_gate.stores.access import SESSIONS, Verb
from coral_gate.stores.memory import MemoryTables


@implementer(ISessionStore)
@define
class MemorySessionStore:
    """Sessions in memory."""

    _tables: MemoryTables = field(factory=MemoryTables)

    async def create(self, session: Session, most: int) -> tuple[SessionId, ...]:
        """See `ISessionStore.create`."""
        user = self._tables.users.get(session.user)
        if user is None or user.disabled:
            raise NotPermitted
        self._tables.require_new(session.digest)
        others = sorted(self._tables.sessions_of(session.user), key=lambda other: (other.last_seen_at, other.id), reverse=True)
        ended = others[max(most - 1, 0) :]
        self._end(ended, Because("limit", session.created_at))
        self._tables.sessions[session.digest] = session
        return tuple(other.id for other in ended)

    async def find(self, digest: bytes) -> Session | None:
        """See `ISessionStore.find`."""
        return self._tables.sessions.get(digest)

    async def create_child(self, child: SandboxSession, most: int) -> bool:
        """See `ISessionStore.create_child`."""
        parent = self._tables.sessions.get(child.parent)
        if parent is None or parent.user != child.user:
            return False
        self._tables.require_new(child.digest)
        others = [other for other in self._tables.children.values() if (other.parent, other.sandbox) == (child.parent, child.sandbox)]
        others.sort(key=lambda other: (other.created_at, other.id), reverse=True)
        for other in others[max(most - 1, 0) :]:
            del self._tables.children[other.digest]
        self._tables.children[child.digest] = child
        return True

    async def find_child(self, digest: bytes) -> tuple[SandboxSession, Session] | None:
        """See `ISessionStore.find_child`."""
        child = self._tables.children.get(digest)
        return None if child is None else (child, self._tables.sessions[child.parent])

    async def touch_many(self, seen: Mapping[bytes, datetime]) -> None:
        """See `ISessionStore.touch_many`."""
        for digest, at in seen.items():
            session, child = self._tables.sessions.get(digest), self._tables.children.get(digest)
            if session is not None and at > session.last_seen_at:
                self._tables.sessions[digest] = evolve(session, last_seen_at=at)
            if child is not None and at > child.last_seen_at:
                self._tables.children[digest] = evolve(child, last_seen_at=at)

    async def end(self, digest: bytes, because: Because) -> bool:
        """See `ISessionStore.end`."""
        session, child = self._tables.sessions.get(digest), self._tables.children.pop(digest, None)
        if session is not None:
            self._tables.end_session(session, because)
        if child is not None:
            self._tables.revoke(RevocationKind.SANDBOX_SESSION, child.id, child.user, because)
        return session is not None or child is not None

    async def end_by_id(self, by: Principal, session: SessionId, because: Because) -> bool:
        """See `ISessionStore.end_by_id`."""
        self._tables.admit(by)
        return self._end((row for row in self._endable(by) if row.id == session), because) == 1

    async def end_all(self, by: Principal, user: UserRowId, because: Because, keep: SessionId | None = None) -> tuple[SessionId, ...]:
        """See `ISessionStore.end_all`."""
        if not self._tables.may(by, SESSIONS, Verb.DELETE, user):
            return ()
        ending = [row for row in self._tables.sessions_of(user) if row.id != keep]
        self._end(ending, because)
        return tuple(row.id for row in ending)

    async def list(self, by: Principal, user: UserRowId) -> tuple[Session, ...]:
        """See `ISessionStore.list`."""
        return tuple(self._tables.sessions_of(user)) if self._tables.may(by, SESSIONS, Verb.SELECT, user) else ()

    async def opened(self, digest: bytes) -> tuple[SandboxId, ...]:
        """See `ISessionStore.opened`."""
        return tuple(sorted({child.sandbox for child in self._tables.children.values() if child.parent == digest}))

    async def purge(self, now: datetime, most: int = 500) -> int:
        """See `ISessionStore.purge`."""
        over = [session for session in self._tables.sessions.values() if session.is_over(now)]
        return self._end(over[:most], Because("expired", now))

    def _endable(self, by: Principal) -> Iterable[Session]:
        return (row for row in self._tables.sessions.values() if self._tables.may(by, SESSIONS, Verb.DELETE, row.user))

    def _end(self, sessions: Iterable[Session], because: Because) -> int:
        ending = tuple(sessions)
        for session in ending:
            self._tables.end_session(session, because)
        return len(ending)
