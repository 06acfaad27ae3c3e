"""
Disks that fail, fill up and lose power; and threads that run when they are told.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from twisted.internet.defer import Deferred, maybeDeferred

from coral_gate.audit.files import Files

_T = TypeVar("_T")

STEPS = ("write", "sync", "truncate", "append_to", "state")
"""The calls that a commit makes or may make."""


class BadDisk(Files):
    """
    A disk on which each call can fail once or for ever, writes can come short, and room can run out.

    :ivar failing: calls that fail from now on, until they are taken out.
    :ivar fail_at: the number of the call, from 0, that alone fails; None for none.
    :ivar room_bytes: how much can still be written; None for no end of it.
    :ivar longest_write: no call writes more.
    """

    def __init__(self) -> None:
        self.failing: set[str] = set()
        self.fail_at: int | None = None
        self.room_bytes: int | None = None
        self.longest_write = 2**30
        self.calls: list[str] = []
        self.synced: dict[int, int] = {}

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if name in self.failing or self.fail_at == len(self.calls) - 1:
            raise OSError(errno.EIO, "Input/output error")

    def append_to(self, folder: int, name: str) -> int:
        self._call("append_to")
        return super().append_to(folder, name)

    def state(self, file: int) -> os.stat_result:
        self._call("state")
        return super().state(file)

    def truncate(self, file: int, size: int) -> None:
        self._call("truncate")
        super().truncate(file, size)

    def write(self, file: int, content: memoryview) -> int:
        size = min(len(content), self.longest_write)
        if self.room_bytes is not None:
            if not self.room_bytes:
                self.calls.append("write")
                raise OSError(errno.ENOSPC, "No space left on device")
            size = min(size, self.room_bytes)
            self.room_bytes -= size
        try:
            self._call("write")
        except OSError:
            # the worst that a failing write can do: part of it is there
            super().write(file, content[: size // 2])
            raise
        return super().write(file, content[:size])

    def sync(self, file: int) -> None:
        self._call("sync")
        state = os.fstat(file)
        self.synced[state.st_ino] = state.st_size

    def power_cut(self, folder: Path, kept: Callable[[int, int], int]) -> None:
        """
        Lose what was not synced.

        :param kept: of a file's synced and its whole size, how much is there afterwards.
        """
        for path in folder.iterdir():
            state = path.stat()
            os.truncate(path, kept(min(self.synced.get(state.st_ino, 0), state.st_size), state.st_size))


def at_once(work: Callable[[], _T]) -> Deferred[_T]:
    """A thread that is as fast as can be: it has done its work before it is asked."""
    return maybeDeferred(work)


class HeldThread:
    """A thread that does a piece of work when it is told to."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], object]] = []

    def __call__(self, work: Callable[[], _T]) -> Deferred[_T]:
        done: Deferred[_T] = Deferred()
        self.waiting.append(lambda: maybeDeferred(work).chainDeferred(done))
        return done

    def go(self) -> None:
        """Do the oldest piece of work."""
        self.waiting.pop(0)()
