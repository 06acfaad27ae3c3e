"""
WebSocket frames, read strictly and written (RFC 6455 §5): octets in, events out, and the other way round.

No extension is ever agreed on, so a reserved bit is a fault. Masking keys are arguments.
"""

from __future__ import annotations

from typing import Final

from coral_gate.channels.websocket_events import (
    BINARY,
    CLOSE,
    CONTINUATION,
    NOT_UTF8,
    PING,
    POLICY,
    PONG,
    PROTOCOL_ERROR,
    TEXT,
    TOO_BIG,
    Close,
    Event,
    FrameFault,
    Message,
    Octets,
    Piece,
    Ping,
    Pong,
)
from coral_gate.channels.websocket_masking import rotated, unmasked

__all__ = [
    "BINARY", "CLOSE", "CONTINUATION", "PING", "PONG", "TEXT", "Close", "Event", "FrameFault", "FrameReader", "Message", "Octets", "Piece",
    "Ping", "Pong", "close_frame", "frame", "may_be_sent", "ping", "pong",
]  # fmt: skip

FRAGMENTS: Final = 4096
"""The most frames of one message, unless a reader says otherwise."""

BARREN: Final = 4096
"""The most frames in a row that bring no octet of a message, unless a reader says otherwise."""

_CONTROL: Final = 0x8
_FIN: Final = 0x80
_MASKED: Final = 0x80
_CONTROL_BYTES: Final = 125
_REASON_BYTES: Final = _CONTROL_BYTES - 2
_FIRST_OCTETS: Final = frozenset({0x00, 0x01, 0x02, 0x80, 0x81, 0x82, 0x88, 0x89, 0x8A})


class FrameReader:
    """
    Reads the frames of one peer; hold one for each direction of a connection.

    Not an attrs class: it is on the way of every octet. All ivars may be changed at any time; the limits count from the next
    frame on.

    :ivar most_frame_bytes: the longest payload of a frame, judged by its header alone.
    :ivar most_message_bytes: the longest payload of a message, judged likewise.
    :ivar most_fragments: the most frames of one message.
    :ivar most_barren: the most frames in a row that bring no octet of a message: control frames and empty ones.
    :ivar barren: how many there were; whoever keeps time sets it to 0 from time to time, since a quiet connection has only those.
    :ivar whole: give messages, not pieces; looked at where a message begins.
    :ivar closed: the peer has sent a close frame.
    :param masked: whether each frame must be masked (from a browser), or none may be (from a sandbox).
    """

    __slots__ = (
        "_dead", "_fin", "_fragments", "_gathers", "_kept", "_key", "_left", "_masked", "_opcode", "_parts", "_size",
        "barren", "closed", "most_barren", "most_fragments", "most_frame_bytes", "most_message_bytes", "whole",
    )  # fmt: skip

    def __init__(
        self,
        masked: bool,
        most_frame_bytes: int,
        most_message_bytes: int,
        whole: bool,
        most_fragments: int = FRAGMENTS,
        most_barren: int = BARREN,
    ) -> None:
        self.most_frame_bytes = most_frame_bytes
        self.most_message_bytes = most_message_bytes
        self.most_fragments = most_fragments
        self.most_barren = most_barren
        self.whole = whole
        self.barren = 0
        self.closed = False
        self._masked = masked
        self._dead: tuple[int, str] | None = None
        self._kept = b""  # a frame's header, or a whole control frame, of which the rest has not come yet
        self._left = 0  # octets of the present frame's payload that have still to come
        self._fin = False
        self._key = b""  # turned so that it fits the next octet of the payload
        self._opcode = 0  # of the present message, or 0 between messages
        self._size = 0
        self._fragments = 0
        self._gathers = whole
        self._parts = bytearray()

    def feed(self, data: Octets) -> list[Event]:
        """
        Read the next octets; after a close frame there is nothing more to read.

        :raises FrameFault: with the events before it; and again, without any, at each later call.
        """
        if self._dead is not None:
            raise FrameFault(*self._dead)
        if self._kept:
            data, self._kept = self._kept + bytes(data), b""
        events: list[Event] = []
        at, size = 0, len(data)
        try:
            while at < size and not self.closed:
                at = self._take(data, at, at, size, events) if self._left else self._frame(data, at, size, events)
        except FrameFault as fault:
            self._dead = (fault.code, fault.sentence)
            fault.events = events
            self._parts = bytearray()
            raise
        return events

    def _frame(self, data: Octets, at: int, size: int, events: list[Event]) -> int:
        """Read a frame from its first octet, as far as it is there; gives the index after it."""
        if size - at < 2:
            return self._keep(data, at, size)
        first, second = data[at], data[at + 1]
        if first not in _FIRST_OCTETS or (second >= _MASKED) is not self._masked:
            raise FrameFault(PROTOCOL_ERROR, _wrong(first, self._masked))
        length, start = second & 0x7F, at + 2
        if length > _CONTROL_BYTES:
            if first & _CONTROL:
                raise FrameFault(PROTOCOL_ERROR, "a control frame is too long")
            start += 2 if length == 126 else 8
            if size < start:
                return self._keep(data, at, size)
            length = _extended(bytes(data[at + 2 : start]))
        if self._masked:
            start += 4
            if size < start:
                return self._keep(data, at, size)
        if first & _CONTROL:
            return self._control(data, at, start, start + length, size, events)
        self._begin(first, length)
        if self._masked:
            self._key = bytes(data[start - 4 : start])
        return self._take(data, at, start, size, events)

    def _keep(self, data: Octets, at: int, size: int) -> int:
        self._kept = bytes(data[at:])
        return size

    def _control(self, data: Octets, at: int, start: int, end: int, size: int, events: list[Event]) -> int:
        """Read a control frame, once all of it is there."""
        if size < end:
            return self._keep(data, at, size)
        payload = bytes(data[start:end])
        if self._masked:
            payload = unmasked(payload, bytes(data[start - 4 : start]))
        self._is_barren()
        opcode = data[at] & 0x0F
        if opcode == CLOSE:
            events.append(_close(payload))
            self.closed = True
        else:
            events.append(Ping(payload) if opcode == PING else Pong(payload))
        return end

    def _begin(self, first: int, length: int) -> None:
        """Judge a data frame by its header (RFC 6455 §5.4)."""
        opcode = first & 0x0F
        if opcode:
            if self._opcode:
                raise FrameFault(PROTOCOL_ERROR, "a message begins inside another")
            self._opcode, self._size, self._fragments, self._gathers = opcode, 0, 0, self.whole
        elif not self._opcode:
            raise FrameFault(PROTOCOL_ERROR, "a continuation without a beginning")
        self._size += length
        self._fragments += 1
        if length > self.most_frame_bytes:
            raise FrameFault(TOO_BIG, "a frame is too long")
        if self._size > self.most_message_bytes:
            raise FrameFault(TOO_BIG, "a message is too long")
        if self._fragments > self.most_fragments:
            raise FrameFault(TOO_BIG, "a message has too many fragments")
        if length:
            self.barren = 0
        else:
            self._is_barren()
        self._left, self._fin = length, first >= _FIN

    def _is_barren(self) -> None:
        self.barren += 1
        if self.barren > self.most_barren:
            raise FrameFault(POLICY, "too many frames that bring nothing")

    def _take(self, data: Octets, at: int, start: int, size: int, events: list[Event]) -> int:
        """Take what is there of a data frame's payload; the piece begins at `at`, the payload in it at `start`."""
        end = start + self._left
        if end > size:
            end = size
        self._left -= end - start
        ends_frame = not self._left
        ends_message = ends_frame and self._fin
        opcode = self._opcode
        if ends_message:
            self._opcode = 0
        if self._gathers:
            self._gather(data[start:end], opcode, ends_message, events)
        else:
            wire = data[at:end]
            payload = wire if start == at else memoryview(wire)[start - at :]
            events.append(Piece(opcode, wire, self._clear(payload) if self._masked else payload, ends_frame, ends_message))
        return end

    def _clear(self, payload: Octets) -> Octets:
        """Unmask the next part of the payload."""
        key = self._key
        self._key = rotated(key, len(payload))
        return unmasked(payload, key)

    def _gather(self, payload: Octets, opcode: int, ends_message: bool, events: list[Event]) -> None:
        """Add to the present message, and give it where it is whole."""
        if self._masked:
            payload = self._clear(payload)
        if self._parts or not ends_message:
            self._parts += payload
            if not ends_message:
                return
            payload, self._parts = bytes(self._parts), bytearray()
        message = bytes(payload)
        if opcode == TEXT and not message.isascii():
            _check_utf8(message, "a text is not UTF-8")
        events.append(Message(opcode, message))


def frame(opcode: int, payload: Octets, mask: bytes | None = None, fin: bool = True) -> bytes:
    """
    Write one frame.

    :param mask: four unpredictable octets toward a server, None toward a browser (RFC 6455 §5.3).
    :raises ValueError: no such frame may be sent.
    """
    length = len(payload)
    first = opcode | _FIN if fin else opcode
    if first not in _FIRST_OCTETS or (opcode & _CONTROL and length > _CONTROL_BYTES):
        raise ValueError("no such frame may be sent")
    bit = 0 if mask is None else _MASKED
    if length < 126:
        head = bytes((first, bit | length))
    elif length < 65536:
        head = bytes((first, bit | 126)) + length.to_bytes(2)
    else:
        head = bytes((first, bit | 127)) + length.to_bytes(8)
    if mask is None:
        return b"".join((head, payload))
    if len(mask) != 4:
        raise ValueError("a masking key has four octets")
    return b"".join((head, mask, unmasked(payload, mask)))


def close_frame(code: int | None, reason: str = "", mask: bytes | None = None) -> bytes:
    """
    Write a close frame.

    :param code: None for a frame without code and reason.
    :param reason: cut to 123 octets, at a character's end; what is not Unicode becomes a question mark.
    :raises ValueError: the code may not be sent.
    """
    if code is None:
        return frame(CLOSE, b"", mask)
    if not may_be_sent(code):
        raise ValueError("this close code may not be sent")
    short = reason.encode("utf-8", "replace")[:_REASON_BYTES].decode("utf-8", "ignore")
    return frame(CLOSE, code.to_bytes(2) + short.encode("utf-8"), mask)


def ping(payload: bytes = b"", mask: bytes | None = None) -> bytes:
    """
    Write a ping.

    :raises ValueError: the payload is longer than 125 octets.
    """
    return frame(PING, payload, mask)


def pong(payload: bytes = b"", mask: bytes | None = None) -> bytes:
    """
    Write a pong.

    :raises ValueError: the payload is longer than 125 octets.
    """
    return frame(PONG, payload, mask)


def may_be_sent(code: int) -> bool:
    """Whether a close code may stand in a frame (RFC 6455 §7.4 and the registry that it founded)."""
    return 3000 <= code <= 4999 or 1000 <= code <= 1003 or 1007 <= code <= 1014


def _wrong(first: int, masked: bool) -> str:
    """Why a frame may not begin like this."""
    if first in _FIRST_OCTETS:
        return "a frame is not masked" if masked else "a frame is masked"
    if first & 0x70:
        return "a reserved bit is set"
    if first | _FIN in _FIRST_OCTETS:
        return "a control frame is fragmented"
    return "an opcode is unknown"


def _extended(octets: bytes) -> int:
    """A length of two or eight octets (RFC 6455 §5.2)."""
    length = int.from_bytes(octets)
    if length >> 63:
        raise FrameFault(PROTOCOL_ERROR, "a length is negative")
    if length < (126 if len(octets) == 2 else 65536):
        raise FrameFault(PROTOCOL_ERROR, "a length is not written in its shortest form")
    return length


def _close(payload: bytes) -> Close:
    if not payload:
        return Close(None, "")
    code = int.from_bytes(payload[:2])  # of one octet alone it is less than any code
    if not may_be_sent(code):
        raise FrameFault(PROTOCOL_ERROR, "a close code is not one")
    return Close(code, _check_utf8(payload[2:], "a close reason is not UTF-8"))


def _check_utf8(octets: bytes, sentence: str) -> str:
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        raise FrameFault(NOT_UTF8, sentence) from None
