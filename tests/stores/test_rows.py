"""
Nobody reads or writes a row that is not theirs, whatever SQL they manage to send.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.errors import Conflict, NotPermitted, StatementRefused
from coral_gate.model import Role, SealedCredential, ServiceName, UserId
from coral_gate.records import AsAdministrator, AsGate, AsOwner, Capacity, Principal, User, owner_id
from coral_gate.stores.access import TABLES, Verb, may, may_all, own_rows
from coral_gate.stores.providers import database_stores
from coral_gate.stores.sql import Row, Rows, Value
from coral_gate.stores.sql_credentials import SQLCredentialStore
from coral_gate.stores.sqlite import open_for_daemon
from coral_gate.stores.sqlite_guard import Guard
from coral_gate.stores.threads import at_once
from tests.stores import hostile
from tests.stores.contract import (
    NOW,
    OPERATOR,
    Asking,
    a_child,
    a_handoff,
    a_sandbox,
    a_session,
    a_ticket,
    as_admin,
    as_user,
    box_id,
    digest,
    later,
)


class RowsTestCase(Asking, SynchronousTestCase):
    """Two users, each with a row in every table, and an administrator."""

    def setUp(self) -> None:
        folder = Path(self.mktemp())
        self.path = folder / "coral-gate.db"
        self.database = open_for_daemon(folder, at_once, at_once, NOW)
        self.addCleanup(self.database.close)
        self.stores = database_stores(self.database)
        self.credentials = SQLCredentialStore(self.database)
        self.ann, self.bob = self.settle("ann", "b"), self.settle("bob", "c")
        self.root = self.ask(self.stores.users.allow(OPERATOR, UserId("https://issuer.example", "root"), Role.ADMINISTRATOR, NOW))

    def settle(self, sub: str, letter: str) -> User:
        """A user with a row of everything."""
        who = UserId("https://issuer.example", sub)
        user = self.ask(self.stores.users.allow(OPERATOR, who, Role.USER, NOW, f"{sub}@example.org"))
        session = a_session(user, sub)
        self.ask(self.stores.sessions.create(session, most=5))
        self.ask(self.stores.sessions.create_child(a_child(session, f"{sub} child", box_id(letter)), most=5))
        self.ask(self.stores.handoffs.put(a_handoff(session, f"{sub} code", later(30))))
        self.ask(self.stores.tickets.put(a_ticket(session, f"{sub} ticket", later(30))))
        self.ask(self.stores.sandboxes.put(as_user(user), a_sandbox(user, letter)))
        sealed = SealedCredential(box_id(letter), ServiceName.VNC, who, 1, f"sealed {sub}".encode(), NOW)
        self.assertTrue(self.ask(self.credentials.put(sealed, None)))
        return user

    def rows(self, by: Principal, sql: str, *values: Value) -> list[Row]:
        """What a statement gives this principal."""
        return self.ask(self.database.run(by, lambda rows: rows.execute(sql, values)))

    def barred(
        self, why: type[Exception] | tuple[type[Exception], ...], by: Principal, sql: str, *values: str | bytes | int | None
    ) -> None:
        """The statement is refused, in a transaction that writes and in one that reads, and changes nothing."""
        before = hostile.every_row(str(self.path))
        for way in (self.database.run, self.database.read):
            tried = Deferred.fromCoroutine(way(by, lambda rows: rows.execute(sql, values)))
            error = self.failureResultOf(tried).value
            self.assertIsInstance(error, why if way == self.database.run else (NotPermitted, StatementRefused), sql)
        self.assertEqual(before, hostile.every_row(str(self.path)))

    def attempt(self, by: Principal, sql: str) -> None:
        """Run a statement, and take it well if it is not permitted."""
        tried = Deferred.fromCoroutine(self.database.run(by, _running(sql)))
        tried.addErrback(lambda failure: failure.trap(NotPermitted))
        self.successResultOf(tried)


def _running(sql: str) -> Callable[[Rows], list[Row]]:
    return lambda rows: rows.execute(sql)


class ReadTests(RowsTestCase):
    """What is seen."""

    def test_own_rows(self) -> None:
        """A user sees their own rows, in the tables that are for users at all."""
        self.assertEqual([(self.ann.id,)], self.rows(as_user(self.ann), "SELECT id FROM users"))
        self.assertEqual([(digest("ann"),)], self.rows(as_user(self.ann), "SELECT digest FROM sessions"))
        self.assertEqual([(box_id("b"),)], self.rows(as_user(self.ann), "SELECT id FROM sandboxes"))
        self.assertEqual([], self.rows(as_user(self.ann), "SELECT * FROM credentials"))
        self.assertEqual([(b"sealed ann",)], self.rows(AsOwner(self.ann.who), "SELECT sealed FROM credentials"))
        self.assertEqual([], self.rows(AsOwner(self.ann.who), "SELECT * FROM users"))

    def test_every_table_by_everyone(self) -> None:
        """In each table each principal sees as many rows as the table of rights says."""
        stored = hostile.every_row(str(self.path))
        everyone: list[Principal] = [as_user(self.ann), as_user(self.bob), as_admin(self.root), AsOwner(self.ann.who)]
        everyone += [AsGate(capacity) for capacity in Capacity]
        for by in everyone:
            for table in TABLES:
                owner = table.columns.index(table.owner)
                expected = [row for row in stored[table.name] if may(by, table, Verb.SELECT, str(row[owner]))]
                seen = self.rows(by, f"SELECT * FROM {table.name}")
                self.assertEqual(sorted(map(repr, expected)), sorted(map(repr, seen)), (by, table.name))
                self.assertEqual([(len(expected),)], self.rows(by, f"SELECT count(*) FROM {table.name}"))

    def test_nobody(self) -> None:
        """Without a principal there are no rows, and no way to write one."""
        connection, guard = sqlite3.connect(self.path, isolation_level=None), Guard()
        self.addCleanup(connection.close)
        guard.lay(connection)
        guard.close_the_door(connection)
        for table in TABLES:
            self.assertEqual([], connection.execute(f"SELECT * FROM {table.name}").fetchall())
            row = hostile.every_row(str(self.path))[table.name]
            connection.execute(f"DELETE FROM {table.name}")
            values = row[0] if row else (None, "session", "a" * 26, self.ann.id, "x", 1)
            places = ", ".join("?" * len(table.columns))
            with self.assertRaises(sqlite3.IntegrityError):
                connection.execute(f"INSERT INTO {table.name} VALUES ({places})", values)
        self.assertEqual(3, len(hostile.every_row(str(self.path))["users"]))

    def test_foreign_keys(self) -> None:
        """Another user's row looks exactly like none, by whatever it is asked for."""
        asked: dict[str, Value] = {
            "SELECT * FROM users WHERE id = ?": self.bob.id,
            "SELECT * FROM users WHERE email = ?": "bob@example.org",
            "SELECT * FROM sessions WHERE digest = ?": digest("bob"),
            "SELECT * FROM sandbox_sessions WHERE digest = ?": digest("bob child"),
            "SELECT * FROM handoffs WHERE digest = ?": digest("bob code"),
            "SELECT * FROM tickets WHERE digest = ?": digest("bob ticket"),
            "SELECT * FROM sandboxes WHERE id = ?": box_id("c"),
            "SELECT * FROM users WHERE id = ? OR 1 = 1 ORDER BY id LIMIT 5 OFFSET 1": self.bob.id,
        }
        for sql, value in asked.items():
            self.assertEqual([], self.rows(as_user(self.ann), sql, value), sql)

    def test_conditions_see_own_rows_only(self) -> None:
        """A condition that fails by what a row holds fails on no foreign row: it is never tried on one."""
        # A text longer than any may be is made of a row, but only where its name matches.
        bomb = f"CASE WHEN name = ? THEN name{' || ?2' * 3} ELSE '' END <> 'x'"
        for where in (
            f"{bomb}",
            f"id = '{box_id('c')}' AND {bomb}",
            f"owner = '{self.bob.id}' AND {bomb}",
            # Here SQLite looks rows up by each half and, left to itself, tries the owner last.
            f"(id = '{box_id('c')}' AND {bomb}) OR (id = '{box_id('b')}' AND name = ?1)",
        ):
            self.rows(as_user(self.ann), f"SELECT id FROM sandboxes WHERE {where}", "Sandbox c", "0" * 400_000)
        self.barred(StatementRefused, as_user(self.ann), f"SELECT id FROM sandboxes WHERE {bomb}", "Sandbox b", "0" * 400_000)

    def test_former_administrator(self) -> None:
        """An administrator's right is looked up in each transaction, not remembered."""
        by = as_admin(self.root)
        self.assertEqual(3, len(self.rows(by, "SELECT id FROM users")))
        self.rows(OPERATOR, "UPDATE users SET role = 'user' WHERE id = ?", self.root.id)
        self.barred(NotPermitted, by, "SELECT id FROM users")
        self.barred(NotPermitted, AsAdministrator(self.ann.id), "SELECT id FROM users")


class WriteTests(RowsTestCase):
    """What is written."""

    def test_foreign_rows_stay(self) -> None:
        """Updates and deletes without any condition reach own rows alone."""
        self.rows(as_user(self.ann), "UPDATE sandboxes SET name = 'hers'")
        self.rows(as_user(self.ann), "DELETE FROM handoffs")
        self.rows(as_user(self.ann), "DELETE FROM tickets")
        self.rows(as_user(self.ann), "DELETE FROM sandbox_sessions")
        self.rows(as_user(self.ann), "DELETE FROM sessions")
        self.rows(AsOwner(self.ann.who), "DELETE FROM credentials")
        stored = hostile.every_row(str(self.path))
        self.assertEqual({("hers", self.ann.id), ("Sandbox c", self.bob.id)}, {(row[2], row[1]) for row in stored["sandboxes"]})
        self.assertEqual([(1, digest("bob"))], [(len(stored["sessions"]), stored["sessions"][0][0])])
        self.assertEqual([b"sealed bob"], [row[4] for row in stored["credentials"]])

    def test_insert_for_another(self) -> None:
        """Nobody writes a row that says it is another's."""
        insert = "INSERT INTO sandboxes VALUES (?, ?, 'x', 'static', 'stopped', 1, NULL, NULL)"
        self.barred(NotPermitted, as_user(self.ann), insert, "d" * 26, self.bob.id)
        self.barred(NotPermitted, as_user(self.ann), insert, "d" * 26, None)
        told = "INSERT INTO revocations (kind, subject, user_id, reason, at) VALUES ('user', ?, ?, 'x', 1)"
        self.barred(NotPermitted, as_user(self.ann), told, self.bob.id, self.bob.id)
        sealed = "INSERT INTO credentials VALUES (?, 'app', ?, 1, x'00', 1)"
        self.barred(NotPermitted, AsOwner(self.ann.who), sealed, "d" * 26, "https://issuer.example\nbob")

    def test_locks(self) -> None:
        """Nobody unlocks their own sandbox, nor does the gate while it is busy with sandboxes; the operator may."""
        self.rows(OPERATOR, "UPDATE sandboxes SET locked = 'why' WHERE owner = ?", self.ann.id)
        for by in (as_user(self.ann), AsGate(Capacity.SANDBOXES)):
            self.barred(NotPermitted, by, "UPDATE sandboxes SET locked = NULL")
            self.barred(NotPermitted, by, "UPDATE OR REPLACE sandboxes SET name = 'x', locked = NULL")
        self.rows(as_user(self.ann), "UPDATE sandboxes SET name = 'hers'")
        locked = {row[1]: (row[2], row[7]) for row in hostile.every_row(str(self.path))["sandboxes"]}
        self.assertEqual(("hers", "why"), locked[self.ann.id])

    def test_owner_tells(self) -> None:
        """Who owns a credential tells of its change under their own name alone, and reads nothing of what is told."""
        told = "INSERT INTO revocations (kind, subject, user_id, reason, at) VALUES ('credential', ?, ?, 'changed', 1)"
        ann = AsOwner(self.ann.who)
        self.rows(ann, told, box_id("b"), owner_id(self.ann.who))
        self.assertEqual([], self.rows(ann, "SELECT * FROM revocations"))
        for foreign in (owner_id(self.bob.who), self.ann.id, self.bob.id):
            self.barred(NotPermitted, ann, told, box_id("b"), foreign)

    def test_replace(self) -> None:
        """A row that is another's is not replaced by one's own with the same key."""
        for verb in ("INSERT", "INSERT OR REPLACE", "INSERT OR ABORT", "INSERT OR FAIL", "INSERT OR ROLLBACK", "INSERT OR IGNORE"):
            insert = f"{verb} INTO sandboxes VALUES (?, ?, 'x', 'static', 'stopped', 1, NULL, NULL)"
            self.barred(Conflict, as_user(self.ann), insert, box_id("c"), self.ann.id)
            sealed = f"{verb} INTO credentials VALUES (?, 'vnc', ?, 1, x'00', 1)"
            self.barred(Conflict, AsOwner(self.ann.who), sealed, box_id("c"), "https://issuer.example\nann")
            person = f"{verb} INTO users VALUES (?, ?, 'bob', NULL, NULL, 'administrator', 0, 'x', 1, NULL, NULL)"
            self.barred(Conflict, AsGate(Capacity.SIGN_IN), person, "d" * 26, "https://issuer.example")

    def test_owner_and_key_are_fixed(self) -> None:
        """No update gives a row to another owner, or another key."""
        for change in ("owner = ?", "id = ?", "driver = ?", "created_at = length(?)"):
            self.barred((NotPermitted, StatementRefused), as_user(self.ann), f"UPDATE sandboxes SET {change}", self.bob.id)
        for conflict in ("", "OR REPLACE ", "OR IGNORE ", "OR ROLLBACK "):
            self.barred(NotPermitted, as_user(self.ann), f"UPDATE {conflict}sandboxes SET id = ?", box_id("c"))
            self.barred(NotPermitted, OPERATOR, f"UPDATE {conflict}sandboxes SET owner = ? WHERE id = ?", self.bob.id, box_id("b"))

    def test_nobody_promotes_themselves(self) -> None:
        """A user changes nothing of their row, and the sign-in nobody's role."""
        promote = "UPDATE users SET role = 'administrator' WHERE sub = 'ann'"
        self.barred(NotPermitted, as_user(self.ann), promote)
        self.barred(NotPermitted, AsGate(Capacity.SIGN_IN), promote)
        self.barred(NotPermitted, AsGate(Capacity.SIGN_IN), "UPDATE users SET disabled = 1")
        self.barred(NotPermitted, as_user(self.ann), "UPDATE users SET email = 'x'")
        self.rows(AsGate(Capacity.SIGN_IN), "UPDATE users SET email = 'new' WHERE sub = 'ann'")

    def test_numbers_are_the_databases(self) -> None:
        """Nobody chooses the number of a revocation, nor changes or deletes one."""
        told = "INSERT INTO revocations (seq, kind, subject, user_id, reason, at) VALUES (?, 'user', ?, ?, 'x', 1)"
        self.rows(as_user(self.ann), told, 2**62, self.ann.id, self.ann.id)
        self.assertEqual([(1,)], self.rows(AsGate(Capacity.REVOCATIONS), "SELECT seq FROM revocations"))
        self.rows(as_user(self.ann), "DELETE FROM revocations")
        self.assertEqual([(1,)], self.rows(AsGate(Capacity.REVOCATIONS), "SELECT seq FROM revocations"))
        self.barred(NotPermitted, AsGate(Capacity.REVOCATIONS), "UPDATE revocations SET reason = 'x'")

    def test_every_write_by_everyone(self) -> None:
        """Whoever lacks a verb on a row cannot use it, in any table."""
        stored = hostile.every_row(str(self.path))
        everyone: list[Principal] = [as_user(self.ann), as_user(self.bob), AsOwner(self.ann.who)]
        everyone += [AsGate(capacity) for capacity in Capacity]
        for by in everyone:
            for table in TABLES:
                if not may_all(by, table, Verb.DELETE) and own_rows(by, table, Verb.DELETE) is None:
                    self.attempt(by, f"DELETE FROM {table.name}")
        self.assertEqual(stored, hostile.every_row(str(self.path)))


class HostileStatementTests(RowsTestCase):
    """What is refused whoever sends it."""

    def test_refused(self) -> None:
        """Base tables, the schema, settings, other files, transactions and endless work are out of reach."""
        before = hostile.every_row(str(self.path))
        for by in (as_user(self.ann), OPERATOR):
            for sql in hostile.REFUSED:
                for way in (self.database.run, self.database.read):
                    tried = Deferred.fromCoroutine(way(by, _running(sql)))
                    self.failureResultOf(tried, StatementRefused)
        self.assertEqual(before, hostile.every_row(str(self.path)))
        self.assertFalse(Path("/tmp/stolen.db").exists())

    def test_refused_by_the_guard_alone(self) -> None:
        """The guard refuses them by itself, where no one looks at the statement's first word; but for EXPLAIN, which it cannot."""
        connection, guard = sqlite3.connect(self.path, isolation_level=None), Guard()
        self.addCleanup(connection.close)
        guard.lay(connection)
        guard.close_the_door(connection)
        guard.acting = OPERATOR
        for sql in hostile.REFUSED:
            if "EXPLAIN" not in sql and sql not in hostile.HARMLESS:
                with self.assertRaises(sqlite3.Error, msg=sql):
                    connection.execute(sql).fetchall()
                self.assertFalse(connection.in_transaction)

    def test_values_that_no_column_holds(self) -> None:
        """A text with a lone surrogate, or a number beyond 64 bits, is refused, and so is a wrong number of values."""
        for values in (("\ud800",), (2**63,), (-(2**63) - 1,), (), ("a", "b")):
            self.barred(StatementRefused, as_user(self.ann), "SELECT id FROM users WHERE id = ?", *values)

    def test_the_control(self) -> None:
        """The same statements are read by SQLite as what they are, where no guard is: the refusals above mean something."""
        connection = sqlite3.connect(self.path)
        self.addCleanup(connection.close)
        for table in TABLES:
            connection.execute(f"CREATE TEMP VIEW {table.name} AS SELECT * FROM main.base_{table.name}")
        for sql in hostile.READS:
            if "RECURSIVE" not in sql and "group_concat" not in sql:
                connection.execute(sql).fetchall()

    def test_names_are_not_to_be_had(self) -> None:
        """The views and triggers that reach base tables have other names on each connection, too long to guess."""
        names: list[str] = []

        def remember() -> str:
            names.append(f"g{len(names)}")
            return names[-1]

        connection, guard = sqlite3.connect(self.path, isolation_level=None), Guard(new_name=remember)
        self.addCleanup(connection.close)
        guard.lay(connection)
        guard.close_the_door(connection)
        # Whoever knew a name would get in by it, which is why nobody may.
        stolen = f"WITH {names[0]} AS (SELECT * FROM main.base_users) SELECT * FROM {names[0]}"
        self.assertEqual(3, len(connection.execute(stolen).fetchall()))
        usual = Guard()
        self.assertRegex(usual._new_name(), "^g[0-9a-f]{32}$")
        self.assertNotEqual(usual._new_name(), usual._new_name())


class TransactionTests(RowsTestCase):
    """A principal lasts for one transaction."""

    def after(self) -> None:
        """The next transaction is the next principal's alone."""
        self.assertEqual([(self.bob.id,)], self.rows(as_user(self.bob), "SELECT id FROM users"))
        self.assertEqual(
            [(self.bob.id,)], self.ask(self.database.read(as_user(self.bob), lambda rows: rows.execute("SELECT id FROM users")))
        )

    def fails(self, why: type[BaseException], work: Callable[[Rows], object]) -> None:
        """Work that fails leaves no write and no principal behind."""
        before = hostile.every_row(str(self.path))
        for way in (self.database.run, self.database.read):
            self.failureResultOf(Deferred.fromCoroutine(way(as_user(self.ann), work)), why)
            self.after()
        self.assertEqual(before, hostile.every_row(str(self.path)))

    def test_exceptions(self) -> None:
        """Whatever is raised in the middle undoes the whole of it."""
        for raised in (ValueError, CancelledError, NotPermitted, Conflict, KeyboardInterrupt, GeneratorExit, MemoryError):

            def work(rows: Rows, raised: type[BaseException] = raised) -> None:
                rows.execute("SELECT * FROM sandboxes")
                raise raised

            self.fails(raised, work)

    def test_exceptions_after_a_write(self) -> None:
        """A write before the exception is undone."""
        before = hostile.every_row(str(self.path))

        def work(rows: Rows) -> None:
            rows.execute("UPDATE sandboxes SET name = 'x'")
            raise CancelledError

        self.failureResultOf(Deferred.fromCoroutine(self.database.run(as_user(self.ann), work)), CancelledError)
        self.assertEqual(before, hostile.every_row(str(self.path)))
        self.after()

    def test_a_swallowed_refusal(self) -> None:
        """Work that swallows a refusal and goes on gets nowhere, and what it wrote is undone."""

        refusals: list[str] = []

        def work(rows: Rows) -> str:
            rows.execute("UPDATE sandboxes SET name = 'x'")
            for sql in ("SELECT * FROM base_users", "SELECT * FROM users"):
                try:
                    rows.execute(sql)
                except StatementRefused:
                    refusals.append(sql)
            return "done"

        before = hostile.every_row(str(self.path))
        self.failureResultOf(Deferred.fromCoroutine(self.database.run(as_user(self.ann), work)), StatementRefused)
        self.assertEqual(["SELECT * FROM base_users", "SELECT * FROM users"], refusals)
        self.assertEqual(before, hostile.every_row(str(self.path)))
        self.after()

    def test_nobody_afterwards(self) -> None:
        """Between transactions the connection is nobody's, however the last one ended."""

        def fail(rows: Rows) -> None:
            rows.execute("SELECT * FROM users")
            raise CancelledError

        for by in (OPERATOR, as_user(self.ann), as_admin(self.root), AsAdministrator(self.ann.id)):
            for work in (_running("SELECT * FROM users"), _running("SELECT * FROM base_users"), fail):
                Deferred.fromCoroutine(self.database.run(by, work)).addErrback(lambda _: None)
                connection, guard = self.database._write._opened()
                self.assertIsNone(guard.acting)
                self.assertEqual([], connection.execute("SELECT * FROM users").fetchall())

    def test_rows_kept_for_later(self) -> None:
        """Rows that somebody held on to are of no use after the transaction, nor within another's."""
        kept: list[Rows] = []
        self.ask(self.database.run(as_user(self.ann), kept.append))
        self.ask(self.database.run(as_user(self.bob), lambda rows: self.assertRaises(StatementRefused, kept[0].execute, "SELECT 1")))
        self.assertRaises(StatementRefused, kept[0].execute, "SELECT * FROM users")

    def test_reading_does_not_write(self) -> None:
        """What is asked to read cannot write."""
        tried = Deferred.fromCoroutine(self.database.read(as_user(self.ann), lambda rows: rows.execute("UPDATE sandboxes SET name = 'x'")))
        self.failureResultOf(tried)
        self.after()

    def test_reading_sees_what_was_committed(self) -> None:
        """A read after a write sees it."""
        self.rows(as_user(self.ann), "UPDATE sandboxes SET name = 'seen'")
        seen = self.ask(self.database.read(as_user(self.ann), lambda rows: rows.execute("SELECT name FROM sandboxes")))
        self.assertEqual([("seen",)], seen)
