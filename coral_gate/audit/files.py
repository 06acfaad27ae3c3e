"""
The operating system's calls that the audit log writes with: a seam, so that tests can fail each of them.
"""

from __future__ import annotations

import fcntl
import os


class Files:
    """Calls on one folder, which is held open, so that renaming it changes nothing. Each call blocks and raises `OSError`."""

    def open_folder(self, path: str) -> int:
        """Make the folder if it is not there, for us alone, and open it."""
        try:
            os.mkdir(path, 0o700)
        except FileExistsError:
            pass
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def lock(self, folder: int) -> None:
        """
        Hold the folder for ourselves until it is closed.

        :raises BlockingIOError: another process holds it.
        """
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def names(self, folder: int) -> list[str]:
        """What is in the folder."""
        return os.listdir(folder)

    def append_to(self, folder: int, name: str) -> int:
        """Open a file to append to and to read; make it for us alone if it is not there."""
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.open(name, flags, 0o600, dir_fd=folder)

    def create(self, folder: int, name: str) -> int:
        """
        Make a new file.

        :raises FileExistsError: it is there already.
        """
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.open(name, flags, 0o600, dir_fd=folder)

    def state(self, file: int) -> os.stat_result:
        """A file's size, links, owner and mode."""
        return os.fstat(file)

    def read(self, file: int, size: int, offset: int) -> bytes:
        """At most `size` bytes from `offset` on."""
        return os.pread(file, size, offset)

    def write(self, file: int, content: memoryview) -> int:
        """Write at the end; gives how much of it was written, which may be less than all."""
        return os.write(file, content)

    def sync(self, file: int) -> None:
        """Return when everything written to a file or folder outlives a power cut."""
        os.fsync(file)

    def truncate(self, file: int, size: int) -> None:
        """Cut a file back to a size."""
        os.ftruncate(file, size)

    def close(self, file: int) -> None:
        """Close a file or folder."""
        os.close(file)
