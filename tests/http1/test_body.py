"""Content in and out of its framing."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.http1.body import (
    EXTENSION_BYTES,
    LAST_CHUNK,
    TRAILER_BYTES,
    BodyReader,
    ChunkedBody,
    EmptyBody,
    LengthBody,
    UntilCloseBody,
    chunk,
)
from coral_gate.http1.rules import RefusedRequest, Rule


def pour(reader: BodyReader, octets: bytes, splits: list[int]) -> tuple[bytes, bool, bytes] | Rule:
    """Content, whether it ended and what follows, of bytes that arrive in pieces; or the rule that refuses them."""
    content = b""
    cuts = sorted({min(cut, len(octets)) for cut in splits} | {0, len(octets)})
    for start, end in pairwise(cuts):
        if reader.done:
            return content, True, bytes(reader.rest) + octets[start:]
        try:
            content += b"".join(reader.feed(memoryview(octets)[start:end]))
        except RefusedRequest as e:
            return e.rule
    return content, reader.done, bytes(reader.rest)


def chunked(octets: bytes, splits: list[int] | None = None) -> tuple[bytes, bool, bytes] | Rule:
    """The same for a fresh reader of chunks; without splits, in one piece and byte by byte, which must agree."""
    if splits is not None:
        return pour(ChunkedBody(RefusedRequest), octets, splits)
    whole = pour(ChunkedBody(RefusedRequest), octets, [])
    assert whole == pour(ChunkedBody(RefusedRequest), octets, list(range(len(octets)))), octets
    return whole


class ChunkedTests(SynchronousTestCase):
    """RFC 9112 §7.1."""

    def test_examples(self) -> None:
        """Chunks, extensions and trailers as the RFC writes them."""
        self.assertEqual(chunked(b"4\r\nWiki\r\n5\r\npedia\r\n0\r\n\r\nnext"), (b"Wikipedia", True, b"next"))
        self.assertEqual(
            chunked(b'a;x=1;y="q\\"d" ; z\r\n0123456789\r\n000;e\r\nExpires: never\r\nX: \r\n\r\n'), (b"0123456789", True, b"")
        )
        self.assertEqual(chunked(b"A \t\r\n0123456789\r\n0\r\n"), (b"0123456789", False, b""))

    def test_looks_like_framing(self) -> None:
        """Content that looks like the end of content and another request is content."""
        inner = b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"
        self.assertEqual(chunked(b"%x\r\n%b\r\n0\r\n\r\n" % (len(inner), inner)), (inner, True, b""))

    def test_refused(self) -> None:
        """Each way to break the framing, in one piece and byte by byte."""
        for size in (b"0x4", b"+4", b"-4", b" 4", b"", b"4_0", b"g", b"1" * 17, b"4 4", b"4\x0b", b"\xb2", b"4,"):
            self.assertIs(chunked(size + b"\r\nWiki\r\n0\r\n\r\n"), Rule.CHUNK_SIZE, size)
        for extension in (b";", b";=x", b";a=", b';a="b', b";a b", b";a=\x01", b";a\xe9"):
            self.assertIs(chunked(b"4" + extension + b"\r\nWiki\r\n0\r\n\r\n"), Rule.CHUNK_EXTENSION, extension)
        for octets in (b"4\nWiki\r\n0\r\n\r\n", b"4\r\nWiki\r\n0\n\r\n", b"4\r\nWiki\r\n0\r\n\n", b"4\r\nWiki\r\n0\r\nA: b\n\r\n"):
            self.assertIs(chunked(octets), Rule.BARE_LF, octets)
        for octets in (b"4\r\nWikipedia\r\n", b"4\r\nWiki\n0\r\n\r\n", b"4\r\nWiki\r\r0\r\n\r\n", b"4\r\nWiki0\r\n\r\n"):
            self.assertIs(chunked(octets), Rule.CHUNK_END, octets)
        for line in (
            b"Content-Length: 1",
            b"host: x",
            b"Transfer-Encoding: chunked",
            b"A : b",
            b" A: b",
            b"A",
            b"A: \x00",
            b"Set-Cookie: a",
        ):
            self.assertIs(chunked(b"0\r\n" + line + b"\r\n\r\n"), Rule.TRAILER, line)

    def test_bounded(self) -> None:
        """Size lines, extensions and trailers are bounded one by one and all together."""
        self.assertIs(chunked(b"4" * 300), Rule.CHUNK_SIZE)
        self.assertIs(chunked((b"1;" + b"e" * 250 + b"\r\nx\r\n") * (EXTENSION_BYTES // 250 + 2)), Rule.CHUNK_EXTENSION)
        self.assertIs(chunked(b"0\r\nA: " + b"x" * TRAILER_BYTES), Rule.TRAILER)
        self.assertIs(chunked(b"0\r\n" + b"A: b\r\n" * (TRAILER_BYTES // 6 + 1)), Rule.TRAILER)

    @given(st.lists(st.binary(min_size=1, max_size=50), max_size=8), st.binary(max_size=20), st.lists(st.integers(0, 500), max_size=10))
    def test_round_trip(self, pieces: list[bytes], after: bytes, splits: list[int]) -> None:
        """What is framed comes out again in any split, and what follows belongs to the next message."""
        octets = b"".join(b"".join(chunk([piece])) for piece in pieces) + LAST_CHUNK + after
        self.assertEqual(chunked(octets, splits), (b"".join(pieces), True, after))

    @given(
        st.lists(st.sampled_from([b"4", b"\r\n", b"\n", b"\r", b";a", b"Wiki", b"0", b"A: b", b" ", b"\x00"]), max_size=14),
        st.lists(st.integers(0, 60)),
    )
    def test_any_bytes_any_split(self, parts: list[bytes], splits: list[int]) -> None:
        """Any bytes give the same in any split, and nothing but the reader's own error escapes."""
        octets = b"".join(parts)
        self.assertEqual(chunked(octets, splits), chunked(octets, []))


class OtherTests(SynchronousTestCase):
    """Lengths, ends and nothing."""

    @given(st.integers(0, 40), st.binary(max_size=60), st.lists(st.integers(0, 60)))
    def test_length(self, length: int, octets: bytes, splits: list[int]) -> None:
        """A length takes exactly that, in any split."""
        self.assertEqual(pour(LengthBody(length), octets, splits), (octets[:length], len(octets) >= length, octets[length:]))

    def test_until_close(self) -> None:
        """Content that ends with the connection never ends by itself."""
        self.assertEqual(pour(UntilCloseBody(), b"abc", [1]), (b"abc", False, b""))

    def test_empty(self) -> None:
        """No content: everything is the next message's."""
        reader = EmptyBody()
        self.assertEqual((reader.done, reader.feed(b"x"), reader.rest), (True, [], b"x"))

    def test_chunk_of_nothing(self) -> None:
        """No content is no chunk: an empty chunk would end the message."""
        self.assertEqual(chunk([]) + chunk([b""]), [])
