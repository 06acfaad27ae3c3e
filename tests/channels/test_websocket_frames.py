"""WebSocket frames: strict reading, whole or in pieces, and writing."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.channels.websocket_frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Close,
    Event,
    FrameFault,
    FrameReader,
    Message,
    Piece,
    Ping,
    close_frame,
    frame,
    ping,
    pong,
)
from coral_gate.channels.websocket_masking import COMPILED_FROM_BYTES, rotated, unmasked
from tests.channels.websocket_cases import (
    CASES,
    FIN,
    KEY,
    MOST_BARREN,
    MOST_FRAGMENTS,
    MOST_FRAME_BYTES,
    MOST_MESSAGE_BYTES,
    Outcome,
    raw,
)

KINDS = {TEXT: "text", BINARY: "binary"}
KEYS = st.none() | st.binary(min_size=4, max_size=4)


def reader(masked: bool = False, whole: bool = True, most: int = 1 << 20) -> FrameReader:
    """A reader with ample limits."""
    return FrameReader(masked, most, most, whole)


def table_reader(key: bytes | None, whole: bool) -> FrameReader:
    """A reader with the limits that the table is written for."""
    return FrameReader(key is not None, MOST_FRAME_BYTES, MOST_MESSAGE_BYTES, whole, MOST_FRAGMENTS, MOST_BARREN)


class Heard:
    """Events as plain values, pieces joined into messages: what a peer said, however it was cut."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self.wire = b""
        self.code: int | None = None
        self._parts = b""

    def take(self, events: Iterable[Event]) -> None:
        """Add events."""
        for event in events:
            if isinstance(event, Piece):
                self.wire += event.wire
                self._parts += event.payload
                if event.ends_message:
                    self.outcomes.append((KINDS[event.opcode], self._parts))
                    self._parts = b""
            else:
                self.outcomes.append(plain(event))


def plain(event: Event) -> Outcome:
    """An event other than a piece as a plain value."""
    if isinstance(event, Close):
        return ("close", event.code, event.reason)
    if isinstance(event, Message):
        return (KINDS[event.opcode], event.payload)
    assert not isinstance(event, Piece)
    return ("ping" if isinstance(event, Ping) else "pong", event.payload)


def hear(by: FrameReader, chunks: Iterable[bytes | memoryview]) -> Heard:
    """Feed chunks until they end or the reader does."""
    heard = Heard()
    try:
        for chunk in chunks:
            heard.take(by.feed(chunk))
    except FrameFault as fault:
        heard.take(fault.events)
        heard.code = fault.code
    return heard


def cut(octets: bytes, at: Iterable[int]) -> list[bytes]:
    """Octets in chunks."""
    ends = sorted({0, len(octets), *(place % (len(octets) + 1) for place in at)})
    return [octets[a:b] for a, b in itertools.pairwise(ends)]


class ExampleTests(SynchronousTestCase):
    """RFC 6455 §5.7, octet by octet."""

    def test_reads(self) -> None:
        """Each example is read as the RFC says."""
        for masked, octets, outcome in (
            (False, "810548656c6c6f", ("text", b"Hello")),
            (True, "818537fa213d7f9f4d5158", ("text", b"Hello")),
            (False, "010348656c80026c6f", ("text", b"Hello")),
            (False, "890548656c6c6f", ("ping", b"Hello")),
            (True, "8a8537fa213d7f9f4d5158", ("pong", b"Hello")),
            (False, "827e0100" + "ab" * 256, ("binary", b"\xab" * 256)),
            (False, "827f0000000000010000" + "ab" * 65536, ("binary", b"\xab" * 65536)),
        ):
            self.assertEqual(hear(reader(masked), [bytes.fromhex(octets)]).outcomes, [outcome])

    def test_writes(self) -> None:
        """Each example is written as the RFC says."""
        for written, octets in (
            (frame(TEXT, b"Hello"), "810548656c6c6f"),
            (frame(TEXT, b"Hello", mask=KEY), "818537fa213d7f9f4d5158"),
            (frame(TEXT, b"Hel", fin=False) + frame(CONTINUATION, b"lo"), "010348656c80026c6f"),
            (ping(b"Hello"), "890548656c6c6f"),
            (pong(b"Hello", KEY), "8a8537fa213d7f9f4d5158"),
            (frame(BINARY, b"\xab" * 256), "827e0100" + "ab" * 256),
            (frame(BINARY, memoryview(b"\xab" * 65536)), "827f0000000000010000" + "ab" * 65536),
        ):
            self.assertEqual(written.hex(), octets)


class CaseTests(SynchronousTestCase):
    """The table of cases, from a browser and from a sandbox."""

    def test_whole(self) -> None:
        """Each case gives its messages and its fault."""
        for case in CASES:
            for key in (None, KEY):
                heard = hear(table_reader(key, True), [case.octets(key)])
                self.assertEqual((case.name, tuple(heard.outcomes), heard.code), (case.name, case.comes, case.code))

    def test_an_octet_at_a_time(self) -> None:
        """The same when every octet comes alone."""
        for case in CASES:
            octets = case.octets(KEY)
            if len(octets) < 4096:
                heard = hear(table_reader(KEY, True), (octets[at : at + 1] for at in range(len(octets))))
                self.assertEqual((case.name, tuple(heard.outcomes), heard.code), (case.name, case.comes, case.code))

    def test_pieces(self) -> None:
        """In pieces the same comes, but for what a text says."""
        for case in CASES:
            for key in (None, KEY):
                heard = hear(table_reader(key, False), [case.octets(key)])
                if not case.of_text:
                    self.assertEqual((case.name, tuple(heard.outcomes), heard.code), (case.name, case.comes, case.code))
                else:
                    self.assertEqual((case.name, heard.code), (case.name, None))


class MaskingRuleTests(SynchronousTestCase):
    """Who masks (RFC 6455 §5.1)."""

    def test_unmasked_browser(self) -> None:
        """A browser's frame that is not masked is refused."""
        self.assertEqual(hear(reader(masked=True), [raw(FIN | TEXT, b"x")]).code, 1002)

    def test_masked_sandbox(self) -> None:
        """A sandbox's frame that is masked is refused."""
        self.assertEqual(hear(reader(masked=False), [raw(FIN | TEXT, b"x", KEY)]).code, 1002)


class FaultTests(SynchronousTestCase):
    """What is left after a breach."""

    def test_events_before(self) -> None:
        """What was whole before a breach is in the fault, in order."""
        octets = raw(FIN | TEXT, b"a") + raw(FIN | PING, b"b") + raw(TEXT, b"c") + raw(0x70)
        fault = self.assertRaises(FrameFault, reader().feed, octets)
        self.assertEqual([plain(event) for event in fault.events], [("text", b"a"), ("ping", b"b")])

    def test_stays(self) -> None:
        """A reader that has failed reads nothing more, and fails again in the same way."""
        broken = reader()
        first = self.assertRaises(FrameFault, broken.feed, raw(FIN | TEXT, b"a") + raw(FIN | TEXT, b"\xff"))
        again = self.assertRaises(FrameFault, broken.feed, raw(FIN | TEXT, b"b"))
        self.assertEqual((again.code, again.sentence, again.events), (first.code, first.sentence, []))
        self.assertEqual(first.code, 1007)

    def test_sentences(self) -> None:
        """Every sentence fits a close frame, and holds nothing of what was sent."""
        for case in CASES:
            if case.code is not None:
                fault = self.assertRaises(FrameFault, table_reader(None, True).feed, case.octets(None))
                self.assertTrue(fault.sentence.isascii() and len(fault.sentence) <= 123)
                self.assertEqual(close_frame(fault.code, fault.sentence)[4:], fault.sentence.encode())
                self.assertNotIn("Hello", str(fault))

    def test_no_payload_in_repr(self) -> None:
        """No event shows what it carries."""
        for event in (Message(TEXT, b"s3cret"), Piece(TEXT, b"s3cret", b"s3cret", True, True), Ping(b"s3cret"), Close(1000, "s3cret")):
            self.assertNotIn("s3cret", repr(event))

    def test_closed(self) -> None:
        """After a close frame nothing is read, now or later."""
        by = reader()
        self.assertEqual([plain(event) for event in by.feed(close_frame(1000) + b"\xff\xff")], [("close", 1000, "")])
        self.assertTrue(by.closed)
        self.assertEqual(by.feed(b"\xff\xff"), [])


class LimitTests(SynchronousTestCase):
    """Limits that change while the connection lives."""

    def test_from_the_header(self) -> None:
        """Too long a frame is refused when its header is there, before any of its payload."""
        header = raw(FIN | TEXT, b"x" * 200, KEY)[:8]
        self.assertEqual(FrameReader(True, 199, 1 << 20, True).feed(header[:7]), [])
        for most in ((199, 1 << 20), (1 << 20, 199)):
            self.assertEqual(self.assertRaises(FrameFault, FrameReader(True, *most, True).feed, header).code, 1009)

    def test_raised(self) -> None:
        """A limit that is raised holds for the next frame."""
        by = FrameReader(False, 10, 10, True)
        self.assertEqual(hear(by, [raw(FIN | TEXT, b"x" * 10)]).code, None)
        by.most_frame_bytes = by.most_message_bytes = 20
        self.assertEqual(hear(by, [raw(FIN | TEXT, b"x" * 20)]).outcomes, [("text", b"x" * 20)])
        self.assertEqual(hear(by, [raw(FIN | TEXT, b"x" * 21)]).code, 1009)

    def test_message_limit_begins_anew(self) -> None:
        """Each message has the whole limit, and its own fragments."""
        by = FrameReader(False, 10, 10, True, most_fragments=2)
        self.assertEqual(hear(by, [(raw(TEXT, b"12345") + raw(FIN, b"67890")) * 3]).outcomes, [("text", b"1234567890")] * 3)

    def test_quiet_connection(self) -> None:
        """Whoever keeps time can let a quiet connection have control frames for ever."""
        by = FrameReader(False, 10, 10, True, most_barren=3)
        for _ in range(4):
            self.assertEqual(len(by.feed(ping() * 3)), 3)
            by.barren = 0
        self.assertEqual(hear(by, [pong() * 4]).code, 1008)


class PieceTests(SynchronousTestCase):
    """Data frames as they arrive, for passing on."""

    def test_parts(self) -> None:
        """Each piece says what it is of, and what may be sent after it."""
        octets = raw(BINARY, b"abcdef") + raw(FIN | PING, b"!") + raw(FIN, b"ghi")
        by, seen = reader(whole=False), []
        for chunk in (octets[:1], octets[1:4], octets[4:12], octets[12:]):
            for event in by.feed(chunk):
                if isinstance(event, Piece):
                    seen.append((event.opcode, bytes(event.wire), bytes(event.payload), event.ends_frame, event.ends_message))
                else:
                    seen.append((PING, b"", b"", True, False))
        self.assertEqual(
            seen,
            [
                (BINARY, octets[:4], b"ab", False, False),
                (BINARY, b"cdef", b"cdef", True, False),
                (PING, b"", b"", True, False),
                (BINARY, b"\x80\x03ghi", b"ghi", True, True),
            ],
        )

    def test_no_copy(self) -> None:
        """A read in the middle of a frame is passed on as the very same octets."""
        by = reader(whole=False)
        by.feed(raw(FIN | BINARY, b"x" * 200_000)[:1000])
        chunk = b"x" * 65536
        (piece,) = by.feed(chunk)
        assert isinstance(piece, Piece)
        self.assertIs(piece.wire, chunk)
        self.assertIs(piece.payload, chunk)

    def test_view(self) -> None:
        """What is fed as a view comes out as views of it."""
        by, buffer = reader(whole=False), bytearray(raw(FIN | BINARY, b"x" * 100))
        (piece,) = by.feed(memoryview(buffer))
        assert isinstance(piece, Piece)
        buffer[2:3] = b"y"
        self.assertEqual((bytes(piece.payload[:2]), bytes(piece.wire[:3])), (b"yx", b"\x82\x64y"))

    def test_mode_changes_between_messages(self) -> None:
        """`whole` is looked at where a message begins, and not inside one."""
        by = reader(whole=True)
        self.assertEqual(by.feed(raw(TEXT, b"a")), [])
        by.whole = False
        self.assertEqual([plain(event) for event in by.feed(raw(FIN, b"b"))], [("text", b"ab")])
        (piece,) = by.feed(raw(TEXT, b"c"))
        self.assertIsInstance(piece, Piece)
        by.whole = True
        (piece,) = by.feed(raw(FIN, b"d"))
        self.assertIsInstance(piece, Piece)
        self.assertEqual([plain(event) for event in by.feed(raw(FIN | TEXT, b"e"))], [("text", b"e")])

    @given(st.binary(max_size=3000), st.binary(min_size=4, max_size=4), st.lists(st.integers(0, 3010), max_size=6))
    def test_unmasked(self, payload: bytes, key: bytes, at: list[int]) -> None:
        """A browser's payload comes unmasked however it is cut, and its wire as it was."""
        octets = raw(FIN | BINARY, payload, key)
        heard = hear(reader(masked=True, whole=False), cut(octets, at))
        self.assertEqual((heard.outcomes, heard.wire), ([("binary", payload)], octets))


MESSAGES = st.lists(
    st.tuples(st.sampled_from([TEXT, BINARY, PING, PONG]), st.text(max_size=60), st.lists(st.integers(0, 200), max_size=4)), max_size=6
)
"""Opcode, what it says, and where a data message is cut into fragments."""


def written(messages: list[tuple[int, str, list[int]]], key: bytes | None) -> tuple[bytes, list[Outcome]]:
    """Messages as our writer writes them, and what has to be heard."""
    octets, outcomes = b"", list[Outcome]()
    for opcode, text, at in messages:
        payload = text.encode()[:120] if opcode >= PING else text.encode()
        outcomes.append(({**KINDS, PING: "ping", PONG: "pong"}[opcode], payload))
        if opcode >= PING or not payload:
            octets += frame(opcode, payload, key)
            continue
        parts = cut(payload, at)
        for index, part in enumerate(parts):
            octets += frame(CONTINUATION if index else opcode, part, key, fin=index == len(parts) - 1)
    return octets, outcomes


class PropertyTests(SynchronousTestCase):
    """What holds for every input."""

    @given(MESSAGES, KEYS, st.booleans())
    def test_round_trip(self, messages: list[tuple[int, str, list[int]]], key: bytes | None, whole: bool) -> None:
        """What is written is read."""
        octets, outcomes = written(messages, key)
        heard = hear(reader(key is not None, whole), [octets])
        self.assertEqual((heard.outcomes, heard.code), (outcomes, None))

    @given(MESSAGES, st.binary(max_size=12), KEYS, st.booleans(), st.lists(st.integers(min_value=0), max_size=8))
    def test_any_split(
        self, messages: list[tuple[int, str, list[int]]], tail: bytes, key: bytes | None, whole: bool, at: list[int]
    ) -> None:
        """However the octets are cut, the same is heard, up to the same fault."""
        octets = written(messages, key)[0] + tail
        once, often = (hear(reader(key is not None, whole, 1000), chunks) for chunks in ([octets], cut(octets, at)))
        self.assertEqual((often.outcomes, often.wire, often.code), (once.outcomes, once.wire, once.code))

    @given(st.binary(max_size=300), st.booleans(), st.booleans())
    @settings(max_examples=300)
    def test_nothing_else_escapes(self, octets: bytes, masked: bool, whole: bool) -> None:
        """Any octets give events or the reader's own error."""
        heard = hear(FrameReader(masked, 200, 300, whole, 5, 5), [memoryview(octets)])
        self.assertIn(heard.code, (None, 1002, 1007, 1008, 1009))

    @given(st.binary(max_size=40), st.sampled_from([0x00, 0x01, 0x80, 0x81, 0x82, 0x88, 0x89, 0x8A]), st.booleans())
    def test_nothing_else_escapes_from_likely_frames(self, octets: bytes, first: int, whole: bool) -> None:
        """Nor does anything else from octets that begin like a frame."""
        hear(reader(True, whole), [bytes([first, 0x80 | len(octets)]) + KEY + octets + octets])


class WriterTests(SynchronousTestCase):
    """What may be written, and what may not."""

    def test_shortest_length(self) -> None:
        """Every length is written in its shortest form."""
        for size, head in ((125, 2), (126, 4), (65535, 4), (65536, 10)):
            self.assertEqual(len(frame(BINARY, bytes(size))), head + size)
            self.assertEqual(len(frame(BINARY, bytes(size), KEY)), head + 4 + size)

    def test_close(self) -> None:
        """A reason is cut at a character's end, and never makes the frame fail."""
        for reason, sent in (("é" * 62, "é" * 61), ("x" * 200, "x" * 123), ("x" * 121 + "€", "x" * 121), ("\ud800", "?")):
            self.assertEqual(hear(reader(), [close_frame(1008, reason)]).outcomes, [("close", 1008, sent)])
        self.assertEqual(close_frame(None, "unsaid"), b"\x88\x00")
        self.assertEqual(hear(reader(masked=True), [close_frame(4400, "why", KEY)]).outcomes, [("close", 4400, "why")])

    def test_refused(self) -> None:
        """What no peer may send is not written."""
        impossible: tuple[Callable[[], bytes], ...] = (
            lambda: ping(bytes(126)),
            lambda: frame(CLOSE, b"", fin=False),
            lambda: frame(3, b""),
            lambda: frame(0x41, b""),
            lambda: frame(TEXT, b"x", mask=b"123"),
            *((lambda code=code: close_frame(code)) for code in (0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 70000)),
        )
        for write in impossible:
            self.assertRaises(ValueError, write)


class MaskTests(SynchronousTestCase):
    """Masking (RFC 6455 §5.3), in both ways of doing it."""

    @given(st.binary(max_size=200), st.binary(min_size=4, max_size=4), st.integers(0, 5))
    def test_by_definition(self, payload: bytes, key: bytes, times: int) -> None:
        """Octet i is combined with octet i mod 4 of the key, at every length."""
        payload = payload * (1 + times * 7)
        expected = bytes(octet ^ key[index % 4] for index, octet in enumerate(payload))
        self.assertEqual(unmasked(payload, key), expected)
        self.assertEqual(unmasked(memoryview(payload), key, compiled=None), expected)

    def test_around_the_change(self) -> None:
        """Where one way ends and the other begins, both agree."""
        for size in range(COMPILED_FROM_BYTES - 3, COMPILED_FROM_BYTES + 9):
            payload = bytes(n & 255 for n in range(size))
            self.assertEqual(unmasked(payload, KEY), unmasked(payload, KEY, compiled=None))

    def test_compiled_is_there(self) -> None:
        """Autobahn's compiled masker is in use where these tests run: without it, long uploads are many times slower."""
        asked = []

        class Recording:
            def __init__(self, key: bytes, length: int) -> None:
                asked.append(length)

            def process(self, payload: bytes | memoryview) -> bytes:
                return bytes(payload)

        unmasked(bytes(COMPILED_FROM_BYTES - 1), KEY, compiled=Recording)
        unmasked(bytes(COMPILED_FROM_BYTES), KEY, compiled=Recording)
        self.assertEqual(asked, [COMPILED_FROM_BYTES])
        assert unmasked.__defaults__ is not None
        self.assertIsNotNone(unmasked.__defaults__[0])

    def test_rotated(self) -> None:
        """A key is turned by what has been read."""
        self.assertEqual([rotated(b"abcd", n) for n in (0, 1, 4, 7)], [b"abcd", b"bcda", b"abcd", b"dabc"])
