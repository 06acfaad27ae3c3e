"""
Ten thousand tickets, each wanted by several at the same time: one gets it.
"""

from __future__ import annotations

import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.model import Role, UserId
from coral_gate.records import AsGate, Capacity, Session
from coral_gate.stores.access import TICKETS
from coral_gate.stores.providers import Stores, database_stores
from coral_gate.stores.sql import Rows, insert
from coral_gate.stores.sqlite import SQLiteDatabase, open_beside, open_for_daemon
from coral_gate.stores.threads import OneThread
from coral_gate.stores.times import microseconds
from tests import ROOT
from tests.stores.contract import NOW, OPERATOR, Asking, a_session, a_ticket, digest, later
from tests.stores.test_threads import CallsFromThreads

TICKETS_IN_ALL = 10_000
TAKERS = 3
AT_ONCE = 300
"""So many tickets are wanted at the same time; with their takers fewer than may wait for the database."""

CONTESTED = 400

OTHER_PROCESS = """
import sys
from pathlib import Path
from coral_gate.cli.finished import finished
from coral_gate.stores.providers import database_stores
from coral_gate.stores.sqlite import open_beside
from tests.stores.contract import NOW, digest

database = open_beside(Path(sys.argv[1]), NOW)
tickets = database_stores(database).tickets
print("ready", flush=True)
sys.stdin.readline()
for number in range(int(sys.argv[2])):
    if finished(tickets.take(digest(f"ticket {number}"), NOW)) is not None:
        print(number, flush=True)
database.close()
"""


def kept(rows: Rows, session: Session, count: int) -> None:
    """Keep so many tickets, in one transaction."""
    for number in range(count):
        one = a_ticket(session, f"ticket {number}", later(30))
        what = (one.sandbox, one.channel, one.origin, microseconds(one.expires_at))
        rows.execute(insert(TICKETS), (one.digest, one.user, one.session, *what))


class RaceTests(Asking, SynchronousTestCase):
    """The daemon's database, with its two threads."""

    def setUp(self) -> None:
        self.reactor = CallsFromThreads()
        writer, reader = OneThread(self.reactor, "writer"), OneThread(self.reactor, "reader")
        self.folder = Path(self.mktemp())
        self.database = open_for_daemon(self.folder, writer, reader, NOW)
        for thread in (writer, reader):
            thread.start()
        self.addCleanup(self.database.close)
        self.addCleanup(reader.stop)
        self.addCleanup(writer.stop)
        self.stores = database_stores(self.database)

    def keep(self, count: int) -> None:
        """Somebody's tickets."""
        beside: SQLiteDatabase = open_beside(self.folder, NOW)
        stores: Stores = database_stores(beside)
        ann = self.ask(stores.users.allow(OPERATOR, UserId("https://issuer.example", "ann"), Role.USER, NOW))
        session = a_session(ann, "mine")
        self.ask(stores.sessions.create(session, most=5))
        self.ask(beside.run(AsGate(Capacity.HANDOFF), lambda rows: kept(rows, session, count)))
        beside.close()

    def take(self, number: int) -> Deferred[object]:
        """Somebody wants one."""
        return Deferred.fromCoroutine(self.stores.tickets.take(digest(f"ticket {number}"), NOW))

    def test_in_one_process(self) -> None:
        """Whoever comes in whatever order: each ticket is given to exactly one of those who bring it at the same time."""
        self.keep(TICKETS_IN_ALL)
        order, taken, refused = random.Random(11), Counter[int](), 0
        for first in range(0, TICKETS_IN_ALL, AT_ONCE):
            wanted = [number for number in range(first, min(first + AT_ONCE, TICKETS_IN_ALL)) for _ in range(TAKERS)]
            order.shuffle(wanted)
            asking = [(number, self.take(number)) for number in wanted]
            for _ in asking:
                self.reactor.call()
            for number, answer in asking:
                given = self.successResultOf(answer) is not None
                taken[number] += given
                refused += not given
        self.assertEqual((len(taken), set(taken.values())), (TICKETS_IN_ALL, {1}))
        self.assertEqual(refused, TICKETS_IN_ALL * (TAKERS - 1))

    def test_in_two_processes(self) -> None:
        """So it is with two takers here and one in another process, which all want the same ones in the same order."""
        self.keep(CONTESTED)
        words = [sys.executable, "-c", OTHER_PROCESS, str(self.folder.absolute()), str(CONTESTED)]
        other = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        self.addCleanup(other.wait)
        self.addCleanup(other.kill)
        assert other.stdin is not None and other.stdout is not None
        self.assertEqual(other.stdout.readline(), "ready\n")
        other.stdin.write("go\n")
        other.stdin.flush()
        here = Counter[int]()
        for number in range(CONTESTED):
            asking = [self.take(number) for _ in range(TAKERS - 1)]
            for _ in asking:
                self.reactor.call()
            here[number] += sum(self.successResultOf(one) is not None for one in asking)
        there = Counter(int(line) for line in other.stdout)
        self.assertEqual(other.wait(30), 0)
        self.assertEqual(here + there, Counter(range(CONTESTED)))
        self.assertTrue(here.total() and there.total(), "both got some")
