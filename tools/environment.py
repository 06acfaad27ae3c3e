"""
Make or refresh the virtual environment: the pinned requirements, then this checkout.

Uses the standard library alone and is quick when nothing has changed. The checkout is installed editable in setuptools'
strict mode: by default an editable install hides `twisted/plugins` from twistd, which looks for plugins in directories.
Strict mode links file by file, so a new file needs a new installation; the stamp notices that.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements-test.lock"
OLDEST = (3, 11)
PACKAGED = ("coral_gate", "twisted/plugins")
EDITABLE = ("--no-deps", "--no-build-isolation", "--config-settings", "editable_mode=strict", "--editable", ".")
"""How pip installs the checkout; without the strict mode `twistd --help` would not show the plugin."""


def missing() -> str:
    """What this machine lacks, as one line, or the empty string."""
    if sys.version_info < OLDEST:
        have = ".".join(map(str, sys.version_info[:3]))
        return f"Python 3.11 or newer ({sys.executable} is {have}). Name another one: make PYTHON=python3.12"
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        return "Python's venv module. Debian: apt-get install python3-venv"
    if shutil.which("git") is None:
        return "git. Debian: apt-get install git"
    return ""


def digest(parts: list[bytes]) -> str:
    """One digest of several byte strings; each is bounded by its length."""
    state = hashlib.sha256()
    for part in parts:
        state.update(len(part).to_bytes(8, "big") + part)
    return state.hexdigest()


def requirements_digest() -> str:
    """Changes when other packages have to be installed."""
    return digest([sys.version.encode(), LOCK.read_bytes()])


def checkout_digest() -> str:
    """Changes when the checkout has to be installed again: its description, or which files it has."""
    names = sorted(
        path.relative_to(ROOT).as_posix()
        for folder in PACKAGED
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.name != "dropin.cache"
    )
    described = [(ROOT / name).read_bytes() for name in ("setup.cfg", "pyproject.toml", "coral_gate/__init__.py")]
    return digest([str(ROOT).encode(), *described, *map(os.fsencode, names)])


def pip(venv: Path, *arguments: str) -> None:
    """Run the environment's pip; where it fails, this program ends with all that it said."""
    command = [str(venv / "bin" / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check", "install", *arguments]
    ran = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if ran.returncode:
        sys.exit(f"{ran.stdout}\npip install {' '.join(arguments)}: failed with {ran.returncode}")


def usable(venv: Path) -> bool:
    """Whether the environment's Python starts and is ours in version."""
    python = venv / "bin" / "python"
    probe = [str(python), "-c", "import sys, pip; print(sys.version)"]
    if not python.exists():
        return False
    ran = subprocess.run(probe, capture_output=True, text=True, check=False)
    return ran.returncode == 0 and ran.stdout.strip() == sys.version


def stamped(stamp: Path, wanted: str) -> bool:
    """Whether a step was done for exactly this state."""
    return stamp.is_file() and stamp.read_text() == wanted


def prepare(venv: Path) -> None:
    """Bring the environment to the state of this checkout; do only what is needed."""
    requirements, checkout = venv / ".coral-requirements", venv / ".coral-checkout"
    if not stamped(requirements, requirements_digest()):
        if not usable(venv):
            print(f"Making {venv.name} with Python {sys.version.split()[0]} …", flush=True)
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(venv)], check=True)
        print(f"Installing what {LOCK.name} pins …", flush=True)
        checkout.unlink(missing_ok=True)
        pip(venv, "--only-binary", ":all:", "--require-hashes", "-r", str(LOCK))
        requirements.write_text(requirements_digest())
    if not stamped(checkout, checkout_digest()):
        print("Installing this checkout (editable, strict) …", flush=True)
        pip(venv, *EDITABLE)
        checkout.write_text(checkout_digest())


if __name__ == "__main__":
    if lack := missing():
        sys.exit(f"Missing: {lack}")
    prepare(ROOT / (sys.argv[1] if len(sys.argv) > 1 else ".venv"))
