"""
What comes of reading WebSocket frames: messages or pieces of them, control frames, or a fault (RFC 6455 §5).

None of these shows in its repr what it carries, and none is an attrs class: they are made for every frame.
"""

from __future__ import annotations

from typing import Final

CONTINUATION: Final = 0x0
TEXT: Final = 0x1
BINARY: Final = 0x2
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA

PROTOCOL_ERROR: Final = 1002
NOT_UTF8: Final = 1007
POLICY: Final = 1008
TOO_BIG: Final = 1009

Octets = bytes | memoryview


class Message:
    """
    A whole data message.

    :ivar opcode: `TEXT` or `BINARY`.
    :ivar payload: unmasked; a text's is valid UTF-8.
    """

    __slots__ = ("opcode", "payload")

    def __init__(self, opcode: int, payload: bytes) -> None:
        self.opcode = opcode
        self.payload = payload


class Piece:
    """
    A part of one frame of a data message, as it arrived; at least its header or an octet of its payload.

    All pieces' `wire` together are exactly what was read, but for the control frames. Views into what was fed are valid as long
    as that is.

    :ivar opcode: of the message: `TEXT` or `BINARY`.
    :ivar wire: the octets as they came, with the frame's header where it begins here.
    :ivar payload: the message's octets in them, unmasked; a text's are not checked.
    :ivar ends_frame: a control frame may be sent after this one.
    :ivar ends_message: any frame may be sent after this one.
    """

    __slots__ = ("ends_frame", "ends_message", "opcode", "payload", "wire")

    def __init__(self, opcode: int, wire: Octets, payload: Octets, ends_frame: bool, ends_message: bool) -> None:
        self.opcode = opcode
        self.wire = wire
        self.payload = payload
        self.ends_frame = ends_frame
        self.ends_message = ends_message


class Ping:
    """
    The peer asks for a pong with the same payload (RFC 6455 §5.5.2).

    :ivar payload: at most 125 octets, unmasked.
    """

    __slots__ = ("payload",)

    def __init__(self, payload: bytes) -> None:
        self.payload = payload


class Pong:
    """
    The peer is there (RFC 6455 §5.5.3).

    :ivar payload: at most 125 octets, unmasked.
    """

    __slots__ = ("payload",)

    def __init__(self, payload: bytes) -> None:
        self.payload = payload


class Close:
    """
    The peer ends the connection; nothing that it sends after this is read (RFC 6455 §5.5.1).

    :ivar code: one that may be sent, or None where there was none.
    :ivar reason: at most 123 octets of UTF-8; may be empty.
    """

    __slots__ = ("code", "reason")

    def __init__(self, code: int | None, reason: str) -> None:
        self.code = code
        self.reason = reason


Event = Message | Piece | Ping | Pong | Close


class FrameFault(Exception):
    """
    The peer broke a rule of the protocol or a limit; the connection cannot be read any further (RFC 6455 §7.1.7).

    :ivar code: the close code to answer with: 1002, 1007, 1008 or 1009.
    :ivar sentence: why, ASCII, short enough for a close frame; holds nothing of what was sent.
    :ivar events: what was whole before the breach in the octets that were fed; they may still be acted on, in order.
    """

    def __init__(self, code: int, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence
        self.events: list[Event] = []
