"""
Whoever steals the database's files learns no token and no secret from them.
"""

from __future__ import annotations

import base64
import secrets
import sqlite3
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.custody.envelope import Binding, seal
from coral_gate.model import Role, SealedCredential, Secret, ServiceName, UserId
from coral_gate.records import User
from coral_gate.stores.providers import database_stores
from coral_gate.stores.sqlite import open_for_daemon
from coral_gate.stores.threads import at_once
from tests.stores.contract import BECAUSE, NOW, OPERATOR, Asking, a_child, a_handoff, a_session, box_id, later

ANN = UserId("https://issuer.example", "ann")
KEY = Secret(bytes(range(32)))


def forms(secret: bytes) -> tuple[bytes, ...]:
    """How a secret could be written down: as it is, in hexadecimal, in base64 at each alignment."""
    written = [secret, secret.hex().encode(), secret.hex().upper().encode()]
    for alphabet in (base64.standard_b64encode, base64.urlsafe_b64encode):
        for shift in range(3):
            # Without the characters at both ends, which also hold bits of the neighbours.
            written.append(alphabet(b"\0" * shift + secret)[4 if shift else 0 : -4])
    return tuple(written)


class StolenTests(Asking, SynchronousTestCase):
    """What is in the files."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp()) / "coral-gate.db"
        self.database = open_for_daemon(self.path.parent, at_once, at_once, NOW)
        self.addCleanup(self.database.close)
        self.stores = database_stores(self.database)
        self.ann = self.ask(self.stores.users.allow(OPERATOR, ANN, Role.USER, NOW, "ann@example.org"))

    def found(self, planted: Iterable[bytes]) -> set[str]:
        """Where any of these secrets is, in any form: in a file, or in a dump of the database."""
        files = {path.name: path.read_bytes() for path in self.path.parent.iterdir()}
        with sqlite3.connect(self.path) as connection:
            files["dump"] = "\n".join(connection.iterdump()).encode()
        connection.close()
        written = [form for secret in planted for form in forms(secret)]
        return {name for name, content in files.items() if any(form in content for form in written)}

    def use(self) -> list[bytes]:
        """Sign in, open a sandbox, set a credential, and end half of it; give every secret that was used."""
        planted: list[bytes] = []

        def token() -> bytes:
            planted.append(secrets.token_bytes(32))
            return sha256(planted[-1]).digest()

        for number in range(20):
            session = evolve(a_session(self.ann, ""), digest=token())
            self.ask(self.stores.sessions.create(session, most=15))
            self.ask(self.stores.sessions.create_child(evolve(a_child(session, "", box_id("b")), digest=token()), most=5))
            code = evolve(a_handoff(session, "", later(30)), digest=token(), browser=token())
            self.ask(self.stores.handoffs.put(code))
            if number % 2:
                self.ask(self.stores.handoffs.take(code.digest, NOW))
                self.ask(self.stores.sessions.end(session.digest, BECAUSE))
        for version in (1, 2):
            planted.append(secrets.token_bytes(24))
            binding = Binding("credentials", f"{box_id('b')} vnc", "sealed", ANN, version)
            sealed = seal(KEY, 1, planted[-1], binding, secrets.token_bytes(12))
            row = SealedCredential(box_id("b"), ServiceName.VNC, ANN, version, sealed, NOW)
            self.assertTrue(self.ask(self.stores.credentials.put(row, version - 1 or None)))
        return planted

    def test_nothing_to_be_found(self) -> None:
        """No token, code or credential is in the database, its log, its index or a dump; one that is planted there is found."""
        planted = self.use()
        self.assertEqual(set(), self.found([*planted, KEY.reveal()]))
        control = secrets.token_bytes(32)
        for form in forms(control)[1:]:
            self.set_name(self.ann, form.decode())
            self.assertEqual({"coral-gate.db-wal", "dump"}, self.found([control]))
        self.ask(self.database.tidy())
        self.assertEqual({"coral-gate.db", "dump"}, self.found([control]))
        self.assertEqual(set(), self.found(planted))

    def test_digests_are_there(self) -> None:
        """What is kept of a token is its digest: the search would find the token in its place."""
        token = secrets.token_bytes(32)
        session = evolve(a_session(self.ann, ""), digest=sha256(token).digest())
        self.ask(self.stores.sessions.create(session, most=15))
        self.assertEqual({"coral-gate.db-wal", "dump"}, self.found([sha256(token).digest()]) - {"coral-gate.db-shm"})

    def test_free_pages(self) -> None:
        """What was deleted is gone from the database's free pages too, and from the log once it was tidied."""
        marks = [secrets.token_bytes(32) for _ in range(200)]
        for mark in marks:
            self.ask(self.stores.sessions.create(evolve(a_session(self.ann, ""), digest=mark), most=500))
        self.ask(self.database.tidy())
        self.assertEqual({"coral-gate.db", "dump"}, self.found(marks))
        self.ask(self.stores.sessions.end_all(OPERATOR, self.ann.id, BECAUSE))
        self.ask(self.database.tidy())
        self.assertEqual(set(), self.found(marks))
        self.assertGreater(self.pages_free(), 0)

    def test_free_pages_without_it(self) -> None:
        """Deleted by a connection that does not overwrite, the same rows are found: the search looks into free pages."""
        mark = secrets.token_bytes(32)
        self.ask(self.stores.sessions.create(evolve(a_session(self.ann, ""), digest=mark), most=500))
        with sqlite3.connect(self.path) as connection:
            connection.execute("PRAGMA secure_delete = OFF")
            connection.execute("DELETE FROM base_sessions")
        connection.close()
        self.ask(self.database.tidy())
        self.assertEqual({"coral-gate.db"}, self.found([mark]))

    def set_name(self, user: User, name: str) -> None:
        """Plant a text where it may be."""
        self.ask(self.stores.users.sign_in(user.who, None, name, NOW))

    def pages_free(self) -> int:
        """How many of the file's pages hold nothing."""
        with sqlite3.connect(self.path) as connection:
            (count,) = connection.execute("PRAGMA freelist_count").fetchone()
        connection.close()
        return int(count)
