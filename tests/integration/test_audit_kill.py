"""
A real writer, killed again and again.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from coral_gate.audit.verify import Folder, read_record
from tests import ROOT

_KILLS = 20
# by its path, since the package `tests` takes longer to import than the writer lives
_WRITER = [sys.executable, "-P", str(Path(__file__).with_name("audit_writer.py"))]
_ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


class KillTests(SynchronousTestCase):
    timeout = 60

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()

    def killed_after(self, name: str, count: int) -> list[str]:
        """What a writer says was acknowledged until it is killed, some time after `count` events."""
        with subprocess.Popen([*_WRITER, str(self.folder), name], stdout=subprocess.PIPE, env=_ENVIRONMENT) as writer:
            assert writer.stdout is not None
            said = [writer.stdout.readline() for _ in range(count)]
            writer.send_signal(signal.SIGKILL)
            said += writer.stdout.readlines()
        self.assertEqual(writer.returncode, -signal.SIGKILL)
        return [line.decode().strip() for line in said if line.endswith(b"\n")]

    def recorded(self) -> list[str]:
        lines = b"".join(path.read_bytes() for path in sorted(self.folder.glob("*.jsonl"))).splitlines(keepends=True)
        events = [read_record(line).event for line in lines if line.endswith(b"\n")]
        return [str(event["session"]) for event in events if event["type"] == "session.opened"]

    def test_nothing_acknowledged_is_lost(self) -> None:
        """A writer that is killed in the middle, twenty times, loses no acknowledged event; the chain goes on each time."""
        dice = random.Random()
        acknowledged: set[str] = set()
        for number in range(_KILLS):
            said = self.killed_after(str(number), dice.randint(1, 100))
            self.assertGreater(len(said), 0)
            acknowledged |= set(said)
        recorded = self.recorded()
        self.assertEqual(acknowledged - set(recorded), set())
        self.assertEqual(len(recorded), len(set(recorded)))
        report = Folder(self.folder).verify()
        self.assertIn(report.reason, ("", "unfinished"), report)
        self.assertGreater(report.segments, 1)
