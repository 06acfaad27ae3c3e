"""Message heads that tests begin from."""

from __future__ import annotations

BROWSER = (
    b"GET /a/b%20c?q=1&r=[2] HTTP/1.1\r\n"
    b"Host: Gate.localhost:8443\r\n"
    b"Connection: keep-alive\r\n"
    b'sec-ch-ua: "Chromium";v="156"\r\n'
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n"
    b"Accept: text/html,*/*;q=0.8\r\n"
    b"Sec-Fetch-Site: same-origin\r\n"
    b"Accept-Encoding: gzip, br\r\n"
    b"Cookie: a=1; __Host-coral=x\r\n"
    b"X-Forwarded-For: 10.0.0.1\r\n"
    b"X-App: caf\xe9\tau lait "
)
"""A browser's request head without its final CRLF CRLF."""


def request(*lines: bytes, first: bytes = b"GET / HTTP/1.1", host: bytes | None = b"Host: h") -> bytes:
    """A head of a first line, Host and more field lines."""
    return b"\r\n".join([first, *([host] if host is not None else []), *lines])
