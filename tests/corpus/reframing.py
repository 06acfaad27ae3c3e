"""
Content that looks like framing: what a proxy lets through when it takes off one coding and keeps the field that names it.
"""

from __future__ import annotations

from collections.abc import Iterator

from .case import Case, Seen, Verdict, chunked, request, smuggled

_WHY = "content is opaque: it is framed anew toward the origin and never read as a message (RFC 9112 §6, §11.2)"


def _contents(host: bytes) -> dict[str, bytes]:
    hidden = smuggled(host)
    return {
        "request": hidden,
        "end-then-request": b"0\r\n\r\n" + hidden,
        "crlf-end-then-request": b"\r\n0\r\n\r\n" + hidden,
        "lf-end-then-request": b"0\n\n" + hidden,
        "chunks-then-request": b"5\r\nhello\r\n0\r\n\r\n" + hidden,
        "chunks-inside-chunks": chunked(chunked(hidden)),
        "blank-lines-then-request": b"\r\n\r\n" + hidden,
        "post-with-length": request(host, b"Content-Length: 100", method=b"POST", target=b"/SMUGGLED"),
        "post-with-coding": request(host, b"Transfer-Encoding: chunked", method=b"POST", target=b"/SMUGGLED", body=b"0\r\n\r\n"),
        "rest-of-a-head": b"X: y\r\nContent-Length: 0\r\n\r\n" + hidden,
        "connect": b"CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: 127.0.0.1:22\r\n\r\n",
        "http-2-preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "response": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "every-byte": bytes(range(256)),
        "only-zeros": b"0" * 64,
        "only-line-ends": b"\r\n" * 64,
        "last-chunk-alone": b"0\r\n\r\n",
        "trailer-like": b"0\r\nX: y\r\n\r\n" + hidden,
    }


def _framings(content: bytes) -> dict[str, tuple[bytes, bytes]]:
    """The line that names a framing, and `content` in it."""
    coding = b"Transfer-Encoding: chunked"
    return {
        "length": (b"Content-Length: %d" % len(content), content),
        "one-chunk": (coding, chunked(content)),
        "chunks-of-1": (coding, chunked(content, 1)),
        "chunks-of-5": (coding, chunked(content, 5)),
        "extensions": (coding, chunked(content, 16, b";a=b")),
        "trailers": (coding, chunked(content, 40, trailers=(b"X-T: 1", b"X-Content-Length: 3"))),
    }


def cases(host: bytes) -> Iterator[Case]:
    """The class `reframing`."""
    for label, content in _contents(host).items():
        for framing, (line, body) in _framings(content).items():
            for method in (b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"GET"):
                payload = request(host, line, method=method, target=b"/first", body=body)
                seen = (Seen(method, b"/first", content),)
                yield Case(f"reframing/{label}-{framing}-{method.decode()}", payload, Verdict.FORWARDED, _WHY, seen)
