"""
Reading a file that an operator named: a regular one, of a bounded size, without waiting.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path


class NotRegular(Exception):
    """It is a folder, a device, a pipe or a socket."""


def read_regular(path: Path, most_bytes: int, check: Callable[[os.stat_result], None] = lambda status: None) -> bytes:
    """
    A file's bytes, at most one more than `most_bytes`, so that the caller sees that there are too many.

    :param check: looks at the file's status and raises what it likes; the file is open then, so it cannot be exchanged.
    :raises NotRegular: it is no regular file.
    :raises OSError: it cannot be read.
    :raises ValueError: its path has a NUL in it.
    """
    # Non-blocking, so that a named pipe is refused and not waited for.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise NotRegular
        check(status)
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(most_bytes + 1)
    finally:
        os.close(descriptor)
