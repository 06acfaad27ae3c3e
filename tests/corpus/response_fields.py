"""
What a sandbox may not say to the browser about its origin, its transport, or the gate (RFC 9110 §7.6.1).
"""

from __future__ import annotations

from collections.abc import Iterator

from .case import readable
from .response import PASSED, Response, response

_NEVER = [
    b"Alt-Svc: h3=\":443\"", b"Service-Worker-Allowed: /", b"NEL: {}", b"Report-To: {}", b"Reporting-Endpoints: a=\"https://evil.example\"", b"Clear-Site-Data: \"*\"", b"Public-Key-Pins: x",
    b"Access-Control-Allow-Origin: *", b"Access-Control-Allow-Credentials: true", b"Access-Control-Allow-Private-Network: true", b"Proxy-Authenticate: Basic", b"Proxy-Connection: keep-alive",
    b"WWW-Authenticate: Basic realm=\"x\"", b"X-Accel-Redirect: /x", b"X-Sendfile: /etc/passwd", b"X-Coral-User: root", b"X-Openclaw-Token: x", b"Via: 1.1 x", b"Trailer: X-T", b"TE: trailers",
    b"Keep-Alive: timeout=1000", b"Upgrade: h2c", b"Server: evil", b"X-Powered-By: evil", b"Sec-WebSocket-Accept: x", b"Set-Login: logged-in",
    b"Set-Cookie: __Host-coral=x", b"Set-Cookie: __Host-coral-sandbox=x; Path=/", b"Set-Cookie: __HOST-CORAL=x", b"Set-Cookie: __Secure-coral=x", b"Set-Cookie: =__Host-coral=x", b"Set-Cookie: ",
    b"Set-Cookie: __Host-coral", b"Set-Cookie: \t__Host-coral =x", b"Set-Cookie: a=" + b"b" * 5000,
]  # fmt: skip


def responses() -> Iterator[Response]:
    """The class `fields`."""
    why = "fields of one hop, of the origin's security and of the gate's own are not the sandbox's to set (RFC 9110 §7.6.1, RFC 6265 §5.3)"
    for line in _NEVER:
        name = line.partition(b":")[0]
        for spelling in dict.fromkeys((name, name.lower(), name.upper())):
            octets = response(spelling + line[len(name) :], b"Content-Length: 5", body=b"hello")
            absent = frozenset({name.lower()})
            yield Response(f"fields/{readable(spelling + line[len(name) :])[:60]}", (octets,), PASSED, why, body=b"hello", absent=absent)
    named = response(b"Connection: X-A, keep-alive", b"X-A: 1", b"X-B: 2", b"Content-Length: 5", body=b"hello")
    yield Response("fields/named-by-connection", (named,), PASSED, why, body=b"hello", absent=frozenset({b"x-a"}))
