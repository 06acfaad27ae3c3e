"""
What is kept of one sandbox on disk.

`<folder>/<id>/` is the gate's own and holds `port`, `origin`, `uid` and `log`; `home/` below it is the sandbox's and as hostile as what
runs there, so the gate never follows a link in it, and writes a file there by putting a new one in its place.
"""

from __future__ import annotations

import os
import secrets
import shutil
import stat
from pathlib import Path
from typing import Final

from attrs import frozen

from coral_gate.model import SandboxId

LARGEST_BYTES: Final = 4 * 1024 * 1024
_SETTINGS: Final = "openclaw.json"


@frozen
class SandboxFolder:
    """
    One sandbox's folder.

    :ivar uid: whom the sandbox's files belong to; None is the gate's own user.
    """

    top: Path
    sandbox: SandboxId
    uid: int | None = None

    @property
    def path(self) -> Path:
        """The whole of it."""
        return self.top / self.sandbox

    def there(self) -> bool:
        """Whether the sandbox was made here."""
        return (self.path / "origin").is_file()

    def make(self) -> None:
        """Make what is missing; a folder of another user is only passed through, not listed."""
        outer = 0o700 if self.uid is None else 0o711
        for folder, mode in ((self.top, outer), (self.path, outer), (self.path / "home", 0o700)):
            folder.mkdir(mode=mode, parents=True, exist_ok=True)
        if self.uid is not None:
            os.chmod(self.top, outer)
            os.chmod(self.path, outer)
            os.chown(self.path / "home", self.uid, self.uid, follow_symlinks=False)
        with _inside(self.path / "home") as home:
            for name in ("openclaw", "tmp"):
                self._make_below(home.descriptor, name)

    def _make_below(self, home: int, name: str) -> None:
        try:
            os.mkdir(name, 0o700, dir_fd=home)
        except FileExistsError:
            return
        if self.uid is not None:
            os.chown(name, self.uid, self.uid, dir_fd=home, follow_symlinks=False)

    def note(self, name: str, text: str) -> None:
        """Keep a line of the gate's own."""
        fresh = self.path / f".{name}.{secrets.token_hex(8)}"
        fresh.write_text(text + "\n")
        os.replace(fresh, self.path / name)

    def noted(self, name: str) -> str:
        """A line of the gate's own; empty where there is none."""
        try:
            return (self.path / name).read_text().strip()
        except FileNotFoundError:
            return ""

    def settings(self) -> bytes:
        """OpenClaw's configuration as it stands; empty where there is none, or nothing that the gate would read."""
        try:
            with _inside(self.path / "home", "openclaw") as folder:
                descriptor = os.open(_SETTINGS, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder.descriptor)
        except OSError:
            return b""
        with open(descriptor, "rb") as file:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1 or found.st_size > LARGEST_BYTES:
                return b""
            return file.read(LARGEST_BYTES)

    def put_settings(self, text: bytes) -> None:
        """
        Put OpenClaw's configuration in place, whole, for the sandbox's user alone.

        :raises OSError: it cannot be written, or the sandbox has put a link where its folder was.
        """
        with _inside(self.path / "home", "openclaw") as folder:
            fresh = f".coral-{secrets.token_hex(8)}"
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            with open(os.open(fresh, flags, 0o600, dir_fd=folder.descriptor), "wb") as file:
                if self.uid is not None:
                    os.fchown(file.fileno(), self.uid, self.uid)
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(fresh, _SETTINGS, src_dir_fd=folder.descriptor, dst_dir_fd=folder.descriptor)

    def remove(self) -> None:
        """Delete all of it; nothing happens where there is none."""
        if self.path.is_dir():
            (self.path / "origin").unlink(missing_ok=True)  # first: what is half deleted is no sandbox
            shutil.rmtree(self.path)


class _inside:
    """A folder reached step by step, through no link; `descriptor` is it."""

    def __init__(self, first: Path, *names: str) -> None:
        self._first, self._names = first, names
        self.descriptor = -1

    def __enter__(self) -> _inside:
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        self.descriptor = os.open(self._first, flags)
        for name in self._names:
            above = self.descriptor
            try:
                self.descriptor = os.open(name, flags, dir_fd=above)
            finally:
                os.close(above)
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.descriptor)
