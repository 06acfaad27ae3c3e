"""
Connection, and what it names; Expect; Upgrade: what is between two neighbours only (RFC 9110 §7.6.1, §7.8, §10.1.1).
"""

from __future__ import annotations

from collections.abc import Iterator

from .case import Case, Seen, Verdict, readable, request, smuggled

_FRAMING = [
    b"Host", b"host", b"Content-Length", b"content-length", b"Transfer-Encoding", b"Cookie", b"Authorization", b"Content-Type", b"Origin",
    b"close, Host", b"close, Content-Length", b"keep-alive, Cookie", b"Cache-Control", b"Expect",
]  # fmt: skip

_SYNTAX = [b"close, a b", b"a/b", b'"close"', b"close; x", b"close, \xc3\xa9", b"close=1", b"@", b"(close)", b"a:b", b"{close}"]

_CLOSING = [
    b"close",
    b"Close",
    b"CLOSE",
    b"close, close",
    b"keep-alive, close",
    b"close, keep-alive",
    b"foo,close",
    b"foo, close",
    b",close",
    b"close,",
    b" close ",
    b"X-A\t,\tclose",
]

_OTHER = [b"keep-alive", b"Keep-Alive", b"foo", b"closed", b"not-close", b"", b",", b", ,", b"te", b"trailer", b"keep-alive, foo"]


def _named(host: bytes) -> Iterator[Case]:
    why = "fields that Connection names are for the next hop only; one that frames, routes or identifies may not be named (RFC 9110 §7.6.1)"
    for option in _FRAMING:
        payload = request(host, b"Connection: " + option, b"Content-Length: 5", method=b"POST", body=b"hello")
        yield Case(f"connection/names-{readable(option)}", payload, Verdict.REFUSED, why)
    for option in _SYNTAX:
        yield Case(f"connection/syntax-{readable(option)}", request(host, b"Connection: " + option), Verdict.REFUSED, why)
    for lines in (
        (b"Connection: X-A", b"X-A: 1"),
        (b"X-A: 1", b"Connection: x-a"),
        (b"Connection: X-A, X-C", b"X-A: 1", b"X-C: 3"),
        (b"Connection: foo", b"Connection: X-A", b"X-A: 1"),
        (b"X-A: 1", b"X-A: 2", b"Connection: X-A"),
    ):
        seen = (Seen(fields=((b"x-b", b"2"),)),)
        yield Case(f"connection/drops-{readable(b'+'.join(lines))}", request(host, *lines, b"X-B: 2"), Verdict.FORWARDED, why, seen)
    payload = request(host, *(b"Connection: x-%d" % n for n in range(20)), *(b"X-%d: y" % n for n in range(20)))
    yield Case("connection/drops-twenty", payload, Verdict.FORWARDED, why, (Seen(),))


def _closing(host: bytes) -> Iterator[Case]:
    why = "after the answer to a request with `close` nothing more is read from the connection (RFC 9112 §9.6)"
    for value in _CLOSING:
        for method, body in ((b"GET", b""), (b"POST", b"hello")):
            payload = request(host, b"Connection: " + value, b"Content-Length: %d" % len(body), method=method, body=body) + smuggled(host)
            yield Case(
                f"connection/close-{readable(value)}-{method.decode()}",
                payload,
                Verdict.FORWARDED,
                why,
                (Seen(method, b"/", body),),
                closes=True,
            )
    payload = request(host, b"Connection: foo", b"Connection: close") + smuggled(host)
    yield Case("connection/close-second-line", payload, Verdict.FORWARDED, why, (Seen(),), closes=True)
    for value in _OTHER:
        yield Case(f"connection/open-{readable(value)}", request(host, b"Connection: " + value), Verdict.FORWARDED, why, (Seen(),))


def _expect(host: bytes) -> Iterator[Case]:
    why = "100-continue is the one expectation; another is 417 (RFC 9110 §10.1.1)"
    for value in (b"100-continue", b"100-Continue", b"100-CONTINUE"):
        for length, body in ((b"Content-Length: 5", b"hello"), (b"Transfer-Encoding: chunked", b"5\r\nhello\r\n0\r\n\r\n")):
            payload = request(host, b"Expect: " + value, length, method=b"POST", body=body)
            name = f"connection/expect-{value.decode()}-{length.partition(b':')[0].decode()}"
            yield Case(name, payload, Verdict.FORWARDED, why, (Seen(b"POST", b"/", b"hello"),))
    for label, lines in (("no-content", []), ("zero", [b"Content-Length: 0"])):
        yield Case(f"connection/expect-{label}", request(host, b"Expect: 100-continue", *lines), Verdict.FORWARDED, why, (Seen(),))
    for value in (
        b"",
        b"100",
        b"200-ok",
        b"100-continue, x",
        b"100-continue,100-continue",
        b"x=100-continue",
        b"100-continue; q=1",
        b"continue",
        b"100 continue",
        b"100-continued",
        b"\xff",
    ):
        payload = request(host, b"Expect: " + value, b"Content-Length: 5", method=b"POST", body=b"hello")
        yield Case(f"connection/expect-refused-{readable(value)}", payload, Verdict.REFUSED, why)
    payload = request(host, b"Expect: 100-continue", b"Expect: 100-continue", b"Content-Length: 5", method=b"POST", body=b"hello")
    yield Case("connection/expect-twice", payload, Verdict.REFUSED, why)


_HANDSHAKE = (b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", b"Sec-WebSocket-Version: 13")


def _upgrade(host: bytes) -> Iterator[Case]:
    why = "an upgrade that the route does not take is never passed on, and what follows stays HTTP (RFC 9110 §7.8, RFC 9113 §3.1)"
    h2c = (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA")
    seen = (Seen(),)
    for label, lines in (("h2c", h2c), ("h2c-no-settings", h2c[:2]), ("h2c-no-connection", h2c[1:]), ("tls", (b"Connection: Upgrade", b"Upgrade: TLS/1.0")),
                         ("several", (b"Connection: upgrade", b"Upgrade: h2c, foo/1")), ("unknown", (b"Connection: upgrade", b"Upgrade: foo")),
                         ("no-connection", (b"Upgrade: foo",)), ("empty", (b"Connection: upgrade", b"Upgrade:"))):  # fmt: skip
        yield Case(f"connection/upgrade-{label}", request(host, *lines), Verdict.FORWARDED, why, seen)
    for value in (b"websocket", b"WebSocket", b"h2c, websocket", b"websocket, h2c"):
        for label, handshake in (("get", _HANDSHAKE), ("bare", ())):
            payload = request(host, b"Connection: Upgrade", b"Upgrade: " + value, *handshake)
            yield Case(f"connection/upgrade-{readable(value)}-{label}", payload, Verdict.DENIED, why)
    payload = request(host, b"Connection: Upgrade", b"Upgrade: websocket", *_HANDSHAKE, b"Content-Length: 5", method=b"POST", body=b"hello")
    yield Case("connection/upgrade-websocket-post", payload, Verdict.DENIED, why)
    payload = request(host, b"Connection: Upgrade", b"Upgrade: websocket", *_HANDSHAKE, version=b"HTTP/1.0")
    yield Case("connection/upgrade-websocket-1.0", payload, Verdict.DENIED, why)
    payload = request(host, b"Connection: Upgrade", b"Upgrade: h2c", b"Upgrade: foo")
    yield Case("connection/upgrade-twice", payload, Verdict.REFUSED, why)
    yield Case("connection/prior-knowledge", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00", Verdict.REFUSED, why)


def cases(host: bytes) -> Iterator[Case]:
    """The class `connection`."""
    yield from _named(host)
    yield from _closing(host)
    yield from _expect(host)
    yield from _upgrade(host)
