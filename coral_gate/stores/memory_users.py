"""
Users in memory.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from attrs import define, evolve, field
from zope.interface import implementer

from coral_gate.errors import LastAdministrator, StillInUse
from coral_gate.interfaces import IUserStore
from coral_gate.model import Role, UserId
from coral_gate.records import (
    AsGate,
    Because,
    Capacity,
    Principal,
    RevocationKind,
    User,
    UserRowId,
    allowed_by,
    display_text,
    new_user_row_id,
)
from coral_gate.stores.access import USERS, Verb
from coral_gate.stores.memory import MemoryTables


@implementer(IUserStore)
@define
class MemoryUserStore:
    """Users in memory."""

    _tables: MemoryTables = field(factory=MemoryTables)
    _new_id: Callable[[], UserRowId] = new_user_row_id

    async def find(self, who: UserId) -> User | None:
        """See `IUserStore.find`."""
        return next((user for user in self._tables.users.values() if user.who == who), None)

    async def get(self, by: Principal, user: UserRowId) -> User | None:
        """See `IUserStore.get`."""
        return self._tables.users.get(user) if self._tables.may(by, USERS, Verb.SELECT, user) else None

    async def list(self, by: Principal, after: UserRowId | None = None, most: int = 100) -> tuple[User, ...]:
        """See `IUserStore.list`."""
        self._tables.admit(by)
        seen = (user for user in self._tables.users.values() if self._tables.may(by, USERS, Verb.SELECT, user.id))
        return tuple(sorted((user for user in seen if after is None or user.id > after), key=lambda user: user.id)[:most])

    async def allow(self, by: Principal, who: UserId, role: Role, at: datetime, email: str | None = None) -> User:
        """See `IUserStore.allow`."""
        self._tables.require_all(by, USERS, Verb.INSERT)
        known = await self.find(who)
        if known is not None:
            return known
        shown = None if email is None else display_text(email, 320)
        user = User(self._new_id(), who, shown, None, role, False, allowed_by(by), at, None)
        self._tables.users[user.id] = user
        return user

    async def sign_in(self, who: UserId, email: str | None, name: str | None, at: datetime, hd: str | None = None) -> User | None:
        """See `IUserStore.sign_in`."""
        user = await self.find(who)
        if user is None or user.disabled:
            return user
        return self._keep(
            evolve(
                user,
                email=None if email is None else display_text(email, 320),
                name=None if name is None else display_text(name, 200),
                last_sign_in_at=at,
                hd=None if hd is None else display_text(hd, 255),
            )
        )

    async def set_role(self, by: Principal, user: UserRowId, role: Role, because: Because) -> User | None:
        """See `IUserStore.set_role`."""
        self._tables.require_all(by, USERS, Verb.UPDATE, Verb.GOVERN)
        row = self._tables.users.get(user)
        if row is None or row.role is role:
            return row
        self._spare_the_last(by, row)
        self._tables.revoke(RevocationKind.ROLE, user, user, because)
        return self._keep(evolve(row, role=role))

    async def set_disabled(self, by: Principal, user: UserRowId, disabled: bool, because: Because) -> User | None:
        """See `IUserStore.set_disabled`."""
        self._tables.require_all(by, USERS, Verb.UPDATE, Verb.GOVERN)
        row = self._tables.users.get(user)
        if row is None or row.disabled is disabled:
            return row
        if disabled:
            self._spare_the_last(by, row)
            self._revoke_all(user, because)
        return self._keep(evolve(row, disabled=disabled))

    async def delete(self, by: Principal, user: UserRowId, because: Because) -> bool:
        """See `IUserStore.delete`."""
        self._tables.require_all(by, USERS, Verb.DELETE)
        row = self._tables.users.get(user)
        if row is None:
            return False
        self._spare_the_last(by, row)
        if any(box.owner == user and box.destroyed_at is None for box in self._tables.sandboxes.values()):
            raise StillInUse
        self._revoke_all(user, because)
        del self._tables.users[user]
        return True

    def _keep(self, user: User) -> User:
        self._tables.users[user.id] = user
        return user

    def _revoke_all(self, user: UserRowId, because: Because) -> None:
        for session in self._tables.sessions_of(user):
            self._tables.end_session(session, because)
        self._tables.revoke(RevocationKind.USER, user, user, because)

    def _spare_the_last(self, by: Principal, row: User) -> None:
        if by == AsGate(Capacity.OPERATOR) or not row.governs:
            return
        if not any(user.governs and user.id != row.id for user in self._tables.users.values()):
            raise LastAdministrator
