"""Response heads of a hostile sandbox."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.http1.head import HeadLimits, ResponseHead, find_head, read_response
from coral_gate.http1.rules import RefusedResponse, Rule

LIMITS = HeadLimits(head_bytes=4096, target_bytes=0, fields=20)


def response(*lines: bytes, first: bytes = b"HTTP/1.1 200 OK") -> bytes:
    """A head of a status line and field lines."""
    return b"\r\n".join([first, *lines])


class ResponseTests(SynchronousTestCase):
    """What passes and what is refused."""

    def test_read(self) -> None:
        """Values, cookies and passing lines; the reason phrase is not kept."""
        head = read_response(
            response(
                b"Content-Length: 5", b"Set-Cookie: a=1", b"set-cookie: b=2", b"Server: x", b"ETag: \"e\"", b"Location: /y",
                b"Access-Control-Allow-Origin: *", b"Clear-Site-Data: \"cookies\"", b"Service-Worker-Allowed: /", b"Alt-Svc: h3",
                first=b"HTTP/1.0 404 <b>No</b>",
            ),
            LIMITS,
        )  # fmt: skip
        self.assertEqual((head.status, head.minor, head.length, head.chunked, head.keep_alive), (404, 0, 5, False, False))
        self.assertEqual(head.cookies, [b"a=1", b"b=2"])
        self.assertEqual(head.passing, [b'ETag: "e"'])
        self.assertEqual(head.read[b"location"], b"/y")
        self.assertEqual(head.value(b"etag"), b'"e"')

    def test_refused(self) -> None:
        """What a client could read in two ways is refused."""
        for line in (
            b"HTTP/1.1 99 x",
            b"HTTP/1.1 600 x",
            b"HTTP/2.0 200 x",
            b"HTTP/1.1  200",
            b"HTTP/1.1 200OK",
            b"ICY 200",
            b"http/1.1 200 x",
            b"HTTP/1.1",
            b"",
        ):
            self.refused(Rule.STATUS_LINE, response(first=line))
        self.refused(Rule.LENGTH_AND_CODING, response(b"Content-Length: 1", b"Transfer-Encoding: chunked"))
        self.refused(Rule.LENGTH_SYNTAX, response(b"Content-Length: 1", b"Content-Length: 1"), response(b"Content-Length: -1"))
        self.refused(
            Rule.TRANSFER_CODING, response(b"Transfer-Encoding: gzip"), response(b"Transfer-Encoding: chunked", first=b"HTTP/1.0 200 OK")
        )
        self.refused(Rule.OBS_FOLD, response(b"A: b", b" c"))
        self.refused(Rule.CONTROL_BYTE, response(b"A: \x01"))
        self.refused(Rule.BARE_LF, response(b"A: b\nSet-Cookie: c"))
        self.refused(Rule.FIELD_REPEATED, response(b"Location: /a", b"Location: //evil"), response(b"Content-Type: a", b"Content-Type: b"))
        self.refused(Rule.CONNECTION_OPTION, response(b"Connection: set-cookie"))
        self.refused(Rule.TOO_MANY_FIELDS, response(*[b"A: b"] * 21))
        self.refused(Rule.HEAD_TOO_LARGE, response(b"A: " + b"x" * 5000))

    def refused(self, rule: Rule, *blocks: bytes) -> None:
        """Each head is refused for one rule."""
        for block in blocks:
            error = self.assertRaises(RefusedResponse, _read, block + b"\r\n\r\n")
            self.assertIs(error.rule, rule, block)

    @given(st.binary(max_size=200))
    def test_nothing_else_escapes(self, tail: bytes) -> None:
        """Any bytes after a status line give a head or the reader's own error."""
        try:
            _read(b"HTTP/1.1 200 OK\r\n" + tail + b"\r\n\r\n")
        except RefusedResponse:
            pass


def _read(octets: bytes) -> ResponseHead | None:
    end = find_head(octets, LIMITS, RefusedResponse)
    return read_response(octets[:end], LIMITS) if end >= 0 else None
