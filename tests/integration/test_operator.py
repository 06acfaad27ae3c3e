"""The operator's command asks a real daemon over its real socket."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from tests import ROOT
from tests.integration.daemon import Daemon
from tests.integration.test_try_out import Browser

SETTINGS = """
[sign_in]
built_in = true
try_out_users = ["ann", "bob"]
[log]
level = "info"
"""


class OperatorTests(TestCase):
    """One daemon with the built-in issuer."""

    timeout = 120

    async def start(self) -> Daemon:
        """A running daemon."""
        from twisted.internet import reactor

        self.folder = Path(tempfile.mkdtemp(prefix="coral-operator-"))
        self.config = self.folder / "coral-gate.toml"
        daemon = await Daemon.start(reactor, self.folder, [], SETTINGS)
        self.addCleanup(lambda: Deferred.fromCoroutine(daemon.stop()))
        return daemon

    def command(self, *words: str) -> tuple[int, str, str]:
        """Run the command as an operator does."""
        program = [sys.executable, "-m", "coral_gate.cli.main", *words, "--config", str(self.config)]
        ran = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
        return ran.returncode, ran.stdout, ran.stderr

    async def ask(self, *words: str) -> tuple[int, str, str]:
        """The same, while the reactor goes on."""
        return await deferToThread(self.command, *words)

    def sign_in(self, daemon: Daemon, name: str) -> Browser:
        """A browser of somebody who is signed in."""
        [word] = re.findall(r"one-time word: (\S+)", daemon.log)[-1:]
        browser, portal = Browser(daemon.port), f"https://gate.localhost:{daemon.port}"
        url, _ = browser.visit(portal + "/sign-in/start", form={"next": "/"})
        url, page = browser.visit(url, form={"user": name, "word": word})
        assert page.status == 200 and urlsplit(url).path == "/", (url, page.body[:500])
        return browser

    def status(self, daemon: Daemon, browser: Browser) -> int:
        """Whether the portal knows this browser."""
        return browser.ask(f"https://gate.localhost:{daemon.port}/sessions", fields={"Accept": "*/*"}).status

    async def test_sessions(self) -> None:
        """A session that the command ends is over in the daemon at once, and the list says who is signed in."""
        daemon = await self.start()
        browser = await deferToThread(self.sign_in, daemon, "ann")
        code, out, _ = await self.ask("session", "list", "--json")
        [session] = json.loads(out)["sessions"]
        self.assertEqual((code, session["subject"], session["address"]), (0, "ann", "127.0.0.1"))
        self.assertEqual(await deferToThread(self.status, daemon, browser), 200)
        code, out, _ = await self.ask("session", "end", session["id"], "--json")
        self.assertEqual((code, json.loads(out)), (0, {"ended": [session["id"]], "daemon_told": True}))
        self.assertEqual(await deferToThread(self.status, daemon, browser), 401)
        code, _, err = await self.ask("session", "end", session["id"])
        self.assertEqual((code, err[:50]), (1, "coral-gate session: There is no such session; 'cor"))

    async def test_nothing_there(self) -> None:
        """Streams and sandboxes are asked of the daemon itself, which says what is not there."""
        await self.start()
        code, out, err = await self.ask("stream", "list", "--json")
        self.assertEqual((code, json.loads(out)), (0, {"streams": []}), err)
        code, _, err = await self.ask("stream", "cut", "nosuch")
        self.assertEqual((code, err[:43]), (1, "coral-gate stream: There is no such stream;"))
        code, out, _ = await self.ask("stream", "cut", "--sandbox", "c" * 26, "--json")
        self.assertEqual((code, json.loads(out)), (0, {"cut": 0}))
        code, _, err = await self.ask("sandbox", "start", "c" * 26)
        self.assertEqual((code, err[:47]), (1, "coral-gate sandbox: There is no such sandbox th"))
        code, _, err = await self.ask("sandbox", "create", "--owner", "https://issuer.example", "eve", "--name", "x")
        self.assertEqual((code, err[:46]), (1, "coral-gate sandbox: There is no such person; '"))

    async def test_reload(self) -> None:
        """A reload takes what can change, names what needs a restart, and refuses a broken file with every problem."""
        daemon = await self.start()
        text = self.config.read_text()
        self.config.write_text(
            text.replace('level = "info"', 'level = "debug"\n[deadlines]\nhead = "3s"\n[links]\nallow = []').replace(
                '[links]\nallow = ["127.0.0.1"]', ""
            )
        )
        code, out, err = await self.ask("reload", "--json")
        self.assertEqual((code, err), (0, ""))
        said = json.loads(out)
        self.assertEqual((said["applied"], said["needs_restart"]), (["deadlines.head", "log.level"], ["links.allow"]))
        self.assertIn("need a restart: links.allow", daemon.log)
        self.config.write_text(text + "\n[deadlines]\nhead = 1\nbody = 2\n")
        os.kill(daemon.pid, signal.SIGHUP)
        from twisted.internet import reactor

        for _ in range(100):
            if daemon.log.count("was refused") >= 2:
                break
            await deferLater(reactor, 0.05)
        self.assertIn("deadlines.head", daemon.log)
        self.assertIn("deadlines.body", daemon.log)
        self.config.write_text(text)
        os.kill(daemon.pid, signal.SIGHUP)
        for _ in range(100):
            if "changed: deadlines.head, log.level" in daemon.log.rpartition("was refused")[2]:
                break
            await deferLater(reactor, 0.05)
        else:
            self.fail(daemon.log[-3000:])
        await daemon.stop()
        kinds = [json.loads(line)["event"] for file in sorted((self.folder / "state" / "audit").glob("*.jsonl")) for line in file.open()]
        types = [event["type"] for event in kinds]
        self.assertEqual(types[-1], "daemon.stopped")
        self.assertEqual(
            [one for one in types if one.startswith("configuration.")],
            ["configuration.loaded", "configuration.refused", "configuration.loaded"],
        )

    async def test_left_lists(self) -> None:
        """Whoever is on no list at the next start has no session left; the other one stays in."""
        daemon = await self.start()
        ann, bob = await deferToThread(self.sign_in, daemon, "ann"), await deferToThread(self.sign_in, daemon, "bob")
        await daemon.stop()
        code, _, err = await self.ask("reload")
        self.assertEqual(code, 69, err)
        self.assertIn("start it with", err)
        self.config.write_text(self.config.read_text().replace('["ann", "bob"]', '["ann"]'))
        daemon = await self.again()
        self.assertEqual(await deferToThread(self.status, daemon, bob), 401)
        self.assertEqual(await deferToThread(self.status, daemon, ann), 200)

    async def again(self) -> Daemon:
        """The daemon on the same configuration once more."""
        from twisted.internet import reactor

        port = int(re.findall(r"tcp:(\d+)", self.config.read_text())[0])
        daemon = await Daemon.restart(reactor, self.folder, port)
        self.addCleanup(lambda: Deferred.fromCoroutine(daemon.stop()))
        return daemon

    async def test_socket(self) -> None:
        """The socket is its owner's alone, is replaced after a kill, and no second daemon takes it."""
        daemon = await self.start()
        path = self.folder / "state" / "operator.sock"
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        os.kill(daemon.pid, signal.SIGKILL)
        await daemon.stop()
        self.assertTrue(path.exists())
        await self.again()
        code, out, err = await self.ask("reload", "--json")
        self.assertEqual((code, json.loads(out)["applied"]), (0, []), err)

    async def test_other_user(self) -> None:
        """Another user of this machine who gets hold of the socket is let go of unread."""
        if os.geteuid() != 0:
            self.skipTest("needs root to become somebody else")
        daemon = await self.start()
        path = self.folder / "state" / "operator.sock"
        for each in (self.folder, path.parent):
            each.chmod(0o711)
        path.chmod(0o666)
        program = (
            "import os, socket, sys\nos.setuid(65534)\ns = socket.socket(socket.AF_UNIX)\ns.settimeout(10)\n"
            "s.connect(sys.argv[1])\n"
            "try:\n s.sendall(b'{\"do\":\"daemon.reload\"}\\n')\n print(s.recv(100))\nexcept OSError: print(b'')\n"
        )
        words = [sys.executable, "-c", program, str(path)]
        ran = await deferToThread(lambda: subprocess.run(words, capture_output=True, text=True, check=False, timeout=30))
        self.assertEqual(ran.stdout, "b''\n", ran.stderr)
        self.assertIn("was turned away", daemon.log)
