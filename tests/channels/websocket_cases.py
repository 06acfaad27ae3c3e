"""
WebSocket cases as a table: what a peer sends, and what a strict reader makes of it.

They follow the categories of the Autobahn test suite; the octets are written here by hand, not by the code under test.
"""

from __future__ import annotations

import itertools

from attrs import frozen

FIN, TEXT, BINARY, CLOSE, PING, PONG = 0x80, 1, 2, 8, 9, 10

KEY = bytes.fromhex("37fa213d")
"""The masking key of RFC 6455 §5.7."""


def raw(first: int, payload: bytes = b"", key: bytes | None = None, length: bytes | None = None) -> bytes:
    """
    One frame, right or wrong.

    :param length: the seven bits and what extends them, where they are not what they should be.
    """
    if length is None:
        size = len(payload)
        length = bytes([size]) if size < 126 else b"\x7e" + size.to_bytes(2) if size < 65536 else b"\x7f" + size.to_bytes(8)
    if key is None:
        return bytes([first]) + length + payload
    masked = bytes(octet ^ mask for octet, mask in zip(payload, itertools.cycle(key), strict=False))
    return bytes([first, length[0] | 0x80]) + length[1:] + key + masked


@frozen
class Sent:
    """A frame that a peer sends; see `raw`."""

    first: int
    payload: bytes = b""
    length: bytes | None = None

    def octets(self, key: bytes | None) -> bytes:
        """It on the wire."""
        return raw(self.first, self.payload, key, self.length)


Outcome = tuple[str, bytes] | tuple[str, int | None, str]


@frozen
class Case:
    """
    One case.

    :ivar comes: the events of a reader of whole messages, e.g. `("text", b"Hello")`.
    :ivar code: what the connection is failed with after them, or None.
    :ivar of_text: the fault is in what a text says, which a reader of pieces does not judge.
    """

    name: str
    sent: tuple[Sent, ...]
    comes: tuple[Outcome, ...] = ()
    code: int | None = None
    of_text: bool = False

    def octets(self, key: bytes | None) -> bytes:
        """All of it on the wire."""
        return b"".join(frame.octets(key) for frame in self.sent)


def _framing() -> list[Case]:
    cases = []
    for kind, opcode, fill in (("text", TEXT, b"*"), ("binary", BINARY, b"\xfe")):
        for size in (0, 1, 125, 126, 127, 128, 65535, 65536):
            payload = fill * size
            cases.append(Case(f"1 {kind} of {size}", (Sent(FIN | opcode, payload),), ((kind, payload),)))
    return [
        *cases,
        Case("1 length of two octets for 125", (Sent(FIN | BINARY, b"x" * 125, b"\x7e\x00\x7d"),), code=1002),
        Case("1 length of two octets for 0", (Sent(FIN | BINARY, b"", b"\x7e\x00\x00"),), code=1002),
        Case("1 length of eight octets for 65535", (Sent(FIN | BINARY, b"x" * 65535, b"\x7f" + (65535).to_bytes(8)),), code=1002),
        Case("1 length with the highest bit", (Sent(FIN | BINARY, b"", b"\x7f\x80" + bytes(7)),), code=1002),
    ]


_PINGS = [
    Case("2 ping without payload", (Sent(FIN | PING),), (("ping", b""),)),
    Case("2 ping with text", (Sent(FIN | PING, b"Hello"),), (("ping", b"Hello"),)),
    Case("2 ping with binary", (Sent(FIN | PING, b"\x00\xff\xfe\xfd"),), (("ping", b"\x00\xff\xfe\xfd"),)),
    Case("2 ping of 125", (Sent(FIN | PING, b"\xfe" * 125),), (("ping", b"\xfe" * 125),)),
    Case("2 ping of 126", (Sent(FIN | PING, b"\xfe" * 126),), code=1002),
    Case("2 ping of 65536", (Sent(FIN | PING, b"\xfe" * 65536),), code=1002),
    Case("2 unasked pong", (Sent(FIN | PONG, b"Hello"),), (("pong", b"Hello"),)),
    Case("2 ten pings", tuple(Sent(FIN | PING, b"%d" % n) for n in range(10)), tuple(("ping", b"%d" % n) for n in range(10))),
    Case("2 pong, then ping", (Sent(FIN | PONG, b"a"), Sent(FIN | PING, b"b")), (("pong", b"a"), ("ping", b"b"))),
]


def _reserved() -> list[Case]:
    whole = Sent(FIN | TEXT, b"Hello")
    bits = (0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70)
    kinds = (TEXT, BINARY, CLOSE, PING, PONG)
    return [
        Case(f"3 bits {bit:02x} on opcode {kind}", (whole, Sent(FIN | bit | kind), whole), (("text", b"Hello"),), 1002)
        for bit in bits
        for kind in kinds
    ]


def _opcodes() -> list[Case]:
    whole = Sent(FIN | TEXT, b"Hello")
    unknown = (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)
    return [
        Case(f"4 opcode {opcode} with {len(payload)}", (whole, Sent(FIN | opcode, payload), whole), (("text", b"Hello"),), 1002)
        for opcode in unknown
        for payload in (b"", b"reserved opcode payload")
    ]


_A, _B = Sent(TEXT, b"fragment1"), Sent(FIN, b"fragment2")
_JOINED = ("text", b"fragment1fragment2")
_FRAGMENTS = [
    Case("5 fragmented ping", (Sent(PING, b"fragment1"), Sent(FIN, b"fragment2")), code=1002),
    Case("5 fragmented pong", (Sent(PONG, b"fragment1"), Sent(FIN, b"fragment2")), code=1002),
    Case("5 fragmented close", (Sent(CLOSE, b"\x03\xe8"), Sent(FIN)), code=1002),
    Case("5 two fragments", (_A, _B), (_JOINED,)),
    Case("5 ping between", (_A, Sent(FIN | PING, b"ping"), _B), (("ping", b"ping"), _JOINED)),
    Case("5 continuation of nothing, final", (Sent(FIN, b"x"), Sent(FIN | TEXT, b"Hello")), code=1002),
    Case("5 continuation of nothing, not final", (Sent(0, b"x"), Sent(FIN | TEXT, b"Hello")), code=1002),
    Case("5 continuation after a whole message", (Sent(FIN | TEXT, b"a"), Sent(FIN, b"x")), (("text", b"a"),), 1002),
    Case("5 continuation after a fragmented message", (_A, _B, Sent(0, b"x")), (_JOINED,), 1002),
    Case("5 text inside text", (_A, Sent(FIN | TEXT, b"fragment2")), code=1002),
    Case("5 unfinished binary inside text", (_A, Sent(BINARY, b"fragment2")), code=1002),
    Case(
        "5 pings between five fragments",
        (Sent(TEXT, b"1"), Sent(0, b"2"), Sent(FIN | PING, b"a"), Sent(0, b"3"), Sent(0, b"4"), Sent(FIN | PING, b"b"), Sent(FIN, b"5")),
        (("ping", b"a"), ("ping", b"b"), ("text", b"12345")),
    ),
    Case("5 empty fragments alone", (Sent(BINARY), Sent(0), Sent(FIN)), (("binary", b""),)),
    Case("5 empty fragments around", (Sent(BINARY), Sent(0, b"x"), Sent(FIN)), (("binary", b"x"),)),
    Case("5 close inside a message", (_A, Sent(FIN | CLOSE, b"\x03\xe8"), _B), (("close", 1000, ""),)),
]

_GOOD_TEXTS = (
    "Hello-µ@ßöäüàá-UTF-8!!", "κόσμε", "\x00", "\x7f", "\u0080", "\u07ff", "\u0800", "\uffff", "\U00010000", "\U0010ffff", "\ud7ff",
    "\ue000", "\ufffd", "\ufffe", "\U0001fffe",
)  # fmt: skip
_BAD_TEXTS = (
    b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited", b"\x80", b"\xbf", b"\x80\xbf", b"\xc0\x20", b"\xc0", b"\xe0\x80",
    b"\xf0\x80\x80", b"\xf8\x88\x80\x80\x80", b"\xfc\x84\x80\x80\x80\x80", b"\xfe", b"\xff", b"\xc0\xaf", b"\xe0\x80\xaf",
    b"\xf0\x80\x80\xaf", b"\xc1\xbf", b"\xe0\x9f\xbf", b"\xf0\x8f\xbf\xbf", b"\xc0\x80", b"\xed\xa0\x80", b"\xed\xbf\xbf",
    b"\xed\xa0\x80\xed\xb0\x80", b"\xf4\x90\x80\x80", b"\xce", b"\xce\xba\xe1",
)  # fmt: skip


def _texts() -> list[Case]:
    good, bad = [text.encode("utf-8") for text in _GOOD_TEXTS], _BAD_TEXTS
    return [
        *(Case(f"6 text {text!r}", (Sent(FIN | TEXT, text),), (("text", text),)) for text in good),
        *(Case(f"6 text {text!r}, an octet a frame", _each_octet(text), (("text", text),)) for text in good),
        *(Case(f"6 no text {text!r}", (Sent(FIN | TEXT, text),), code=1007, of_text=True) for text in bad),
        *(Case(f"6 no text {text!r}, an octet a frame", _each_octet(text), code=1007, of_text=True) for text in bad),
        *(Case(f"6 binary {text!r}", (Sent(FIN | BINARY, text),), (("binary", text),)) for text in bad),
    ]


def _each_octet(text: bytes) -> tuple[Sent, ...]:
    return (Sent(TEXT, text[:1]), *(Sent(0, text[at : at + 1]) for at in range(1, len(text))), Sent(FIN))


def _closes() -> list[Case]:
    def close(payload: bytes) -> tuple[Sent, ...]:
        return (Sent(FIN | CLOSE, payload),)

    good = (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999)
    bad = (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)
    full = "é" * 61 + "e"
    return [
        Case("7 close without code", close(b""), (("close", None, ""),)),
        Case("7 close of one octet", close(b"\x03"), code=1002),
        Case("7 close with a reason", close(b"\x03\xe8Hello"), (("close", 1000, "Hello"),)),
        Case("7 close with the longest reason", close(b"\x03\xe8" + full.encode()), (("close", 1000, full),)),
        Case("7 close with too long a reason", close(b"\x03\xe8" + b"*" * 124), code=1002),
        Case("7 close with a reason that is no text", close(b"\x03\xe8\xce\xba\xed\xa0\x80"), code=1007),
        Case("7 message after a close", (*close(b"\x03\xe8"), Sent(FIN | TEXT, b"x")), (("close", 1000, ""),)),
        Case("7 second close", (*close(b"\x03\xe8"), *close(b"")), (("close", 1000, ""),)),
        Case("7 ping after a close", (*close(b"\x03\xe8"), Sent(FIN | PING)), (("close", 1000, ""),)),
        Case("7 breach after a close", (*close(b"\x03\xe8"), Sent(0x7F)), (("close", 1000, ""),)),
        *(Case(f"7 close code {code}", close(code.to_bytes(2)), (("close", code, ""),)) for code in good),
        *(Case(f"7 no close code {code}", close(code.to_bytes(2) + b"why"), code=1002) for code in bad),
    ]


MOST_FRAME_BYTES, MOST_MESSAGE_BYTES, MOST_FRAGMENTS, MOST_BARREN = 70_000, 100_000, 80, 40
"""The limits that the table is written for."""


def _limits() -> list[Case]:
    most = b"x" * MOST_FRAME_BYTES
    rest = MOST_MESSAGE_BYTES - MOST_FRAME_BYTES
    fragments = tuple(Sent(0, b"y") for _ in range(MOST_FRAGMENTS - 2))
    return [
        Case("9 longest frame", (Sent(FIN | BINARY, most),), (("binary", most),)),
        Case("9 frame too long, by its header", (Sent(FIN | BINARY, b"", b"\x7f" + (len(most) + 1).to_bytes(8)),), code=1009),
        Case("9 frame too long by far", (Sent(FIN | BINARY, b"", b"\x7f\x7f" + b"\xff" * 7),), code=1009),
        Case("9 longest message", (Sent(BINARY, most), Sent(FIN, b"x" * rest)), (("binary", most + b"x" * rest),)),
        Case("9 message too long, by a header", (Sent(BINARY, most), Sent(FIN, b"", b"\x7e" + (rest + 1).to_bytes(2))), code=1009),
        Case("9 most fragments", (Sent(BINARY, b"x"), *fragments, Sent(FIN, b"z")), (("binary", b"x" + b"y" * len(fragments) + b"z"),)),
        Case("9 too many fragments", (Sent(BINARY, b"x"), *fragments, Sent(0, b"z"), Sent(FIN)), code=1009),
        Case("9 most pings in a row", (Sent(FIN | PING),) * MOST_BARREN, (("ping", b""),) * MOST_BARREN),
        Case("9 too many pings in a row", (Sent(FIN | PING),) * (MOST_BARREN + 1), (("ping", b""),) * MOST_BARREN, 1008),
        Case("9 too many empty fragments in a row", (Sent(BINARY), *(Sent(0),) * MOST_BARREN), code=1008),
        Case("9 too many empty messages in a row", (Sent(FIN | TEXT),) * (MOST_BARREN + 1), (("text", b""),) * MOST_BARREN, 1008),
        Case(
            "9 pings with messages between",
            (*(Sent(FIN | PING),) * MOST_BARREN, Sent(FIN | TEXT, b"x"), *(Sent(FIN | PONG),) * MOST_BARREN),
            (*(("ping", b""),) * MOST_BARREN, ("text", b"x"), *(("pong", b""),) * MOST_BARREN),
        ),
    ]


CASES: tuple[Case, ...] = (
    *_framing(), *_PINGS, *_reserved(), *_opcodes(), *_FRAGMENTS, *_texts(), *_closes(), *_limits(),
)  # fmt: skip
"""All of them."""
