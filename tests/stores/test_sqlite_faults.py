"""
When the disk is full or broken nothing half-done is left, and work goes on by itself once it can.
"""

from __future__ import annotations

import resource
import sqlite3
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.errors import Conflict, Fault, NotPermitted, RowDamaged, StatementRefused, Unavailable
from coral_gate.model import Role, SealedCredential, ServiceName, UserId
from coral_gate.records import AsGate, Capacity
from coral_gate.stores.access import USERS
from coral_gate.stores.providers import database_stores
from coral_gate.stores.sql import Rows
from coral_gate.stores.sql_credentials import SQLCredentialStore
from coral_gate.stores.sqlite import open_for_daemon
from coral_gate.stores.sqlite_faults import fault_of, spoils
from coral_gate.stores.sqlite_guard import NOT_PERMITTED
from coral_gate.stores.threads import at_once
from tests.stores import hostile
from tests.stores.contract import (
    BECAUSE,
    NOW,
    OPERATOR,
    Asking,
    a_child,
    a_handoff,
    a_sandbox,
    a_session,
    as_user,
    box_id,
    digest,
    later,
)

SESSIONS = AsGate(Capacity.SESSIONS)


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """No file of this process grows beyond this size: a write that would fails, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class FaultsTestCase(Asking, SynchronousTestCase):
    """A database with a user and a session."""

    def setUp(self) -> None:
        folder = Path(self.mktemp())
        self.path = folder / "coral-gate.db"
        self.database = open_for_daemon(folder, at_once, at_once, NOW)
        self.addCleanup(self.database.close)
        self.stores = database_stores(self.database)
        self.ann = self.ask(self.stores.users.allow(OPERATOR, UserId("https://issuer.example", "ann"), Role.USER, NOW))
        self.session = a_session(self.ann, "mine")
        self.ask(self.stores.sessions.create(self.session, most=500))

    def raw(self, sql: str, *values: object) -> None:
        """Change a row past all rules, as someone with the file could."""
        with sqlite3.connect(self.path) as connection:
            connection.execute(sql, values)
        connection.close()


class DiskTests(FaultsTestCase):
    """A disk that is full or broken."""

    def test_full(self) -> None:
        """On a full disk nothing new begins, what is there can be read, and once there is room work goes on."""
        before = hostile.every_row(str(self.path))
        with files_of_at_most(self.path.with_name("coral-gate.db-wal").stat().st_size):
            for number in range(3):
                self.refused(Unavailable, self.stores.sessions.create(a_session(self.ann, f"s{number}"), most=500))
                self.refused(Unavailable, self.stores.sessions.end(self.session.digest, BECAUSE))
            self.assertEqual(self.session, self.ask(self.stores.sessions.find(self.session.digest)))
        self.assertEqual(before, hostile.every_row(str(self.path)))
        self.ask(self.stores.sessions.create(a_session(self.ann, "room again"), most=500))
        self.assertIsNotNone(self.ask(self.stores.sessions.find(digest("room again"))))

    def test_full_in_the_middle(self) -> None:
        """Work that fills the disk half-way is undone whole."""
        before = hostile.every_row(str(self.path))

        def work(rows: Rows) -> None:
            for number in range(30_000):
                row = (digest(f"s{number}"), f"{number:0>26}", self.ann.id, *(1,) * 5, "agent " * 20, "::1")
                rows.execute("INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)

        with files_of_at_most(self.path.with_name("coral-gate.db-wal").stat().st_size + 20_000):
            self.refused(Unavailable, self.database.run(SESSIONS, work))
        self.assertEqual(before, hostile.every_row(str(self.path)))
        self.assertTrue(self.ask(self.stores.sessions.end(self.session.digest, BECAUSE)))

    def test_gone(self) -> None:
        """A database that is gone, or is none any more, is unavailable; when it is back, work goes on."""
        self.let_go()
        away = self.path.with_name("away")
        self.path.rename(away)
        for broken in (None, b"SQLite format 3\0" + b"\xff" * 8192, b"", b"x" * 8192):
            if broken is not None:
                self.path.write_bytes(broken)
                self.path.chmod(0o600)
            for _ in range(2):
                self.refused(Fault, self.stores.sessions.find(self.session.digest))
                self.refused(Fault, self.stores.sessions.end(self.session.digest, BECAUSE))
            self.let_go()
            for suffix in ("", "-wal", "-shm"):
                self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
        away.rename(self.path)
        self.assertEqual(self.session, self.ask(self.stores.sessions.find(self.session.digest)))
        self.assertTrue(self.ask(self.stores.sessions.end(self.session.digest, BECAUSE)))

    def test_overwritten_pages(self) -> None:
        """Where a page of the file was overwritten, what comes is an answer or a fault of ours, and nothing else."""
        self.let_go()
        content = self.path.read_bytes()
        self.assertGreater(len(content), 20 * 4096)
        for page in range(len(content) // 4096):
            damaged = content[: page * 4096] + b"\xa5" * 4096 + content[(page + 1) * 4096 :]
            self.path.write_bytes(damaged)
            self.answered(self.stores.sessions.find(self.session.digest))
            self.answered(self.stores.users.find(self.ann.who))
            self.answered(self.stores.sandboxes.list(as_user(self.ann), self.ann.id))
            self.let_go()
        self.path.write_bytes(content)
        self.assertEqual(self.session, self.ask(self.stores.sessions.find(self.session.digest)))

    def let_go(self) -> None:
        """Close the connections; the next work opens others."""
        self.database._write.close()
        self.database._read.close()

    def answered(self, asked: Coroutine[Deferred[Any], Any, object]) -> None:  # Any: what Deferred.fromCoroutine takes
        """It answers, or raises a fault."""
        answer = Deferred.fromCoroutine(asked)
        answer.addErrback(lambda failure: failure.trap(Fault))
        self.successResultOf(answer)


class DamagedRowTests(FaultsTestCase):
    """Rows that someone with the file changed."""

    def test_sessions(self) -> None:
        """A session with a value that no session has is not used at all."""
        for column, value in (
            ("id", "short"),
            ("user_id", ""),
            ("created_at", -1),
            ("last_seen_at", 2**62),
            ("absolute_expires_at", 253402300800 * 10**6),
            ("idle_s", 0),
            ("idle_s", 10**12),
            ("agent", "line\nfeed"),
            ("agent", "x" * 121),
            ("address", ""),
            ("address", "<script>"),
        ):
            before = hostile.every_row(str(self.path))["sessions"][0]
            self.raw(f"UPDATE base_sessions SET {column} = ?", value)
            error = RowDamaged
            if column == "user_id":  # nobody's row is not there
                self.assertIsNone(self.ask(self.stores.sessions.find(self.session.digest)))
            else:
                self.refused(error, self.stores.sessions.find(self.session.digest))
                self.refused(error, self.stores.sessions.list(OPERATOR, self.ann.id))
            self.raw("DELETE FROM base_sessions")
            self.raw("INSERT INTO base_sessions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", *before)
        self.assertEqual(self.session, self.ask(self.stores.sessions.find(self.session.digest)))

    def test_users(self) -> None:
        """A user with a value that no user has is neither found nor listed."""
        for column, value in (("email", "x" * 321), ("name", "\0"), ("allowed_by", ""), ("created_at", -5), ("sub", "line\nfeed")):
            before = hostile.every_row(str(self.path))["users"][0]
            self.raw(f"UPDATE base_users SET {column} = ?", value)
            self.refused(RowDamaged, self.stores.users.get(OPERATOR, self.ann.id))
            self.refused(RowDamaged, self.stores.users.list(OPERATOR))
            self.raw(
                f"UPDATE base_users SET {column} = ?",
                before[USERS.columns.index(column)],
            )
        self.assertEqual(self.ann, self.ask(self.stores.users.get(OPERATOR, self.ann.id)))

    def test_the_others(self) -> None:
        """The same holds for sandbox sessions, codes, sandboxes, credentials and revocations."""
        child, code = a_child(self.session, "child", box_id("b")), a_handoff(self.session, "code", later(30))
        self.ask(self.stores.sessions.create_child(child, most=5))
        self.ask(self.stores.handoffs.put(code))
        self.ask(self.stores.sandboxes.put(as_user(self.ann), a_sandbox(self.ann, "b")))
        credentials = SQLCredentialStore(self.database)
        self.ask(credentials.put(SealedCredential(box_id("b"), ServiceName.VNC, self.ann.who, 1, b"sealed", NOW), None))
        self.ask(self.stores.users.set_role(OPERATOR, self.ann.id, Role.ADMINISTRATOR, BECAUSE))
        self.raw("UPDATE base_sandbox_sessions SET sandbox = 'evil.example'")
        self.raw("UPDATE base_handoffs SET path = '//evil.example'")
        self.raw("UPDATE base_sandboxes SET driver = '../../x'")
        self.raw("UPDATE base_credentials SET service = 'root'")
        self.raw("UPDATE base_revocations SET kind = 'x'")
        self.refused(RowDamaged, self.stores.sessions.find_child(child.digest))
        self.refused(RowDamaged, self.stores.sessions.opened(self.session.digest))
        self.refused(RowDamaged, self.stores.handoffs.take(code.digest, NOW))
        self.refused(RowDamaged, self.stores.sandboxes.find(as_user(self.ann), box_id("b")))
        self.refused(RowDamaged, credentials.list(self.ann.who, box_id("b")))
        self.refused(RowDamaged, self.stores.revocations.since(0))

    def test_no_such_credential(self) -> None:
        """A credential that is out of bounds is not put."""
        row = SealedCredential(box_id("b"), ServiceName.VNC, self.ann.who, 1, b"sealed", NOW)
        for wrong in (evolve(row, version=0), evolve(row, version=2**63), evolve(row, sealed=b""), evolve(row, sealed=b"x" * 70_000)):
            self.refused(ValueError, SQLCredentialStore(self.database).put(wrong, None))


class FaultTests(SynchronousTestCase):
    """What an error is to us."""

    def fault(self, name: str, text: str = "secret words") -> tuple[type[Fault], bool]:
        """The fault for an error of SQLite, and whether the connection is spoiled by it."""
        error = sqlite3.OperationalError(text)
        error.sqlite_errorcode = getattr(sqlite3, name)
        fault = fault_of(error)
        self.assertNotIn("secret", f"{fault} {fault!r} {fault.args}")
        return type(fault), spoils(error)

    def test_classes(self) -> None:
        """The machine's errors pass by themselves or with a new connection; the statement's are ours."""
        for name in ("IOERR", "IOERR_WRITE", "IOERR_FSYNC", "CORRUPT", "NOTADB", "CANTOPEN", "READONLY", "NOMEM", "PROTOCOL"):
            self.assertEqual((Unavailable, True), self.fault(f"SQLITE_{name}"), name)
        for name in ("FULL", "BUSY", "BUSY_SNAPSHOT", "LOCKED"):
            self.assertEqual((Unavailable, False), self.fault(f"SQLITE_{name}"), name)
        for name in ("ERROR", "AUTH", "TOOBIG", "RANGE", "MISUSE"):
            self.assertEqual((StatementRefused, False), self.fault(f"SQLITE_{name}"), name)
        self.assertEqual((Conflict, False), self.fault("SQLITE_CONSTRAINT_PRIMARYKEY"))
        self.assertEqual((NotPermitted, False), self.fault("SQLITE_CONSTRAINT_TRIGGER", NOT_PERMITTED))
        self.assertIsInstance(fault_of(sqlite3.ProgrammingError("x")), StatementRefused)
