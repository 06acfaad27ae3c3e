"""
Who may do what with which rows: the one table that every provider enforces.

What is not granted here is refused. A principal is granted a verb on every row of a table, on its own rows, or not.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final

from attrs import frozen

from coral_gate.model import UserId
from coral_gate.records import AsAdministrator, AsGate, AsOwner, AsUser, Capacity, Principal, owner_id


class Verb(enum.Enum):
    """What can be done with a row; `GOVERN` is to change its governed columns, besides `UPDATE`."""

    SELECT = "select"
    INSERT = "insert"
    UPDATE = "update"
    DELETE = "delete"
    GOVERN = "govern"


_S, _I, _U, _D, _G = Verb.SELECT, Verb.INSERT, Verb.UPDATE, Verb.DELETE, Verb.GOVERN
_NONE: Final[frozenset[Verb]] = frozenset()


class OwnerKind(enum.Enum):
    """What a table's owner column holds."""

    ROW_ID = "row id"
    WHO = "issuer and subject"


@frozen
class Table:
    """
    One table's rows and who may do what with them.

    :ivar columns: all of them, in the order of the schema.
    :ivar unique: each set of columns that names one row; the first is the key.
    :ivar numbered: the column that the database numbers by itself, which nobody can set, or None.
    :ivar owner: the column that says whose a row is.
    :ivar settable: the columns that an update may change, whoever asks; all others stay as they were inserted.
    :ivar governed: those of them that only `GOVERN` may change.
    :ivar own: granted to users on their own rows.
    :ivar administrator: granted to administrators on every row.
    :ivar gate: granted to the gate on every row, by capacity.
    """

    name: str
    columns: tuple[str, ...]
    unique: tuple[tuple[str, ...], ...]
    owner: str
    gate: Mapping[Capacity, frozenset[Verb]]
    owner_kind: OwnerKind = OwnerKind.ROW_ID
    numbered: str | None = None
    settable: tuple[str, ...] = ()
    governed: tuple[str, ...] = ()
    own: frozenset[Verb] = _NONE
    administrator: frozenset[Verb] = _NONE


USERS: Final = Table(
    name="users",
    columns=("id", "iss", "sub", "email", "name", "role", "disabled", "allowed_by", "created_at", "last_sign_in_at", "hd"),
    unique=(("id",), ("iss", "sub")),
    owner="id",
    settable=("email", "name", "role", "disabled", "last_sign_in_at", "hd"),
    governed=("role", "disabled"),
    own=frozenset({_S}),
    administrator=frozenset({_S, _I, _U, _D, _G}),
    gate={
        Capacity.SIGN_IN: frozenset({_S, _I, _U}),
        Capacity.SESSIONS: frozenset({_S}),
        Capacity.OPERATOR: frozenset({_S, _I, _U, _D, _G}),
    },
)

_ENDING: Final = frozenset({_S, _D})

SESSIONS: Final = Table(
    name="sessions",
    columns=(
        *("digest", "id", "user_id", "created_at", "last_seen_at", "absolute_expires_at"),
        *("idle_s", "auth_time", "agent", "address"),
    ),
    unique=(("digest",), ("id",)),
    owner="user_id",
    settable=("last_seen_at",),
    own=_ENDING,
    administrator=_ENDING,
    gate={
        Capacity.SESSIONS: frozenset({_S, _I, _U, _D}),
        Capacity.HANDOFF: frozenset({_S}),
        Capacity.OPERATOR: _ENDING,
    },
)

SANDBOX_SESSIONS: Final = Table(
    name="sandbox_sessions",
    columns=("digest", "id", "parent", "user_id", "sandbox", "created_at", "last_seen_at"),
    unique=(("digest",), ("id",)),
    owner="user_id",
    settable=("last_seen_at",),
    own=_ENDING,
    administrator=_ENDING,
    gate={Capacity.SESSIONS: frozenset({_S, _I, _U, _D}), Capacity.OPERATOR: _ENDING},
)

HANDOFFS: Final = Table(
    name="handoffs",
    columns=("digest", "user_id", "session", "sandbox", "browser", "path", "expires_at"),
    unique=(("digest",),),
    owner="user_id",
    own=_ENDING,
    administrator=_ENDING,
    gate={
        Capacity.HANDOFF: frozenset({_S, _I, _D}),
        Capacity.SESSIONS: _ENDING,
        Capacity.OPERATOR: _ENDING,
    },
)

TICKETS: Final = Table(
    name="tickets",
    columns=("digest", "user_id", "session", "sandbox", "channel", "origin", "expires_at"),
    unique=(("digest",),),
    owner="user_id",
    own=_ENDING,
    administrator=_ENDING,
    gate={
        Capacity.HANDOFF: frozenset({_S, _I, _D}),
        Capacity.SESSIONS: _ENDING,
        Capacity.OPERATOR: _ENDING,
    },
)

SANDBOXES: Final = Table(
    name="sandboxes",
    columns=("id", "owner", "name", "driver", "state", "created_at", "destroyed_at", "locked"),
    unique=(("id",),),
    owner="owner",
    settable=("name", "state", "destroyed_at", "locked"),
    governed=("locked",),
    own=frozenset({_S, _I, _U}),
    administrator=frozenset({_S, _I, _U, _G}),
    gate={Capacity.SANDBOXES: frozenset({_S, _I, _U, _D}), Capacity.OPERATOR: frozenset({_S, _I, _U, _G})},
)

CREDENTIALS: Final = Table(
    name="credentials",
    columns=("sandbox", "service", "owner", "version", "sealed", "changed_at"),
    unique=(("sandbox", "service"),),
    owner="owner",
    owner_kind=OwnerKind.WHO,
    settable=("version", "sealed", "changed_at"),
    own=frozenset({_S, _I, _U, _D}),
    gate={},
)

REVOCATIONS: Final = Table(
    name="revocations",
    columns=("seq", "kind", "subject", "user_id", "reason", "at"),
    unique=(("seq",),),
    owner="user_id",
    numbered="seq",
    own=frozenset({_I}),
    administrator=frozenset({_I}),
    gate={
        Capacity.REVOCATIONS: frozenset({_S, _D}),
        Capacity.SESSIONS: frozenset({_I}),
        Capacity.SANDBOXES: frozenset({_I}),
        Capacity.OPERATOR: frozenset({_I}),
    },
)

TABLES: Final = (USERS, SESSIONS, SANDBOX_SESSIONS, HANDOFFS, TICKETS, SANDBOXES, CREDENTIALS, REVOCATIONS)
"""Every table whose rows belong to someone."""


def may_all(by: Principal | None, table: Table, verb: Verb) -> bool:
    """Whether the verb is granted on every row of the table."""
    if isinstance(by, AsAdministrator):
        return verb in table.administrator
    if isinstance(by, AsGate):
        return verb in table.gate.get(by.capacity, _NONE)
    return False


def own_rows(by: Principal | None, table: Table, verb: Verb) -> str | None:
    """What the owner column of a row holds where the verb is granted on the principal's own rows; else None."""
    if verb not in table.own:
        return None
    if isinstance(by, AsUser) and table.owner_kind is OwnerKind.ROW_ID:
        return by.user
    if isinstance(by, AsOwner) and table.owner_kind is OwnerKind.WHO:
        return owner_text(by.who)
    if isinstance(by, AsOwner) and table is REVOCATIONS:
        return owner_id(by.who)  # a credential's change is told in its own commit
    return None


def may(by: Principal | None, table: Table, verb: Verb, owner: str) -> bool:
    """Whether the verb is granted on a row of this owner."""
    return may_all(by, table, verb) or own_rows(by, table, verb) == owner


def owner_text(who: UserId) -> str:
    """A person in one column. Neither part holds a line feed, so that no two persons look the same."""
    if "\n" in who.iss or "\n" in who.sub:
        raise ValueError("an issuer or a subject holds a line feed")
    return f"{who.iss}\n{who.sub}"
