"""
The database of one machine: SQLite, in a folder that only the daemon's user can enter.

One daemon writes, under a lock. A command of the operator may write beside it in short transactions: SQLite lets one
write at a time, and who comes second waits up to five seconds.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final, TypeVar

from attrs import define

from coral_gate.records import Principal
from coral_gate.stores import migrations
from coral_gate.stores.sql import Rows
from coral_gate.stores.sqlite_connection import GuardedConnection, connect, tidy_log
from coral_gate.stores.sqlite_files import Ownership, own, prepare, unfit
from coral_gate.stores.threads import InThread, at_once
from coral_gate.stores.times import microseconds

T = TypeVar("T")

_OLDEST: Final = (3, 37, 0)  # STRICT tables
_LOCK_WAIT_S: Final = 2.0


@define(eq=False)
class SQLiteDatabase:
    """See `coral_gate.stores.sql.Database`."""

    _path: Path
    _write: GuardedConnection
    _read: GuardedConnection
    _in_writer: InThread
    _in_reader: InThread
    _ownership: Ownership | None = None

    async def run(self, by: Principal, work: Callable[[Rows], T]) -> T:
        """See `Database.run`."""
        return await self._in_writer(lambda: self._write.transaction(by, work))

    async def read(self, by: Principal, work: Callable[[Rows], T]) -> T:
        """See `Database.read`."""
        return await self._in_reader(lambda: self._read.transaction(by, work))

    async def tidy(self) -> None:
        """
        Write the log back into the database and empty it: what was deleted is gone from both then.

        Call it now and then, and after a person was forgotten. Where somebody still reads what was there before, the log
        is emptied the next time.

        :raises Unavailable: it cannot be done now.
        """
        await self._in_writer(lambda: tidy_log(self._path))

    def open(self) -> None:
        """
        Open both connections now, instead of when they are first needed.

        :raises ConfigError: one of them cannot be opened.
        """
        with _said_of(self._path):
            self._write.open()
            self._read.open()

    def close(self) -> None:
        """Close the connections and let go of the lock; only when no work is left in the threads."""
        self._read.close()
        self._write.close()
        if self._ownership is not None:
            self._ownership.release()
            self._ownership = None


def open_for_daemon(folder: Path, in_writer: InThread, in_reader: InThread, now: datetime) -> SQLiteDatabase:
    """
    Open the database as the one daemon that it has, and bring its schema up to date. Blocks: call it before the reactor runs.

    :param in_writer: where transactions that write are done, one after the other; `in_reader` those that only read.
    :raises ConfigError: others can read it, another daemon uses it, or its schema does not fit this program.
    """
    path = prepare(folder)
    ownership = own(folder, _LOCK_WAIT_S)
    database = _database(path, in_writer, in_reader, ownership)
    try:
        _migrate(path, now)
        # Both at once: on a disk that is full later on, a first reader could not be opened any more.
        database.open()
    except BaseException:
        database.close()
        raise
    return database


def open_beside(folder: Path, now: datetime) -> SQLiteDatabase:
    """
    Open the database for a short command, whether or not a daemon runs; its work is done at once, in this thread.

    :raises ConfigError: as `open_for_daemon`, or a daemon runs and its schema is not this program's.
    """
    path = prepare(folder)
    if _is_behind(path):
        ownership = own(folder, 0)
        try:
            _migrate(path, now)
        finally:
            ownership.release()
    return _database(path, at_once, at_once, None)


def _database(path: Path, in_writer: InThread, in_reader: InThread, ownership: Ownership | None) -> SQLiteDatabase:
    return SQLiteDatabase(
        path, GuardedConnection(path, writes=True), GuardedConnection(path, writes=False), in_writer, in_reader, ownership
    )


def _migrate(path: Path, now: datetime) -> None:
    _unguarded(path, lambda connection: migrations.apply(connection, migrations.shipped(), microseconds(now)))


def _is_behind(path: Path) -> bool:
    return _unguarded(path, lambda connection: bool(migrations.pending(connection, migrations.shipped())))


def _unguarded(path: Path, work: Callable[[sqlite3.Connection], T]) -> T:
    if sqlite3.sqlite_version_info < _OLDEST:
        raise unfit(path, f"SQLite {sqlite3.sqlite_version} is too old; 3.37 or newer is needed.")
    with _said_of(path), closing(connect(path)) as connection:
        return work(connection)


@contextmanager
def _said_of(path: Path) -> Iterator[None]:
    """What goes wrong at the start, as a sentence about this file."""
    try:
        yield
    except migrations.SchemaUnfit as error:
        raise unfit(path, str(error), "Use the version of Coral Gate that the database is of, or a backup.") from error
    except sqlite3.Error as error:
        raise unfit(path, f"SQLite cannot open the database: {error}.") from error
