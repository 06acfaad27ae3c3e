"""
Names which a peer that reads `_` as `-` takes for one that the gate acts on (RFC 3875 §4.1.18 is why peers do).
"""

from __future__ import annotations

from collections.abc import Iterator

from .case import Case, Seen, Verdict, chunked, request

_SPECIAL = {
    b"Transfer-Encoding": b"chunked", b"Content-Length": b"5", b"X-Forwarded-For": b"10.0.0.1", b"X-Forwarded-Host": b"evil.example",
    b"X-Forwarded-Proto": b"https", b"X-Forwarded-User": b"root", b"X-Forwarded-Email": b"root@example", b"X-Forwarded-Prefix": b"/x",
    b"X-Real-IP": b"127.0.0.1", b"X-Auth-Request-User": b"root", b"X-Auth-Request-Email": b"root@example", b"Remote-User": b"root",
    b"X-User": b"root", b"X-User-Id": b"1", b"X-Openclaw-Token": b"x", b"Tailscale-User-Login": b"root", b"X-Coral-User": b"root",
    b"Proxy-Connection": b"close", b"Proxy-Authorization": b"Basic x", b"X-HTTP-Method-Override": b"DELETE", b"X-Original-URL": b"/admin",
    b"X-Rewrite-URL": b"/admin", b"Sec-WebSocket-Key": b"x", b"Sec-Fetch-Site": b"same-origin", b"Accept-Encoding": b"gzip",
    b"Keep-Alive": b"x",
    b"True-Client-IP": b"127.0.0.1", b"X-Client-IP": b"127.0.0.1", b"HTTP2-Settings": b"x", b"X-Forwarded": b"for=x", b"Client-IP": b"1",
}  # fmt: skip

_HARMLESS = [b"X_Custom", b"_", b"x_", b"_x", b"Foo_Bar", b"X__Y", b"User_Agent_", b"A_b-c"]


def _spellings(name: bytes) -> Iterator[bytes]:
    yield name.replace(b"-", b"_")
    yield name.replace(b"-", b"_").lower()
    yield name.replace(b"-", b"_").upper()
    yield name.replace(b"-", b"_", 1)
    if name.count(b"-") > 1:
        yield b"-".join(name.rsplit(b"-", 1)[:1]) + b"_" + name.rsplit(b"-", 1)[1]


def cases(host: bytes) -> Iterator[Case]:
    """The class `lookalikes`."""
    why = "a name with `_` that reads, with `-`, as one the gate acts on is refused: peers differ on what it is (RFC 9110 §5.1, §16.3.2.1)"
    for name, value in _SPECIAL.items():
        for spelling in dict.fromkeys(_spellings(name)):
            payload = request(host, spelling + b": " + value)
            yield Case(f"lookalikes/{spelling.decode()}", payload, Verdict.REFUSED, why)
    for spelling in (b"Transfer_Encoding", b"transfer_encoding"):
        body = chunked(b"hello")
        for line in (b"Content-Length: %d" % len(body), b"Transfer-Encoding: chunked"):
            payload = request(host, line, spelling + b": chunked", method=b"POST", body=body)
            yield Case(f"lookalikes/{spelling.decode()}-beside-{line.partition(b':')[0].decode()}", payload, Verdict.REFUSED, why)
    for spelling in _HARMLESS:
        seen = (Seen(fields=((spelling.lower(), b"1"),)),)
        yield Case(f"lookalikes/harmless-{spelling.decode()}", request(host, spelling + b": 1"), Verdict.FORWARDED, why, seen)
    for spelling in (
        b"Cookie_",
        b"_Cookie",
        b"Host_",
        b"_Host",
        b"Authorization_",
        b"Content-Length_",
        b"_Transfer-Encoding",
        b"Content__Length",
    ):
        seen = (Seen(fields=((spelling.lower(), b"1"),)),)
        yield Case(f"lookalikes/near-{spelling.decode()}", request(host, spelling + b": 1"), Verdict.FORWARDED, why, seen)
