"""
Changes of the schema happen once, whole, and only where the database's past is the one we know.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from coral_gate.errors import ConfigError
from coral_gate.stores import migrations
from coral_gate.stores.access import TABLES
from coral_gate.stores.migrations import Migration, SchemaUnfit, apply, pending, shipped, statements
from coral_gate.stores.sqlite import open_beside, open_for_daemon
from coral_gate.stores.threads import at_once
from tests.stores.contract import NOW

FIRST = Migration(1, "first", "CREATE TABLE a (x);\n-- said; twice\nCREATE TABLE b (x);\n")
SECOND = Migration(2, "second", "INSERT INTO a VALUES ('one;two');\nCREATE TRIGGER t AFTER INSERT ON a BEGIN\n DELETE FROM b;\nEND;\n")

KILLED = """
import os, sqlite3, sys
from coral_gate.stores.migrations import apply, shipped
path, left = sys.argv[1], int(sys.argv[2])
def trace(_):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), 9)
connection = sqlite3.connect(path, isolation_level=None)
connection.set_trace_callback(trace)
apply(connection, shipped(), 1)
"""


class MigrationTests(SynchronousTestCase):
    """Changes of the schema."""

    def setUp(self) -> None:
        self.connection = self.connect(self.mktemp())

    def connect(self, path: str) -> sqlite3.Connection:
        """A connection in autocommit mode."""
        self.path = path
        connection = sqlite3.connect(path, isolation_level=None)
        self.addCleanup(connection.close)
        return connection

    def dump(self) -> list[str]:
        """All that is in the database."""
        return list(self.connection.iterdump())

    def unfit(self, changes: Sequence[Migration]) -> str:
        """Why these changes do not fit the database, which stays as it is."""
        before = self.dump()
        error = self.assertRaises(SchemaUnfit, apply, self.connection, changes, 7)
        self.assertEqual(before, self.dump())
        self.assertFalse(self.connection.in_transaction)
        return str(error)

    def test_each_once(self) -> None:
        """Changes are applied in order, each once, and remembered with their checksums."""
        self.assertEqual(1, apply(self.connection, [FIRST], 7))
        self.assertEqual((SECOND,), pending(self.connection, [FIRST, SECOND]))
        self.assertEqual(1, apply(self.connection, [FIRST, SECOND], 8))
        self.assertEqual(0, apply(self.connection, [FIRST, SECOND], 9))
        remembered = self.connection.execute("SELECT * FROM schema_migrations").fetchall()
        self.assertEqual([(1, "first", FIRST.checksum, 7), (2, "second", SECOND.checksum, 8)], remembered)

    def test_changed_text(self) -> None:
        """A change whose text is not the one that was applied stops everything, even if only a space differs."""
        apply(self.connection, [FIRST], 7)
        why = self.unfit([Migration(1, "first", FIRST.sql + " "), SECOND])
        self.assertEqual("Schema change 0001_first was applied to the database with another text than this program's.", why)

    def test_newer(self) -> None:
        """A database from a newer program is left alone."""
        apply(self.connection, [FIRST, SECOND], 7)
        self.assertEqual("The database has schema change 0002_second, which is newer than this program.", self.unfit([FIRST]))

    def test_gaps(self) -> None:
        """A gap is refused, among the program's changes and among the database's."""
        self.assertEqual("This program's schema changes have a gap before number 2.", self.unfit([SECOND]))
        apply(self.connection, [FIRST, SECOND], 7)
        self.connection.execute("DELETE FROM schema_migrations WHERE version = 1")
        self.assertEqual("The database's list of schema changes has a gap before number 2.", self.unfit([FIRST, SECOND]))

    def test_whole_or_not(self) -> None:
        """A change that fails in its middle leaves nothing of itself, and those before it stay."""
        bad = Migration(2, "bad", "CREATE TABLE c (x);\nINSERT INTO nowhere VALUES (1);\n")
        self.assertRaises(sqlite3.OperationalError, apply, self.connection, [FIRST, bad], 7)
        tables = {row[0] for row in self.connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        self.assertEqual({"a", "b", "schema_migrations"}, tables)
        self.assertEqual(1, apply(self.connection, [FIRST, SECOND], 8))

    def test_statements(self) -> None:
        """A text is split at the ends of statements, not at every semicolon; an unfinished one is an error."""
        self.assertEqual(2, len(list(statements(FIRST.sql))))
        self.assertEqual(2, len(list(statements(SECOND.sql))))
        self.assertEqual([], list(statements("-- nothing but words\n")))
        self.assertRaises(ValueError, list, statements("CREATE TABLE a (x);\nCREATE TABLE"))

    def test_killed_anywhere(self) -> None:
        """Whichever statement a kill hits, the next start finds the change whole or not there, and finishes it."""
        whole = self.connect(self.mktemp())
        apply(whole, shipped(), 1)
        expected = list(whole.iterdump())
        code, left = -9, 0
        while code == -9 and left < 100:
            self.connection = self.connect(self.mktemp())
            words = [sys.executable, "-c", KILLED, self.path, str(left)]
            code = subprocess.run(words, check=False, timeout=60).returncode
            tables = [row[0] for row in self.connection.execute("SELECT name FROM sqlite_master WHERE name LIKE 'base_%'")]
            left += 1
            self.assertEqual(bool(tables), len(pending(self.connection, shipped())) < len(shipped()))
            apply(self.connection, shipped(), 1)
            self.assertEqual(expected, self.dump())
        self.assertEqual(0, code)
        self.assertGreater(left, len(list(statements(shipped()[0].sql))))


class ShippedTests(SynchronousTestCase):
    """The changes that come with the program."""

    def test_tables(self) -> None:
        """The schema has the tables and columns that the table of rights says, and no other."""
        connection = sqlite3.connect(":memory:", isolation_level=None)
        self.addCleanup(connection.close)
        apply(connection, shipped(), 1)
        found = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        ours = {f"base_{table.name}" for table in TABLES}
        self.assertEqual(ours | {"schema_migrations", "sqlite_sequence"}, found)
        for table in TABLES:
            columns = connection.execute(f"PRAGMA table_info(base_{table.name})").fetchall()
            self.assertEqual(table.columns, tuple(row[1] for row in columns))
            self.assertTrue(columns[table.columns.index(table.owner)][3], f"{table.name}.{table.owner} can be NULL")

    def test_every_unique_key_is_known(self) -> None:
        """The table of rights names every unique key: a row that replaces another's is refused by that list."""
        connection = sqlite3.connect(":memory:", isolation_level=None)
        self.addCleanup(connection.close)
        apply(connection, shipped(), 1)
        for table in TABLES:
            keys = set()
            for index in connection.execute(f"PRAGMA index_list(base_{table.name})").fetchall():
                if index[2]:
                    keys.add(tuple(row[2] for row in connection.execute(f"PRAGMA index_info({index[1]})")))
            if table.numbered is not None:
                keys.add((table.numbered,))
            self.assertEqual(set(table.unique), keys, table.name)

    def test_refusals_are_sentences(self) -> None:
        """A database that does not fit ends the start with a sentence that names the file and says what to do."""
        folder = Path(self.mktemp())
        open_beside(folder, NOW).close()
        with sqlite3.connect(folder / "coral-gate.db") as connection:
            connection.execute("UPDATE schema_migrations SET checksum = 'x'")
        connection.close()
        for opening in (lambda: open_beside(folder, NOW), lambda: open_for_daemon(folder, at_once, at_once, NOW)):
            error = self.assertRaises(ConfigError, opening)
            self.assertIn(f"{folder}/coral-gate.db: Schema change 0001_first was applied", str(error))
            self.assertIn("Use the version of Coral Gate that the database is of, or a backup.", str(error))

    def test_no_database(self) -> None:
        """A file that is no database ends the start with a sentence."""
        folder = Path(self.mktemp())
        folder.mkdir(mode=0o700)
        (folder / "coral-gate.db").write_bytes(b"not a database" * 100)
        (folder / "coral-gate.db").chmod(0o600)
        error = self.assertRaises(ConfigError, open_for_daemon, folder, at_once, at_once, NOW)
        self.assertIn("SQLite cannot open the database", str(error))

    def test_names(self) -> None:
        """Files that are not named like a change are none."""
        self.assertTrue(all(migrations._NAME.match(f"{change.version:04d}_{change.name}.sql") for change in shipped()))
        self.assertIsNone(migrations._NAME.match("0001_First.sql"))
        self.assertIsNone(migrations._NAME.match("1_first.sql"))
        self.assertIsNone(migrations._NAME.match("0001_first.sql.orig"))
