"""Opening a unix socket for dialling: strictly inside one folder, past no symbolic link, owned by whom we trust."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

from coral_gate.errors import UpstreamUnreachable
from coral_gate.sandboxes.attempt import LinkRefused

_PART: Final = re.compile(r"(?!\.\.?\Z)[^/\0]{1,255}\Z")
_ROOT: Final = 0


def parts(path: str) -> tuple[str, ...]:
    """
    The parts of a path below a folder.

    :raises ValueError: it is absolute, empty, or has a part that leads elsewhere (`.`, `..`).
    """
    found = tuple(path.split("/"))
    if not all(map(_PART.match, found)):
        raise ValueError("a socket's path is relative, without . and .. in it")
    return found


def open_socket(folder: Path, path: tuple[str, ...]) -> int:
    """
    A descriptor (`O_PATH`) of the very socket that was judged; dial `/proc/self/fd/N`, then close it.

    Each step is taken from the descriptor of the step before, so that nobody can swap a folder between the look and the use.

    :param folder: may itself be reached by symbolic links; nothing below it may.
    :raises LinkRefused: it is not a socket of ours or root's, or somebody else might have put it there.
    :raises UpstreamUnreachable: it is not there.
    """
    try:
        return _walk(folder, path)
    except OSError as error:
        raise UpstreamUnreachable from error


def _walk(folder: Path, path: tuple[str, ...]) -> int:
    here = os.open(folder, os.O_PATH | os.O_CLOEXEC)
    try:
        for name in path:
            _judge(here, stat.S_ISDIR)
            # With O_PATH this opens a symbolic link itself, which is no folder and no socket.
            below = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=here)
            os.close(here)
            here = below
        _judge(here, stat.S_ISSOCK)
    except BaseException:
        os.close(here)
        raise
    return here


def _judge(descriptor: int, is_kind: Callable[[int], bool]) -> None:
    found = os.fstat(descriptor)
    if not is_kind(found.st_mode):
        raise LinkRefused("symbolic-link" if stat.S_ISLNK(found.st_mode) else "socket-kind")
    if found.st_uid not in {_ROOT, os.geteuid()}:
        raise LinkRefused("socket-owner")
    if found.st_mode & stat.S_IWOTH:
        raise LinkRefused("socket-mode")
