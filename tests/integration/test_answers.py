"""The tests' own reader of responses takes nothing that a careful client would not."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.answers import AnswerReader, Malformed

_GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
_CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"


def _read(octets: bytes, *methods: bytes, step: int = 1 << 20) -> AnswerReader:
    reader = AnswerReader(methods or (b"GET",))
    for start in range(0, len(octets), step):
        reader.feed(octets[start : start + step])
    return reader


class AnswerReaderTests(SynchronousTestCase):
    """Framing, and what is none."""

    def test_framings(self) -> None:
        """By length, in chunks, without content, until the connection ends; in any split."""
        close = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello"
        for octets in (_GOOD, _CHUNKED, close):
            for step in (1, 2, 7, 1000):
                reader = _read(octets, step=step)
                reader.closed()
                self.assertEqual((bytes(reader.answers[0].body), reader.answers[0].complete), (b"hello", True))

    def test_bodyless(self) -> None:
        """An answer to HEAD, 204 and 304 have no content whatever they say."""
        head = _GOOD[:-5]
        for octets, method in ((head, b"HEAD"), (head.replace(b"200", b"304"), b"GET"), (b"HTTP/1.1 204 No\r\n\r\n", b"GET")):
            reader = _read(octets + _GOOD, method, b"GET")
            self.assertEqual([bytes(answer.body) for answer in reader.answers], [b"", b"hello"])

    def test_interim(self) -> None:
        """Interim responses are no answers."""
        reader = _read(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n" + _GOOD)
        self.assertEqual((reader.interim, len(reader.answers)), ([100, 103], 1))

    def test_incomplete(self) -> None:
        """What was cut is not complete, and a cut head is malformed."""
        for octets in (_GOOD[:-1], _CHUNKED[:-1], _CHUNKED[:-5]):
            reader = _read(octets)
            reader.closed()
            self.assertFalse(reader.answers[0].complete)
        self.assertRaises(Malformed, _read(b"HTTP/1.1 200 OK\r\nCon").closed)

    def test_stray(self) -> None:
        """Bytes after the last expected answer are malformed: they answer nothing."""
        self.assertRaises(Malformed, _read, _GOOD + _GOOD)
        self.assertRaises(Malformed, _read(_GOOD + b"xyz").closed)

    def test_malformed(self) -> None:
        """Everything that frames twice, badly or not at all."""
        head = b"HTTP/1.1 200 OK\r\n"
        for octets in (
            b"HTTP/1.0 200 OK\r\n\r\n",
            b"HTTP/1.1 2000 OK\r\n\r\n",
            b"HTTP/1.1 200\r\n\r\n",
            b"hello\r\n\r\n",
            head + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
            head + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            head + b"Content-Length: +5\r\n\r\n",
            head + b"Transfer-Encoding: gzip\r\n\r\n",
            head + b"X: y\r\n z\r\n\r\n",
            head + b"X : y\r\n\r\n",
            head + b"X: \x00\r\n\r\n",
            head + b"\r\n",
            _CHUNKED.replace(b"2\r\nhe", b"0x2\r\nhe"),
            _CHUNKED.replace(b"he\r\n", b"heX\r\n"),
            _CHUNKED[:-2] + b"X-T: 1\r\n\r\n",
        ):
            self.assertRaises(Malformed, _read, octets)
