"""`coral-gate audit` shows the log and verifies it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from coral_gate.audit.chain import canonical
from coral_gate.audit.event import as_json
from coral_gate.audit.events import RequestRefused, SessionEnded
from coral_gate.audit.segments import Segments
from coral_gate.cli.exits import Exit
from tests.cli.test_main import command

_NOON = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)


class AuditTests(SynchronousTestCase):
    """Each on a folder with three events."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.writer = Segments(str(self.folder), "gate-1")
        self.writer.open()
        self.addCleanup(self.writer.close)
        self.write("a", "b\x1b[2J")
        self.writer.append([(_NOON, canonical(as_json(RequestRefused(address="203.0.113.7"))))])

    def write(self, *sessions: str) -> None:
        """Record the ends of sessions."""
        self.writer.append([(_NOON, canonical(as_json(SessionEnded(session=session)))) for session in sessions])

    def audit(self, what: str, *words: str) -> tuple[int, str, str]:
        """Run the verb on the folder."""
        return command("audit", what, "--folder", str(self.folder), *words)

    def test_tail(self) -> None:
        """The last events, one a line, as many as asked for."""
        code, out, err = self.audit("tail", "-n", "2")
        self.assertEqual((code, err), (Exit.OK, ""))
        first, second = out.splitlines()
        self.assertIn(r'#2 session.ended changed session="b\u{1b}[2J"', first)
        self.assertIn("#3 request.refused refused from=203.0.113.7", second)

    def test_types(self) -> None:
        """Only those of a type."""
        out = self.audit("tail", "--type", "session")[1]
        self.assertEqual([line.split()[1] for line in out.splitlines()], ["#1", "#2"])

    def test_json(self) -> None:
        """The records themselves, for a program."""
        out = self.audit("tail", "--json")[1]
        self.assertEqual(out.encode(), next(self.folder.glob("*.jsonl")).read_bytes())

    def test_follow(self) -> None:
        """With `--follow` it goes on with what comes, until it is interrupted."""
        naps = iter([lambda: self.write("c"), lambda: None, lambda: self.write("d")])

        def nap(seconds: float) -> None:
            happens = next(naps, None)
            if happens is None:
                raise KeyboardInterrupt
            happens()

        with mock.patch("time.sleep", nap):
            code, out, _ = self.audit("tail", "-n", "1", "--follow")
        self.assertEqual(code, Exit.OK)
        self.assertEqual([line.split()[1] for line in out.splitlines()], ["#3", "#4", "#5"])

    def test_verify(self) -> None:
        """The verifier's words and exit codes."""
        code, out, _ = self.audit("verify")
        self.assertEqual((code, out.split(" of ")[0]), (Exit.OK, "whole: 3 records"))
        head = out.split("head: ")[1].strip()
        path = next(self.folder.glob("*.jsonl"))
        path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:2]))
        self.assertEqual(self.audit("verify")[0], Exit.OK)
        code, out, _ = self.audit("verify", "--head", head, "--json")
        self.assertEqual((code, json.loads(out)["first_bad"]), (Exit.FAILED, 3))
        next(self.folder.glob("*.jsonl")).unlink()
        self.assertEqual(self.audit("verify")[0], Exit.USAGE)

    def test_no_folder(self) -> None:
        """A folder that cannot be read fails with a sentence."""
        code, out, err = command("audit", "tail", "--folder", "/nowhere/at/all")
        self.assertEqual((code, out, err), (Exit.FAILED, "", "coral-gate audit: /nowhere/at/all: No such file or directory\n"))

    def test_the_configured_folder(self) -> None:
        """Without `--folder` it is the one of the configuration, and a configuration that cannot be used is refused."""
        sample = Path(self.mktemp())
        self.assertEqual(command("audit", "tail", "--config", str(sample))[0], Exit.CONFIGURATION)
        loaded = mock.Mock()
        loaded.gate.state_directory = self.folder.parent
        self.folder.rename(self.folder.with_name("audit"))
        self.addCleanup(self.folder.with_name("audit").rename, self.folder)
        with mock.patch("coral_gate.config.load", return_value=loaded):
            code, out, _ = command("audit", "tail", "-n", "1")
        self.assertEqual((code, len(out.splitlines())), (Exit.OK, 1))

    def test_wrong_words(self) -> None:
        """A number that is none, and no word at all, are wrong usage."""
        for words in (("audit",), ("audit", "tail", "-n", "-1"), ("audit", "tail", "-n", "many"), ("audit", "erase")):
            self.assertEqual(command(*words)[0], Exit.USAGE, words)
