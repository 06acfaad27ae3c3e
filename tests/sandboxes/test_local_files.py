"""What is kept of a sandbox on the gate's own machine."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from coral_gate.model import SandboxId, Secret
from coral_gate.sandboxes.local.folder import SandboxFolder
from coral_gate.sandboxes.local.openclaw_settings import Model, has_password, laid_over, settings
from coral_gate.sandboxes.local.ports import listener_uid

ORIGIN = "https://aaaaaaaaaaaaaaaaaaaaaaaaaa.sbx.localhost:8443"
OURS = settings(ORIGIN, 1234, Secret(b"pass"), Model("http://127.0.0.1:1/v1", "stub", Secret(b"key")))


class SettingsTests(SynchronousTestCase):
    """The gate's part of OpenClaw's settings."""

    def test_ours(self) -> None:
        """Password mode, loopback, one origin, no terminal, the model of the gate."""
        whole = json.loads(laid_over(b"", OURS))
        gateway = whole["gateway"]
        self.assertEqual(gateway["auth"], {"mode": "password", "password": "pass"})
        self.assertEqual((gateway["bind"], gateway["port"], gateway["terminal"]), ("loopback", 1234, {"enabled": False}))
        self.assertEqual(gateway["controlUi"], {"allowedOrigins": [ORIGIN]})
        self.assertEqual(whole["models"]["providers"]["gate"]["apiKey"], "key")
        self.assertEqual(whole["agents"]["defaults"]["model"]["primary"], "gate/stub")

    def test_theirs_stays(self) -> None:
        """What else stands there stays, but of the ways in none does; the old password does where no new one is given."""
        there = json.dumps({
            "gateway": {"auth": {"mode": "none", "password": "old", "token": "t", "allowTailscale": True}, "terminal": {"enabled": True}},
            "theme": "dark",
        }).encode()
        whole = json.loads(laid_over(there, settings(ORIGIN, 1, None, None)))
        self.assertEqual(whole["theme"], "dark")
        self.assertEqual(whole["gateway"]["auth"], {"mode": "password", "password": "old"})
        self.assertEqual(whole["gateway"]["terminal"], {"enabled": False})
        self.assertNotIn("models", whole)

    def test_anything_may_stand_there(self) -> None:
        """Whatever a sandbox has written into its file, the gate's part is whole afterwards."""
        for there in (b"{", b"[]", b'{"gateway": 7}', b'{"gateway": {"auth": []}}', b"\xff", b"[" * 100_000):
            self.assertEqual(json.loads(laid_over(there, OURS))["gateway"]["auth"]["password"], "pass")
            self.assertFalse(has_password(there))
        self.assertTrue(has_password(laid_over(b"", OURS)))


class FolderTests(SynchronousTestCase):
    """The folder."""

    def setUp(self) -> None:
        self.top = Path(tempfile.mkdtemp())
        self.folder = SandboxFolder(self.top / "sandboxes", SandboxId("a" * 26))
        self.folder.make()

    def test_private(self) -> None:
        """Folder and settings are for their owner alone."""
        self.folder.put_settings(b"{}")
        file = self.folder.path / "home" / "openclaw" / "openclaw.json"
        for path, mode in ((self.folder.path, 0o700), (file.parent, 0o700), (file, 0o600)):
            self.assertEqual(path.stat().st_mode & 0o777, mode)
        self.assertEqual(self.folder.settings(), b"{}")

    def test_links_are_not_followed(self) -> None:
        """A sandbox that puts a link where its file or its folder was makes the gate read and write nothing else."""
        outside = self.top / "outside"
        outside.mkdir()
        (outside / "openclaw.json").write_text("secret")
        inside = self.folder.path / "home" / "openclaw"
        (inside / "openclaw.json").symlink_to(outside / "openclaw.json")
        self.assertEqual(self.folder.settings(), b"")
        self.folder.put_settings(b"new")
        self.assertEqual((outside / "openclaw.json").read_text(), "secret")
        inside.rename(inside.with_name("moved"))
        inside.symlink_to(outside)
        self.assertEqual(self.folder.settings(), b"")
        with self.assertRaises(OSError):
            self.folder.put_settings(b"new")
        self.assertEqual(sorted(os.listdir(outside)), ["openclaw.json"])

    def test_odd_files(self) -> None:
        """A pipe, a hard link and a file that is too large are not read."""
        path = self.folder.path / "home" / "openclaw" / "openclaw.json"
        os.mkfifo(path)
        self.assertEqual(self.folder.settings(), b"")
        path.unlink()
        (self.top / "other").write_text("{}")
        os.link(self.top / "other", path)
        self.assertEqual(self.folder.settings(), b"")
        path.unlink()
        path.write_bytes(b" " * (4 * 1024 * 1024 + 1))
        self.assertEqual(self.folder.settings(), b"")

    def test_there(self) -> None:
        """It is a sandbox from when its origin was noted until it is removed; removing twice is as once."""
        self.assertFalse(self.folder.there())
        self.folder.note("origin", ORIGIN)
        self.assertEqual((self.folder.there(), self.folder.noted("origin"), self.folder.noted("port")), (True, ORIGIN, ""))
        self.folder.remove()
        self.folder.remove()
        self.assertFalse(self.folder.path.exists())


class ListenerTests(SynchronousTestCase):
    """Who listens."""

    def test_uid(self) -> None:
        """The owner of the listening socket of this address and port, and of no other."""
        table = Path(tempfile.mkdtemp()) / "tcp"
        table.write_text(
            "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
            "   0: 0100007F:04D2 00000000:0000 01 00000000:00000000 00:00000000 00000000     7        0 1 1\n"
            "   1: 00000000:04D2 00000000:0000 0A 00000000:00000000 00:00000000 00000000     8        0 1 1\n"
            "   2: 0100007F:04D2 00000000:0000 0A 00000000:00000000 00:00000000 00000000  200000        0 1 1\n"
        )
        self.assertEqual((listener_uid(1234, table), listener_uid(1235, table)), (200000, None))
