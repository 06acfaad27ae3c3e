"""
Statements that somebody would write who got their own SQL into ours.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from coral_gate.stores.access import TABLES

NAMES: Final = tuple(table.name for table in TABLES)


def _for_each_table(*patterns: str) -> tuple[str, ...]:
    return tuple(pattern.replace("{t}", name) for pattern in patterns for name in NAMES)


READS: Final = _for_each_table(
    "SELECT * FROM base_{t}",
    "SELECT * FROM main.base_{t}",
    "SELECT count(*) FROM main.base_{t}",
    "SELECT rowid FROM base_{t}",
    "SELECT 1 FROM {t} WHERE EXISTS (SELECT 1 FROM base_{t})",
    "SELECT * FROM {t} UNION ALL SELECT * FROM base_{t}",
    "WITH {t} AS (SELECT * FROM main.base_{t}) SELECT * FROM {t}",
    "WITH {t} AS MATERIALIZED (SELECT * FROM base_{t}) SELECT * FROM {t}",
    "WITH base_{t} AS (SELECT * FROM main.base_{t}) SELECT * FROM base_{t}",
    "WITH RECURSIVE {t} AS (SELECT * FROM main.base_{t} UNION SELECT * FROM {t}) SELECT * FROM {t}",
    "SELECT * FROM (SELECT * FROM main.base_{t}) AS {t}",
    "SELECT * FROM {t} LEFT JOIN base_{t} ON 1",
    "SELECT (SELECT group_concat(quote(x.rowid)) FROM base_{t} AS x)",
)
"""Reaches for base tables; each must be refused."""

SCHEMA: Final = (
    "SELECT * FROM sqlite_master",
    "SELECT * FROM sqlite_schema",
    "SELECT * FROM temp.sqlite_master",
    "SELECT * FROM sqlite_temp_master",
    "SELECT * FROM sqlite_temp_schema",
    "SELECT * FROM sqlite_sequence",
    "SELECT * FROM schema_migrations",
    "SELECT * FROM pragma_table_list",
    "SELECT * FROM pragma_table_info('base_users')",
    "SELECT * FROM pragma_database_list",
    "SELECT * FROM json_each('[1]')",
    "SELECT * FROM dbstat",
    "SELECT * FROM sqlite_stmt",
    "WITH sqlite_master AS (SELECT * FROM temp.sqlite_master) SELECT * FROM sqlite_master",
    "UPDATE sqlite_master SET sql = ''",
    "DELETE FROM temp.sqlite_master",
    "INSERT INTO sqlite_sequence VALUES ('base_revocations', 9)",
)
"""Reaches for what the database says about itself."""

SETTINGS: Final = (
    "PRAGMA foreign_keys = OFF",
    "PRAGMA writable_schema = ON",
    "PRAGMA query_only = OFF",
    "PRAGMA secure_delete = OFF",
    "ATTACH DATABASE ':memory:' AS other",
    "ATTACH DATABASE '/tmp/stolen.db' AS other",
    "DETACH DATABASE temp",
    "VACUUM",
    "VACUUM INTO '/tmp/stolen.db'",
    "REINDEX",
    "ANALYZE",
    "CREATE TABLE main.mine (a)",
    "CREATE TEMP TABLE mine AS SELECT 1",
    "CREATE TEMP VIEW mine AS SELECT * FROM main.base_users",
    "CREATE TEMP TRIGGER mine AFTER INSERT ON main.base_users BEGIN SELECT 1; END",
    "CREATE INDEX main.mine ON base_users (email)",
    "ALTER TABLE base_users RENAME TO users2",
    "DROP VIEW users",
    "DROP VIEW temp.users",
    "DROP TABLE main.base_users",
    "BEGIN",
    "BEGIN IMMEDIATE",
    "COMMIT",
    "END",
    "ROLLBACK",
    "SAVEPOINT x",
    "RELEASE x",
    "EXPLAIN SELECT * FROM users",
    "EXPLAIN QUERY PLAN SELECT * FROM users",
    " EXPLAIN SELECT 1",
    "/**/EXPLAIN SELECT * FROM users",
    "-- x\nEXPLAIN SELECT * FROM users",
    "SELECT 1; COMMIT",
    "SELECT load_extension('/tmp/x.so')",
    "SELECT writefile('/tmp/x', 'y')",
    "SELECT readfile('/etc/passwd')",
    "SELECT randomblob(1000000000)",
    "SELECT sqlite_version()",
    "SELECT last_insert_rowid()",
    "SELECT fts3_tokenizer('simple')",
    "SELECT coral_all('users', 'select')",
    "SELECT coral_own('users', 'select')",
    "SELECT * FROM coral_all('users', 'select')",
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n",
    "",
    ";",
    "VALUES (1)",
)
"""Reaches for the connection, the files, or endless work."""

WRITES: Final = _for_each_table(
    "DELETE FROM base_{t}",
    "DELETE FROM main.base_{t}",
    "UPDATE main.base_{t} SET rowid = rowid + 1",
    "INSERT INTO main.base_{t} SELECT * FROM {t}",
    "INSERT OR REPLACE INTO base_{t} SELECT * FROM {t}",
    "WITH {t} AS (SELECT 1) DELETE FROM base_{t}",
    "DELETE FROM {t} WHERE EXISTS (SELECT 1 FROM base_{t})",
)
"""Writes past the views."""

REFUSED: Final = READS + SCHEMA + SETTINGS + WRITES


HARMLESS: Final = ("", ";", "VALUES (1)")
"""Those of them that do nothing where they are not refused."""


Stored = dict[str, list[tuple[object, ...]]]


def rows_of(connection: sqlite3.Connection) -> Stored:
    """What is in the base tables, by a connection without rules."""
    return {name: connection.execute(f"SELECT * FROM base_{name} ORDER BY 1, 2").fetchall() for name in NAMES}


def every_row(path: str) -> Stored:
    """What is in the base tables, past all rules."""
    connection = sqlite3.connect(path)
    try:
        return rows_of(connection)
    finally:
        connection.close()
