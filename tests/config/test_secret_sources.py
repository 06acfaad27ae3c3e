"""A secret is never in the configuration; where it is, it is read late, guarded and shown to nobody."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path
from unittest import mock

from attrs import field, frozen
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.config.command_output import CommandFailed, command_output
from coral_gate.config.definitions import key
from coral_gate.config.places import Place, Report, Unreadable
from coral_gate.config.positions import scan
from coral_gate.config.secret_sources import LARGEST_SECRET_BYTES, SecretReference, SecretSource
from coral_gate.config.tables import Table
from coral_gate.errors import ConfigError
from tests import ROOT

PASSWORD = b"correct horse battery staple"


@frozen(kw_only=True)
class Vault:
    """A section with a secret."""

    password: SecretSource = field(metadata=key("password", SecretReference(), "The password.", since="0.1"))


class ReferenceTests(SynchronousTestCase):
    """What stands in the file."""

    def read(self, found: object) -> SecretSource:
        """Read a reference that stands on line 1 of a file."""
        self.report = Report("/etc/gate.toml", Path("/etc"), scan("password = 1"))
        return Table(Vault).read({"password": found}, Place(self.report)).password

    def refused(self, found: object) -> str:
        """What is said of a reference."""
        self.assertRaises(Unreadable, self.read, found)
        [problem] = self.report.problems
        return str(problem)

    def test_schemes(self) -> None:
        """A reference is taken without being read: nothing of these is there."""
        for text in ("file:/nowhere", "file:nowhere", "env:NOT_SET", "credential:gate.key-1", "command:/bin/nowhere -a 'b c'"):
            source = self.read(text)
            self.assertEqual((f"{source.scheme}:{source.rest}", source.where, source.key), (text, "/etc/gate.toml:1", "password"))
            self.assertEqual(SecretReference().show(source), f'"{text}"')

    def test_inline(self) -> None:
        """A value that is no reference is refused with the remedy, and nothing of it is shown."""
        for found in ("hunter2", "", 12345678, ["hunter2"], {"file": "hunter2"}, "hunter2:x", "FILE:hunter2", True):
            said = self.refused(found)
            self.assertIn("/etc/gate.toml:1: password: Found a value that is not shown", said)
            self.assertIn("mode 0600", said)
            self.assertNotIn("hunter2", said)
            self.assertNotIn("12345678", said)

    def test_malformed(self) -> None:
        """What follows the colon has its form; nothing of it is shown either, since it may be the secret after all."""
        for found in (
            *("file:", "file:~/hunter2", "file:hunter2\0", "file:hunter2\n", "env:", "env:1hunter2", "env:hunter2=x", "env:hunter 2"),
            *("credential:", "credential:../hunter2", "credential:/hunter2", "credential:hunter2/x", "credential:."),
            *("command:", "command:hunter2", "command:/bin/x 'hunter2", "command:/bin/x\0hunter2", "command: "),
        ):
            self.assertNotIn("hunter2", self.refused(found))

    @given(st.text())
    def test_any_text(self, text: str) -> None:
        """Any text is a reference or is refused; refused, a text of some length is not in what is said."""
        try:
            self.read(text)
        except Unreadable:
            if len(text) > 8:
                self.assertNotIn(text, str(self.report.problems))

    def test_label(self) -> None:
        """For operators a source has a name; of a command only the program is in it."""
        self.assertEqual(self.read("env:KEY").label, "env:KEY")
        self.assertEqual(self.read("command:'/opt/my vault' --token hunter2").label, "command:/opt/my vault")


class SourceTests(SynchronousTestCase):
    """Reading the secret itself."""

    def source(self, reference: str, folder: Path = Path("/nowhere")) -> SecretSource:
        """A source as the configuration gives it."""
        scheme, _, rest = reference.partition(":")
        return SecretSource(scheme, rest, folder=folder, where="gate.toml:3", key="vault.password")

    def refused(self, source: SecretSource) -> str:
        """Why a secret cannot be used."""
        error = self.assertRaises(ConfigError, source.read)
        [problem] = error.problems
        self.assertEqual((problem.where, problem.key), ("gate.toml:3", "vault.password"))
        self.assertNotIn(PASSWORD.decode(), str(problem))
        return str(problem.what)

    def file(self, contents: bytes, mode: int = 0o600) -> Path:
        """A file with a mode."""
        path = Path(self.mktemp()).absolute()
        path.write_bytes(contents)
        path.chmod(mode)
        return path

    def test_file(self) -> None:
        """A file's bytes are the secret, to the last; a relative path is taken from the configuration's folder."""
        path = self.file(PASSWORD + b"\n\n")
        self.assertEqual(self.source(f"file:{path}").read().reveal(), PASSWORD + b"\n\n")
        self.assertEqual(self.source(f"file:{path.name}", path.parent).read().reveal(), PASSWORD + b"\n\n")

    def test_line(self) -> None:
        """As a line of text it is without the line break at its end, and never empty or more than one line."""
        for ending in (b"", b"\n", b"\r\n"):
            self.assertEqual(self.source(f"file:{self.file(PASSWORD + ending)}").read_line().reveal(), PASSWORD)
        for wrong in (b"\n", b"a\nb", b"a\n\n", b"a\0b", b"a\rb", b"\r\n"):
            error = self.assertRaises(ConfigError, self.source(f"file:{self.file(wrong)}").read_line)
            self.assertIn("it is not one line of text.", str(error))

    def test_private(self) -> None:
        """A file that its group or everybody may use in any way is refused."""
        for mode in (0o640, 0o604, 0o644, 0o660, 0o610, 0o602):
            self.assertIn("set its mode to 0600", self.refused(self.source(f"file:{self.file(PASSWORD, mode)}")))
        for mode in (0o400, 0o600, 0o700):
            self.source(f"file:{self.file(PASSWORD, mode)}").read()

    def test_owner(self) -> None:
        """A file of another user is refused; root's is taken."""
        path = self.file(PASSWORD)
        real = os.stat(path)
        for owner, taken in ((0, True), (os.geteuid(), True), (4242, False)):
            status = os.stat_result((*real[:4], owner, *real[5:]))
            with mock.patch("coral_gate.config.regular_files.os.fstat", return_value=status):
                if taken:
                    self.source(f"file:{path}").read()
                else:
                    self.assertIn("belongs to another user", self.refused(self.source(f"file:{path}")))

    def test_no_file(self) -> None:
        """What is missing, a folder, a device or a pipe is refused without waiting."""
        pipe = Path(self.mktemp()).absolute()
        os.mkfifo(pipe, 0o600)
        for path, why in (("/nowhere/x", "no such file or directory"), ("/", "not a regular file"), ("/dev/zero", "not a regular file")):
            self.assertIn(why, self.refused(self.source(f"file:{path}")))
        self.assertIn("not a regular file", self.refused(self.source(f"file:{pipe}")))

    def test_sizes(self) -> None:
        """Nothing and more than 64 KiB are refused, and no more than that is read."""
        self.source(f"file:{self.file(bytes(LARGEST_SECRET_BYTES))}").read()
        self.assertIn("larger than 64 KiB", self.refused(self.source(f"file:{self.file(bytes(LARGEST_SECRET_BYTES + 1))}")))
        self.assertIn("it is empty", self.refused(self.source(f"file:{self.file(b'')}")))

    def test_read_late_and_anew(self) -> None:
        """Each reading reads the source again."""
        path = self.file(b"old")
        source = self.source(f"file:{path}")
        source.read()
        path.write_bytes(b"new")
        self.assertEqual(source.read().reveal(), b"new")

    def test_variable(self) -> None:
        """A variable's bytes are the secret."""
        with mock.patch.dict(os.environ, {"CORAL_TEST": "é"}):
            self.assertEqual(self.source("env:CORAL_TEST").read().reveal(), os.environb[b"CORAL_TEST"])
        self.assertIn("is not set", self.refused(self.source("env:CORAL_TEST_NOT_SET")))

    def test_credential(self) -> None:
        """A credential is a file in the folder that systemd names, whatever its group bits."""
        path = self.file(PASSWORD, 0o440)
        with mock.patch.dict(os.environ, {"CREDENTIALS_DIRECTORY": str(path.parent)}):
            self.assertEqual(self.source(f"credential:{path.name}").read().reveal(), PASSWORD)
            self.assertIn("no such file", self.refused(self.source("credential:other")))
        with mock.patch.dict(os.environ):
            os.environ.pop("CREDENTIALS_DIRECTORY", None)
            self.assertIn("$CREDENTIALS_DIRECTORY is not set", self.refused(self.source("credential:x")))

    def test_command(self) -> None:
        """A command's output is the secret; its arguments are split as a shell would, and no shell sees them."""
        self.assertEqual(self.source("command:/bin/echo 'a  b' '$HOME' ; id").read().reveal(), b"a  b $HOME ; id\n")
        self.assertIn("ended with the code 1", self.refused(self.source("command:/bin/false")))
        self.assertIn("command:/nowhere/vault", self.refused(self.source("command:/nowhere/vault --token hunter2")))
        self.assertNotIn("hunter2", self.refused(self.source("command:/nowhere/vault --token hunter2")))

    def test_not_shown(self) -> None:
        """The secret is in no representation of what was read."""
        secret = self.source(f"file:{self.file(PASSWORD)}").read()
        self.assertNotIn(PASSWORD.decode(), f"{secret} {secret!r}")


class CommandOutputTests(SynchronousTestCase):
    """A program that is run for its output is bounded in time and size."""

    def run_python(self, program: str, *, deadline_s: float = 20.0, most_bytes: int = 100) -> bytes:
        """The output of a Python program."""
        return command_output([sys.executable, "-S", "-c", program], deadline_s=deadline_s, most_bytes=most_bytes)

    def failure(self, program: str, *, deadline_s: float = 20.0, most_bytes: int = 100) -> str:
        """Why there is no output."""
        return str(self.assertRaises(CommandFailed, self.run_python, program, deadline_s=deadline_s, most_bytes=most_bytes))

    def test_size(self) -> None:
        """As much as allowed is taken, one byte more is refused, and an endless output ends with the limit."""
        self.assertEqual(len(self.run_python("print('x' * 99)")), 100)
        self.assertIn("more than 100 bytes", self.failure("print('x' * 100)"))
        self.assertIn("more than 100 bytes", self.failure("while True: print('x' * 1000)"))

    def test_time(self) -> None:
        """A program that is not done in time is killed, with what it started; also one that has closed its output."""
        pid_file = Path(self.mktemp()).absolute()
        quoted = shlex.quote(str(pid_file))
        child = f"echo $$ > {quoted}.new && mv {quoted}.new {quoted}; exec sleep 600"
        program = f"import subprocess; subprocess.run(['/bin/sh', '-c', {child!r}])"
        self.assertIn("longer than 1 s", self.failure(program, deadline_s=1))
        if pid_file.exists():
            self.assertRaises(ProcessLookupError, self.wait_gone, int(pid_file.read_text()))
        self.assertIn("longer than 0.3 s", self.failure("import os, time; os.close(1); time.sleep(600)", deadline_s=0.3))

    def wait_gone(self, pid: int) -> None:
        """
        Ask for a process until it is gone or reaped.

        :raises ProcessLookupError: it is gone.
        """
        for _ in range(10_000):
            os.kill(pid, 0)
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                raise ProcessLookupError

    def test_descriptors(self) -> None:
        """It reads nothing, and what it says on its standard error is not in ours."""
        self.assertEqual(self.run_python("import sys; print(repr(sys.stdin.read()))"), b"''\n")
        program = "from coral_gate.config.command_output import command_output as output\n"
        program += "print(output(['/bin/sh', '-c', 'echo hunter2 >&2; echo out'], deadline_s=20, most_bytes=9))"
        ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=True)
        self.assertEqual((ran.stdout, ran.stderr), (b"b'out\\n'\n", b""))

    def test_codes(self) -> None:
        """A code other than 0, a signal and a program that cannot be started are failures."""
        self.assertIn("ended with the code 3", self.failure("raise SystemExit(3)"))
        self.assertIn("ended with the code -9", self.failure("import os; os.kill(os.getpid(), 9)"))
        for words in (["/nowhere"], ["/"], ["/bin/echo\0"]):
            error = self.assertRaises(CommandFailed, command_output, words, deadline_s=1, most_bytes=1)
            self.assertEqual(str(error), "the program cannot be started.")
