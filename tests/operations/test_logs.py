"""The daemon's log."""

from __future__ import annotations

import io
import json
from pathlib import Path
from unittest import mock

from twisted.logger import ILogObserver, Logger, LogPublisher
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.config.sections.log import LogConfig
from coral_gate.errors import ConfigError, Problem
from coral_gate.model import Secret
from coral_gate.operations.exits import EXIT_CONFIG, give_up
from coral_gate.operations.logs import log_observer


class LogTests(SynchronousTestCase):
    """What `[log]` says."""

    def logged(self, level: str, form: str) -> str:
        """What comes out when one event of each level is logged."""
        out = io.StringIO()
        with mock.patch("sys.stdout", out):
            observer = log_observer(LogConfig(level=level, format=form), {"nodaemon": True})
        assert observer is not None
        log = Logger(observer=LogPublisher(observer), namespace="test")
        for name in ("debug", "info", "warn", "error"):
            getattr(log, name)("{word} said\nso", word=name, unsaid=Secret(b"planted"), plain="planted")
        return out.getvalue()

    def test_levels(self) -> None:
        """Nothing less grave than configured."""
        for kept, level in enumerate(("error", "warn", "info", "debug"), 1):
            for form in ("text", "json"):
                self.assertEqual(self.logged(level, form).count(" said"), kept)

    def test_json(self) -> None:
        """One event a line, which holds its text and nothing else that was passed along."""
        lines = self.logged("debug", "json").splitlines()
        self.assertEqual([json.loads(line)["level"] for line in lines], ["debug", "info", "warn", "error"])
        self.assertEqual(set(json.loads(lines[0])), {"time", "level", "namespace", "text"})
        self.assertNotIn("planted", "".join(lines))

    def test_text_one_event(self) -> None:
        """A line break in an event begins no line that looks like another event."""
        for line in self.logged("info", "text").splitlines():
            self.assertTrue(line.startswith(("20", "\t")), line)

    def test_twistd_wins(self) -> None:
        """Where twistd was told where to log, that stands; its log file is used."""
        self.assertIsNone(log_observer(LogConfig(), {"syslog": True}))
        self.assertIsNone(log_observer(LogConfig(), {"logger": "x"}))
        path = Path(self.mktemp()).absolute()
        path.parent.mkdir(parents=True, exist_ok=True)
        observer = log_observer(LogConfig(), {"logfile": str(path)})
        self.assertTrue(ILogObserver.providedBy(observer))
        assert observer is not None
        Logger(observer=LogPublisher(observer)).info("hello")
        self.assertIn("hello", path.read_text())


class GivingUpTests(SynchronousTestCase):
    """Giving up at start."""

    def test_every_problem(self) -> None:
        """Every problem is a line on stderr, and the exit code says that it is the configuration."""
        err = io.StringIO()
        with mock.patch("sys.__stderr__", err):
            error = self.assertRaises(
                SystemExit, give_up, ConfigError((Problem("a:1", "b.c", "wrong."), Problem("d", "", "worse.", "Mend it.")))
            )
        self.assertEqual(error.code, EXIT_CONFIG)
        self.assertEqual(err.getvalue().splitlines(), ["coral-gate: a:1: b.c: wrong.", "coral-gate: d: worse. Mend it."])
