"""A checkout and virtual environments of a test's own, without network: the packages of this environment are linked into them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from attrs import frozen

from tests import ROOT

_RUN_TWISTD = "from twisted.scripts.twistd import run; run()"
_LEFT_OUT = shutil.ignore_patterns(
    ".*", "__pycache__", "dropin.cache", "build", "dist", "apidocs", "*.egg-info", "_trial_temp*", "node_modules"
)


def call(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a program from a folder, without a PYTHONPATH that would show it the checkout."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run([*map(str, command)], cwd=cwd, env=inherited, capture_output=True, text=True, check=False, timeout=240)


def succeed(*command: str | Path, cwd: Path) -> str:
    """
    Run a program and give its stdout.

    :raises AssertionError: it failed; the message has what it said.
    """
    ran = call(*command, cwd=cwd)
    if ran.returncode:
        raise AssertionError(f"{command} exited with {ran.returncode}:\n{ran.stdout}{ran.stderr}")
    return ran.stdout


def copy_of_checkout(to: Path) -> Path:
    """Copy what a release is made of, so that building leaves the checkout as it is."""
    return shutil.copytree(ROOT, to, ignore=_LEFT_OUT)


def _link_packages(to: Path) -> None:
    """Link every installed package but this one, and no `.pth` that would lead back to the checkout."""
    to.mkdir()
    for installed in Path(sysconfig.get_path("purelib")).iterdir():
        if not installed.name.startswith(("coral_gate", "__editable__", "__pycache__")) and installed.suffix != ".pth":
            (to / installed.name).symlink_to(installed)


@frozen
class Environment:
    """
    A virtual environment.

    :ivar folder: where it is.
    :ivar elsewhere: an empty folder to start programs from, so that nothing is found by chance.
    """

    folder: Path
    elsewhere: Path

    @classmethod
    def make(cls, top: Path) -> Environment:
        """Make one under `top` that has all packages of this environment but Coral Gate."""
        made = cls(top / "venv", top / "elsewhere")
        made.elsewhere.mkdir(parents=True)
        succeed(sys.executable, "-m", "venv", "--without-pip", made.folder, cwd=top)
        _link_packages(top / "packages")
        [site] = made.folder.glob("lib/python*/site-packages")
        (site / "packages.pth").write_text(f"{top / 'packages'}\n")
        return made

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    @property
    def command(self) -> Path:
        """Its `coral-gate`."""
        return self.folder / "bin" / "coral-gate"

    def pip_install(self, *arguments: str | Path, cwd: Path) -> None:
        """Install with this environment's pip, from no index."""
        pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--python", self.python)
        succeed(*pip, "install", "--no-index", *arguments, cwd=cwd)

    def run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a program from elsewhere."""
        return call(*command, cwd=self.elsewhere)

    def twistd(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        """Run twistd as its own script does; `-P` keeps the folder it starts from out of the import path."""
        return self.run(self.python, "-P", "-c", _RUN_TWISTD, *words)
