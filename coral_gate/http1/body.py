"""
Message content, both ways: taken out of its framing, and framed anew.

A reader is fed what follows a head and gives the pieces of content; what it is fed is never passed on as framing, so the two
sides of the gate cannot disagree about where a message ends (RFC 9112 §6, §7).
"""

from __future__ import annotations

import re
from typing import Protocol

from coral_gate.http1.head import check_trailer
from coral_gate.http1.rules import RefusedRequest, RefusedResponse, Rule

Piece = bytes | memoryview
"""Some octets of content."""

_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(;.*)?\Z")
_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_QUOTED = rb"\"(?:[\t \x21\x23-\x5b\x5d-\x7e]|\\[\t\x20-\x7e])*\""
_EXTENSIONS = re.compile(rb"(?:;[ \t]*%b(?:[ \t]*=[ \t]*(?:%b|%b))?[ \t]*)*\Z" % (_TOKEN, _TOKEN, _QUOTED))

CHUNK_LINE_BYTES = 256
"""The longest chunk-size line with its extensions."""
EXTENSION_BYTES = 16 * 1024
"""All chunk extensions of one message together."""
TRAILER_BYTES = 8 * 1024
"""A whole trailer section."""


class BodyReader(Protocol):
    """
    Takes content out of its framing.

    :ivar done: the content has ended.
    :ivar rest: after the end: the bytes that follow it, which belong to nobody yet.
    """

    done: bool
    rest: Piece

    def feed(self, piece: Piece) -> list[Piece]:
        """
        Take the next bytes.

        :return: the content in them, in order, perhaps none.
        :raises RefusedRequest: (or RefusedResponse) the framing is broken; the connection cannot be used any more.
        """


class EmptyBody:
    """No content: done from the start."""

    __slots__ = ("done", "rest")

    def __init__(self) -> None:
        self.done = True
        self.rest: Piece = b""

    def feed(self, piece: Piece) -> list[Piece]:
        """Everything is the next message's."""
        self.rest = bytes(self.rest) + bytes(piece)
        return []


class LengthBody:
    """
    Content of a length known before (RFC 9112 §6.2).

    :ivar left: octets that have still to come.
    """

    __slots__ = ("done", "left", "rest")

    def __init__(self, length: int) -> None:
        self.left = length
        self.done = length == 0
        self.rest: Piece = b""

    def feed(self, piece: Piece) -> list[Piece]:
        """See `BodyReader.feed`."""
        size = len(piece)
        if size < self.left:
            self.left -= size
            return [piece]
        content, self.rest = piece[: self.left], piece[self.left :]
        self.left, self.done = 0, True
        return [content]


class UntilCloseBody:
    """A response's content that ends with the connection (RFC 9112 §6.3 item 8)."""

    __slots__ = ("done", "rest")

    def __init__(self) -> None:
        self.done = False
        self.rest: Piece = b""

    def feed(self, piece: Piece) -> list[Piece]:
        """See `BodyReader.feed`."""
        return [piece]


class ChunkedBody:
    """
    Content in chunks (RFC 9112 §7.1). Extensions and trailers are checked and dropped.

    :param fault: what is raised when the framing is broken.
    """

    __slots__ = ("_extension_bytes", "_fault", "_left", "_line", "_state", "_trailer_bytes", "done", "rest")

    def __init__(self, fault: type[RefusedRequest | RefusedResponse]) -> None:
        self._fault = fault
        self._state = self._size
        self._line = b""
        self._left = 0
        self._extension_bytes = 0
        self._trailer_bytes = 0
        self.done = False
        self.rest: Piece = b""

    def feed(self, piece: Piece) -> list[Piece]:
        """See `BodyReader.feed`."""
        content: list[Piece] = []
        while piece and not self.done:
            piece = self._state(piece, content)
        if self.done:
            self.rest = piece
        return content

    def _take_line(self, piece: Piece, most: int, too_long: Rule) -> tuple[bytes | None, Piece]:
        """A line without its CRLF, or None while it is not whole; and what follows."""
        room = most + 2 - len(self._line)
        seen = self._line + bytes(piece[:room])
        end = seen.find(b"\n", len(self._line))
        if end < 0:
            if len(seen) >= most + 2:
                raise self._fault(too_long)
            self._line = seen
            return None, b""
        if end == 0 or seen[end - 1] != 0x0D:
            raise self._fault(Rule.BARE_LF)
        rest = piece[end + 1 - len(self._line) :]
        self._line = b""
        return seen[: end - 1], rest

    def _size(self, piece: Piece, content: list[Piece]) -> Piece:
        line, rest = self._take_line(piece, CHUNK_LINE_BYTES, Rule.CHUNK_SIZE)
        if line is None:
            return rest
        found = _SIZE.match(line)
        if found is None:
            raise self._fault(Rule.CHUNK_SIZE)
        if found[2] is not None:
            self._check_extensions(found[2])
        self._left = int(found[1], 16)
        self._state = self._chunk if self._left else self._trailer
        return rest

    def _check_extensions(self, text: bytes) -> None:
        self._extension_bytes += len(text)
        if self._extension_bytes > EXTENSION_BYTES or not _EXTENSIONS.match(text):
            raise self._fault(Rule.CHUNK_EXTENSION)

    def _chunk(self, piece: Piece, content: list[Piece]) -> Piece:
        taken = piece[: self._left]
        content.append(taken)
        self._left -= len(taken)
        if not self._left:
            self._state = self._chunk_end
        return piece[len(taken) :]

    def _chunk_end(self, piece: Piece, content: list[Piece]) -> Piece:
        seen = self._line + bytes(piece[: 2 - len(self._line)])
        if not b"\r\n".startswith(seen):
            raise self._fault(Rule.CHUNK_END)
        rest = piece[2 - len(self._line) :]
        if len(seen) < 2:
            self._line = seen
        else:
            self._line, self._state = b"", self._size
        return rest

    def _trailer(self, piece: Piece, content: list[Piece]) -> Piece:
        line, rest = self._take_line(piece, TRAILER_BYTES, Rule.TRAILER)
        if line is None:
            return rest
        if not line:
            self.done = True
            return rest
        self._trailer_bytes += len(line) + 2
        if self._trailer_bytes > TRAILER_BYTES:
            raise self._fault(Rule.TRAILER)
        check_trailer(line, self._fault)
        return rest


def chunk(pieces: list[Piece]) -> list[Piece]:
    """Frame pieces of content as chunks, one chunk for all of them together; nothing for no content."""
    size = sum(map(len, pieces))
    return [b"%x\r\n" % size, *pieces, b"\r\n"] if size else []


LAST_CHUNK = b"0\r\n\r\n"
"""The end of chunked content without trailers."""
