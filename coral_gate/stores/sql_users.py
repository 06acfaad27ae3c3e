"""
Users in a database.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from attrs import define, evolve
from zope.interface import implementer

from coral_gate.checks import is_person
from coral_gate.errors import LastAdministrator, NotPermitted, StillInUse
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
from coral_gate.stores.access import USERS, Verb, may_all
from coral_gate.stores.sql import Database, Row, Rows, Value, decoded, first, insert, maybe_text, select, text, truth
from coral_gate.stores.sql_ending import end_sessions_of, revoke
from coral_gate.stores.times import maybe_microseconds, maybe_moment, microseconds, moment

_SIGN_IN = AsGate(Capacity.SIGN_IN)
_USER = select(USERS)
_INSERT = insert(USERS)


@implementer(IUserStore)
@define
class SQLUserStore:
    """Users in a database."""

    _database: Database
    _new_id: Callable[[], UserRowId] = new_user_row_id

    async def find(self, who: UserId) -> User | None:
        """See `IUserStore.find`."""
        return await self._database.read(_SIGN_IN, lambda rows: _find(rows, who))

    async def get(self, by: Principal, user: UserRowId) -> User | None:
        """See `IUserStore.get`."""
        return await self._database.read(by, lambda rows: _get(rows, user))

    async def list(self, by: Principal, after: UserRowId | None = None, most: int = 100) -> tuple[User, ...]:
        """See `IUserStore.list`."""
        return await self._database.read(
            by, lambda rows: decoded(_user, rows.execute(f"{_USER} WHERE id > ? ORDER BY id LIMIT ?", (after or "", most)))
        )

    async def allow(self, by: Principal, who: UserId, role: Role, at: datetime, email: str | None = None) -> User:
        """See `IUserStore.allow`."""
        _require(by, Verb.INSERT)
        shown = None if email is None else display_text(email, 320)

        def work(rows: Rows) -> User:
            known = _find(rows, who)
            if known is not None:
                return known
            user = User(self._new_id(), who, shown, None, role, False, allowed_by(by), at, None)
            rows.execute(_INSERT, _columns(user))
            return user

        return await self._database.run(by, work)

    async def sign_in(self, who: UserId, email: str | None, name: str | None, at: datetime, hd: str | None = None) -> User | None:
        """See `IUserStore.sign_in`."""
        shown_email = None if email is None else display_text(email, 320)
        shown_name = None if name is None else display_text(name, 200)
        kept_hd = None if hd is None else display_text(hd, 255)

        def work(rows: Rows) -> User | None:
            user = _find(rows, who)
            if user is None or user.disabled:
                return user
            return _update(rows, evolve(user, email=shown_email, name=shown_name, last_sign_in_at=at, hd=kept_hd))

        return await self._database.run(_SIGN_IN, work)

    async def set_role(self, by: Principal, user: UserRowId, role: Role, because: Because) -> User | None:
        """See `IUserStore.set_role`."""
        _require(by, Verb.GOVERN)

        def work(rows: Rows) -> User | None:
            row = _get(rows, user)
            if row is None or row.role is role:
                return row
            _spare_the_last(rows, by, row)
            revoke(rows, RevocationKind.ROLE, user, user, because)
            return _update(rows, evolve(row, role=role))

        return await self._database.run(by, work)

    async def set_disabled(self, by: Principal, user: UserRowId, disabled: bool, because: Because) -> User | None:
        """See `IUserStore.set_disabled`."""
        _require(by, Verb.GOVERN)

        def work(rows: Rows) -> User | None:
            row = _get(rows, user)
            if row is None or row.disabled is disabled:
                return row
            if disabled:
                _spare_the_last(rows, by, row)
                _revoke_all(rows, user, because)
            return _update(rows, evolve(row, disabled=disabled))

        return await self._database.run(by, work)

    async def delete(self, by: Principal, user: UserRowId, because: Because) -> bool:
        """See `IUserStore.delete`."""
        _require(by, Verb.DELETE)

        def work(rows: Rows) -> bool:
            row = _get(rows, user)
            if row is None:
                return False
            _spare_the_last(rows, by, row)
            if rows.execute("SELECT 1 FROM sandboxes WHERE owner = ? AND destroyed_at IS NULL LIMIT 1", (user,)):
                raise StillInUse
            _revoke_all(rows, user, because)
            rows.execute("DELETE FROM users WHERE id = ?", (user,))
            return True

        return await self._database.run(by, work)


def _require(by: Principal, verb: Verb) -> None:
    if not may_all(by, USERS, verb):
        raise NotPermitted


def _find(rows: Rows, who: UserId) -> User | None:
    if not is_person(who):
        return None  # nor could the database take every such text
    return first(_user, rows.execute(f"{_USER} WHERE iss = ? AND sub = ?", (who.iss, who.sub)))


def _get(rows: Rows, user: UserRowId) -> User | None:
    return first(_user, rows.execute(f"{_USER} WHERE id = ?", (user,)))


def _update(rows: Rows, user: User) -> User:
    rows.execute(
        "UPDATE users SET email = ?, name = ?, role = ?, disabled = ?, last_sign_in_at = ?, hd = ? WHERE id = ?",
        (user.email, user.name, user.role.value, int(user.disabled), maybe_microseconds(user.last_sign_in_at), user.hd, user.id),
    )
    return user


def _revoke_all(rows: Rows, user: UserRowId, because: Because) -> None:
    end_sessions_of(rows, user, because)
    revoke(rows, RevocationKind.USER, user, user, because)


def _spare_the_last(rows: Rows, by: Principal, row: User) -> None:
    if by == AsGate(Capacity.OPERATOR) or not row.governs:
        return
    others = "SELECT 1 FROM users WHERE role = ? AND disabled = 0 AND id <> ? LIMIT 1"
    if not rows.execute(others, (Role.ADMINISTRATOR.value, row.id)):
        raise LastAdministrator


def _columns(user: User) -> tuple[Value, ...]:
    return (
        *(user.id, user.who.iss, user.who.sub, user.email, user.name, user.role.value, int(user.disabled)),
        *(user.allowed_by, microseconds(user.created_at), maybe_microseconds(user.last_sign_in_at), user.hd),
    )


def _user(row: Row) -> User:
    row_id, iss, sub, email, name, role, disabled, who_allowed, created_at, last_sign_in_at, hd = row
    return User(
        id=UserRowId(text(row_id)),
        who=UserId(text(iss), text(sub)),
        email=maybe_text(email),
        name=maybe_text(name),
        role=Role(role),
        disabled=truth(disabled),
        allowed_by=text(who_allowed),
        created_at=moment(created_at),
        last_sign_in_at=maybe_moment(last_sign_in_at),
        hd=maybe_text(hd),
    )
