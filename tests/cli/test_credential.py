"""`coral-gate credential` sets, rotates and lists, and shows no credential."""

from __future__ import annotations

import io
import json
import stat
from datetime import UTC, datetime
from pathlib import Path
from unittest import mock

from twisted.conch.ssh.keys import Key
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.cli.exits import Exit
from coral_gate.cli.recording import FOLDER_NAME
from coral_gate.model import Role, SandboxId, ServiceName, UserId
from coral_gate.records import AsGate, Because, Capacity, Sandbox
from tests.cli.gatehouse import ANN, BOX, OPEN_BOX, Gatehouse
from tests.cli.test_main import command

PLANTED = "planted-secret-planted-secret"
OPERATOR = AsGate(Capacity.OPERATOR)
WHEN = datetime(2026, 5, 4, tzinfo=UTC)


class CredentialCase(SynchronousTestCase):
    """Each on a gatehouse of its own."""

    def setUp(self) -> None:
        self.house = Gatehouse(Path(self.mktemp()))

    def credential(self, what: str, *words: str, stdin: bytes = b"", sandbox: str = BOX) -> tuple[int, str, str]:
        """Run the verb; nothing that it prints holds what was planted."""
        with mock.patch("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin))):
            code, out, err = command("credential", what, "--config", str(self.house.config), "--sandbox", sandbox, *words)
        self.assertNotIn(PLANTED, out + err)
        return code, out, err


class SetTests(CredentialCase):
    """`set`."""

    def test_from_stdin(self) -> None:
        """What stands on stdin is set, without the line's end, and nothing of it is shown."""
        for end in (b"", b"\n", b"\r\n"):
            code, out, err = self.credential("set", "--service", "app", stdin=PLANTED.encode() + end)
            self.assertEqual((code, out), (Exit.OK, ""))
            self.assertIn("no daemon runs", err)
            self.assertEqual(self.house.opened(), PLANTED.encode())

    def test_from_a_file(self) -> None:
        """So is what stands in a file; a key for SSH as it is."""
        path = self.house.folder / "secret"
        path.write_bytes(PLANTED.encode() + b"\n")
        self.assertEqual(self.credential("set", "--service", "vnc", "--file", str(path))[0], Exit.OK)
        self.assertEqual(self.house.opened(service=ServiceName.VNC), PLANTED.encode())
        self.assertEqual(self.credential("set", "--service", "ssh", "--file", str(path))[0], Exit.OK)
        self.assertEqual(self.house.opened(service=ServiceName.SSH), PLANTED.encode() + b"\n")

    def test_from_a_terminal(self) -> None:
        """A terminal is asked without echo."""
        terminal = mock.Mock(isatty=lambda: True)
        with mock.patch("sys.stdin", terminal), mock.patch("coral_gate.cli.credential.getpass", return_value=PLANTED) as asked:
            code = command("credential", "set", "-c", str(self.house.config), "--sandbox", BOX, "--service", "app")[0]
        asked.assert_called_once_with("app: ")
        self.assertEqual((code, self.house.opened()), (Exit.OK, PLANTED.encode()))

    def test_never_an_argument(self) -> None:
        """There is no way to give it on the command line, where every process could read it."""
        code, _, err = self.credential("set", "--service", "app", "hunter22")
        self.assertEqual(code, Exit.USAGE)
        self.assertIn("unrecognized arguments", err)

    def test_json(self) -> None:
        """For a program it says which version was set."""
        self.credential("set", "--service", "app", stdin=PLANTED.encode())
        out = self.credential("set", "--service", "app", "--json", stdin=PLANTED.encode())[1]
        self.assertEqual(json.loads(out), {"sandbox": BOX, "service": "app", "version": 2})

    def test_unfit(self) -> None:
        """Too short and too long are refused; nothing is set."""
        for value in (b"", b"short\n", b"x" * 20_000):
            code, out, err = self.credential("set", "--service", "app", stdin=value)
            self.assertEqual((code, out, err), (Exit.FAILED, "", "coral-gate credential: A credential has 8 to 16384 bytes.\n"))
        self.assertIs(self.house.opened(), None)

    def test_missing_file(self) -> None:
        """A file that is not there is said to be so."""
        code, _, err = self.credential("set", "--service", "app", "--file", "/nonexistent")
        self.assertEqual((code, err), (Exit.FAILED, "coral-gate credential: /nonexistent: No such file or directory.\n"))

    def test_recorded(self) -> None:
        """The change is in the audit log of commands."""
        self.credential("set", "--service", "app", stdin=PLANTED.encode())
        out = command("audit", "tail", "--folder", str(self.house.folder / "state" / FOLDER_NAME))[1]
        self.assertIn("key.changed", out)
        self.assertIn("credential.changed", out)

    def test_at_rest(self) -> None:
        """No file of the state directory holds what was set."""
        self.credential("set", "--service", "app", stdin=PLANTED.encode())
        files = [path for path in (self.house.folder / "state").rglob("*") if path.is_file()]
        self.assertGreater(len(files), 3)
        for path in files:
            self.assertNotIn(PLANTED.encode()[:10], path.read_bytes(), path)


class WhoseTests(CredentialCase):
    """Whose sandbox it is."""

    def test_unknown(self) -> None:
        """A sandbox that is not there, or that nobody owns, has no credentials."""
        for sandbox, why in (("c" * 26, "There is no such sandbox."), (OPEN_BOX, "The sandbox has no owner")):
            code, _, err = self.credential("list", sandbox=sandbox)
            self.assertEqual(code, Exit.FAILED)
            self.assertIn(why, err)

    def test_no_id(self) -> None:
        """What is no sandbox's id is not understood."""
        self.assertEqual(self.credential("list", sandbox="A" * 26)[0], Exit.USAGE)

    def test_from_the_store(self) -> None:
        """The owner of a sandbox that the gate made is found in its row; a destroyed one is not there."""
        made = SandboxId("d" * 26)
        with self.house.beside() as beside:
            user = self.house.do(beside.stores.users.allow(OPERATOR, UserId("https://issuer.example", "bob"), Role.USER, WHEN))
            self.house.do(beside.stores.sandboxes.put(AsGate(Capacity.SANDBOXES), Sandbox(made, user.id, "Bob's", "qemu", "stopped", WHEN)))
        self.assertEqual(self.credential("set", "--service", "app", stdin=PLANTED.encode(), sandbox=made)[0], Exit.OK)
        self.assertEqual(self.house.opened(made, owner=user.who), PLANTED.encode())
        self.assertIs(self.house.opened(made, owner=ANN), None)
        with self.house.beside() as beside:
            self.house.do(beside.stores.sandboxes.tombstone(AsGate(Capacity.SANDBOXES), made, Because("destroyed", WHEN)))
        self.assertEqual(self.credential("list", sandbox=made)[0], Exit.FAILED)


class RotateTests(CredentialCase):
    """`rotate`."""

    def test_password(self) -> None:
        """A new password is set and written to a new file for its owner alone, to be given to the sandbox."""
        target = self.house.folder / "new"
        code, out, _ = self.credential("rotate", "--service", "app", "--write-to", str(target))
        self.assertEqual((code, out), (Exit.OK, ""))
        self.assertRegex(target.read_text(), "^[A-Za-z0-9]{43}$")
        self.assertEqual((self.house.opened(), stat.S_IMODE(target.stat().st_mode)), (target.read_bytes(), 0o600))

    def test_nowhere_to_write(self) -> None:
        """A password that nobody would know is not set."""
        self.assertEqual(self.credential("rotate", "--service", "app")[0], Exit.USAGE)
        self.assertEqual(self.credential("rotate", "--service", "app", "--write-to", str(self.house.config))[0], Exit.FAILED)
        self.assertIs(self.house.opened(), None)
        self.assertIn("portal_origin", self.house.config.read_text())

    def test_not_set(self) -> None:
        """Where it cannot be set, no file is left that says otherwise."""
        self.house.set_master(b"00112233445566778899aabbccddeeff" * 2)
        self.credential("list")
        self.house.set_master(b"ffeeddccbbaa99887766554433221100" * 2)
        target = self.house.folder / "new"
        code, _, err = self.credential("rotate", "--service", "app", "--write-to", str(target))
        self.assertEqual((code, target.exists()), (Exit.UNAVAILABLE, False))
        self.assertIn("another master key", err)

    def test_ssh(self) -> None:
        """For SSH a new key is made, and the line that lets it in is printed."""
        code, out, _ = self.credential("rotate", "--service", "ssh")
        private = self.house.opened(service=ServiceName.SSH)
        self.assertEqual(code, Exit.OK)
        self.assertEqual(Key.fromString(out.strip()), Key.fromString(private).public())
        facts = json.loads(self.credential("rotate", "--service", "ssh", "--json")[1])
        self.assertEqual((facts["version"], facts["public_key"][:12]), (2, "ssh-ed25519 "))


class ListTests(CredentialCase):
    """`list`."""

    def test_list(self) -> None:
        """It shows service, version and time, for people and for programs, and no credential."""
        self.assertEqual(self.credential("list"), (Exit.OK, "", ""))
        for service in ("vnc", "app", "app"):
            self.credential("set", "--service", service, stdin=PLANTED.encode())
        out = self.credential("list")[1]
        self.assertRegex(out, r"\Aapp     version 2     changed \d{4}-.* UTC\nvnc     version 1     changed .* UTC\n\Z")
        facts = json.loads(self.credential("list", "--json")[1])
        self.assertEqual(facts["sandbox"], BOX)
        self.assertEqual(
            [(one["service"], one["version"], sorted(one)) for one in facts["credentials"]],
            [("app", 2, ["changed_at", "service", "version"]), ("vnc", 1, ["changed_at", "service", "version"])],
        )


class UnavailableTests(CredentialCase):
    """Without a master key."""

    def test_missing(self) -> None:
        """A master key that is named and missing is a mistake in the configuration."""
        self.house.master.unlink()
        code, _, err = self.credential("list")
        self.assertEqual(code, Exit.CONFIGURATION)
        self.assertIn("keys.master", err)

    def test_not_named(self) -> None:
        """Without one nothing can be set, and it says why."""
        self.house.config.write_text(self.house.config.read_text().replace('master = "file:master.key"', ""))
        code, _, err = self.credential("set", "--service", "app", stdin=PLANTED.encode())
        self.assertEqual(code, Exit.UNAVAILABLE)
        self.assertEqual(err, "coral-gate credential: The configuration names no master key: [keys] has no master.\n")

    def test_open_folder(self) -> None:
        """A folder of keys that others can enter is refused."""
        folder = self.house.folder / "state" / "keys"
        folder.mkdir(parents=True)
        folder.parent.chmod(0o700)
        folder.chmod(0o755)
        code, _, err = self.credential("list")
        self.assertEqual(code, Exit.CONFIGURATION)
        self.assertIn("has mode 0755", err)
