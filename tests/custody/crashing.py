"""A disk in memory that tells, after each step, every state that a loss of power could leave it in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product

from attrs import define, field

State = dict[str, dict[str, bytes]]
"""Folder, name, bytes."""


@define(eq=False)
class _Inode:
    content: bytes
    settled: bytes = b""
    is_settled: bool = False

    def after_crash(self) -> tuple[bytes, ...]:
        """The bytes there may be: all of the new ones, none, or some."""
        if self.is_settled:
            return (self.content,)
        half = len(self.content) // 2
        return (self.settled, self.content, self.content[:half] + self.settled[half:])


@define
class _Names:
    now: dict[str, _Inode] = field(factory=dict)
    settled: dict[str, _Inode] = field(factory=dict)
    pending: list[Callable[[dict[str, _Inode]], object]] = field(factory=list)

    def change(self, step: Callable[[dict[str, _Inode]], object]) -> None:
        step(self.now)
        self.pending.append(step)

    def after_crash(self) -> Iterator[dict[str, _Inode]]:
        """Some of the steps since the last synchronisation may have reached the disk, in their order."""
        names = dict(self.settled)
        yield dict(names)
        for step in self.pending:
            step(names)
            yield dict(names)


@define
class Disk:
    """
    Folders on one disk.

    :ivar cuts: after each step, the states that a cut there may leave.
    """

    folders: dict[str, _Names] = field(factory=dict)
    cuts: list[list[State]] = field(factory=list)

    def folder(self, name: str) -> CrashingFiles:
        return CrashingFiles(self, self.folders.setdefault(name, _Names()))

    def settle(self) -> None:
        """Bring everything to the disk, and forget what was recorded."""
        for names in self.folders.values():
            for inode in names.now.values():
                inode.is_settled, inode.settled = True, inode.content
            names.settled, names.pending = dict(names.now), []
        self.cuts = []

    def record(self) -> None:
        self.cuts.append(list(self.after_crash()))

    def after_crash(self) -> Iterator[State]:
        for choice in product(*(list(names.after_crash()) for names in self.folders.values())):
            named = dict(zip(self.folders, choice, strict=True))
            places = [(folder, name) for folder, names in named.items() for name in names]
            for contents in product(*(named[folder][name].after_crash() for folder, name in places)):
                state: State = {folder: {} for folder in named}
                for (folder, name), content in zip(places, contents, strict=True):
                    state[folder][name] = content
                yield state


@define
class CrashingFiles:
    """`coral_gate.custody.folder.Files` on such a disk."""

    _disk: Disk
    _names: _Names

    def names(self) -> tuple[str, ...]:
        return tuple(sorted(self._names.now))

    def read(self, name: str) -> bytes | None:
        inode = self._names.now.get(name)
        return None if inode is None else inode.content

    def create(self, name: str, content: bytes) -> None:
        if name in self._names.now:
            raise FileExistsError(name)
        inode = _Inode(content)
        self._names.change(lambda names: names.__setitem__(name, inode))
        self._disk.record()

    def overwrite(self, name: str, content: bytes) -> None:
        inode = self._names.now[name]
        inode.content, inode.is_settled = content, False
        self._disk.record()

    def sync(self, name: str) -> None:
        inode = self._names.now[name]
        inode.settled, inode.is_settled = inode.content, True
        self._disk.record()

    def rename(self, old: str, new: str) -> None:
        self._names.change(lambda names: names.__setitem__(new, names.pop(old)) if old in names else None)
        self._disk.record()

    def unlink(self, name: str) -> None:
        self._names.change(lambda names: names.pop(name, None))
        self._disk.record()

    def sync_names(self) -> None:
        self._names.settled, self._names.pending = dict(self._names.now), []
        self._disk.record()

    @contextmanager
    def locked(self) -> Iterator[None]:
        yield
