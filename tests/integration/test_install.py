"""Whoever installs Coral Gate, from a release or from a checkout, gets the daemon, the command and all files."""

from __future__ import annotations

import tarfile
import tempfile
import zipfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import frozen
from twisted.trial.unittest import SynchronousTestCase

from coral_gate import __version__
from tests import ROOT
from tests.integration.installed import Environment, call, copy_of_checkout, succeed
from tools.environment import EDITABLE

if TYPE_CHECKING:
    _Case = SynchronousTestCase
else:
    _Case = object

_BROKEN = "no_such_key = 1\nno_such_table = { a = 2 }\n"


@frozen
class Installed:
    """
    An environment into which Coral Gate was installed, from a copy of the checkout.

    :ivar scratch: holds everything; goes away with this process.
    """

    scratch: tempfile.TemporaryDirectory[str]
    checkout: Path
    environment: Environment

    @classmethod
    def prepare(cls) -> Installed:
        """Copy the checkout and make an environment; nothing is installed yet."""
        scratch = tempfile.TemporaryDirectory(prefix="coral-install-")
        top = Path(scratch.name)
        return cls(scratch, copy_of_checkout(top / "checkout"), Environment.make(top))

    @property
    def dist(self) -> Path:
        """Where the files of a release are built."""
        return self.checkout / "dist"


@cache
def from_release() -> Installed:
    """Build a source distribution, from it a wheel, and install that."""
    made = Installed.prepare()
    succeed(made.environment.python, "-m", "build", "--no-isolation", "--outdir", made.dist, ".", cwd=made.checkout)
    made.environment.pip_install("--no-deps", next(made.dist.glob("*.whl")), cwd=made.checkout)
    return made


@cache
def from_checkout() -> Installed:
    """Install the checkout itself, editable, as `make setup` does."""
    made = Installed.prepare()
    made.environment.pip_install(*EDITABLE, cwd=made.checkout)
    return made


class Works(_Case):
    """What has to work after either way of installing; a part of the cases below, no case itself."""

    installed: Installed

    @property
    def environment(self) -> Environment:
        """Where Coral Gate is installed."""
        return self.installed.environment

    def test_twistd_lists_it(self) -> None:
        """`twistd --help`, from any folder, lists the daemon."""
        ran = self.environment.twistd("--help")
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertRegex(ran.stdout, r"(?m)^    coral-gate +The front door")

    def test_command_helps(self) -> None:
        """`coral-gate --help` exits with 0."""
        ran = self.environment.run(self.environment.command, "--help")
        self.assertEqual((ran.returncode, ran.stderr), (0, ""))
        self.assertIn("coral-gate run --config", ran.stdout)

    def test_command_is_this_version(self) -> None:
        """`coral-gate --version` says the version of the checkout."""
        self.assertEqual(self.environment.run(self.environment.command, "--version").stdout, f"coral-gate {__version__}\n")

    def test_broken_configuration_under_twistd(self) -> None:
        """The daemon does not start with a broken configuration: every problem on a line of stderr, exit code 78."""
        config = self.environment.elsewhere / "broken.toml"
        config.write_text(_BROKEN)
        ran = self.environment.twistd("--nodaemon", "--pidfile=", "coral-gate", "--config", config)
        self.assertRefused(ran.returncode, ran.stderr)

    def test_broken_configuration_in_the_foreground(self) -> None:
        """`coral-gate run` says and exits the same."""
        config = self.environment.elsewhere / "broken.toml"
        config.write_text(_BROKEN)
        ran = self.environment.run(self.environment.command, "run", "--config", config)
        self.assertRefused(ran.returncode, ran.stderr)

    def test_missing_configuration(self) -> None:
        """A configuration that is not there is a problem like any other."""
        ran = self.environment.run(self.environment.command, "run", "--config", "nowhere.toml")
        self.assertEqual((ran.returncode, ran.stderr.count("nowhere.toml")), (78, 1), ran.stderr)

    def assertRefused(self, code: int, stderr: str) -> None:
        """Both problems of the broken file are told, each on its line, with no traceback."""
        self.assertEqual(code, 78, stderr)
        for line, key in ((1, "no_such_key"), (2, "no_such_table")):
            self.assertRegex(stderr, rf"(?m)^\S*broken\.toml:{line}: {key}: ")
        self.assertNotIn("Traceback", stderr)


class ReleaseTests(Works, SynchronousTestCase):
    """From the files of a release: the wheel, built from the source distribution."""

    def setUp(self) -> None:
        self.installed = from_release()

    def in_wheel(self) -> set[str]:
        """The names in the wheel."""
        with zipfile.ZipFile(next(self.installed.dist.glob("*.whl"))) as wheel:
            return set(wheel.namelist())

    def test_wheel_has_every_file_of_the_package(self) -> None:
        """Modules, browser files, schemas and the mark that says the package is typed: all that the checkout has."""
        top = self.installed.checkout
        wanted = {path.relative_to(top).as_posix() for path in (top / "coral_gate").rglob("*") if path.is_file()}
        self.assertIn("coral_gate/py.typed", wanted)
        self.assertEqual(wanted - self.in_wheel(), set())

    def test_wheel_adds_only_its_plugin_to_twisted(self) -> None:
        """Of `twisted` the wheel holds the plugin alone: no `__init__.py`, no cache."""
        self.assertEqual({name for name in self.in_wheel() if name.startswith("twisted/")}, {"twisted/plugins/coral_gate_plugin.py"})

    def test_wheel_holds_nothing_else(self) -> None:
        """Beside the package, the plugin, the metadata and the sample configuration there is nothing; the tests stay out."""
        tops = {name.split("/")[0] for name in self.in_wheel()}
        self.assertEqual(tops, {"coral_gate", "twisted", f"coral_gate-{__version__}.dist-info", f"coral_gate-{__version__}.data"})

    def test_wheel_has_the_sample_configuration(self) -> None:
        """The commented example is installed under the environment's `etc/coral-gate`."""
        self.assertTrue((self.environment.folder / "etc" / "coral-gate" / "coral-gate.toml").is_file())

    def test_source_distribution_can_be_tested(self) -> None:
        """The source distribution holds what `make test` needs."""
        with tarfile.open(next(self.installed.dist.glob("*.tar.gz"))) as source:
            names = {name.partition("/")[2] for name in source.getnames()}
        wanted = {"Makefile", "LICENSE", "requirements-test.lock", "tools/environment.py", "tests/run.py"}
        wanted |= {"tests/integration/debian-packages.txt", "twisted/plugins/coral_gate_plugin.py"}
        self.assertEqual(wanted - names, set())


class CheckoutTests(Works, SynchronousTestCase):
    """From a checkout, editable, as `make setup` installs it."""

    def setUp(self) -> None:
        self.installed = from_checkout()

    def test_edits_are_seen(self) -> None:
        """A change to a module of the checkout needs no new installation."""
        module = self.installed.checkout / "coral_gate" / "__init__.py"
        module.write_text(module.read_text().replace(__version__, "9.9.9"))
        self.addCleanup(module.write_text, module.read_text().replace("9.9.9", __version__))
        self.assertEqual(self.environment.run(self.environment.command, "--version").stdout, "coral-gate 9.9.9\n")


class MakeTests(SynchronousTestCase):
    """The Makefile, as far as it goes without installing anything."""

    def test_help_is_the_default(self) -> None:
        """`make` alone lists every target that a person would type, each with a sentence."""
        shown = succeed("make", "--no-print-directory", cwd=ROOT)
        for target in ("setup", "test", "test-long", "check", "lock", "clean"):
            self.assertRegex(shown, rf"(?m)^  make {target} +\w")

    def test_missing_python_is_told_in_one_line(self) -> None:
        """Without the Python that was asked for, one line says what to do, and make fails."""
        ran = call("make", "--no-print-directory", "setup", "PYTHON=no-such-python", cwd=ROOT)
        self.assertNotEqual(ran.returncode, 0)
        self.assertRegex(ran.stderr.splitlines()[0], r"\AMissing: no-such-python\. Install Python 3\.11 or newer ")
