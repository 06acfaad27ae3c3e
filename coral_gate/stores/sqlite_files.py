"""
The files of an SQLite database: who may read them, and which daemon owns them.
"""

from __future__ import annotations

import fcntl
import os
import stat
import time
from pathlib import Path
from typing import Final

from attrs import define

from coral_gate.errors import ConfigError, Problem

DATABASE_NAME: Final = "coral-gate.db"
_LOCK_NAME: Final = "coral-gate.db.lock"
_FLAGS: Final = os.O_NOFOLLOW | os.O_CLOEXEC


def unfit(path: Path, what: str, hint: str = "") -> ConfigError:
    """Why the daemon does not start on this file or folder."""
    return ConfigError((Problem(where=str(path), key="", what=what, hint=hint),))


def prepare(folder: Path) -> Path:
    """
    Make sure that only our own user can reach the database, and give its path; folder and file are made where missing.

    :raises ConfigError: others can, or it cannot be made.
    """
    try:
        if not folder.is_symlink() and not folder.exists():
            folder.mkdir(mode=0o700)
        _check(folder, folder.lstat(), stat.S_ISDIR, "folder", 0o700)
        path = folder / DATABASE_NAME
        _create(path)
        check_files(path)
    except OSError as error:
        raise unfit(folder, f"The database cannot be kept here: {error.strerror}.") from error
    return path


def _create(path: Path) -> None:
    # SQLite gives its -wal and -shm files the mode of the database, so the database is made before SQLite opens it. One
    # that is there is not opened here: closing it would take away this process's locks on it (POSIX.1-2017, fcntl).
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _FLAGS, 0o600))
    except FileExistsError:
        pass


def check_files(path: Path) -> None:
    """
    Look at the modes and owners of the database and the files beside it.

    :raises ConfigError: one of them is not ours alone.
    """
    for suffix in ("", "-wal", "-shm", "-journal"):
        file = path.with_name(path.name + suffix)
        try:
            status = file.lstat()
        except FileNotFoundError:
            continue
        _check(file, status, stat.S_ISREG, "file", 0o600)


def _check(path: Path, status: os.stat_result, is_wanted: object, kind: str, mode: int) -> None:
    assert callable(is_wanted)
    if not is_wanted(status.st_mode):
        raise unfit(path, f"This is not a {kind}.")
    if status.st_uid != os.geteuid():
        raise unfit(path, f"The {kind} belongs to another user (uid {status.st_uid}); it holds the database and must be ours.")
    if status.st_mode & 0o077:
        found = stat.S_IMODE(status.st_mode)
        raise unfit(path, f"The {kind} has mode {found:04o}; only its owner may get in.", f"chmod {mode:o} it.")
    if kind == "file" and status.st_nlink > 1:
        raise unfit(path, "The file has a second name elsewhere; only this one is looked after.", "Remove the other hard link.")


@define
class Ownership:
    """The daemon's hold on a database; it ends with `release`, or with the process however that ends."""

    _descriptor: int

    def release(self) -> None:
        """Let another daemon have it."""
        os.close(self._descriptor)


def own(folder: Path, wait_s: float) -> Ownership:
    """
    Become the one daemon that writes to this database.

    :param wait_s: how long to wait for another to let go of it; blocks, so only before the reactor runs.
    :raises ConfigError: another process has it.
    """
    path = folder / _LOCK_NAME
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | _FLAGS, 0o600)
    until = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return Ownership(descriptor)
        except BlockingIOError:
            if time.monotonic() >= until:
                os.close(descriptor)
                raise unfit(path, "Another Coral Gate daemon uses this database.", "Stop it, or use another state_directory.") from None
            time.sleep(0.05)
