"""
A private folder of small files: the few steps that keeping keys is made of, each done at once or not at all.

What the steps add up to is in `coral_gate.custody.durable`.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final, Protocol

MAX_FILE_BYTES: Final = 131_072
_LOCK: Final = ".lock"
_CLOSED: Final = -1
_FLAGS: Final = os.O_NOFOLLOW | os.O_CLOEXEC


class UnfitFolder(ValueError):
    """The folder is not ours alone; the text says what is wrong with it."""


class Files(Protocol):
    """The steps. Only `sync` and `sync_names` make anything outlast a loss of power. Each may raise OSError."""

    def names(self) -> tuple[str, ...]:
        """The names of all files but the lock, in order."""

    def read(self, name: str) -> bytes | None:
        """The file's bytes, or None where there is no such file."""

    def create(self, name: str, content: bytes) -> None:
        """Make a file that only its owner can read (0600); there must be none of that name."""

    def overwrite(self, name: str, content: bytes) -> None:
        """Put other bytes, as many, in the place of a file's own."""

    def sync(self, name: str) -> None:
        """Bring a file's bytes to stable storage."""

    def rename(self, old: str, new: str) -> None:
        """Give a file another name; a file that had that name is gone in the same moment."""

    def unlink(self, name: str) -> None:
        """Take away a file's name."""

    def sync_names(self) -> None:
        """Bring the folder's names to stable storage."""

    def locked(self) -> AbstractContextManager[None]:
        """Keep every other process and thread that asks for the same out until the context ends."""


class PrivateFolder:
    """
    A folder on disk, with mode 0700 and of our own user. Before `open` and after `close` every step raises OSError.

    :ivar path: the folder; its parent must be there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._folder = _CLOSED

    def open(self) -> None:
        """
        Open the folder; make it if it is not there.

        :raises UnfitFolder: others can get in.
        :raises OSError: it can be neither made nor opened, or is no folder.
        """
        if not self.path.exists():
            self.path.mkdir(mode=0o700)
        # All steps go through this descriptor, so that nobody can put another folder in its place later.
        self._folder = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | _FLAGS)
        try:
            _check_private(os.fstat(self._folder), self.path)
        except UnfitFolder:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the folder."""
        if self._folder != _CLOSED:
            os.close(self._folder)
            self._folder = _CLOSED

    def names(self) -> tuple[str, ...]:
        """See `Files.names`."""
        return tuple(sorted(name for name in os.listdir(self._opened()) if name != _LOCK and self._is_file(name)))

    def read(self, name: str) -> bytes | None:
        """See `Files.read`."""
        try:
            descriptor = os.open(name, os.O_RDONLY | os.O_NONBLOCK | _FLAGS, dir_fd=self._opened())
        except FileNotFoundError:
            return None
        with open(descriptor, "rb") as file:
            return file.read(MAX_FILE_BYTES)

    def create(self, name: str, content: bytes) -> None:
        """See `Files.create`."""
        self._write(name, os.O_CREAT | os.O_EXCL, content)

    def overwrite(self, name: str, content: bytes) -> None:
        """See `Files.overwrite`."""
        self._write(name, 0, content)

    def sync(self, name: str) -> None:
        """See `Files.sync`."""
        descriptor = os.open(name, os.O_RDONLY | _FLAGS, dir_fd=self._opened())
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def rename(self, old: str, new: str) -> None:
        """See `Files.rename`."""
        os.rename(old, new, src_dir_fd=self._opened(), dst_dir_fd=self._opened())

    def unlink(self, name: str) -> None:
        """See `Files.unlink`."""
        os.unlink(name, dir_fd=self._opened())

    def sync_names(self) -> None:
        """See `Files.sync_names`."""
        os.fsync(self._opened())

    @contextmanager
    def locked(self) -> Iterator[None]:
        """See `Files.locked`; it blocks until it is our turn."""
        descriptor = os.open(_LOCK, os.O_RDWR | os.O_CREAT | _FLAGS, 0o600, dir_fd=self._opened())
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _opened(self) -> int:
        if self._folder == _CLOSED:
            raise OSError(errno.EBADF, "The folder is not open")
        return self._folder

    def _write(self, name: str, flags: int, content: bytes) -> None:
        descriptor = os.open(name, os.O_WRONLY | flags | _FLAGS, 0o600, dir_fd=self._opened())
        with open(descriptor, "wb", buffering=0) as file:
            rest = memoryview(content)
            while rest:
                rest = rest[file.write(rest) :]

    def _is_file(self, name: str) -> bool:
        return stat.S_ISREG(os.stat(name, dir_fd=self._opened(), follow_symlinks=False).st_mode)


def _check_private(status: os.stat_result, path: Path) -> None:
    if status.st_uid != os.geteuid():
        raise UnfitFolder(f"The folder {path} belongs to another user (uid {status.st_uid}); it holds keys and must be ours.")
    if status.st_mode & 0o077:
        mode = stat.S_IMODE(status.st_mode)
        raise UnfitFolder(f"The folder {path} has mode {mode:04o}; it holds keys, so only its owner may get in: chmod 700 it.")
