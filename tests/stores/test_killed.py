"""
A kill at any moment loses nothing that was acknowledged and leaves nothing half-done.
"""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from coral_gate.stores.sqlite import open_for_daemon
from coral_gate.stores.threads import at_once
from tests.stores.contract import NOW, digest

ROUNDS = 12

WRITER = """
import sys
from pathlib import Path
from twisted.internet.defer import Deferred
from coral_gate.model import Role, UserId
from coral_gate.stores.providers import database_stores
from coral_gate.stores.sqlite import open_for_daemon
from coral_gate.stores.threads import at_once
from tests.stores.contract import BECAUSE, NOW, OPERATOR, a_child, a_handoff, a_session, box_id, later

def done(work):
    outcome = []
    Deferred.fromCoroutine(work).addBoth(outcome.append)
    getattr(outcome[0], "raiseException", lambda: None)()
    return outcome[0]

stores = database_stores(open_for_daemon(Path(sys.argv[1]), at_once, at_once, NOW))
ann = done(stores.users.allow(OPERATOR, UserId("https://issuer.example", "ann"), Role.USER, NOW))
for number in range(100_000):
    name = f"{sys.argv[2]} {number}"
    session = a_session(ann, name)
    done(stores.sessions.create(session, most=10**6))
    done(stores.sessions.create_child(a_child(session, f"child {name}", box_id("b")), most=5))
    done(stores.handoffs.put(a_handoff(session, f"code {name}", later(30))))
    if number % 2:
        done(stores.sessions.end(session.digest, BECAUSE))
    print(number, flush=True)
"""


class KilledTests(SynchronousTestCase):
    """A writer is killed while it works."""

    def test_killed(self) -> None:
        """After each kill: all that was acknowledged is there, ends are whole, and each has its number."""
        folder = Path(self.mktemp())
        moments = random.Random(7)
        ends = 0
        for turn in range(ROUNDS):
            acknowledged = self.killed(folder, str(turn), moments.randrange(1, 40))
            open_for_daemon(folder, at_once, at_once, NOW).close()
            with sqlite3.connect(folder / "coral-gate.db") as connection:
                self.assertEqual([("ok",)], connection.execute("PRAGMA integrity_check").fetchall())
                self.assertEqual([], connection.execute("PRAGMA foreign_key_check").fetchall())
                there = {row[0] for row in connection.execute("SELECT digest FROM base_sessions")}
                numbers = [row[0] for row in connection.execute("SELECT seq FROM base_revocations ORDER BY seq")]
                told = {row[0] for row in connection.execute("SELECT subject FROM base_revocations")}
            connection.close()
            for number in range(acknowledged + 1):
                self.assertEqual(number % 2 == 0, digest(f"{turn} {number}") in there)
            # One more may have ended without its acknowledgement.
            ends += (acknowledged + 1) // 2
            self.assertIn(len(numbers) - ends, (0, 1))
            ends = len(numbers)
            self.assertEqual(list(range(1, ends + 1)), numbers)
            self.assertEqual(ends, len(told))

    def killed(self, folder: Path, turn: str, after: int) -> int:
        """Kill a writer somewhere after so many acknowledgements; give the last one that it got out."""
        words = [sys.executable, "-c", WRITER, str(folder.absolute()), turn]
        root = str(Path(__file__).parents[2])
        writer = subprocess.Popen(words, stdout=subprocess.PIPE, cwd=root)
        assert writer.stdout is not None
        for _ in range(after):
            writer.stdout.readline()
        writer.send_signal(signal.SIGKILL)
        rest = writer.stdout.read()
        writer.stdout.close()
        writer.wait()
        return after - 1 + rest.count(b"\n")
