"""
Numbered changes of the schema, each applied once, whole or not at all.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from hashlib import sha256
from importlib.resources import files
from typing import Final

from attrs import frozen

_NAME: Final = re.compile(r"(\d{4})_([a-z0-9_]{1,60})\.sql\Z")


class SchemaUnfit(Exception):
    """The database's schema is not one that this program can bring to its own; the text is a full sentence."""


@frozen
class Migration:
    """
    One change.

    :ivar version: 1 for the first, one more for each.
    :ivar checksum: SHA-256 of the text, in hexadecimal.
    """

    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """What a database remembers this very text by."""
        return sha256(self.sql.encode()).hexdigest()


def shipped() -> tuple[Migration, ...]:
    """The changes that come with this program, in order."""
    found = []
    for file in files("coral_gate.stores").joinpath("schema").iterdir():
        name = _NAME.match(file.name)
        if name is not None:
            found.append(Migration(int(name[1]), name[2], file.read_text("utf-8")))
    return tuple(sorted(found, key=lambda migration: migration.version))


def pending(connection: sqlite3.Connection, migrations: Sequence[Migration]) -> tuple[Migration, ...]:
    """
    The changes that this database still needs.

    :raises SchemaUnfit: its past is not the one that these changes tell.
    """
    _check_numbers(migrations)
    applied = _applied(connection)
    for position, (version, name, checksum) in enumerate(applied):
        if version != position + 1:
            raise SchemaUnfit(f"The database's list of schema changes has a gap before number {version}.")
        if version > len(migrations):
            raise SchemaUnfit(f"The database has schema change {version:04d}_{name}, which is newer than this program.")
        if checksum != migrations[position].checksum:
            raise SchemaUnfit(f"Schema change {version:04d}_{name} was applied to the database with another text than this program's.")
    return tuple(migrations[len(applied) :])


def apply(connection: sqlite3.Connection, migrations: Sequence[Migration], now_us: int) -> int:
    """
    Apply what is pending; give how many changes that were.

    Each change commits together with its line in `schema_migrations`, so a kill leaves the whole of it or nothing.

    :param connection: in autocommit mode, with no guard on it.
    :raises SchemaUnfit: as `pending` says; nothing was changed.
    """
    count = 0
    while True:
        connection.execute("BEGIN IMMEDIATE")
        try:
            # Asked anew under the write lock: another process may be applying the same changes.
            todo = pending(connection, migrations)
            if todo:
                _apply_one(connection, todo[0], now_us)
            connection.execute("COMMIT")
        except BaseException:
            connection.rollback()
            raise
        if not todo:
            return count
        count += 1


def statements(sql: str) -> Iterator[str]:
    """
    The statements of a text, one by one.

    :raises ValueError: the last one is not complete.
    """
    statement = ""
    for line in sql.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if re.sub(r"--.*", "", statement).strip():
        raise ValueError("a schema change ends within a statement")


def _check_numbers(migrations: Sequence[Migration]) -> None:
    for position, migration in enumerate(migrations):
        if migration.version != position + 1:
            raise SchemaUnfit(f"This program's schema changes have a gap before number {migration.version}.")


def _applied(connection: sqlite3.Connection) -> list[tuple[int, str, str]]:
    there = connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'schema_migrations'").fetchone()
    if there is None:
        return []
    return connection.execute("SELECT version, name, checksum FROM schema_migrations ORDER BY version").fetchall()


def _apply_one(connection: sqlite3.Connection, migration: Migration, now_us: int) -> None:
    connection.execute(
        "CREATE TABLE IF NOT EXISTS schema_migrations (version INTEGER PRIMARY KEY, name TEXT NOT NULL,"
        " checksum TEXT NOT NULL, applied_at INTEGER NOT NULL) STRICT"
    )
    for statement in statements(migration.sql):
        connection.execute(statement)
    connection.execute(
        "INSERT INTO schema_migrations (version, name, checksum, applied_at) VALUES (?, ?, ?, ?)",
        (migration.version, migration.name, migration.checksum, now_us),
    )
