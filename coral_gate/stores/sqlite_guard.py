# ruff: noqa: S608 - the names in these statements are the program's own, from coral_gate.stores.access
"""
Row-level rules for SQLite, which has none of its own.

Statements name a table and reach a TEMP view of that name. The view gives the rows that the acting principal may see;
INSTEAD OF triggers on it look at each row that would be written. An authorizer refuses everything else, base tables
above all: it lets them through only where SQLite says that one of our views or triggers is what reaches for them.

SQLite says so by name, and a `WITH users AS (...)` is reported like a view called `users`. So what touches base tables
bears a random name that no statement can learn: reading the schema, EXPLAIN and PRAGMA are refused.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from attrs import define, field

from coral_gate.records import Principal
from coral_gate.stores.access import TABLES, Table, Verb, may_all, own_rows

NOT_PERMITTED: Final = "this principal may not write this row"
ALREADY_THERE: Final = "a row is there already"

_BY_NAME: Final = {table.name: table for table in TABLES}
_OURS: Final = frozenset({"coral_all", "coral_own"})
# No function that can fail on a value: in an ORDER BY or WHERE it would say something about a row before it is filtered.
_FUNCTIONS: Final = frozenset({"count", "max", "min", "ifnull", "coalesce"})
_WRITES: Final = {
    sqlite3.SQLITE_INSERT: Verb.INSERT,
    sqlite3.SQLITE_UPDATE: Verb.UPDATE,
    sqlite3.SQLITE_DELETE: Verb.DELETE,
}


def _random_name() -> str:
    return "g" + secrets.token_hex(16)


@define(eq=False)
class Guard:
    """
    The rules on one connection.

    :ivar writes: whether anything may be written at all.
    :ivar acting: on whose behalf statements run now; None sees and writes nothing.
    """

    writes: bool = True
    _new_name: Callable[[], str] = _random_name
    acting: Principal | None = None
    _between: bool = False
    _views: dict[str, Table] = field(factory=dict)
    _triggers: dict[str, tuple[Table, Verb]] = field(factory=dict)

    def lay(self, connection: sqlite3.Connection) -> None:
        """Make the functions, views and triggers; the base tables must be there."""
        connection.create_function("coral_all", 2, self._all, deterministic=True)
        connection.create_function("coral_own", 2, self._own, deterministic=True)
        for table in TABLES:
            self._lay_view(connection, table)
            for verb, make in ((Verb.INSERT, _insert_trigger), (Verb.UPDATE, _update_trigger), (Verb.DELETE, _delete_trigger)):
                name = self._new_name()
                self._triggers[name] = (table, verb)
                connection.execute(make(name, table))

    def close_the_door(self, connection: sqlite3.Connection) -> None:
        """Refuse, from now on, whatever the rules do not allow; also what was prepared before."""
        connection.set_authorizer(self._authorize)

    @contextmanager
    def between_transactions(self) -> Iterator[None]:
        """Let BEGIN, COMMIT and ROLLBACK pass; no statement of a store runs in here."""
        self._between = True
        try:
            yield
        finally:
            self._between = False

    # Deterministic within one statement, which is all that SQLite relies on: the principal changes between transactions.
    def _all(self, table: str, verb: str) -> bool:
        return may_all(self.acting, _BY_NAME[table], Verb(verb))

    def _own(self, table: str, verb: str) -> str | None:
        return own_rows(self.acting, _BY_NAME[table], Verb(verb))

    def _lay_view(self, connection: sqlite3.Connection, table: Table) -> None:
        name, columns = self._new_name(), ", ".join(table.columns)
        self._views[name] = table
        # LIMIT -1 keeps SQLite from moving a statement's own conditions into the inner SELECT, where they would be
        # evaluated on rows that are not yet known to be the principal's. The first branch gives all rows or none, so
        # there it may, and uses the indexes. <> '' makes every statement use a column of the base table: SQLite reports a
        # use without any column as the statement's own, not the view's.
        connection.execute(
            f"CREATE TEMP VIEW {name} AS"
            f" SELECT {columns} FROM main.base_{table.name} WHERE coral_all('{table.name}', 'select') AND {table.owner} <> ''"
            f" UNION ALL SELECT {columns} FROM (SELECT {columns} FROM main.base_{table.name}"
            f" WHERE {table.owner} = coral_own('{table.name}', 'select') LIMIT -1)"
        )
        connection.execute(f"CREATE TEMP VIEW {table.name} AS SELECT {columns} FROM {name}")

    def _authorize(self, action: int, first: str | None, second: str | None, base: str | None, within: str | None) -> int:
        return sqlite3.SQLITE_OK if self._allowed(action, first, second, base, within) else sqlite3.SQLITE_DENY

    def _allowed(self, action: int, first: str | None, second: str | None, base: str | None, within: str | None) -> bool:
        if action == sqlite3.SQLITE_SELECT:
            return True
        if action == sqlite3.SQLITE_READ:
            return self._may_read(first, base, within)
        if action in _WRITES:
            return self.writes and self._may_write(_WRITES[action], first, base, within)
        if action == sqlite3.SQLITE_FUNCTION:
            return second in _FUNCTIONS or (second in _OURS and self._is_ours(within))
        return action == sqlite3.SQLITE_TRANSACTION and self._between

    def _is_ours(self, within: str | None) -> bool:
        return within in self._views or within in self._triggers

    def _may_read(self, name: str | None, base: str | None, within: str | None) -> bool:
        if base != "main":  # "temp", or None where a view is used without any of its columns
            return name in _BY_NAME or name in self._views
        return base == "main" and name is not None and name.removeprefix("base_") in _BY_NAME and self._is_ours(within)

    def _may_write(self, verb: Verb, name: str | None, base: str | None, within: str | None) -> bool:
        if base == "temp":
            return name in _BY_NAME
        table, allowed = self._triggers.get(within or "", (None, None))
        return base == "main" and table is not None and name == f"base_{table.name}" and verb is allowed


def _allows(table: Table, verb: Verb, row: str) -> str:
    return f"(coral_all('{table.name}', '{verb.value}') OR ifnull({row}.{table.owner} = coral_own('{table.name}', '{verb.value}'), 0))"


def _refuse(why: str, condition: str) -> str:
    return f"SELECT RAISE(ABORT, '{why}') WHERE {condition};"


def _differs(columns: tuple[str, ...]) -> str:
    return " OR ".join(f"OLD.{column} IS NOT NEW.{column}" for column in columns) or "0"


def _same_row(columns: tuple[str, ...], row: str) -> str:
    return " AND ".join(f"{column} = {row}.{column}" for column in columns)


def _trigger(name: str, verb: Verb, table: Table, *steps: str) -> str:
    return f"CREATE TEMP TRIGGER {name} INSTEAD OF {verb.value} ON {table.name} BEGIN {' '.join(steps)} END"


def _insert_trigger(name: str, table: Table) -> str:
    columns = tuple(column for column in table.columns if column != table.numbered)
    # INSERT OR REPLACE would carry its REPLACE into the trigger and delete a row that is not the principal's.
    there = (f"EXISTS (SELECT 1 FROM base_{table.name} WHERE {_same_row(key, 'NEW')})" for key in table.unique if table.numbered not in key)
    return _trigger(
        name,
        Verb.INSERT,
        table,
        _refuse(NOT_PERMITTED, f"NOT {_allows(table, Verb.INSERT, 'NEW')}"),
        *(_refuse(ALREADY_THERE, condition) for condition in there),
        f"INSERT INTO base_{table.name} ({', '.join(columns)}) VALUES ({', '.join('NEW.' + column for column in columns)});",
    )


def _update_trigger(name: str, table: Table) -> str:
    fixed = tuple(column for column in table.columns if column not in table.settable)
    change = ", ".join(f"{column} = NEW.{column}" for column in table.settable)
    return _trigger(
        name,
        Verb.UPDATE,
        table,
        _refuse(NOT_PERMITTED, f"NOT {_allows(table, Verb.UPDATE, 'OLD')} OR {_differs(fixed)}"),
        _refuse(NOT_PERMITTED, f"NOT coral_all('{table.name}', 'govern') AND ({_differs(table.governed)})"),
        f"UPDATE base_{table.name} SET {change} WHERE {_same_row(table.unique[0], 'OLD')};" if change else "",
    )


def _delete_trigger(name: str, table: Table) -> str:
    return _trigger(
        name,
        Verb.DELETE,
        table,
        _refuse(NOT_PERMITTED, f"NOT {_allows(table, Verb.DELETE, 'OLD')}"),
        f"DELETE FROM base_{table.name} WHERE {_same_row(table.unique[0], 'OLD')};",
    )
