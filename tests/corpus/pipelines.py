"""
Several requests at once: each is answered in its turn, and what follows a refusal is not read (RFC 9112 §9.3.2, §9.6).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from .case import Case, Seen, Verdict, chunked, request, smuggled

_WHY = "pipelined requests are answered in order, each once; after a refusal nothing more is read (RFC 9112 §9.3.2)"


def _good(host: bytes, number: int) -> dict[str, tuple[bytes, Seen]]:
    target = b"/%d" % number
    hidden = smuggled(host)
    return {
        "get": (request(host, target=target), Seen(target=target)),
        "head": (request(host, method=b"HEAD", target=target), Seen(b"HEAD", target)),
        "length": (request(host, b"Content-Length: 5", method=b"POST", target=target, body=b"hello"), Seen(b"POST", target, b"hello")),
        "chunks": (
            request(host, b"Transfer-Encoding: chunked", method=b"PUT", target=target, body=chunked(hidden, 9)),
            Seen(b"PUT", target, hidden),
        ),
    }


def _bad(host: bytes) -> dict[str, bytes]:
    return {
        "fold": request(host, b"X-A: 1\r\n 2"),
        "both": request(host, b"Content-Length: 5", b"Transfer-Encoding: chunked", method=b"POST", body=b"0\r\n\r\n"),
        "two-hosts": request(host, b"Host: " + host),
        "no-host": b"GET / HTTP/1.1\r\n\r\n",
        "blank-line-first": b"\r\n" + request(host),
        "space-first": b" " + request(host),
        "nul": request(host, b"X-A: \x00"),
        "method": b"\x00\x01\x02\r\n\r\n",
        "version": request(host, version=b"HTTP/2.0"),
        "absolute": request(host, target=b"http://evil.example/"),
        "length": request(host, b"Content-Length: +5", method=b"POST", body=b"hello"),
        "bare-lf": request(host).replace(b"\r\n", b"\n"),
    }


def cases(host: bytes) -> Iterator[Case]:
    """The class `pipelines`."""
    for first, second in product(_good(host, 1), _good(host, 2)):
        parts = [_good(host, 1)[first], _good(host, 2)[second]]
        yield _forwarded(f"pipelines/{first}-{second}", parts)
    for kind in _good(host, 0):
        yield _forwarded(f"pipelines/ten-{kind}", [_good(host, number)[kind] for number in range(10)])
    mixed = [_good(host, number)[kind] for number, kind in enumerate([*_good(host, 0)] * 5)]
    yield _forwarded("pipelines/twenty-mixed", mixed)
    for (kind, (payload, seen)), (label, bad) in product(_good(host, 1).items(), _bad(host).items()):
        yield Case(f"pipelines/{kind}-then-{label}", payload + bad + smuggled(host), Verdict.REFUSED, _WHY, (seen,))
    for label, bad in _bad(host).items():
        yield Case(f"pipelines/first-{label}", bad + smuggled(host) * 3, Verdict.REFUSED, _WHY)
    for kind, (payload, seen) in _good(host, 1).items():
        closing = payload.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
        yield Case(f"pipelines/{kind}-closing", closing + smuggled(host) * 3, Verdict.FORWARDED, _WHY, (seen,), closes=True)


def _forwarded(name: str, parts: list[tuple[bytes, Seen]]) -> Case:
    return Case(name, b"".join(payload for payload, _ in parts), Verdict.FORWARDED, _WHY, tuple(seen for _, seen in parts))
