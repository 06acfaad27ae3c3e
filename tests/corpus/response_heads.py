"""
Answers whose head is none, or is more than one (RFC 9112 §4, §5, RFC 9110 §15.2).
"""

from __future__ import annotations

from collections.abc import Iterator

from .case import readable
from .response import PASSED, REFUSED, STRAY, Ends, Response, response

_SIZED = b"Content-Length: 5"
_HELLO = b"hello"

_STATUS_LINES = [
    b"HTTP/1.2 200 OK", b"HTTP/2.0 200 OK", b"HTTP/2 200 OK", b"HTTP/0.9 200 OK", b"HTTP/3 200 OK", b"HTTP/1.10 200 OK", b"HTTP/01.1 200 OK", b"HTTP/1. 200 OK",
    b"HTTP/1 200 OK", b"HTTP 200 OK", b"http/1.1 200 OK", b"Http/1.1 200 OK", b"HTTPS/1.1 200 OK", b"ICY 200 OK", b"RTSP/1.0 200 OK", b"200 OK", b"OK", b"",
    b"HTTP/1.1", b"HTTP/1.1 ", b"HTTP/1.1 OK", b"HTTP/1.1  200 OK", b"HTTP/1.1\t200 OK", b"HTTP/1.1 200OK", b"HTTP/1.1 20 OK", b"HTTP/1.1 2 OK", b"HTTP/1.1 2000 OK",
    b"HTTP/1.1 000 OK", b"HTTP/1.1 099 OK", b"HTTP/1.1 600 OK", b"HTTP/1.1 999 OK", b"HTTP/1.1 -200 OK", b"HTTP/1.1 +200 OK", b"HTTP/1.1 0200 OK", b"HTTP/1.1 2OO OK",
    b"HTTP/1.1 0x8 OK", b"HTTP/1.1 20\xb2 OK", b"HTTP/1.1 200\x0bOK", b"HTTP/1.1 200 O\x00K", b"HTTP/1.1 200 O\rK", b"HTTP/1.1 200 O\nK", b"HTTP/1.1 200 \x1b[31mOK", b"HTTP/1.1 200 OK\r",
    b" HTTP/1.1 200 OK", b"\tHTTP/1.1 200 OK", b"\r\nHTTP/1.1 200 OK", b"\nHTTP/1.1 200 OK", b"\xef\xbb\xbfHTTP/1.1 200 OK", b"\x00HTTP/1.1 200 OK", b"xHTTP/1.1 200 OK",
    b"GET / HTTP/1.1", b"HTTP/1.1 200 OK HTTP/1.1 200 OK\x7f", b"HTTP/1.1 200\r\n OK", b"HTTP/1.1\r\n200 OK", b"HTTP/1.1 200 OK\x00", b"HTTP/4294967297.1 200 OK", b"HTTP/1.1 4294967496 OK",
]  # fmt: skip

_FIELD_LINES = [
    b"X-A", b": 1", b":", b"X-A : 1", b"X-A\t: 1", b" X-A: 1", b"\tX-A: 1", b"X A: 1", b"X-A: 1\r\n 2", b"X-A: 1\r\n\t2", b"X-A:\r\n 1", b"X-A: 1\r\n ", b"X-A: a\rb", b"X-A: a\nb",
    b"X-A: a\nSet-Cookie: b=c", b"X-A: a\rSet-Cookie: b=c", b"X-A: \x00", b"X-A: \x01", b"X-A: \x08", b"X-A: \x0b", b"X-A: \x0c", b"X-A: \x1b[2J", b"X-A: \x1f", b"X-A: \x7f", b"X-\x00: 1",
    b"X-\xff: 1", b"X-\xc3\xa9: 1", b"X(A): 1", b'"X-A": 1', b"X-A\xa0: 1", b"X-A=1", b"<html>", b"\x00", b"X-A: 1\r", b"\rX-A: 1", b"X-A: 1\r\r", b"\nX-A: 1", b"X@A: 1", b"X[A]: 1", b"Location : /x",
    b"Set-Cookie : a=b", b"Location: /x\nX: y", b"Location: /x\x00",
]  # fmt: skip

_NO_HTTP = {
    "ssh": b"SSH-2.0-OpenSSH_9.2\r\n", "rfb": b"RFB 003.008\n", "tls-alert": b"\x15\x03\x01\x00\x02\x02\x28", "http-2": b"\x00\x00\x12\x04\x00\x00\x00\x00\x00", "html": b"<html>hello</html>",
    "nul": b"\x00" * 100, "spaces": b" " * 100 + b"\r\n\r\n", "blank-lines": b"\r\n" * 50, "redis": b"-ERR unknown command\r\n", "smtp": b"220 mail ESMTP\r\n", "json": b'{"ok": true}',
    "lf-only": b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", "cr-only": b"HTTP/1.1 200 OK\rContent-Length: 5\r\rhello", "nothing": b"", "one-byte": b"H", "half-line": b"HTTP/1.1 20",
    "line-alone": b"HTTP/1.1 200 OK\r\n", "half-head": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", "half-end": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r",
}  # fmt: skip

_BAD_INTERIM = [
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", b"HTTP/1.1 101 Switching Protocols\r\n\r\n", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\nhello", b"HTTP/1.1 100 Continue\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"HTTP/1.1 100 Continue\r\nX: y\r\n z\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\nX : y\r\n\r\n", b"HTTP/1.1 100 Continue\n\n", b"HTTP/1.1 100 Continue\r\nX: \x00\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n" * 100, b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 1000,
    b"HTTP/1.1 199 X\r\n\r\n" * 20, b"HTTP/2.0 100 Continue\r\n\r\n",
]  # fmt: skip

_GOOD_INTERIM = [
    b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 102 Processing\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n" * 5, b"HTTP/1.1 199 X\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\nX: y\r\n\r\nHTTP/1.1 103 Early Hints\r\nSet-Cookie: __Host-coral=x\r\n\r\n",
]  # fmt: skip


def _status_lines() -> Iterator[Response]:
    why = "a status line is HTTP/1.0 or HTTP/1.1, one space and three digits; anything else is no answer (RFC 9112 §4)"
    for line in _STATUS_LINES:
        yield Response(f"heads/status-{readable(line)}", (response(_SIZED, status=line, body=_HELLO),), REFUSED, why)
    for line, status in ((b"HTTP/1.1 200 ", 200), (b"HTTP/1.1 404 \xff\xfe", 404), (b"HTTP/1.1 299 What", 299), (b"HTTP/1.0 200 OK", 200), (b"HTTP/1.1 599 X", 599),
                         (b"HTTP/1.1 200 " + b"a" * 4000, 200), (b"HTTP/1.1 200 <script>", 200), (b"HTTP/1.1 200", 200)):  # fmt: skip
        octets = response(_SIZED, status=line, body=_HELLO)
        yield Response(f"heads/status-good-{readable(line)[:60]}", (octets,), PASSED, why, status=status, body=_HELLO)


def _fields() -> Iterator[Response]:
    why = "a malformed field line makes the whole answer one that nobody may pass on (RFC 9112 §5, RFC 9110 §5.5)"
    for line in _FIELD_LINES:
        yield Response(f"heads/field-{readable(line)}", (response(line, _SIZED, body=_HELLO),), REFUSED, why)
        yield Response(f"heads/last-field-{readable(line)}", (response(_SIZED, line, body=_HELLO),), REFUSED, why)
    for line in (
        b"Connection: Content-Length",
        b"Connection: Set-Cookie",
        b"Connection: close, Content-Type",
        b"Connection: a b",
        b"Connection: \xff",
    ):
        yield Response(f"heads/connection-{readable(line)}", (response(line, _SIZED, body=_HELLO),), REFUSED, why)
    for line in (
        b"Location: /x\r\nLocation: /y",
        b"Content-Type: text/html\r\nContent-Type: text/plain",
        b"Content-Encoding: gzip",
        b"Content-Encoding: br",
    ):
        yield Response(f"heads/refused-{readable(line)}", (response(line, _SIZED, body=_HELLO),), REFUSED, why)


def _no_http() -> Iterator[Response]:
    why = "what is no HTTP at all is answered for with 502, however it ends (RFC 9110 §15.6.3)"
    for label, octets in _NO_HTTP.items():
        for ends in Ends:
            yield Response(f"heads/no-http-{label}-{ends.name.lower()}", (octets,) if octets else (), REFUSED, why, ends=ends)


def _interim() -> Iterator[Response]:
    why = "interim answers are few, have no content, and switch no protocol that was not asked for (RFC 9110 §15.2, §15.2.2)"
    final = response(_SIZED, body=_HELLO)
    for octets in _BAD_INTERIM:
        yield Response(f"heads/interim-bad-{readable(octets)[:60]}-{len(octets)}", (octets + final,), REFUSED, why)
        yield Response(f"heads/interim-apart-{readable(octets)[:60]}-{len(octets)}", (octets, final), REFUSED, why)
    for octets in _GOOD_INTERIM:
        for label, pieces in (("at-once", (octets + final,)), ("apart", (octets, final))):
            yield Response(f"heads/interim-{label}-{readable(octets)[:60]}-{len(octets)}", pieces, PASSED, why, body=_HELLO)
    for ends in (Ends.CLOSE, Ends.RESET):
        yield Response(f"heads/interim-alone-{ends.name.lower()}", (b"HTTP/1.1 100 Continue\r\n\r\n",), REFUSED, why, ends=ends)


def _sizes() -> Iterator[Response]:
    why = "the head of an answer is bounded in each direction (RFC 9110 §5.4)"
    for label, lines in (("value-1-mib", [b"X-A: " + b"a" * (1 << 20)]), ("value-70-kib", [b"X-A: " + b"a" * 70_000]), ("name-1-mib", [b"X" * (1 << 20) + b": 1"]),
                         ("fields-1000", [b"X-%d: y" % n for n in range(1000)]), ("fields-20000", [b"%d:" % n for n in range(20_000)]),
                         ("cookies-1000", [b"Set-Cookie: c%d=1" % n for n in range(1000)]), ("cookies-5000", [b"Set-Cookie: a=1"] * 5000),
                         ("total", [b"X-%d: " % n + b"a" * 1000 for n in range(100)]), ("cookie-1-mib", [b"Set-Cookie: a=" + b"b" * (1 << 20)])):  # fmt: skip
        yield Response(f"heads/size-{label}", (response(*lines, _SIZED, body=_HELLO),), REFUSED, why)
    yield Response("heads/size-status-1-mib", (response(_SIZED, status=b"HTTP/1.1 200 " + b"a" * (1 << 20), body=_HELLO),), REFUSED, why)
    many = [b"Set-Cookie: c%d=1" % n for n in range(100)]
    yield Response("heads/size-good-100-cookies", (response(*many, _SIZED, body=_HELLO),), PASSED, why, body=_HELLO)
    yield Response("heads/size-good-40-kib", (response(b"X-A: " + b"a" * 40_000, _SIZED, body=_HELLO),), PASSED, why, body=_HELLO)


def _bodyless() -> Iterator[Response]:
    why = "answers to HEAD, 204 and 304 have no content, whatever they say; what follows is nobody's (RFC 9110 §9.3.2, §15.3.5, §15.4.5)"
    for label, method, status in (("head", b"HEAD", 200), ("204", b"GET", 204), ("304", b"GET", 304), ("head-404", b"HEAD", 404)):
        first = b"HTTP/1.1 %d X" % status
        for kind, lines, body in (("length", (_SIZED,), _HELLO), ("chunks", (b"Transfer-Encoding: chunked",), b"5\r\nhello\r\n0\r\n\r\n"),
                                  ("stray", (b"Content-Length: 0",), STRAY), ("plain", (), b""), ("bytes", (), _HELLO)):  # fmt: skip
            octets = response(*lines, status=first, body=body)
            yield Response(f"heads/bodyless-{label}-{kind}", (octets,), PASSED, why, method=method, status=status, stray=bool(body))
            if body:
                apart = (octets[: -len(body)], body)
                yield Response(f"heads/bodyless-{label}-{kind}-apart", apart, PASSED, why, method=method, status=status, stray=True)
        both = response(_SIZED, b"Transfer-Encoding: chunked", status=first, body=_HELLO)
        yield Response(f"heads/bodyless-{label}-both", (both,), REFUSED, why, method=method)


def _second() -> Iterator[Response]:
    why = "one request has one answer: a second is never given to the next request (RFC 9112 §9.2)"
    first = response(_SIZED, body=_HELLO)
    for label, pieces in (("at-once", (first + STRAY,)), ("apart", (first, STRAY)), ("three", (first + STRAY * 3,)), ("half", (first, STRAY[:20])), ("many", (first + STRAY * 5000,)),
                          ("interim", (first + b"HTTP/1.1 100 Continue\r\n\r\n",)), ("interim-apart", (first, b"HTTP/1.1 100 Continue\r\n\r\n"))):  # fmt: skip
        for ends in (Ends.STAY, Ends.CLOSE):
            yield Response(f"heads/second-{label}-{ends.name.lower()}", pieces, PASSED, why, body=_HELLO, ends=ends, stray=True)


def responses() -> Iterator[Response]:
    """The class `heads`."""
    yield from _status_lines()
    yield from _fields()
    yield from _no_http()
    yield from _interim()
    yield from _sizes()
    yield from _bodyless()
    yield from _second()
