"""Files that only their owner may read, written by a command."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from coral_gate.model import Secret

_MOST_BYTES: Final = 65_536


def write_new(path: Path, content: Secret) -> None:
    """
    Write a file that is not there yet, with mode 0600, to stable storage.

    :raises OSError: it is there already, or cannot be written; then nothing of it is left.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(content.reveal())
            file.flush()
            os.fsync(file.fileno())
        _sync_folder(path)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def replace(path: Path, content: Secret) -> None:
    """
    Put a new file, with mode 0600, in the place of one that is there; a crash leaves the old one or the new one.

    :raises OSError: it cannot be written; the old one is still there.
    """
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)  # what a crash left
    write_new(new, content)
    try:
        os.chown(new, path.stat().st_uid, path.stat().st_gid)
        os.replace(new, path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    _sync_folder(path)


def read(path: Path) -> Secret:
    """
    Read a file that holds a secret, at most 64 KiB of it.

    :raises OSError: it cannot be read, or others may read it.
    """
    with path.open("rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        if stat.S_ISREG(mode) and mode & 0o077:
            raise PermissionError(0, f"Others may read it (mode {stat.S_IMODE(mode):04o}); it holds a secret: chmod 600 it")
        return Secret(file.read(_MOST_BYTES))


def _sync_folder(path: Path) -> None:
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
