"""
Heads that are too large in some direction, and large ones that are not (RFC 9110 §15.5.15, RFC 6585 §5).
"""

from __future__ import annotations

from collections.abc import Iterator

from .case import Case, Seen, Verdict, request

_KIB = 1024
_TOO_LONG = frozenset({400, 414, 431})


def _refused(host: bytes) -> Iterator[tuple[str, bytes]]:
    for size in (70 * _KIB, 300 * _KIB, _KIB * _KIB):
        yield f"target-{size}", request(host, target=b"/" + b"a" * size)
        yield f"query-{size}", request(host, target=b"/?" + b"a" * size)
        yield f"value-{size}", request(host, b"X-A: " + b"a" * size)
        yield f"name-{size}", request(host, b"X" * size + b": 1")
        yield f"cookie-{size}", request(host, b"Cookie: a=" + b"b" * size)
        yield f"host-{size}", request(b"a" * size)
        yield f"version-{size}", request(host, version=b"HTTP/1." + b"1" * size)
        yield f"spaces-{size}", request(host, b"X-A:" + b" " * size + b"1")
        yield f"first-spaces-{size}", request(host, target=b" " * size + b"/")
        yield f"total-{size}", request(host, *(b"X-%04d: " % n + b"a" * 1000 for n in range(size // _KIB)))
        yield f"no-line-end-{size}", b"a" * size
        yield f"field-without-end-{size}", b"GET / HTTP/1.1\r\nHost: " + host + b"\r\nX-A: " + b"a" * size
        yield f"blank-lines-{size}", b"\r\n" * (size // 2) + request(host)
        yield f"nuls-{size}", b"\0" * size
    for count in (1000, 5000, 20_000):
        yield f"fields-{count}", request(host, *(b"X: %d" % n for n in range(count)))
        yield f"names-{count}", request(host, *(b"X-%d: y" % n for n in range(count)))
        yield f"empty-values-{count}", request(host, *(b"%d:" % n for n in range(count)))
        yield f"hosts-{count}", request(host, *(b"Host: " + host for _ in range(count)))


def _accepted(host: bytes) -> Iterator[tuple[str, bytes, Seen]]:
    yield "target-4-kib", request(host, target=b"/" + b"a" * 4000), Seen(target=b"/" + b"a" * 4000)
    yield "value-4-kib", request(host, b"X-A: " + b"a" * 4000), Seen(fields=((b"x-a", b"a" * 4000),))
    yield "name-100", request(host, b"X" * 100 + b": 1"), Seen(fields=((b"x" * 100, b"1"),))
    names = [b"x-%d" % n for n in range(60)]
    yield "60-fields", request(host, *(name + b": 1" for name in names)), Seen(fields=tuple((name, b"1") for name in names))


def cases(host: bytes) -> Iterator[Case]:
    """The class `sizes`."""
    why = "a head is bounded in each direction, and refused as soon as it passes the bound (RFC 9112 §3, RFC 9110 §5.4)"
    for name, payload in _refused(host):
        yield Case(f"sizes/{name}", payload, Verdict.REFUSED, why)
    for name, payload, seen in _accepted(host):
        yield Case(f"sizes/good-{name}", payload, Verdict.FORWARDED, why, (seen,))
