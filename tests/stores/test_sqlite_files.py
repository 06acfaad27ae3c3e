"""
The database's files are its user's alone, and one daemon's.
"""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from coral_gate.errors import ConfigError, Unavailable
from coral_gate.model import Role, UserId
from coral_gate.stores import migrations, sqlite
from coral_gate.stores.providers import database_stores
from coral_gate.stores.sql import Rows
from coral_gate.stores.sqlite import SQLiteDatabase, open_beside, open_for_daemon
from coral_gate.stores.threads import at_once
from tests.stores.contract import BECAUSE, NOW, OPERATOR, Asking, a_session

HOLD = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from coral_gate.stores.sql import Rows
from coral_gate.stores.sqlite import open_for_daemon
from coral_gate.stores.threads import at_once
database = open_for_daemon(Path(sys.argv[1]), at_once, at_once, datetime.now(UTC))
print("open", flush=True)
sys.stdin.read()
"""


def mode(path: Path) -> int:
    """The permissions of a file."""
    return stat.S_IMODE(path.lstat().st_mode)


class FilesTestCase(Asking, SynchronousTestCase):
    """A folder to put a database into."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.path = self.folder / "coral-gate.db"

    def open(self) -> SQLiteDatabase:
        """The database, open as the daemon has it, and used once."""
        database = open_for_daemon(self.folder, at_once, at_once, NOW)
        self.addCleanup(database.close)
        self.ask(database_stores(database).users.list(OPERATOR))
        return database

    def refusal(self) -> str:
        """Why the database is not opened, by a daemon and by a command."""
        why = str(self.assertRaises(ConfigError, open_for_daemon, self.folder, at_once, at_once, NOW))
        self.assertEqual(why, str(self.assertRaises(ConfigError, open_beside, self.folder, NOW)))
        return why


class ModeTests(FilesTestCase):
    """Who can read the files."""

    def test_modes(self) -> None:
        """Folder 0700; database, log, index and lock 0600, even where the process would make files for everyone."""
        self.addCleanup(os.umask, os.umask(0))
        database = self.open()
        self.assertEqual(0o700, mode(self.folder))
        names = {path.name: mode(path) for path in self.folder.iterdir()}
        beside = ("", "-wal", "-shm", ".lock")
        self.assertEqual({f"coral-gate.db{suffix}": 0o600 for suffix in beside}, names)
        database.close()
        self.open()

    def test_open_folder(self) -> None:
        """A folder that others may enter is refused, and the sentence says what to do."""
        self.folder.mkdir()
        for bits in (0o701, 0o710, 0o740, 0o755, 0o777):
            self.folder.chmod(bits)
            self.assertIn(f"mode {bits:04o}; only its owner may get in. chmod 700 it.", self.refusal())
        self.assertFalse(self.path.exists())

    def test_open_files(self) -> None:
        """A database, log or index that others may read is refused."""
        self.open().close()
        for suffix in ("", "-wal", "-shm", "-journal"):
            file = self.folder / f"coral-gate.db{suffix}"
            file.touch()
            file.chmod(0o640)
            self.assertIn("mode 0640", self.refusal())
            file.chmod(0o600)
            if suffix:
                file.unlink()
        self.open()

    def test_another_owner(self) -> None:
        """What belongs to another user is refused."""
        self.open().close()
        ours = os.geteuid()
        self.patch(os, "geteuid", lambda: ours + 1)
        self.assertIn(f"belongs to another user (uid {ours})", self.refusal())

    def test_links(self) -> None:
        """A link in place of the folder or the file is refused, and so is a second name of the file."""
        self.open().close()
        other = self.folder.with_name("elsewhere")
        other.symlink_to(self.folder.absolute())
        self.folder, real = other, self.folder
        self.assertIn("This is not a folder.", self.refusal())
        self.folder = real
        os.link(self.path, self.folder / "second")
        self.assertIn("second name", self.refusal())
        (self.folder / "second").unlink()
        self.path.rename(self.folder / "real")
        self.path.symlink_to("real")
        self.assertIn("This is not a file.", self.refusal())

    def test_no_parent(self) -> None:
        """Where the folder cannot be made, a sentence says so."""
        self.folder = self.folder / "deeper"
        self.assertIn("cannot be kept here: No such file or directory.", self.refusal())

    def test_opened_up_later(self) -> None:
        """A file that was opened up while the daemon ran is noticed where the daemon opens it anew."""
        database = self.open()
        database._write.close()
        self.path.chmod(0o644)
        self.refused(Unavailable, database_stores(database).sessions.purge(NOW))
        self.path.chmod(0o600)
        self.ask(database_stores(database).sessions.purge(NOW))


class OwnershipTests(FilesTestCase):
    """One daemon, and commands beside it."""

    def test_second_daemon(self) -> None:
        """A second daemon on the same database is refused; once the first is gone it may."""
        self.patch(sqlite, "_LOCK_WAIT_S", 0.0)
        first = self.open()
        error = self.assertRaises(ConfigError, open_for_daemon, self.folder, at_once, at_once, NOW)
        self.assertIn("Another Coral Gate daemon uses this database. Stop it", str(error))
        first.close()
        self.open()

    def test_a_daemon_that_was_killed(self) -> None:
        """However a daemon ends, the next one gets the database."""
        words = [sys.executable, "-c", HOLD, str(self.folder)]
        daemon = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert daemon.stdout is not None and daemon.stdin is not None
        self.assertEqual(b"open\n", daemon.stdout.readline())
        self.patch(sqlite, "_LOCK_WAIT_S", 0.0)
        self.assertRaises(ConfigError, open_for_daemon, self.folder, at_once, at_once, NOW)
        daemon.send_signal(signal.SIGKILL)
        daemon.wait()
        daemon.stdin.close()
        daemon.stdout.close()
        self.open()

    def test_a_command_beside(self) -> None:
        """A command works while the daemon runs, and each sees what the other did."""
        daemon, command = database_stores(self.open()), open_beside(self.folder, NOW)
        self.addCleanup(command.close)
        operator = database_stores(command)
        ann = self.ask(operator.users.allow(OPERATOR, UserId("https://issuer.example", "ann"), Role.USER, NOW))
        self.assertEqual(ann, self.ask(daemon.users.find(ann.who)))
        session = a_session(ann, "mine")
        self.ask(daemon.sessions.create(session, most=5))
        self.ask(operator.users.set_disabled(OPERATOR, ann.id, True, BECAUSE))
        self.assertIsNone(self.ask(daemon.sessions.find(session.digest)))
        self.assertEqual(2, self.ask(daemon.revocations.last()))

    def test_a_command_first(self) -> None:
        """A command makes the database where there is none yet, and leaves it to the daemon that comes next."""
        command = open_beside(self.folder, NOW)
        self.addCleanup(command.close)
        self.ask(database_stores(command).users.list(OPERATOR))
        self.open()

    def test_a_command_of_another_version(self) -> None:
        """A command does not change the schema under a daemon that runs."""
        self.open()
        newer = (*migrations.shipped(), migrations.Migration(len(migrations.shipped()) + 1, "newer", "CREATE TABLE newer (a);"))
        self.patch(migrations, "shipped", lambda: newer)
        error = self.assertRaises(ConfigError, open_beside, self.folder, NOW)
        self.assertIn("Another Coral Gate daemon uses this database.", str(error))

    def test_waiting_for_a_writer(self) -> None:
        """Who comes second waits for the first to commit, and is told to try again when that takes too long."""
        daemon, command = self.open(), open_beside(self.folder, NOW)
        self.addCleanup(command.close)
        command._write._busy_s = 0.01

        def work(rows: Rows) -> None:
            self.refused(Unavailable, database_stores(command).sessions.purge(NOW))
            # Reading goes on meanwhile.
            self.ask(database_stores(command).users.list(OPERATOR))

        self.ask(daemon.run(OPERATOR, work))
        self.assertEqual(0, self.ask(database_stores(command).sessions.purge(NOW)))
