"""
The chunked coding: its sizes, line ends, extensions and trailers (RFC 9112 §7.1).
"""

from __future__ import annotations

from collections.abc import Iterator

from .case import Case, Seen, Verdict, chunked, readable, request, smuggled

_HELLO = b"hello"
_SEEN = (Seen(b"POST", b"/first", _HELLO),)

_BAD_SIZES = [
    b"", b"0x5", b"0X5", b"x5", b"+5", b"-5", b" 5", b"\t5", b"5 5", b"g", b"5g", b"5h", b"5_0", b"5.", b"5,", b"five",
    b"'5'", b'"5"', b"\xef\xbc\x95", b"\xb2", b"\x005", b"5\x00", b"5\x0b", b"5\r", b"\r5", b"5\n", b"\n5", b"\r\n5", b"5:", b"5=", b"5#",
    b"00000000000000005", b"0" * 40 + b"5", b"0" * 4000 + b"5", b"10000000000000005", b"FFFFFFFFFFFFFFFFF", b"5\x7f", b"5\xa0", b"0b5",
    b"-0",
]  # fmt: skip

_HUGE_SIZES = [b"FFFFFFFFFFFFFFFF", b"ffffffffffffffff", b"8000000000000000", b"7FFFFFFFFFFFFFFF", b"100000000", b"FFFFFFFF"]

_GOOD_EXTENSIONS = [
    b";a",
    b";a=b",
    b';a="b"',
    b';a="b c"',
    b';a="b\\"c"',
    b";a;b",
    b";a=b;c=d",
    b';a="";b',
    b";x-y_z=1.2",
    b';a="b;c"',
    b";" + b"a" * 250,
]

_LOOSE_EXTENSIONS = [b" ;a", b"; a", b";a =b", b";a= b", b"\t;a", b";a ;b", b';a=\t"b"', b';a="\t"']

_BAD_EXTENSIONS = [
    b";", b";;", b";;a", b";a;", b";=b", b";a=", b';a="b', b';a="b\\', b';a=b"c"', b';a="b"c', b";a=b c", b";a\x00", b";a=\x01", b";a=\x7f",
    b";a\rb", b";a\nb", b";a=b\r", b";a=\nGET /SMUGGLED HTTP/1.1", b';a="\nx"', b';a="\rx"', b';a="\x00"', b';a="\x80\xff"', b";\xff",
    b";a=\xff", b",a", b"=a",
    b":a", b"a;b=c\n", b";a@b", b";a=(b)", b";a={b}", b";" + b"a" * 257, b";a=" + b"b" * 4096, b";a=" + b"b" * 100_000, b";a=b" * 5000,
]  # fmt: skip

_GOOD_TRAILERS = [
    (b"X-T: 1",), (b"X-T: 1", b"X-U: 2"), (b"X-T:",), (b"X-T: \x80\xff",), (b"X-Forwarded-For: 10.0.0.1",), (b"X-User: root",),
    (b"X_T: 1",),
    (b"Transfer_Encoding: chunked",), (b"Expires: never",), tuple(b"X-%d: y" % n for n in range(40)),
]  # fmt: skip

_FORBIDDEN_TRAILERS = [
    (b"Content-Length: 3",), (b"content-length: 3",), (b"Transfer-Encoding: chunked",), (b"Host: evil.example",),
    (b"Authorization: Bearer x",),
    (b"Cookie: a=1",), (b"Trailer: X",), (b"Content-Length: 3", b"Content-Length: 4"), (b"Connection: close",), (b"Set-Cookie: a=1",),
    (b"Expect: x",), (b"X-T: 1", b"Content-Length: 3"), (b"Content-Type: text/html",), (b"Content-Encoding: gzip",), (b"Upgrade: h2c",),
    (b"TE: x",),
]  # fmt: skip

_BAD_TRAILERS = [
    (b"X-T",), (b": 1",), (b"X T: 1",), (b"X-T : 1",), (b"X-T\t: 1",), (b" X-T: 1",), (b"\tX-T: 1",), (b"X-T: 1", b" 2"),
    (b"X-T: 1", b"\t2"),
    (b"X-T: \x00",), (b"X-T: \x01",), (b"X-T: \x7f",), (b"X-T: a\rb",), (b"X-T: a\nb",), (b"X-T: 1\n",), (b"X-T: 1\r",), (b"X-\xff: 1",),
    (b"X-\x00: 1",), (b"GET /SMUGGLED HTTP/1.1",), (b"X(T): 1",), (b"X-T: " + b"a" * 9000,), tuple(b"X-%d: y" % n for n in range(2000)),
]  # fmt: skip

_BROKEN_ENDS = {
    "no-crlf-after-content": b"5\r\nhello0\r\n\r\n",
    "lf-after-content": b"5\r\nhello\n0\r\n\r\n",
    "cr-after-content": b"5\r\nhello\r0\r\n\r\n",
    "crcr-after-content": b"5\r\nhello\r\r\n0\r\n\r\n",
    "lfcr-after-content": b"5\r\nhello\n\r0\r\n\r\n",
    "one-byte-more": b"5\r\nhelloX\r\n0\r\n\r\n",
    "two-bytes-more": b"5\r\nhelloXX0\r\n\r\n",
    "one-byte-less": b"5\r\nhell\r\n0\r\n\r\n",
    "lf-after-size": b"5\nhello\r\n0\r\n\r\n",
    "cr-after-size": b"5\rhello\r\n0\r\n\r\n",
    "lf-everywhere": b"5\nhello\n0\n\n",
    "lf-after-last": b"5\r\nhello\r\n0\n\r\n",
    "cr-after-last": b"5\r\nhello\r\n0\r\r\n",
    "bare-lf-end": b"5\r\nhello\r\n0\r\n\n",
    "cr-x-end": b"5\r\nhello\r\n0\r\n\rX",
    "x-end": b"5\r\nhello\r\n0\r\nX",
    "crlf-before-first": b"\r\n5\r\nhello\r\n0\r\n\r\n",
    "space-line-end": b"5\r\nhello\r\n0\r\n \r\n\r\n",
    "not-chunked-at-all": b"hello",
    "second-size-bad": b"5\r\nhello\r\n0x0\r\n\r\n",
    "empty-line-between": b"5\r\nhello\r\n\r\n0\r\n\r\n",
}


def _chunked(host: bytes, body: bytes) -> bytes:
    return request(host, b"Transfer-Encoding: chunked", method=b"POST", target=b"/first", body=body)


def _sizes(host: bytes) -> Iterator[Case]:
    why = "chunk-size is 1*HEXDIG and must not overflow (RFC 9112 §7.1)"
    for size in _BAD_SIZES:
        payload = _chunked(host, size + b"\r\nhello\r\n0\r\n\r\n" + smuggled(host))
        yield Case(f"chunks/size-{readable(size)[:40]}-{len(size)}", payload, Verdict.CUT, why)
    for size in _HUGE_SIZES:
        payload = _chunked(host, size + b"\r\nhello\r\n0\r\n\r\n")
        yield Case(f"chunks/size-huge-{readable(size)}", payload, Verdict.CUT, why, hangs_up=True)
    for size in (b"5", b"05", b"0005", b"0" * 15 + b"5"):
        yield Case(f"chunks/size-good-{readable(size)}", _chunked(host, size + b"\r\nhello\r\n0\r\n\r\n"), Verdict.FORWARDED, why, _SEEN)
    for size in (b"5 ", b"5\t", b"5 \t "):
        yield Case(f"chunks/size-padded-{readable(size)}", _chunked(host, size + b"\r\nhello\r\n0\r\n\r\n"), Verdict.EITHER, why, _SEEN)
    for size, content in ((b"a", b"0123456789"), (b"A", b"0123456789"), (b"1A", b"x" * 26), (b"1a", b"x" * 26), (b"00fF", b"x" * 255)):
        seen = (Seen(b"POST", b"/first", content),)
        yield Case(
            f"chunks/size-hex-{readable(size)}", _chunked(host, size + b"\r\n" + content + b"\r\n0\r\n\r\n"), Verdict.FORWARDED, why, seen
        )
    for last in (b"00", b"000", b"0" * 16):
        yield Case(f"chunks/last-{len(last)}-zeros", _chunked(host, b"5\r\nhello\r\n" + last + b"\r\n\r\n"), Verdict.FORWARDED, why, _SEEN)
    for last in (b"0" * 17, b"0x0", b"-0", b"+0", b" 0", b"0\x00", b"o"):
        payload = _chunked(host, b"5\r\nhello\r\n" + last + b"\r\n\r\n" + smuggled(host))
        yield Case(f"chunks/last-bad-{readable(last)}", payload, Verdict.CUT, why)


def _pieces(host: bytes) -> Iterator[Case]:
    why = "content is the chunks put together, however they are cut (RFC 9112 §7.1.3)"
    for content in (b"", _HELLO, bytes(range(256)), b"0\r\n\r\n" * 50, b"\r\n" * 100):
        for size in (1, 2, 3, 7, 64, 4096):
            seen = (Seen(b"POST", b"/first", content),)
            yield Case(f"chunks/pieces-{len(content)}-by-{size}", _chunked(host, chunked(content, size)), Verdict.FORWARDED, why, seen)


def _extensions(host: bytes) -> Iterator[Case]:
    why = "chunk extensions are taken if well-formed and short, and never passed on (RFC 9112 §7.1.1)"
    kinds = (("good", _GOOD_EXTENSIONS), ("loose", _LOOSE_EXTENSIONS), ("bad", _BAD_EXTENSIONS))
    for kind, extensions in kinds:
        verdict = Verdict.CUT if kind == "bad" else Verdict.FORWARDED
        for extension in extensions:
            label = f"{readable(extension)[:40]}-{len(extension)}"
            first = b"5%s\r\nhello\r\n0\r\n\r\n" % extension
            last = b"5\r\nhello\r\n0%s\r\n\r\n" % extension
            for where, body in (("first", first), ("last", last)):
                tail = smuggled(host) if verdict is Verdict.CUT else b""
                seen = () if verdict is Verdict.CUT else _SEEN
                yield Case(f"chunks/extension-{kind}-{where}-{label}", _chunked(host, body + tail), verdict, why, seen)


def _trailers(host: bytes) -> Iterator[Case]:
    why = "trailers are checked as strictly as a head and dropped (RFC 9110 §6.5.1, RFC 9112 §7.1.2)"
    for lines in _GOOD_TRAILERS:
        body = chunked(_HELLO, trailers=lines)
        yield Case(f"chunks/trailer-good-{readable(b'+'.join(lines))[:50]}", _chunked(host, body), Verdict.FORWARDED, why, _SEEN)
    for lines in _BAD_TRAILERS + _FORBIDDEN_TRAILERS:
        body = chunked(_HELLO, trailers=lines) + smuggled(host)
        yield Case(f"chunks/trailer-bad-{readable(b'+'.join(lines))[:50]}", _chunked(host, body), Verdict.CUT, why)


def _ends(host: bytes) -> Iterator[Case]:
    why = "each chunk and the trailer section end with CRLF and nothing else (RFC 9112 §7.1, §2.2)"
    for name, body in _BROKEN_ENDS.items():
        yield Case(f"chunks/end-{name}", _chunked(host, body + smuggled(host)), Verdict.CUT, why)


def cases(host: bytes) -> Iterator[Case]:
    """The class `chunks`."""
    yield from _sizes(host)
    yield from _pieces(host)
    yield from _extensions(host)
    yield from _trailers(host)
    yield from _ends(host)
