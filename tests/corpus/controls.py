"""
Every control byte, and bytes beyond ASCII, in every place of a head (RFC 9110 §5.5, RFC 9112 §3).
"""

from __future__ import annotations

from collections.abc import Iterator

from .case import Case, Seen, Verdict, request

_CONTROLS = bytes([*range(0x20), 0x7F])
_BEYOND_ASCII = b"\x80\x85\xa0\xad\xc0\xe2\xfe\xff"
_HTAB = 0x09


def _places(host: bytes, mark: bytes) -> dict[str, bytes]:
    """The same byte in each place where no control and nothing beyond ASCII belongs."""
    return {
        "name-start": request(host, mark + b"X-A: 1"),
        "name": request(host, b"X" + mark + b"A: 1"),
        "name-end": request(host, b"X-A" + mark + b": 1"),
        "target-start": request(host, target=mark + b"/"),
        "target": request(host, target=b"/a" + mark + b"b"),
        "target-end": request(host, target=b"/a" + mark),
        "query": request(host, target=b"/a?b" + mark + b"c"),
        "method-start": request(host, method=mark + b"GET"),
        "method": request(host, method=b"G" + mark + b"ET"),
        "method-end": request(host, method=b"GET" + mark),
        "version": request(host, version=b"HTTP/1" + mark + b".1"),
        "version-end": request(host, version=b"HTTP/1.1" + mark),
        "host": request(host[:5] + mark + host[5:]),
        "instead-of-first-space": b"GET" + mark + b"/ HTTP/1.1\r\nHost: " + host + b"\r\n\r\n",
        "instead-of-colon": request(host, b"X-A" + mark + b"1"),
    }


def _values(host: bytes, mark: bytes) -> dict[str, bytes]:
    return {"value-start": mark + b"ab", "value": b"a" + mark + b"b", "value-end": b"ab" + mark}


def _nowhere(host: bytes) -> Iterator[Case]:
    why = "no control byte and nothing beyond ASCII is in a token, a target, a version or a host (RFC 9110 §5.1, RFC 3986 §2)"
    for byte in _CONTROLS + _BEYOND_ASCII:
        for place, payload in _places(host, bytes([byte])).items():
            yield Case(f"controls/{byte:02x}-{place}", payload, Verdict.REFUSED, why)


def _in_values(host: bytes) -> Iterator[Case]:
    why = "a value holds no control byte but HTAB; one with CR, LF or NUL is refused, not cleaned (RFC 9110 §5.5)"
    for byte in _CONTROLS:
        if byte == _HTAB:
            continue
        for place, value in _values(host, bytes([byte])).items():
            yield Case(f"controls/{byte:02x}-{place}", request(host, b"X-A: " + value), Verdict.REFUSED, why)


def _obs_text(host: bytes) -> Iterator[Case]:
    why = "bytes beyond ASCII in a value are obs-text: opaque, and passed as they are (RFC 9110 §5.5)"
    for byte in _BEYOND_ASCII:
        for place, value in _values(host, bytes([byte])).items():
            seen = (Seen(fields=((b"x-a", value),)),)
            yield Case(f"controls/{byte:02x}-{place}", request(host, b"X-A: " + value), Verdict.FORWARDED, why, seen)


def cases(host: bytes) -> Iterator[Case]:
    """The class `controls`."""
    yield from _nowhere(host)
    yield from _in_values(host)
    yield from _obs_text(host)
