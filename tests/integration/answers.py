"""
Responses read strictly, by a reader that shares nothing with the gate's: what a careful client makes of the gate's bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from attrs import define, field

_STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-5][0-9]{2}) [\t\x20-\x7e\x80-\xff]*\Z")
_FIELD_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[\t ]*([\t\x20-\x7e\x80-\xff]*?)[\t ]*\Z")
_LENGTH = re.compile(rb"[0-9]{1,18}\Z")
_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,16}\Z")
_HEAD_BYTES = 1 << 20


class Malformed(Exception):
    """What came is not a response, or belongs to no request that was sent."""


@define
class Answer:
    """
    One response.

    :ivar fields: name in lower case, and value, in order.
    :ivar complete: it came to its end, by its own framing.
    """

    status: int
    fields: list[tuple[bytes, bytes]]
    body: bytearray = field(factory=bytearray)
    complete: bool = False

    def value(self, name: bytes) -> bytes | None:
        """The value of the one field of this name, or None.

        :raises Malformed: there are several.
        """
        values = [value for other, value in self.fields if other == name]
        if len(values) > 1:
            raise Malformed(f"{name!r} came {len(values)} times")
        return values[0] if values else None

    @property
    def closes(self) -> bool:
        """It says that the connection is closed after it."""
        return (self.value(b"connection") or b"").lower() == b"close"


class AnswerReader:
    """
    Reads the responses to requests that were sent on one connection.

    :param methods: of the requests, in order.
    :ivar answers: the final responses so far; the last may be incomplete.
    :ivar interim: the statuses of interim responses.
    """

    def __init__(self, methods: Iterable[bytes]) -> None:
        self.answers: list[Answer] = []
        self.interim: list[int] = []
        self._methods = list(methods)
        self._buffer = bytearray()
        self._left: int | None = None
        self._state = self._head

    def feed(self, data: bytes) -> None:
        """
        Take bytes.

        :raises Malformed: they are no answer to what was asked.
        """
        self._buffer += data
        while self._state():
            pass

    def closed(self) -> None:
        """
        The connection was closed.

        :raises Malformed: the last answer's head is not whole.
        """
        if self._state == self._until_close:
            self.answers[-1].complete = True
        elif self._buffer and self._state == self._head:
            raise Malformed(f"the connection ended inside a head: {bytes(self._buffer[:200])!r}")

    @property
    def current(self) -> Answer | None:
        """The answer that has begun and is not complete."""
        return self.answers[-1] if self.answers and not self.answers[-1].complete else None

    def _head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > _HEAD_BYTES:
                raise Malformed("a head without end")
            return False
        if len(self.answers) == len(self._methods):
            raise Malformed(f"an answer to no request: {bytes(self._buffer[:200])!r}")
        first, *lines = bytes(self._buffer[:end]).split(b"\r\n")
        del self._buffer[: end + 4]
        answer = Answer(_status(first), [_field(line) for line in lines])
        if answer.status < 200:
            self.interim.append(answer.status)
            return True
        self.answers.append(answer)
        self._frame(answer, self._methods[len(self.answers) - 1])
        return True

    def _frame(self, answer: Answer, method: bytes) -> None:
        coding, length = answer.value(b"transfer-encoding"), answer.value(b"content-length")
        if coding is not None and (length is not None or coding.lower() != b"chunked"):
            raise Malformed(f"framed as {coding!r} and {length!r}")
        if length is not None and not _LENGTH.match(length):
            raise Malformed(f"a length of {length!r}")
        if method == b"HEAD" or answer.status in (204, 304):
            self._done(answer)
        elif coding is not None:
            self._state = self._chunk_size
        elif length is not None:
            self._left = int(length)
            self._state = self._sized
        elif answer.closes:
            self._state = self._until_close
        else:
            raise Malformed("content without a frame on a connection that is kept")

    def _done(self, answer: Answer) -> None:
        answer.complete = True
        self._state = self._head

    def _take(self, size: int) -> int:
        piece = self._buffer[:size]
        del self._buffer[: len(piece)]
        self.content(piece)
        return len(piece)

    def content(self, piece: bytearray) -> None:
        """A piece of the content of the last answer: kept. Override it to look at more than memory should hold."""
        self.answers[-1].body += piece

    def _sized(self) -> bool:
        assert self._left is not None
        self._left -= self._take(self._left)
        if self._left:
            return False
        self._done(self.answers[-1])
        return True

    def _until_close(self) -> bool:
        self._take(len(self._buffer))
        return False

    def _line(self) -> bytes | None:
        end = self._buffer.find(b"\r\n")
        if end < 0:
            if len(self._buffer) > _HEAD_BYTES:
                raise Malformed("a line without end")
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line

    def _chunk_size(self) -> bool:
        line = self._line()
        if line is None:
            return False
        if not _CHUNK_SIZE.match(line):
            raise Malformed(f"a chunk size of {line!r}")
        self._left = int(line, 16)
        self._state = self._chunk if self._left else self._trailer
        return True

    def _chunk(self) -> bool:
        assert self._left is not None
        self._left -= self._take(self._left)
        if self._left:
            return False
        self._state = self._chunk_end
        return True

    def _chunk_end(self) -> bool:
        line = self._line()
        if line is None:
            return False
        if line:
            raise Malformed(f"{line[:40]!r} after a chunk")
        self._state = self._chunk_size
        return True

    def _trailer(self) -> bool:
        line = self._line()
        if line is None:
            return False
        if line:
            raise Malformed(f"a trailer: {line!r}")
        self._done(self.answers[-1])
        return True


def _status(line: bytes) -> int:
    found = _STATUS_LINE.match(line)
    if found is None:
        raise Malformed(f"a status line of {line[:200]!r}")
    return int(found[1])


def _field(line: bytes) -> tuple[bytes, bytes]:
    found = _FIELD_LINE.match(line)
    if found is None:
        raise Malformed(f"a field line of {line[:200]!r}")
    return found[1].lower(), found[2]
