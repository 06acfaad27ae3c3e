"""
Where a request's content ends: Content-Length and Transfer-Encoding at odds with each other, with themselves, or with sense.
"""

from __future__ import annotations

from collections.abc import Iterator

from .case import Case, Seen, Verdict, chunked, readable, request, smuggled

_BAD_LENGTHS = [
    b"", b"+5", b"-5", b"-0", b"+0", b"0x5", b"0X5", b"5h", b"5.0", b"5e0", b"5,5", b"5, 5", b"5,6", b"5;5", b"5 5", b"5\t5",
    b"5,", b",5", b"5_0", b"'5'", b'"5"', b"(5)", b"5()", b"five", b"NaN", b"Infinity", b"5\x0b", b"\x0c5", b"5\x00", b"\xb2",
    b"\xd9\xa5", b"\xef\xbc\x95", b"5" * 19, b"0" * 19 + b"5", b"0" * 5000 + b"5", b"9" * 5000, b"18446744073709551621",
    b"9223372036854775808", b"4294967296000000000000000000005", b"$5", b"5%", b"5#", b"0b101", b"0o5", b"chunked", b"*", b"=5",
]  # fmt: skip

_GOOD_LENGTHS = [b"5", b"05", b"0" * 17 + b"5", b"  5", b"5  ", b"\t5\t"]

_BAD_CODINGS = [
    b"", b"identity", b"gzip", b"deflate", b"compress", b"x-gzip", b"gzip, chunked", b"deflate, chunked", b"chunked, gzip",
    b"chunked, chunked", b"chunked,chunked", b"identity, chunked", b"chunked, identity", b"chunked,", b",chunked", b", chunked",
    b"chunked;q=1", b"chunked; a=b", b"chunked;", b"x chunked", b"chunked x", b"xchunked", b"chunkedx", b"chunke", b"hunked",
    b'"chunked"', b"'chunked'", b"\x0bchunked", b"\x0cchunked", b"chunked\x0b", b"chunked\x00", b"\x00chunked", b"chunked\x7f",
    b"chunk\x00ed", b"chun\xffked", b"\xa0chunked", b"chunked\xa0", b"\xef\xbb\xbfchunked", b"chunk\xc3\xa9d", b"chunked\x85",
    b"chunked:", b"=chunked", b"chunked()", b"(chunked)", b"chunked*", b"trailers", b"chun ked", b"ch\tunked", b"close", b"5",
    b"chun\xe2\x84\xaaed", b"\xe1\x83\xa7hunked", b"%63hunked", b"cow, chunked", b"chunked cow",
]  # fmt: skip

_GOOD_CODINGS = [b"chunked", b"Chunked", b"CHUNKED", b"cHuNkEd", b"  chunked", b"chunked  ", b"\tchunked\t"]

_BAD_CODING_LINES = [
    b"Transfer-Encoding : chunked", b"Transfer-Encoding\t: chunked", b" Transfer-Encoding: chunked",
    b"\tTransfer-Encoding: chunked", b"Transfer-Encoding:\r\n chunked", b"Transfer-Encoding: chunked\r\n , identity",
    b"Transfer-Encoding\x00: chunked", b"\x00Transfer-Encoding: chunked", b"Transfer Encoding: chunked",
    b"Transfer-Encoding\x0b: chunked", b"Transfer-Encoding\xa0: chunked", b"\xa0Transfer-Encoding: chunked",
    b"Transfer-Encod\xefng: chunked", b"X: y\nTransfer-Encoding: chunked", b"X: y\rTransfer-Encoding: chunked",
    b"X: y\r\rTransfer-Encoding: chunked", b"X: y\n\rTransfer-Encoding: chunked", b"Transfer-Encoding chunked",
    b"Transfer-Encoding=chunked", b"Transfer-Encoding\r\n: chunked", b"Transfer-Encoding\n: chunked",
    b"Transfer_Encoding: chunked", b"Transfer-Encoding_: chunked\r\nTransfer-Encoding: gzip", b"(Transfer-Encoding): chunked",
    b"Transfer-Encoding: chunked\nX: y", b"Transfer-Encoding: chunked\rX: y", b"Transfer-Encoding: chunked\r",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked", b"Transfer-Encoding: chunked\r\ntransfer-encoding: chunked",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x", b"Transfer-Encoding: x\r\nTransfer-Encoding: chunked",
    b"Transfer-Encoding:\r\nTransfer-Encoding: chunked", b"Transfer-Encoding: chunked\r\nTransfer-Encoding:",
    b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked", b"Transfer-Encoding: chunked\r\nTransfer_Encoding: chunked",
]  # fmt: skip

_HELLO = b"hello"


def _post(host: bytes, *lines: bytes, body: bytes, version: bytes = b"HTTP/1.1", method: bytes = b"POST") -> bytes:
    return request(host, *lines, method=method, target=b"/first", version=version, body=body)


def _lengths(host: bytes) -> Iterator[Case]:
    why = "Content-Length is 1*DIGIT, once, and one that cannot be trusted is unrecoverable (RFC 9112 §6.3, RFC 9110 §8.6)"
    for value in _BAD_LENGTHS:
        payload = _post(host, b"Content-Length: " + value, body=_HELLO)
        yield Case(f"framing/length-{readable(value)[:40]}-{len(value)}", payload, Verdict.REFUSED, why)
    for value in _GOOD_LENGTHS:
        payload = _post(host, b"Content-Length:" + value, body=_HELLO)
        seen = (Seen(b"POST", b"/first", _HELLO),)
        yield Case(f"framing/length-good-{readable(value)}", payload, Verdict.FORWARDED, why, seen)
    for first, second in ((b"5", b"5"), (b"5", b"6"), (b"6", b"5"), (b"0", b"5"), (b"5", b"0"), (b"5", b""), (b"", b"5"), (b"5", b"x")):
        payload = _post(host, b"Content-Length: " + first, b"Content-Length: " + second, body=_HELLO)
        yield Case(f"framing/two-lengths-{first.decode()}-{second.decode()}", payload, Verdict.REFUSED, why)
        payload = _post(host, b"Content-Length: " + first, b"X: y", b"content-length: " + second, body=_HELLO)
        yield Case(f"framing/two-lengths-apart-{first.decode()}-{second.decode()}", payload, Verdict.REFUSED, why)


def _length_lines(host: bytes) -> Iterator[Case]:
    why = "a length that one reader sees and another does not moves the request's end (RFC 9112 §5, §6.3)"
    lines = [
        b"Content-Length : 5", b"Content-Length\t: 5", b" Content-Length: 5", b"Content-Length:\r\n 5", b"Content Length: 5",
        b"Content-Length\x00: 5", b"Content-Length\x0b: 5", b"X: y\nContent-Length: 5", b"X: y\rContent-Length: 5",
        b"Content_Length: 5", b"Content-Length: 5\nX: y", b"Content-Length: 5\rX: y", b"Content-Length", b"Content-Length=5",
        b"Content\xad-Length: 5", b"Content-Length: 5\r\nContent_Length: 6", b"Content-Length: 6\r\n Content-Length: 5",
        b"Content-Length: 5\r\n 5", b"Content-Length: 5\r\n\t5",
    ]  # fmt: skip
    for line in lines:
        yield Case(f"framing/length-line-{readable(line)}", _post(host, line, body=_HELLO), Verdict.REFUSED, why)


def _codings(host: bytes) -> Iterator[Case]:
    why = "a coding that is not exactly `chunked`, once and last, has no end that two readers agree on (RFC 9112 §6.1, §6.3)"
    body = chunked(_HELLO) + smuggled(host)
    for value in _BAD_CODINGS:
        line = b"Transfer-Encoding: " + value
        yield Case(f"framing/coding-{readable(value)}", _post(host, line, body=body), Verdict.REFUSED, why)
        both = _post(host, line, b"Content-Length: %d" % len(body), body=body)
        yield Case(f"framing/coding-and-length-{readable(value)}", both, Verdict.REFUSED, why)
    for value in _GOOD_CODINGS:
        payload = _post(host, b"Transfer-Encoding:" + value, body=chunked(_HELLO))
        seen = (Seen(b"POST", b"/first", _HELLO),)
        yield Case(f"framing/coding-good-{readable(value)}", payload, Verdict.FORWARDED, why, seen)


def _coding_lines(host: bytes) -> Iterator[Case]:
    why = "an obfuscated Transfer-Encoding is seen by one reader and missed by the next (RFC 9112 §5.1, §6.1)"
    for line in _BAD_CODING_LINES:
        for kind, extra in (("alone", ()), ("then-length", (b"Content-Length: 4",))):
            payload = _post(host, line, *extra, body=chunked(_HELLO) + smuggled(host))
            yield Case(f"framing/coding-line-{readable(line)}-{kind}", payload, Verdict.REFUSED, why)
        payload = _post(host, b"Content-Length: 4", line, body=chunked(_HELLO) + smuggled(host))
        yield Case(f"framing/coding-line-{readable(line)}-after-length", payload, Verdict.REFUSED, why)


def _both(host: bytes) -> Iterator[Case]:
    why = "Content-Length beside Transfer-Encoding is a smuggling attempt (RFC 9112 §6.1, §6.3 rule 3)"
    hidden = smuggled(host)
    bodies = {"cl-te": b"0\r\n\r\n" + hidden, "te-cl": b"%x\r\n%s\r\n0\r\n\r\n" % (len(hidden), hidden), "empty": b"0\r\n\r\n"}
    for kind, body in bodies.items():
        for length in (0, 3, 4, 5, len(body), len(body) + 1):
            fields = [b"Content-Length: %d" % length, b"Transfer-Encoding: chunked"]
            for order, lines in (("length-first", fields), ("coding-first", fields[::-1])):
                for method in (b"POST", b"GET", b"PUT"):
                    name = f"framing/{kind}-{length}-{order}-{method.decode()}"
                    yield Case(name, _post(host, *lines, body=body, method=method), Verdict.REFUSED, why)


def _old_version(host: bytes) -> Iterator[Case]:
    why = "HTTP/1.0 has no transfer codings: such a request is faulty and the connection is closed (RFC 9112 §6.1)"
    for value in (b"chunked", b"identity", b"gzip, chunked", b"Chunked"):
        for extra in ((), (b"Content-Length: 5",), (b"Connection: keep-alive",)):
            payload = _post(host, b"Transfer-Encoding: " + value, *extra, body=chunked(_HELLO), version=b"HTTP/1.0")
            name = f"framing/http-1.0-{readable(value)}-{extra[0].partition(b':')[0].decode() if extra else 'alone'}"
            yield Case(name, payload, Verdict.REFUSED, why)


def _no_length(host: bytes) -> Iterator[Case]:
    why = "a request without either field has no content: what follows is the next request (RFC 9112 §6.3 rule 7)"
    for method in (b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"GET", b"HEAD"):
        payload = _post(host, body=b"", method=method)
        yield Case(f"framing/no-content-{method.decode()}", payload, Verdict.FORWARDED, why, (Seen(method, b"/first"),))
        payload = _post(host, b"Content-Length: 0", body=b"", method=method)
        yield Case(f"framing/zero-length-{method.decode()}", payload, Verdict.FORWARDED, why, (Seen(method, b"/first"),))
        follows = payload + request(host, target=b"/second")
        seen = (Seen(method, b"/first"), Seen(b"GET", b"/second"))
        yield Case(f"framing/zero-length-then-{method.decode()}", follows, Verdict.FORWARDED, why, seen)
        stray = _post(host, b"Content-Length: 0", body=b"X", method=method)
        yield Case(f"framing/stray-byte-{method.decode()}", stray, Verdict.REFUSED, why, (Seen(method, b"/first"),))


def _short(host: bytes) -> Iterator[Case]:
    why = "content shorter than its length is incomplete, and the connection ends (RFC 9112 §8)"
    for length in (6, 1000, 10**17, 10**18 - 1):
        payload = _post(host, b"Content-Length: %d" % length, body=_HELLO)
        yield Case(f"framing/short-{length}", payload, Verdict.CUT, why, hangs_up=True)
    for body in (b"", b"5", b"5\r", b"5\r\n", b"5\r\nhel", b"5\r\nhello", b"5\r\nhello\r", b"5\r\nhello\r\n", b"5\r\nhello\r\n0",
                 b"5\r\nhello\r\n0\r\n", b"5\r\nhello\r\n0\r\n\r", b"5\r\nhello\r\n0\r\nX: y\r\n"):  # fmt: skip
        payload = _post(host, b"Transfer-Encoding: chunked", body=body)
        yield Case(f"framing/short-chunks-{readable(body)}", payload, Verdict.CUT, why, hangs_up=True)


def cases(host: bytes) -> Iterator[Case]:
    """The class `framing`."""
    yield from _lengths(host)
    yield from _length_lines(host)
    yield from _codings(host)
    yield from _coding_lines(host)
    yield from _both(host)
    yield from _old_version(host)
    yield from _no_length(host)
    yield from _short(host)
