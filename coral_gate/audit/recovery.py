"""
What a writer finds when it opens a folder: where the chain ends, and perhaps an unfinished last line.
"""

from __future__ import annotations

from datetime import datetime

from attrs import define, frozen

from coral_gate.audit.chain import GENESIS, Head
from coral_gate.audit.files import Files
from coral_gate.audit.verify import MAX_LINE_BYTES, SEGMENT_NAME, Bad, Walk, read_record

_READ_BYTES = 1024 * 1024
_TRIES = 1000


@frozen
class Recovered:
    """
    Where to go on.

    :ivar head: the last record's.
    :ivar segment: the name of the segment to append to; it may not be there yet.
    :ivar segment_bytes: how long it is.
    :ivar torn_bytes: how much of an unfinished last line was cut off it.
    :ivar kept_as: the name of the file that holds what was cut off, or the empty string.
    """

    head: Head
    segment: str
    segment_bytes: int
    torn_bytes: int = 0
    kept_as: str = ""


def segment_name(first_seq: int) -> str:
    """The name of the segment whose first record has this number."""
    return f"{first_seq:020d}.jsonl"


@define
class Recovery:
    """
    Reads the last segment of a folder whole, and of the one before it the last record.

    An unfinished last line was never acknowledged to anyone. It is copied to a `.torn` file, and only then cut off.
    """

    _files: Files
    _folder_fd: int
    _node: str

    def run(self) -> Recovered:
        """
        Recover the folder.

        :raises Bad: what is there is not a chain of this node as it was written; nothing was changed.
        :raises OSError: it cannot be read, or the cut cannot be made.
        """
        names = sorted(name for name in self._files.names(self._folder_fd) if SEGMENT_NAME.match(name))
        if not names:
            return Recovered(GENESIS, segment_name(1), 0)
        content = self._content(names[-1])
        whole_bytes = content.rfind(b"\n") + 1
        walk = self._walk_before(names, content)
        for line in content[:whole_bytes].splitlines(keepends=True):
            walk.take(line)
        head = Head(walk.seq, walk.hash, datetime.fromisoformat(walk.at)) if walk.at else GENESIS
        torn = content[whole_bytes:]
        kept_as = self._cut(names[-1], whole_bytes, torn) if torn else ""
        return Recovered(head, names[-1], whole_bytes, len(torn), kept_as)

    def _walk_before(self, names: list[str], content: bytes) -> Walk:
        first_seq = int(names[-1][:20])
        walk = Walk(node=self._node)
        if len(names) > 1:
            before = read_record(self._last_line(names[-2]))
            if before.node != self._node:
                raise Bad("node", "The record is from another node's chain.")
            walk = Walk(before.seq, before.hash, before.at, self._node)
        elif first_seq > 1:
            # what came before was moved elsewhere; only whoever has its head can say that this follows it
            walk = Walk(first_seq - 1, read_record(content[: content.find(b"\n") + 1]).prev, "", self._node)
        if walk.seq != first_seq - 1:
            raise Bad("missing", "The last segment does not begin where the one before it ends.")
        return walk

    def _last_line(self, name: str) -> bytes:
        content = self._content(name, MAX_LINE_BYTES)
        return content[content.rfind(b"\n", 0, -1) + 1 :]

    def _content(self, name: str, last_bytes: int | None = None) -> bytes:
        """A file's content, or the end of it."""
        file = self._files.append_to(self._folder_fd, name)
        try:
            size = self._files.state(file).st_size
            offset = 0 if last_bytes is None else max(0, size - last_bytes)
            parts = []
            while part := self._files.read(file, _READ_BYTES, offset):
                parts.append(part)
                offset += len(part)
            return b"".join(parts)
        finally:
            self._files.close(file)

    def _cut(self, name: str, whole_bytes: int, torn: bytes) -> str:
        kept_as = self._keep(f"{name.removesuffix('.jsonl')}.{whole_bytes}", torn)
        self._files.sync(self._folder_fd)
        file = self._files.append_to(self._folder_fd, name)
        try:
            self._files.truncate(file, whole_bytes)
            self._files.sync(file)
        finally:
            self._files.close(file)
        return kept_as

    def _keep(self, stem: str, torn: bytes) -> str:
        """Write a new file; a crash between keeping and cutting, or a second tear in the same place, makes another."""
        for number in range(_TRIES):
            name = f"{stem}.{number}.torn"
            try:
                file = self._files.create(self._folder_fd, name)
            except FileExistsError:
                continue
            try:
                left = memoryview(torn)
                while left:
                    left = left[self._files.write(file, left) :]
                self._files.sync(file)
            finally:
                self._files.close(file)
            return name
        raise OSError("there are too many .torn files of one segment")
