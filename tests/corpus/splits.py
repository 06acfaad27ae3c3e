"""
The same bytes in other segments: where TCP cuts them changes nothing (RFC 9112 §2.2).
"""

from __future__ import annotations

from collections.abc import Iterator

from .case import Case, Seen, Verdict, chunked, request, smuggled

_WHY = "how the bytes are cut into segments changes neither the verdict nor what is forwarded (RFC 9112 §2.2)"


def _seeds(host: bytes) -> Iterator[tuple[str, bytes, Verdict, tuple[Seen, ...]]]:
    hidden = smuggled(host)
    coded = request(host, b"Transfer-Encoding: chunked", method=b"POST", body=chunked(b"hello", 3, b";a=b", (b"X-T: 1",)))
    yield "chunks", coded, Verdict.FORWARDED, (Seen(b"POST", b"/", b"hello"),)
    sized = request(host, b"X-A: 1", b"Content-Length: 5", method=b"PUT", body=b"\r\n\r\n0")
    yield "length", sized, Verdict.FORWARDED, (Seen(b"PUT", b"/", b"\r\n\r\n0", ((b"x-a", b"1"),)),)
    yield "pair", request(host, target=b"/1") + request(host, target=b"/2"), Verdict.FORWARDED, (Seen(target=b"/1"), Seen(target=b"/2"))
    yield "fold", request(host, b"X-A: 1\r\n 2") + hidden, Verdict.REFUSED, ()
    yield "bare-cr", request(host, b"X-A: 1\r2") + hidden, Verdict.REFUSED, ()
    yield "bare-lf", request(host, b"X-A: 1\n2") + hidden, Verdict.REFUSED, ()
    both = request(host, b"Content-Length: 4", b"Transfer-Encoding: chunked", method=b"POST", body=b"0\r\n\r\n" + hidden)
    yield "both", both, Verdict.REFUSED, ()
    bad = request(host, b"Transfer-Encoding: chunked", method=b"POST", body=b"5\r\nhello\n0\r\n\r\n" + hidden)
    yield "chunk-end", bad, Verdict.CUT, ()


def _cuts(length: int) -> Iterator[tuple[int, ...]]:
    """One cut at every eighth place, and each of the last places; then cuts at every place of some stretches."""
    for place in sorted({*range(1, length, 8), *range(max(1, length - 40), length, 3)}):
        yield (place,)
    yield tuple(range(1, min(length, 24)))
    yield tuple(range(max(1, length - 60), length))
    yield tuple(range(7, length, 7))


def cases(host: bytes) -> Iterator[Case]:
    """The class `splits`."""
    for label, payload, verdict, seen in _seeds(host):
        for cuts in dict.fromkeys(_cuts(len(payload))):
            name = f"splits/{label}-at-{cuts[0]}" + (f"-by-{len(cuts)}" if len(cuts) > 1 else "")
            yield Case(name, payload, verdict, _WHY, seen, cuts=cuts)
