"""`coral-gate keys` makes, rotates and shows keys, and brings destroyed ones back."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from coral_gate.cli import private_files
from coral_gate.cli.exits import Exit
from coral_gate.cli.recording import FOLDER_NAME
from coral_gate.custody.masterkeys import parse_master_keys
from coral_gate.custody.wrappedkey import holder_name
from coral_gate.errors import NoUserKey
from coral_gate.model import Secret, ServiceName
from tests.cli.gatehouse import ANN, BOX, Gatehouse
from tests.cli.test_main import command

VALUE = Secret(b"planted-secret")


def keys(*words: object) -> tuple[int, str, str]:
    """Run the verb."""
    return command("keys", *map(str, words))


class MasterKeyTests(SynchronousTestCase):
    """`init` and `rotate`."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.file = self.folder / "master.key"

    def test_init(self) -> None:
        """A new key is random, in a file for its owner alone, and is not printed."""
        seen = set()
        for name in ("one", "two"):
            code, out, err = keys("init", self.folder / name)
            found = parse_master_keys(Secret((self.folder / name).read_bytes()))
            key = found.keys[1].reveal()
            self.assertEqual((code, err, found.current, list(found.keys)), (Exit.OK, "", 1, [1]))
            self.assertEqual(stat.S_IMODE((self.folder / name).stat().st_mode), 0o600)
            self.assertNotIn(key.hex(), out)
            seen.add(key)
        self.assertEqual(len(seen), 2)

    def test_init_spares(self) -> None:
        """A file that is there is never overwritten, nor is what a link leads to."""
        self.file.write_bytes(b"precious")
        (self.folder / "link").symlink_to("nowhere")
        for name in ("master.key", "link", "no/folder"):
            self.assertEqual(keys("init", self.folder / name)[0], Exit.FAILED)
        self.assertEqual((self.file.read_bytes(), sorted(os.listdir(self.folder))), (b"precious", ["link", "master.key"]))

    def test_init_fails(self) -> None:
        """A key that could not be written whole is not left there."""
        with mock.patch("os.fsync", side_effect=OSError(28, "No space left on device")):
            code, _, err = keys("init", self.file)
        self.assertEqual((code, err, self.file.exists()), (Exit.FAILED, "coral-gate keys: No space left on device.\n", False))

    def test_rotate(self) -> None:
        """A new version goes in front, the older ones stay, the file stays its owner's alone."""
        keys("init", self.file)
        first = parse_master_keys(Secret(self.file.read_bytes())).keys[1].reveal()
        for version in (2, 3):
            code, out, _ = keys("rotate", self.file)
            self.assertEqual(code, Exit.OK)
            self.assertIn(f"version {version} is current", out)
        found = parse_master_keys(Secret(self.file.read_bytes()))
        self.assertEqual((found.current, sorted(found.keys), found.keys[1].reveal()), (3, [1, 2, 3], first))
        self.assertEqual((stat.S_IMODE(self.file.stat().st_mode), os.listdir(self.folder)), (0o600, ["master.key"]))

    def test_rotate_fails(self) -> None:
        """Whatever goes wrong, the old file is there, and nothing beside it."""
        keys("init", self.file)
        before = self.file.read_bytes()
        for step in ("os.fsync", "os.replace", "os.chown"):
            with mock.patch(step, side_effect=OSError(28, "No space left on device")):
                self.assertEqual(keys("rotate", self.file)[0], Exit.FAILED)
            self.assertEqual((self.file.read_bytes(), os.listdir(self.folder)), (before, ["master.key"]))

    def test_rotate_after_a_crash(self) -> None:
        """What a crash left beside the file does not stand in the way."""
        keys("init", self.file)
        (self.folder / ".master.key.new").write_bytes(b"half")
        self.assertEqual(keys("rotate", self.file)[0], Exit.OK)
        self.assertEqual(os.listdir(self.folder), ["master.key"])

    def test_rotate_refuses(self) -> None:
        """What holds no master key, or can be read by others, is left alone."""
        self.file.write_bytes(b"planted-secret")
        self.file.chmod(0o600)
        code, _, err = keys("rotate", self.file)
        self.assertEqual(code, Exit.FAILED)
        self.assertNotIn("planted", err)
        self.file.write_bytes(b"4294967295:" + os.urandom(32).hex().encode())
        self.assertEqual(keys("rotate", self.file)[0], Exit.FAILED)
        self.file.write_bytes(os.urandom(32).hex().encode())
        self.file.chmod(0o644)
        code, _, err = keys("rotate", self.file)
        self.assertEqual(code, Exit.FAILED)
        self.assertIn("0644", err)


class StatusTests(SynchronousTestCase):
    """`status`."""

    def setUp(self) -> None:
        self.house = Gatehouse(Path(self.mktemp()))

    def status(self, *words: str) -> tuple[int, str]:
        code, out, _ = keys("status", "-c", self.house.config, *words)
        return code, out

    def set(self) -> None:
        with self.house.beside() as beside:
            self.house.do(beside.custody.vault.set(ANN, BOX, ServiceName.APP, VALUE))

    def test_ok(self) -> None:
        """It says that the key is in use, and which versions hold how many users' keys."""
        self.assertEqual(self.status(), (Exit.OK, "The master key is in use, version 1.\n"))
        self.set()
        keys("rotate", self.house.master)
        self.assertEqual(self.status(), (Exit.OK, "The master key is in use, version 2.\nversion 1       1 users' keys\n"))
        with self.house.beside() as beside:
            self.house.do(beside.custody.upkeep())
        facts = {"state": "ok", "why": "The master key is in use, version 2.", "current": 2, "user_keys": {"2": 1}}
        code, out = self.status("--json")
        self.assertEqual((code, json.loads(out)), (Exit.OK, facts))
        self.assertEqual(self.house.opened(), VALUE.reveal())

    def test_wrong(self) -> None:
        """A wrong key is said to be so, with an exit code of its own."""
        self.status()
        self.house.set_master(os.urandom(32).hex().encode())
        code, out = self.status("--json")
        facts = json.loads(out)
        self.assertEqual((code, facts["state"], facts["current"], facts["user_keys"]), (Exit.UNAVAILABLE, "wrong", None, {}))
        self.assertIn("another master key", facts["why"])

    def test_beyond_reading(self) -> None:
        """A file that is no user's key is counted apart."""
        self.status()
        (self.house.folder / "state" / "keys" / holder_name(ANN)).write_bytes(b"noise")
        self.assertIn("beyond reading  1 users' keys", self.status()[1])


class EscrowTests(SynchronousTestCase):
    """From the operator's pair of keys to a user's key that is back."""

    def setUp(self) -> None:
        self.house = Gatehouse(Path(self.mktemp()), 'escrow = "public.pem"')
        self.private, self.public = self.house.folder / "private.pem", self.house.folder / "public.pem"
        self.target = self.house.folder / "opened.json"
        self.made = keys("escrow-init", self.private, self.public)

    def destroy(self) -> Path:
        """Set a credential, destroy its owner's key, and give the escrow copy."""
        with self.house.beside() as beside:
            self.house.do(beside.custody.vault.set(ANN, BOX, ServiceName.APP, VALUE))
            self.assertTrue(self.house.do(beside.custody.user_keys.destroy(ANN)))
        copies = [path for path in (self.house.folder / "state" / "keys" / "escrow").iterdir() if path.name != ".lock"]
        self.assertEqual(len(copies), 1)
        return copies[0]

    def unseal(self, copy: Path) -> tuple[int, str, str]:
        return keys("escrow-open", copy, "--private-key", self.private, "--write-to", self.target)

    def test_make(self) -> None:
        """The private half is for its owner alone; neither is ever overwritten."""
        self.assertEqual((self.made[0], self.made[2]), (Exit.OK, ""))
        modes = [stat.S_IMODE(path.stat().st_mode) for path in (self.private, self.public)]
        self.assertEqual(modes, [0o600, 0o644])
        before = self.private.read_bytes()
        self.assertEqual(keys("escrow-init", self.private, self.house.folder / "other")[0], Exit.FAILED)
        self.assertEqual(keys("escrow-init", self.house.folder / "other", self.public)[0], Exit.FAILED)
        self.assertFalse((self.house.folder / "other").exists())
        self.assertEqual(self.private.read_bytes(), before)

    def test_there_and_back(self) -> None:
        """A destroyed user's credential is beyond reach; with the private key it comes back."""
        copy = self.destroy()
        self.assertRaises(NoUserKey, self.house.opened)
        code, out, err = self.unseal(copy)
        self.assertEqual((code, err), (Exit.OK, ""))
        self.assertIn("the key of 'ann' at 'https://issuer.example', destroyed at 20", out)
        facts = json.loads(self.target.read_bytes())
        self.assertNotIn(facts["key"], out)
        self.assertEqual(stat.S_IMODE(self.target.stat().st_mode), 0o600)
        code, out, _ = keys("escrow-restore", self.target, "-c", self.house.config)
        self.assertEqual((code, self.house.opened()), (Exit.OK, VALUE.reveal()))
        recorded = command("audit", "tail", "--folder", str(self.house.folder / "state" / FOLDER_NAME))[1]
        self.assertIn("change=restored", recorded.replace('"', ""))

    def test_restore_spares(self) -> None:
        """A user who has a key by now keeps it."""
        self.unseal(self.destroy())
        with self.house.beside() as beside:
            self.house.do(beside.custody.vault.set(ANN, BOX, ServiceName.VNC, VALUE))
        code, _, err = keys("escrow-restore", self.target, "-c", self.house.config)
        self.assertEqual((code, err), (Exit.FAILED, "coral-gate keys: the user has a key by now; it was not replaced.\n"))
        self.assertEqual(self.house.opened(service=ServiceName.VNC), VALUE.reveal())

    def test_open_refuses(self) -> None:
        """Another private key, noise, and a private key that others can read open nothing."""
        copy = self.destroy()
        other = self.house.folder / "other.pem"
        keys("escrow-init", other, self.house.folder / "other-public.pem")
        attempts = ((copy, other), (self.public, self.private), (copy, self.public), (self.house.folder / "none", self.private))
        for what, private in attempts:
            code, out, err = keys("escrow-open", what, "--private-key", private, "--write-to", self.target)
            self.assertEqual((code, out, self.target.exists()), (Exit.FAILED, "", False), err)
        self.private.chmod(0o640)
        self.assertIn("0640", self.unseal(copy)[2])

    def test_restore_refuses(self) -> None:
        """What `escrow-open` did not write is refused, without showing it."""
        good = {"issuer": "i", "subject": "s", "version": 1, "key": "00" * 32}
        wrong = [b"planted", b"[]", b"{}", b"3"]
        changes: list[dict[str, object]] = [{"issuer": 1}, {"subject": None}, {"version": 0}, {"version": True}, {"version": 2**32}]
        changes += [{"key": "00"}, {"key": "planted"}, {"key": 3}, {"version": "1"}]
        for content in [*wrong, *(json.dumps({**good, **change}).encode() for change in changes)]:
            self.target.write_bytes(content)
            self.target.chmod(0o600)
            code, out, err = keys("escrow-restore", self.target, "-c", self.house.config)
            self.assertEqual((code, out), (Exit.FAILED, ""))
            self.assertEqual(err, "coral-gate keys: this is not what `coral-gate keys escrow-open` writes.\n")

    def test_bad_public_key(self) -> None:
        """A public key that is none is a mistake in the configuration."""
        for content in (b"", self.private.read_bytes()):
            self.public.write_bytes(content)
            code, _, err = keys("status", "-c", self.house.config)
            self.assertEqual(code, Exit.CONFIGURATION)
            self.assertIn("keys.escrow", err)
        self.public.unlink()
        self.assertEqual(keys("status", "-c", self.house.config)[0], Exit.CONFIGURATION)


class PrivateFileTests(SynchronousTestCase):
    """Files for their owner alone."""

    def test_umask(self) -> None:
        """The mode does not depend on who runs the command."""
        path = Path(self.mktemp())
        before = os.umask(0)
        try:
            private_files.write_new(path, Secret(b"x"))
        finally:
            os.umask(before)
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
