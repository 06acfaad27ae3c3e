"""
Files that live and die with the process.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from attrs import define, field


@define
class MemoryFiles:
    """A private folder in memory; it fails as `coral_gate.custody.folder.PrivateFolder` does."""

    _files: dict[str, bytes] = field(factory=dict, repr=False)
    _lock: Lock = field(factory=Lock, repr=False)

    def names(self) -> tuple[str, ...]:
        """See `Files.names`."""
        return tuple(sorted(self._files))

    def read(self, name: str) -> bytes | None:
        """See `Files.read`."""
        return self._files.get(name)

    def create(self, name: str, content: bytes) -> None:
        """See `Files.create`."""
        if name in self._files:
            raise FileExistsError(name)
        self._files[name] = content

    def overwrite(self, name: str, content: bytes) -> None:
        """See `Files.overwrite`."""
        self._require(name)
        self._files[name] = content + self._files[name][len(content) :]

    def sync(self, name: str) -> None:
        """See `Files.sync`."""
        self._require(name)

    def rename(self, old: str, new: str) -> None:
        """See `Files.rename`."""
        self._require(old)
        self._files[new] = self._files.pop(old)

    def unlink(self, name: str) -> None:
        """See `Files.unlink`."""
        self._require(name)
        del self._files[name]

    def sync_names(self) -> None:
        """See `Files.sync_names`."""

    @contextmanager
    def locked(self) -> Iterator[None]:
        """See `Files.locked`."""
        with self._lock:
            yield

    def _require(self, name: str) -> None:
        if name not in self._files:
            raise FileNotFoundError(name)
