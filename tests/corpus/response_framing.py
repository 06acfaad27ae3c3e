"""
Answers whose end is in doubt (RFC 9112 §6).
"""

from __future__ import annotations

from collections.abc import Iterator

from .case import chunked, readable
from .response import BROKEN, PASSED, REFUSED, STRAY, Ends, Outcome, Response, response

_HELLO = b"hello"

_BAD_LENGTHS = [
    b"", b"+5", b"-5", b"-1", b"0x5", b"5,5", b"5, 5", b"5, 6", b"5;", b"5 5", b"5.0", b"5e0", b"five", b"'5'", b'"5"', b"5\x0b", b"\xb2",
    b"5" * 19, b"9" * 5000, b"18446744073709551621", b"9223372036854775808", b"0" * 19 + b"5", b"4294967296000000000000000000005",
]  # fmt: skip

_BAD_CODINGS = [
    b"", b"gzip", b"gzip, chunked", b"chunked, gzip", b"chunked, chunked", b"identity", b"identity, chunked", b"xchunked", b"chunkedx",
    b"chunked;q=1", b"x chunked", b"chunked,", b",chunked", b'"chunked"', b"\x0bchunked", b"chunked\xa0", b"deflate", b"compress", b"br, chunked",
]  # fmt: skip

_BAD_LINES = [
    b"Transfer-Encoding : chunked", b" Transfer-Encoding: chunked", b"Transfer-Encoding\t: chunked", b"Transfer-Encoding:\r\n chunked",
    b"Transfer-Encoding\x00: chunked", b"Transfer Encoding: chunked", b"X: y\nTransfer-Encoding: chunked", b"X: y\rTransfer-Encoding: chunked",
    b"Transfer-Encoding chunked", b"Content-Length : 5", b" Content-Length: 5", b"Content-Length:\r\n 5", b"Content-Length\x00: 5", b"Content Length: 5",
    b"X: y\nContent-Length: 5", b"X: y\rContent-Length: 5", b"Content-Length 5", b"\xa0Content-Length: 5",
]  # fmt: skip

_BAD_SIZES = [
    b"", b"0x5", b"+5", b"-5", b" 5", b"g", b"5_0", b"5.", b"5,", b"\x005", b"5\x00", b"5\n", b"5\r", b"5 5", b"00000000000000005",
    b"10000000000000005", b"FFFFFFFFFFFFFFFFF", b"\xef\xbc\x95", b"5;", b"5;=b", b"5;a=", b'5;a="', b"5;a\x01", b"5;" + b"a" * 300, b"5;a=" + b"b" * 70_000,
]  # fmt: skip

_BROKEN_CHUNKS = {
    "no-crlf": b"5\r\nhello0\r\n\r\n", "lf": b"5\r\nhello\n0\r\n\r\n", "longer": b"5\r\nhelloX\r\n0\r\n\r\n", "shorter": b"5\r\nhel\r\n0\r\n\r\n",
    "lf-size": b"5\nhello\r\n0\r\n\r\n", "lf-all": b"5\nhello\n0\n\n", "cr-size": b"5\rhello\r\n0\r\n\r\n", "text": b"hello", "crlf-first": b"\r\n5\r\nhello\r\n0\r\n\r\n",
    "bad-second": b"5\r\nhello\r\nzz\r\n", "lf-last": b"5\r\nhello\r\n0\n\n", "cr-last": b"5\r\nhello\r\n0\r\n\rX",
}  # fmt: skip

_BAD_TRAILERS = [
    b"X-T", b": 1", b"X-T : 1", b" X-T: 1", b"X T: 1", b"X-T: \x00", b"X-T: a\nb", b"X-T: a\rb", b"Content-Length: 5", b"Transfer-Encoding: chunked",
    b"Set-Cookie: a=b", b"X-T: " + b"a" * 9000, b"\r\n".join(b"X-%d: y" % n for n in range(2000)), b"HTTP/1.1 200 OK",
]  # fmt: skip


def _lengths() -> Iterator[Response]:
    why = "an answer with an invalid length is 502, and its connection is closed (RFC 9112 §6.3 rule 5)"
    for value in _BAD_LENGTHS:
        octets = response(b"Content-Length: " + value, body=_HELLO)
        yield Response(f"framing/length-{readable(value)[:40]}-{len(value)}", (octets,), REFUSED, why)
    for first, second in ((b"5", b"5"), (b"5", b"6"), (b"6", b"5"), (b"0", b"5"), (b"5", b""), (b"x", b"5")):
        octets = response(b"Content-Length: " + first, b"X: y", b"content-length: " + second, body=_HELLO)
        yield Response(f"framing/lengths-{first.decode()}-{second.decode()}", (octets,), REFUSED, why)
    for value in (b"5", b"05", b"0" * 17 + b"5", b"\t5 "):
        yield Response(
            f"framing/length-good-{readable(value)}", (response(b"Content-Length:" + value, body=_HELLO),), PASSED, why, body=_HELLO
        )


def _codings() -> Iterator[Response]:
    why = "a coding that is not exactly `chunked` has no end that two readers agree on (RFC 9112 §6.1, §6.3)"
    for value in _BAD_CODINGS:
        octets = response(b"Transfer-Encoding: " + value, body=chunked(_HELLO))
        yield Response(f"framing/coding-{readable(value)}", (octets,), REFUSED, why)
        octets = response(b"Transfer-Encoding: " + value, b"Content-Length: 5", body=_HELLO)
        yield Response(f"framing/coding-and-length-{readable(value)}", (octets,), REFUSED, why)
    for line in _BAD_LINES:
        yield Response(f"framing/line-{readable(line)}", (response(line, body=chunked(_HELLO)),), REFUSED, why)
    for value in (b"chunked", b"Chunked", b"CHUNKED"):
        octets = response(b"Transfer-Encoding: " + value, body=chunked(_HELLO, 2))
        yield Response(f"framing/coding-good-{readable(value)}", (octets,), PASSED, why, body=_HELLO)
    twice = response(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=chunked(_HELLO))
    yield Response("framing/coding-twice", (twice,), REFUSED, why)
    old = response(b"Transfer-Encoding: chunked", status=b"HTTP/1.0 200 OK", body=chunked(_HELLO))
    yield Response("framing/coding-1.0", (old,), REFUSED, why, ends=Ends.CLOSE)


def _both() -> Iterator[Response]:
    why = "an answer with both fields may be a response that was split; it is an error (RFC 9112 §6.3 rule 3)"
    for length in (0, 3, 5, 15, 1000):
        lines = [b"Content-Length: %d" % length, b"Transfer-Encoding: chunked"]
        for order, fields in (("length", lines), ("coding", lines[::-1])):
            octets = response(*fields, body=chunked(_HELLO) + STRAY)
            yield Response(f"framing/both-{order}-first-{length}", (octets,), REFUSED, why)


def _wrong_lengths() -> Iterator[Response]:
    why = "an answer shorter than its length is incomplete and cut; what is longer is nobody's (RFC 9112 §8, §6.3)"
    for length in (6, 1000, 10**17):
        for ends in Ends:
            octets = response(b"Content-Length: %d" % length, body=_HELLO)
            yield Response(f"framing/short-{length}-{ends.name.lower()}", (octets,), BROKEN, why, body=_HELLO, ends=ends)
    for extra in (b"X", b"\r\n", b"\r\n\r\n", b"0\r\n\r\n", STRAY, b"\x00" * 100, b"GET / HTTP/1.1\r\n\r\n"):
        octets = response(b"Content-Length: 5", body=_HELLO)
        for label, pieces in (("at-once", (octets + extra,)), ("after", (octets, extra))):
            yield Response(f"framing/long-{readable(extra)[:30]}-{len(extra)}-{label}", pieces, PASSED, why, body=_HELLO, stray=True)
            closing = response(b"Content-Length: 5", b"Connection: close", body=_HELLO)
            pieces = (closing + extra,) if label == "at-once" else (closing, extra)
            yield Response(
                f"framing/long-closing-{readable(extra)[:30]}-{len(extra)}-{label}", pieces, PASSED, why, body=_HELLO, stray=True
            )


def _chunks() -> Iterator[Response]:
    why = "chunks are read as strictly from a sandbox as from a client; trailers and extensions are not passed on (RFC 9112 §7.1)"
    line = b"Transfer-Encoding: chunked"
    for size in _BAD_SIZES:
        octets = response(line, body=size + b"\r\nhello\r\n0\r\n\r\n")
        yield Response(f"framing/size-{readable(size)[:40]}-{len(size)}", (octets,), BROKEN, why)
        later = response(line, body=b"3\r\nabc\r\n" + size + b"\r\nhello\r\n0\r\n\r\n")
        yield Response(f"framing/size-later-{readable(size)[:40]}-{len(size)}", (later,), BROKEN, why, body=b"abc")
    for size in (b"FFFFFFFFFFFFFFFF", b"7FFFFFFFFFFFFFFF", b"100000000"):
        octets = response(line, body=size + b"\r\nhello")
        yield Response(f"framing/size-huge-{size.decode()}", (octets,), BROKEN, why, body=_HELLO, ends=Ends.CLOSE)
    for label, body in _BROKEN_CHUNKS.items():
        yield Response(f"framing/chunks-{label}", (response(line, body=body),), BROKEN, why, body=b"hello\r\n0")
    whole = b"5\r\nhello\r\n0\r\n\r\n"
    for length in range(len(whole)):
        for ends in (Ends.CLOSE, Ends.RESET):
            octets = response(line, body=whole[:length])
            yield Response(f"framing/chunks-end-after-{length}-{ends.name.lower()}", (octets,), BROKEN, why, body=_HELLO, ends=ends)
    yield Response("framing/chunks-stall", (response(line, body=whole[:9]),), BROKEN, why, body=_HELLO)
    for trailer in _BAD_TRAILERS:
        octets = response(line, body=chunked(_HELLO, trailers=(trailer,)))
        yield Response(f"framing/trailer-{readable(trailer)[:40]}", (octets,), BROKEN, why, body=_HELLO)
    octets = response(line, body=chunked(_HELLO, 2, b';a="b c"', (b"X-T: 1", b"X-U: 2")))
    yield Response("framing/trailer-and-extension-good", (octets,), PASSED, why, body=_HELLO)
    yield Response("framing/chunks-then-stray", (response(line, body=chunked(_HELLO) + STRAY),), PASSED, why, body=_HELLO, stray=True)
    yield Response(
        "framing/chunks-inside",
        (response(line, body=chunked(STRAY + b"0\r\n\r\n" + STRAY, 7)),),
        PASSED,
        why,
        body=STRAY + b"0\r\n\r\n" + STRAY,
    )


def _until_close() -> Iterator[Response]:
    why = "an answer without a length ends with its connection; the client gets it with an end of its own (RFC 9112 §6.3 rule 8)"
    for status in (b"HTTP/1.1 200 OK", b"HTTP/1.0 200 OK"):
        octets = response(b"X: y", status=status, body=_HELLO)
        yield Response(f"framing/until-close-{readable(status)}", (octets,), PASSED, why, body=_HELLO, ends=Ends.CLOSE)
        yield Response(f"framing/until-reset-{readable(status)}", (octets,), BROKEN, why, body=_HELLO, ends=Ends.RESET)
        stray = response(b"X: y", status=status, body=_HELLO + STRAY)
        yield Response(f"framing/until-close-stray-{readable(status)}", (stray,), PASSED, why, body=_HELLO + STRAY, ends=Ends.CLOSE)
    for line in (b"Connection: keep-alive", b"Connection: close", b"Keep-Alive: timeout=5"):
        octets = response(line, body=_HELLO)
        yield Response(f"framing/until-close-{readable(line)}", (octets,), PASSED, why, body=_HELLO, ends=Ends.CLOSE)
    yield Response("framing/until-close-stall", (response(body=_HELLO),), frozenset({Outcome.CUT, Outcome.REFUSED}), why, body=_HELLO)


def responses() -> Iterator[Response]:
    """The class `framing`."""
    yield from _lengths()
    yield from _codings()
    yield from _both()
    yield from _wrong_lengths()
    yield from _chunks()
    yield from _until_close()
