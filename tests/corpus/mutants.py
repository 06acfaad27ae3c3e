"""
Requests with bytes inserted, dropped, doubled and changed: what nobody thought of.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from .case import chunked, request, smuggled

_ODD = b"\x00\x01\t\n\x0b\x0c\r \x1f!\"#%'(),-./0159:;=?@AFX[\\]_`aefx{|}~\x7f\x80\x85\xa0\xff"
"""Bytes that mean something to some parser somewhere."""

_REACH = 320
"""How far into a request changes are made: the head, and the begin of the content."""


def seeds(host: bytes) -> list[bytes]:
    """Requests that are accepted as they are; none is HEAD, so that each answer has content."""
    hidden = smuggled(host)
    return [
        request(host),
        request(host, b"X-A: 1", b"Cookie: a=1; __Host-coral=x; b=2", b"Connection: x-b", b"X-B: 2", target=b"/a/b?c=%20"),
        request(host, b"Content-Length: %d" % len(hidden), method=b"POST", target=b"/first", body=hidden),
        request(host, b"Transfer-Encoding: chunked", method=b"PUT", target=b"/first", body=chunked(hidden, 31)),
        request(host, b"transfer-encoding: chunked", method=b"POST", body=chunked(b"0\r\n\r\n" + hidden, 16, b";a=b", (b"X-T: 1",))),
        request(host, b"Content-Length: 5", b"Expect: 100-continue", method=b"PATCH", body=b"hello"),
        request(host, b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"),
        request(host, target=b"/1") + request(host, b"Content-Length: 3", method=b"DELETE", target=b"/2", body=b"abc") + request(host),
        request(host, b"X-Forwarded-For: 1.2.3.4", b"Content-Length: 0", b"Accept: */*", version=b"HTTP/1.0"),
    ]


def mutants(host: bytes, seed: int, count: int) -> Iterator[bytes]:
    """
    Changed requests, mostly by one byte.

    :param seed: the same gives the same.
    """
    chance = random.Random(seed)  # a repeatable choice, no secret
    begins = seeds(host)
    for _ in range(count):
        octets = bytearray(chance.choice(begins))
        for _ in range(chance.choice((1, 1, 1, 2, 3))):
            _change(octets, chance)
        yield bytes(octets)


def _change(octets: bytearray, chance: random.Random) -> None:
    at = chance.randrange(min(len(octets), _REACH))
    byte = chance.choice(_ODD)
    how = chance.randrange(6)
    if how == 0:
        octets.insert(at, byte)
    elif how == 1:
        del octets[at]
    elif how == 2:
        octets.insert(at, octets[at])
    elif how == 3:
        octets[at] = byte
    elif how == 4:
        octets[at] ^= 0x20
    else:
        _move_line(octets, chance)


def _move_line(octets: bytearray, chance: random.Random) -> None:
    """Drop, double or swap a line."""
    lines = bytes(octets).split(b"\r\n")
    at, to = chance.randrange(len(lines)), chance.randrange(len(lines))
    how = chance.randrange(3)
    if how == 0:
        del lines[at]
    elif how == 1:
        lines.insert(to, lines[at])
    else:
        lines[at], lines[to] = lines[to], lines[at]
    octets[:] = b"\r\n".join(lines) or b"\r\n"
