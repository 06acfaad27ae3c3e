"""
HTTP versions: the two that are spoken, and everything that looks like one (RFC 9112 §2.3, RFC 9110 §2.5).
"""

from __future__ import annotations

from collections.abc import Iterator

from .case import Case, Seen, Verdict, readable, request, smuggled

_REFUSED = [
    b"HTTP/0.9", b"HTTP/1.2", b"HTTP/1.9", b"HTTP/2.0", b"HTTP/2", b"HTTP/3.0", b"HTTP/3", b"HTTP/0.0", b"HTTP/9.9", b"HTTP/1.10",
    b"HTTP/1.01", b"HTTP/01.1", b"HTTP/11.1", b"HTTP/1.", b"HTTP/.1",
    b"HTTP/1", b"HTTP/", b"HTTP", b"http/1.1", b"Http/1.1", b"hTTP/1.1", b"HTTP /1.1", b"HTTP/ 1.1", b"HTTP/1 .1", b"HTTP/1. 1",
    b"HTTPS/1.1", b"HTTP/1,1", b"HTTP/1:1", b"HTTP/11", b"HTTP/1.1.1",
    b"HTTP/-1.1", b"HTTP/+1.1", b"HTTP/1.-1", b"HTTP/1.1x", b"HTTP/x.y", b"HTTP/1.x", b"HTTP\\1.1", b"HTTP//1.1", b"HTTP-1.1",
    b"HTTP_1.1", b"ICY/1.0", b"RTSP/1.0", b"SIP/2.0", b"WS/1.1", b"1.1",
    b"HTTP/1.1;x", b"HTTP/1.1,HTTP/1.0", b"HTTP/1.1/", b"HTTP/4294967297.1", b"HTTP/1.4294967297", b"HTTP/\xc2\xb9.1", b"HTTP/1.1\x00",
    b"HTTP/1.1\x0b", b"H", b"XTTP/1.1", b"HTTP/1.1 HTTP/1.1",
]  # fmt: skip


def _simple(host: bytes) -> Iterator[Case]:
    why = "a request without a version is HTTP/0.9, which is not spoken (RFC 9112 §2.3, §3)"
    for payload in (
        b"GET /\r\n",
        b"GET /\r\n\r\n",
        b"GET /\r\nHost: " + host + b"\r\n\r\n",
        b"GET / \r\n\r\n",
        b"GET /\n\n",
        b"GET\r\n\r\n",
        b"POST /\r\n\r\nbody\r\n",
    ):
        yield Case(f"versions/simple-{readable(payload.replace(host, b'HOST'))}", payload, Verdict.REFUSED, why)


def _old(host: bytes) -> Iterator[Case]:
    why = "HTTP/1.0 is served and never kept alive: what follows is not read as a request (RFC 9112 §9.3)"
    for label, lines in (
        ("plain", ()),
        ("keep-alive", (b"Connection: keep-alive",)),
        ("keep-alive-field", (b"Connection: keep-alive", b"Keep-Alive: timeout=5")),
    ):
        for method in (b"GET", b"HEAD", b"POST", b"OPTIONS"):
            payload = request(host, *lines, b"Content-Length: 0", method=method, version=b"HTTP/1.0")
            name = f"versions/1.0-{label}-{method.decode()}"
            yield Case(name, payload + smuggled(host), Verdict.FORWARDED, why, (Seen(method),), closes=True)
    payload = request(host, b"Content-Length: 5", method=b"POST", version=b"HTTP/1.0", body=b"hello")
    yield Case("versions/1.0-content", payload + smuggled(host), Verdict.FORWARDED, why, (Seen(b"POST", b"/", b"hello"),), closes=True)
    payload = request(host, b"Expect: 100-continue", b"Content-Length: 5", method=b"POST", version=b"HTTP/1.0", body=b"hello")
    yield Case("versions/1.0-expect", payload, Verdict.FORWARDED, why, (Seen(b"POST", b"/", b"hello"),), closes=True)


def cases(host: bytes) -> Iterator[Case]:
    """The class `versions`."""
    why = "the version is HTTP/1.0 or HTTP/1.1, byte for byte (RFC 9112 §2.3)"
    for version in _REFUSED:
        yield Case(f"versions/refused-{readable(version)}", request(host, version=version), Verdict.REFUSED, why)
    yield Case("versions/1.1", request(host), Verdict.FORWARDED, why, (Seen(),))
    yield from _simple(host)
    yield from _old(host)
