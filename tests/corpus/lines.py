"""
Line ends, folds, blanks and field lines that are none (RFC 9112 §2.2, §3, §5).
"""

from __future__ import annotations

from collections.abc import Iterator

from .case import Case, Seen, Verdict, readable, request, smuggled

_FIELD_LINES = [
    b"X-A", b": value", b":", b" : value", b"X-A : 1", b"X-A\t: 1", b"X-A \t : 1", b" X-A: 1", b"\tX-A: 1", b"X A: 1", b"X\tA: 1", b"X-A 1",
    b"X-A=1", b"=", b" ", b"\t", b"   ", b"\x00", b"X-A\xa0: 1", b"\xef\xbb\xbfX-A: 1", b"X-\xc3\xa9: 1", b"X-A\r", b"\rX-A: 1",
    b"X-A: 1\r",
    b"X-A: 1\r\r", b"X-A: a\rb", b"X-A: a\r b", b"X-A: a\nb", b"X-A: a\nb: c", b"X-A: a\n b: c", b"X-A: a\n\rb: c", b"\nX-A: 1", b"X-A:\n1",
    b"X-A: 1\n", b"X-A: 1\n\n", b"X-A\n: 1", b"X-A\r: 1", b"X-A:\r1", b"X-A: 1\r\n 2", b"X-A: 1\r\n\t2", b"X-A:\r\n 1", b"X-A: 1\r\n ",
    b"X-A: 1\r\n\t", b"X-A: 1\r\n \r\n 2", b"X-A: 1\r\n Host: evil.example", b"X-A: 1\r\n\tContent-Length: 5", b"X-A: 1\n 2", b"X-A: 1\r 2",
    b"GET /SMUGGLED HTTP/1.1", b"HTTP/1.1 200 OK", b"X-A: 1\r\n\r", b"-: \x0b", b"X-A: \x0c1",
]  # fmt: skip

_DELIMITERS = b'"(),/;<=>?@[\\]{}'
_TOKEN_MARKS = b"!#$%&'*+-.^`|~"

_REQUEST_LINES = [
    b" GET / HTTP/1.1", b"\tGET / HTTP/1.1", b"\r\nGET / HTTP/1.1", b"\nGET / HTTP/1.1", b"\rGET / HTTP/1.1", b"\r\n\r\nGET / HTTP/1.1",
    b"\xef\xbb\xbfGET / HTTP/1.1", b"\x00GET / HTTP/1.1", b"GET  / HTTP/1.1", b"GET /  HTTP/1.1", b"GET\t/ HTTP/1.1", b"GET /\tHTTP/1.1",
    b"GET / HTTP/1.1 ", b"GET / HTTP/1.1\t", b"GET / HTTP/1.1\r", b"GET / HTTP/1.1\n", b"GET / HTTP/1.1 x", b"GET / / HTTP/1.1",
    b"GET / x HTTP/1.1", b"GET /a b HTTP/1.1", b"GET /", b"GET", b"GET ", b"GET / ", b"GET HTTP/1.1", b"/ HTTP/1.1", b"GET/ HTTP/1.1",
    b"GET /HTTP/1.1", b"GET\x0b/\x0bHTTP/1.1", b"GET\x0c/\x0cHTTP/1.1", b"GET\x00/\x00HTTP/1.1", b"GET\xa0/\xa0HTTP/1.1",
    b"GET\r/ HTTP/1.1",
    b"GET /\rHTTP/1.1", b"GET\n/ HTTP/1.1", b"GET /\nHTTP/1.1", b"GET\r\n/ HTTP/1.1", b"GET /\r\nHTTP/1.1", b"GET / HTTP/1.1\r\n ",
    b"GET / HTTP/1.1\r\n X: y", b"GET / HTTP/1.1\r\n\tX: y", b"GET : HTTP/1.1", b"Host: a", b"", b" ", b"\x16\x03\x01\x02\x00\x01\x00",
    b"SSH-2.0-x",
    b"\x05\x01\x00", b"RFB 003.008", b"PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\nGET / HTTP/1.1", b"\r\n\r\n\x00\r\nQUIT\n",
    b"GET / HTTP/1.1\x00",
]  # fmt: skip


def _request_lines(host: bytes) -> Iterator[Case]:
    why = "a request line is method SP target SP version CRLF, with nothing before it (RFC 9112 §3, §2.2)"
    for line in _REQUEST_LINES:
        payload = line + b"\r\nHost: " + host + b"\r\n\r\n"
        yield Case(f"lines/start-{readable(line)}", payload, Verdict.REFUSED, why)


def _field_lines(host: bytes) -> Iterator[Case]:
    why = "a field line is name, colon, value and CRLF; anything else is refused, not repaired (RFC 9112 §5, §5.1, §5.2)"
    for line in _FIELD_LINES:
        yield Case(f"lines/field-{readable(line)}", request(host, line) + smuggled(host), Verdict.REFUSED, why)
        first = b"GET / HTTP/1.1\r\n" + line + b"\r\nHost: " + host + b"\r\n\r\n"
        yield Case(f"lines/first-field-{readable(line)}", first + smuggled(host), Verdict.REFUSED, why)


def _names(host: bytes) -> Iterator[Case]:
    why = "a field name is a token (RFC 9110 §5.1, §5.6.2)"
    for mark in _DELIMITERS:
        for name in (b"X%cA" % mark, b"%cX" % mark, b"X%c" % mark):
            yield Case(f"lines/name-{readable(name)}", request(host, name + b": 1"), Verdict.REFUSED, why)
    for mark in _TOKEN_MARKS:
        name = b"X%cA" % mark
        seen = (Seen(fields=((name.lower(), b"1"),)),)
        yield Case(f"lines/name-good-{readable(name)}", request(host, name + b": 1"), Verdict.FORWARDED, why, seen)


def _values(host: bytes) -> Iterator[Case]:
    why = "white space around a value is not part of it; inside it stays (RFC 9110 §5.5)"
    for raw, value in ((b" 1", b"1"), (b"1", b"1"), (b"\t1", b"1"), (b"  1  ", b"1"), (b" \t1\t ", b"1"), (b" a b", b"a b"),
                       (b" a\tb", b"a\tb"), (b" a  b", b"a  b"), (b"", b""), (b" ", b""), (b"\t", b""), (b" a:b", b"a:b"), (b" ,", b",")):  # fmt: skip
        seen = (Seen(fields=((b"x-a", value),)),)
        yield Case(f"lines/value-{readable(raw)}-", request(host, b"X-A:" + raw), Verdict.FORWARDED, why, seen)
    twice = (Seen(fields=((b"x-a", b"1"), (b"x-b", b"2"), (b"x-a", b"3"))),)
    yield Case("lines/same-name-twice", request(host, b"X-A: 1", b"X-B: 2", b"X-A: 3"), Verdict.FORWARDED, why, twice)


def _line_ends(host: bytes) -> Iterator[Case]:
    why = "only CRLF ends a line; a lone LF or CR is refused (RFC 9112 §2.2)"
    good = request(host, b"X-A: 1")
    for name, end in (
        ("lf", b"\n"),
        ("cr", b"\r"),
        ("crcrlf", b"\r\r\n"),
        ("lfcr", b"\n\r"),
        ("lfcrlf", b"\n\r\n"),
        ("nel", b"\x85"),
        ("nul", b"\0"),
    ):
        yield Case(f"lines/all-{name}", good.replace(b"\r\n", end), Verdict.REFUSED, why)
        lines = good.split(b"\r\n")
        for index in range(len(lines) - 1):
            payload = b"\r\n".join(lines[: index + 1]) + end + b"\r\n".join(lines[index + 1 :])
            yield Case(f"lines/{name}-after-line-{index}", payload + smuggled(host), Verdict.REFUSED, why)


def _unfinished(host: bytes) -> Iterator[Case]:
    why = "a head that never ends is no request (RFC 9112 §8)"
    good = request(host, b"X-A: 1")
    for length in (1, 3, 4, 5, 14, 15, 16, 20, len(good) - 3, len(good) - 2, len(good) - 1):
        yield Case(f"lines/unfinished-{length}", good[:length], Verdict.CUT, why, hangs_up=True)


def cases(host: bytes) -> Iterator[Case]:
    """The class `lines`."""
    yield from _request_lines(host)
    yield from _field_lines(host)
    yield from _names(host)
    yield from _values(host)
    yield from _line_ends(host)
    yield from _unfinished(host)
