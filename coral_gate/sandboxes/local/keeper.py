"""
Keeps one sandbox's processes: starts OpenClaw, and ends all that came of it when the gate says so or is gone.

A program of its own that imports nothing of the gate: `python -I keeper.py UID FOLDER NODE OPENCLAW PORT`. Its stdin is a pipe from the
gate; the pipe's end means that the gate wants the sandbox stopped, or was killed. It stays what the gate is; OpenClaw
gets the uid, or with `-` the same user. Descendants that leave their group become children of the keeper
(prctl(2), PR_SET_CHILD_SUBREAPER), so that none is forgotten.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

GRACE_S = 10.0
"""Between asking the processes to end and ending them."""
LOG_BYTES = 1024 * 1024
"""After so much the log begins anew; one older part is kept."""

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38


class Log:
    """What OpenClaw prints, in at most two files of `LOG_BYTES`."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "log"
        self._file = self._open()

    def _open(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)

    def write(self, said: bytes) -> None:
        """Keep it; a disk that is full loses it."""
        try:
            os.write(self._file, said)
            if os.fstat(self._file).st_size > LOG_BYTES:
                os.replace(self._path, self._path.with_name("log.1"))
                os.close(self._file)
                self._file = self._open()
        except OSError:
            return


def prctl(option: int, value: int) -> None:
    """prctl(2); raises OSError."""
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


def become(uid: int | None) -> Callable[[], None]:
    """What a child does before it is OpenClaw: it is nobody else, can become nobody else, and does not outlive its keeper."""
    keeper = os.getpid()

    def settle() -> None:
        if uid is not None:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
        prctl(_PR_SET_NO_NEW_PRIVS, 1)
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # after setresuid, which clears it
        os.umask(0o077)
        if os.getppid() != keeper:
            os._exit(1)

    return settle


def sweep(uid: int) -> None:
    """End whatever still runs as a sandbox's own user, from an earlier keeper that was killed."""
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            os.kill(-1, signal.SIGKILL)
        finally:
            os._exit(0)
    os.waitpid(child, 0)


def descendants(pid: int) -> list[int]:
    """Every process below one."""
    found: list[int] = []
    waiting = [pid]
    parents: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdecimal():
            try:
                stat = Path(f"/proc/{entry}/stat").read_text(errors="replace")
            except OSError:
                continue
            parents.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(entry))
    while waiting:
        below = parents.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def tell(signal_number: int) -> bool:
    """Send a signal to everything below; whether there was anything."""
    below = descendants(os.getpid())
    for pid in below:
        try:
            os.kill(pid, signal_number)
        except OSError:
            continue
    return bool(below)


def reap() -> None:
    """Take leave of children that have ended."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


def end_all() -> None:
    """Ask everything below to end, then end it; nothing is left when this returns."""
    until = time.monotonic() + GRACE_S
    tell(signal.SIGTERM)
    while descendants(os.getpid()) and time.monotonic() < until:
        reap()
        time.sleep(0.05)
    while tell(signal.SIGKILL):
        reap()
        time.sleep(0.05)


def environment(home: Path, node: Path) -> dict[str, str]:
    """What OpenClaw finds in its environment: no secret, and nothing of the gate's."""
    state = home / "openclaw"
    return {
        "PATH": f"{node.parent}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(home),
        "TMPDIR": str(home / "tmp"),
        "LANG": "C.UTF-8",
        "NODE_COMPILE_CACHE": str(home / "compiled"),
        "OPENCLAW_STATE_DIR": str(state),
        "OPENCLAW_CONFIG_PATH": str(state / "openclaw.json"),
        "OPENCLAW_SKIP_CHANNELS": "1",
        "OPENCLAW_SKIP_CRON": "1",
        "OPENCLAW_DISABLE_BONJOUR": "1",
        "OPENCLAW_NO_RESPAWN": "1",
    }


def keep(uid: int | None, folder: Path, node: Path, openclaw: Path, port: int) -> int:
    """Start it and wait for its end, or for the gate's word; its exit code, or 0 where the gate stopped it."""
    os.setsid()
    prctl(_PR_SET_CHILD_SUBREAPER, 1)
    wake, woken = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.set_wakeup_fd(woken)
    asked: list[int] = []
    signal.signal(signal.SIGTERM, lambda *_: asked.append(1))
    signal.signal(signal.SIGCHLD, lambda *_: None)
    if uid is not None:
        sweep(uid)
    home = folder / "home"
    child = subprocess.Popen(  # noqa: S603  # the words are the gate's own
        [str(node), str(openclaw), "gateway", "run", "--port", str(port), "--bind", "loopback"],
        cwd=home, env=environment(home, node), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        preexec_fn=become(uid),
    )  # fmt: skip
    assert child.stdout is not None
    log, reading = Log(folder), [0, wake, child.stdout.fileno()]
    while not asked and child.poll() is None:
        ready = select.select(reading, [], [])[0]
        if wake in ready:
            os.read(wake, 512)
        if 0 in ready and not os.read(0, 512):
            break
        if child.stdout.fileno() in ready:
            said = os.read(child.stdout.fileno(), 65536)
            log.write(said)
            if not said:
                reading.pop()
    code = child.poll()
    end_all()
    return 0 if code is None else (code if code > 0 else 1)


if __name__ == "__main__":
    given = sys.argv[1:]
    sys.exit(keep(None if given[0] == "-" else int(given[0]), Path(given[1]), Path(given[2]), Path(given[3]), int(given[4])))
