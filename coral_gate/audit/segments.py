"""
The audit folder as its one writer sees it: it appends, and whatever fails, no half line stays.

Everything here blocks and belongs to one thread at a time.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from datetime import datetime

from attrs import define, field

from coral_gate.audit.chain import Head, node_name, seal_all
from coral_gate.audit.files import Files
from coral_gate.audit.recovery import Recovered, Recovery, segment_name
from coral_gate.audit.verify import Bad
from coral_gate.errors import ConfigError, Problem

SEGMENT_BYTES = 16 * 1024 * 1024
"""A segment that is at least this long is not written to any more."""

FOLDER_NAME = "audit"
"""The audit folder's name in the daemon's state directory."""

_CLOSED = -1
_LOOK = "Look at it with 'coral-gate audit verify', move it away, and start with an empty folder."


@define
class Segments:
    """
    Appends records to the segments of one folder.

    A segment is named after its first record's number. `append` leaves either all of its records, durable, or none:
    where it fails, the file is cut back to what is known to be durable, then or before the next record.

    :param folder: made if it is not there; must be ours alone.
    :param node: this node's name, in each record.
    """

    _folder: str
    _node: str = field(converter=node_name)
    _segment_bytes: int = SEGMENT_BYTES
    _files: Files = field(factory=Files)
    _folder_fd: int = field(default=_CLOSED, init=False)
    _fd: int = field(default=_CLOSED, init=False)
    _durable_bytes: int = field(default=0, init=False)
    _unsure: bool = field(default=False, init=False)
    _head: Head = field(init=False)

    def open(self) -> Recovered:
        """
        Lock the folder, cut off an unfinished last line, and stand where the chain ends.

        :raises ConfigError: another process writes this folder, it is another node's, others can reach it, or what is
            in it is not a chain as it was written.
        :raises OSError: the folder cannot be read or written.
        """
        try:
            self._folder_fd = self._files.open_folder(self._folder)
            self._hold()
            return self._go_on()
        except BaseException:
            self.close()
            raise

    def append(self, events: Sequence[tuple[datetime, bytes]]) -> Head:
        """
        Append events; when this returns, they are durable.

        :param events: each with its time and in canonical JSON.
        :raises OSError: none of them is in the log, or none that anyone was told of.
        """
        self._settle()
        if self._durable_bytes >= self._segment_bytes:
            self._rotate()
        self._require_untouched()
        lines, head = seal_all(self._head, events, self._node)
        written = b"".join(lines)
        self._unsure = True
        try:
            self._write(written)
            self._files.sync(self._fd)
        except OSError:
            self._settle_if_it_can()
            raise
        self._unsure = False
        self._durable_bytes += len(written)
        self._head = head
        return head

    def close(self) -> None:
        """Let go of the folder."""
        self._settle_if_it_can()
        for held in (self._fd, self._folder_fd):
            if held != _CLOSED:
                self._files.close(held)
        self._fd = self._folder_fd = _CLOSED

    def _hold(self) -> None:
        state = self._files.state(self._folder_fd)
        if state.st_uid != os.geteuid() or state.st_mode & 0o077:
            raise self._problem("others can reach the audit folder.", "It must be the daemon's own, with mode 0700.")
        try:
            self._files.lock(self._folder_fd)
        except BlockingIOError:
            raise self._problem("another process writes this audit folder.", "Give each daemon a folder of its own.") from None

    def _go_on(self) -> Recovered:
        try:
            recovered = Recovery(self._files, self._folder_fd, self._node).run()
        except Bad as bad:
            raise self._problem(f"this is not an audit log as it was written: {bad}", _LOOK) from bad
        self._head, self._durable_bytes = recovered.head, recovered.segment_bytes
        self._fd = self._files.append_to(self._folder_fd, recovered.segment)
        # what a killed process wrote and never synced is part of the chain from here on
        self._files.sync(self._fd)
        self._files.sync(self._folder_fd)
        return recovered

    def _settle(self) -> None:
        if self._unsure:
            self._files.truncate(self._fd, self._durable_bytes)
            self._files.sync(self._fd)
            self._unsure = False

    def _settle_if_it_can(self) -> None:
        try:
            self._settle()
        except OSError:
            pass  # the next append or the next start does it

    def _rotate(self) -> None:
        # a name that a failed rotation left behind is taken again: the chain has not moved since
        fresh = self._files.append_to(self._folder_fd, segment_name(self._head.seq + 1))
        try:
            if self._files.state(fresh).st_size:
                raise OSError(errno.EEXIST, "the next segment is there already")
            self._files.sync(self._folder_fd)
        except BaseException:
            self._files.close(fresh)
            raise
        self._files.close(self._fd)
        self._fd, self._durable_bytes = fresh, 0

    def _require_untouched(self) -> None:
        state = self._files.state(self._fd)
        if state.st_size != self._durable_bytes or not state.st_nlink:
            raise OSError(errno.ESTALE, "someone else changed or removed the segment")

    def _write(self, written: bytes) -> None:
        left = memoryview(written)
        while left:
            left = left[self._files.write(self._fd, left) :]

    def _problem(self, what: str, hint: str) -> ConfigError:
        return ConfigError((Problem(self._folder, "", what, hint),))
