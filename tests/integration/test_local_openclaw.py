"""The real OpenClaw as the driver `local` runs it: as a user of its own where the tests run as root, else as ours."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from coral_gate.config.sections.local import LocalConfig
from coral_gate.model import SandboxId, SandboxState, Secret, ServiceName
from coral_gate.sandboxes.local.driver import LocalDriver
from coral_gate.sandboxes.local.keeper import descendants
from coral_gate.sandboxes.local.process import KEEPER, Starter
from tools import openclaw

SANDBOX = SandboxId("l" * 26)
ORIGIN = f"https://{SANDBOX}.sbx.localhost:8443"
PASSWORD = "p" * 43
UIDS = range(270000, 270010) if os.geteuid() == 0 else None


def processes_of(folder: Path) -> list[int]:
    """The processes that name a folder in their arguments or their environment."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            try:
                said = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
            except OSError:
                continue
            if bytes(folder) in said:
                found.append(int(entry.name))
    return found


class LocalOpenClawTests(TestCase):
    """One sandbox's life with the real thing."""

    timeout = 240
    if not openclaw.OPENCLAW.is_file():
        skip = "needs OpenClaw (python tools/openclaw.py installs it)"

    def setUp(self) -> None:
        from twisted.internet import reactor

        self.reactor: Any = reactor
        self.folder = Path(tempfile.mkdtemp(prefix="coral-local-"))
        self.folder.chmod(0o711)
        config = LocalConfig(node=openclaw.NODE, openclaw=openclaw.OPENCLAW, folder=self.folder / "sandboxes", uids=UIDS)
        starter = Starter(reactor, openclaw.NODE, openclaw.OPENCLAW)
        self.driver = LocalDriver(reactor, config, frozenset(), lambda work: deferToThread(work), starter)
        self.addCleanup(lambda: Deferred.fromCoroutine(self.driver.stop_all()))

    async def test_life(self) -> None:
        """Made, started by two who ask at once, private, given another password, fallen and risen, stopped, gone: and nothing is left."""
        driver = self.driver
        await driver.provide(SANDBOX, ORIGIN, {ServiceName.APP: Secret(PASSWORD.encode())})
        self.assertEqual(driver.condition(SANDBOX).state, SandboxState.STOPPED)
        first, second = (Deferred.fromCoroutine(driver.start(SANDBOX)) for _ in range(2))
        await first
        await second
        self.assertEqual(driver.condition(SANDBOX).state, SandboxState.RUNNING)
        running = await deferToThread(processes_of, self.folder)
        self.assertGreater(len(running), 1)
        for pid in running:
            for name in ("cmdline", "environ"):
                self.assertNotIn(PASSWORD.encode(), Path(f"/proc/{pid}/{name}").read_bytes())
        self.check_status([pid for pid in running if b"keeper" not in Path(f"/proc/{pid}/cmdline").read_bytes()])
        settings = self.folder / "sandboxes" / SANDBOX / "home" / "openclaw" / "openclaw.json"
        self.assertEqual(settings.stat().st_mode & 0o777, 0o600)
        await driver.provide(SANDBOX, ORIGIN, {ServiceName.APP: Secret(b"q" * 43)})
        self.assertEqual(json.loads(settings.read_text())["gateway"]["auth"], {"mode": "password", "password": "q" * 43})
        self.assertEqual(driver.condition(SANDBOX).state, SandboxState.RUNNING)
        await driver.stop(SANDBOX)
        self.assertEqual(driver.condition(SANDBOX).state, SandboxState.STOPPED)
        self.assertEqual(await deferToThread(processes_of, self.folder), [])
        await driver.destroy(SANDBOX)
        self.assertEqual(list((self.folder / "sandboxes").iterdir()), [])

    def check_status(self, pids: list[int]) -> None:
        """Of OpenClaw's processes none may gain a right, and as root each has the sandbox's own user and no group beside."""
        for pid in pids:
            words = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)
            self.assertEqual(words["NoNewPrivs"], "1")
            if UIDS is not None:
                self.assertEqual(words["Uid"].split(), [str(UIDS[0])] * 4)
                self.assertEqual(words["Gid"].split(), [str(UIDS[0])] * 4)
                self.assertEqual(words["Groups"].split(), [])


class KeeperTests(TestCase):
    """The keeper, with a program that would rather stay."""

    timeout = 60

    async def settle(self, gone: list[int]) -> list[int]:
        """Those that are still there after a while."""
        from twisted.internet import reactor

        until = time.monotonic() + 20
        while (left := [pid for pid in gone if Path(f"/proc/{pid}").exists()]) and time.monotonic() < until:
            await deferLater(reactor, 0.1, lambda: None)
        return left

    async def test_gate_is_killed(self) -> None:
        """When the gate is killed with SIGKILL, everything of the sandbox ends, also what left its group and session."""
        folder = Path(tempfile.mkdtemp(prefix="coral-keeper-"))
        (folder / "home").mkdir()
        program = folder / "program.py"
        program.write_text("import os, sys, time\nif os.fork() == 0:\n    os.setsid()\n    os.fork()\ntime.sleep(600)\n")
        gate = (
            "import subprocess, sys, time\n"
            f"subprocess.Popen([sys.executable, '-I', {str(KEEPER)!r}, '-', {str(folder)!r}, sys.executable, {str(program)!r}, '1'],"
            " stdin=subprocess.PIPE)\ntime.sleep(600)\n"
        )
        parent = subprocess.Popen([sys.executable, "-c", gate])
        self.addCleanup(parent.wait)
        until = time.monotonic() + 20
        while len(below := descendants(parent.pid)) < 4 and time.monotonic() < until:
            await deferToThread(time.sleep, 0.1)
        self.assertEqual(len(below), 4)
        os.kill(parent.pid, signal.SIGKILL)
        self.assertEqual(await self.settle(below), [])
