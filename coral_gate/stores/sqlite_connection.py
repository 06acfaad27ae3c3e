"""
One connection to an SQLite database, on which nothing runs but on behalf of a principal.
"""

from __future__ import annotations

import re
import sqlite3
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import quote

from attrs import define
from twisted.logger import Logger

from coral_gate.errors import ConfigError, Fault, NotPermitted, StatementRefused, Unavailable
from coral_gate.model import Role
from coral_gate.records import AsAdministrator, AsGate, Capacity, Principal
from coral_gate.stores.sql import Row, Rows, Value
from coral_gate.stores.sqlite_faults import fault_of, spoils
from coral_gate.stores.sqlite_files import check_files, unfit
from coral_gate.stores.sqlite_guard import Guard

T = TypeVar("T")

BUSY_S: Final = 5.0
_MAX_VALUE_BYTES: Final = 1_000_000
_MAX_STATEMENT_BYTES: Final = 20_000
# EXPLAIN would show the names of the views and triggers that reach base tables.
_STATEMENT: Final = re.compile(r"(SELECT|INSERT|UPDATE|DELETE|WITH)\b", re.ASCII | re.IGNORECASE)


def connect(path: Path, busy_s: float = BUSY_S) -> sqlite3.Connection:
    """
    A connection as ours are: durable, with erased pages overwritten, in autocommit mode, and no guard on it yet.

    :raises ConfigError: a file of the database is not ours alone, or SQLite cannot keep it as we need.
    :raises sqlite3.Error: it cannot be opened.
    """
    check_files(path)
    # The modules of Python and SQLite check threads by themselves; one connection is used by one thread at a time.
    connection = sqlite3.connect(
        f"file:{quote(str(path.absolute()))}?mode=rw", uri=True, isolation_level=None, timeout=busy_s, check_same_thread=False
    )
    try:
        _settle(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def tidy_log(path: Path) -> None:
    """
    Write the log back into the database and empty it, as far as nobody reads from it.

    :raises Unavailable: it cannot be done now.
    """
    try:
        # A connection of its own: the guarded ones run no PRAGMA.
        with closing(connect(path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    except (ConfigError, OSError, sqlite3.Error) as error:
        raise Unavailable from error


def _settle(connection: sqlite3.Connection, path: Path) -> None:
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise unfit(path, "SQLite cannot keep a write-ahead log here.", "Put the state directory on a local file system.")
    for setting in (
        "synchronous = FULL",
        "foreign_keys = ON",
        "secure_delete = ON",
        "trusted_schema = OFF",
        "cell_size_check = ON",
        "temp_store = MEMORY",
    ):
        connection.execute(f"PRAGMA {setting}")
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MAX_VALUE_BYTES)
    connection.setlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH, _MAX_STATEMENT_BYTES)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    if sys.version_info >= (3, 12):
        connection.setconfig(sqlite3.SQLITE_DBCONFIG_DEFENSIVE, True)
    check_files(path)


@define(eq=False)
class _GuardedRows:
    """See `coral_gate.stores.sql.Rows`."""

    _connection: sqlite3.Connection
    is_over: bool = False
    failed: Fault | None = None
    spoiled: bool = False

    def execute(self, sql: str, values: Sequence[Value] = ()) -> list[Row]:
        if self.is_over:
            raise StatementRefused
        # A transaction that SQLite itself gave up is not in progress any more: nothing may run as if it were.
        if self.failed is not None or not self._connection.in_transaction or not _STATEMENT.match(sql):
            self.failed = self.failed or StatementRefused()
            raise self.failed
        try:
            return self._connection.execute(sql, tuple(values)).fetchall()
        except sqlite3.Error as error:
            self.failed, self.spoiled = fault_of(error), spoils(error)
            raise self.failed from error
        except (UnicodeEncodeError, OverflowError) as error:
            # Text with a lone surrogate, a number beyond 64 bits: no column can hold them.
            self.failed = StatementRefused()
            raise self.failed from error


@define(eq=False)
class GuardedConnection:
    """
    Opens its connection when it is first needed, and anew after the disk failed.

    :ivar writes: whether it may; else it sees what was committed when its transaction began.
    """

    _log = Logger()
    _path: Path
    _writes: bool
    _busy_s: float = BUSY_S
    _present: tuple[sqlite3.Connection, Guard] | None = None

    def transaction(self, by: Principal, work: Callable[[Rows], T]) -> T:
        """
        Do work on behalf of a principal, whole or not at all.

        :raises Unavailable: the database cannot do this now.
        """
        try:
            connection, guard = self._opened()
        except (ConfigError, OSError, sqlite3.Error) as error:
            self._log.error("the database cannot be opened: {error}", error=str(error))
            raise Unavailable from error
        try:
            return self._acting(connection, guard, by, work)
        except sqlite3.Error as error:
            self._log.error("the database failed: {error}", error=str(error))
            if spoils(error):
                self.close()
            raise fault_of(error) from error

    def open(self) -> None:
        """
        Open the connection now.

        :raises ConfigError: as `connect`.
        :raises sqlite3.Error: it cannot be opened.
        """
        self._opened()

    def close(self) -> None:
        """Close the connection; the next transaction opens another."""
        if self._present is not None:
            connection, self._present = self._present[0], None
            connection.close()

    def _opened(self) -> tuple[sqlite3.Connection, Guard]:
        if self._present is None:
            connection = connect(self._path, self._busy_s)
            guard = Guard(self._writes)
            try:
                guard.lay(connection)
                connection.execute(f"PRAGMA query_only = {'OFF' if self._writes else 'ON'}")
                guard.close_the_door(connection)
            except BaseException:
                connection.close()
                raise
            self._present = (connection, guard)
        return self._present

    def _acting(self, connection: sqlite3.Connection, guard: Guard, by: Principal, work: Callable[[Rows], T]) -> T:
        with guard.between_transactions():
            connection.execute("BEGIN IMMEDIATE" if self._writes else "BEGIN")
        rows = _GuardedRows(connection)
        try:
            result = self._work(guard, rows, by, work)
            with guard.between_transactions():
                connection.commit()
            return result
        finally:
            guard.acting = None
            rows.is_over = True
            self._leave(connection, guard, rows)

    def _work(self, guard: Guard, rows: _GuardedRows, by: Principal, work: Callable[[Rows], T]) -> T:
        if isinstance(by, AsAdministrator):
            guard.acting = AsGate(Capacity.SESSIONS)
            _require_administrator(rows, by)
        guard.acting = by
        result = work(rows)
        guard.acting = None
        if rows.failed is not None:
            raise rows.failed  # work went on after a statement had failed
        return result

    def _leave(self, connection: sqlite3.Connection, guard: Guard, rows: _GuardedRows) -> None:
        if connection.in_transaction:
            self._undo(connection, guard)
        if rows.spoiled:
            self._log.error("the database failed in a statement; it is opened anew")
            self.close()

    def _undo(self, connection: sqlite3.Connection, guard: Guard) -> None:
        try:
            with guard.between_transactions():
                connection.rollback()
        except sqlite3.Error:
            self.close()
            raise


def _require_administrator(rows: Rows, by: AsAdministrator) -> None:
    found = rows.execute("SELECT role, disabled FROM users WHERE id = ?", (by.user,))
    if found != [(Role.ADMINISTRATOR.value, 0)]:
        raise NotPermitted
