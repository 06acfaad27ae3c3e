"""
Methods: known, known and never forwarded, unknown, and no method at all (RFC 9110 §9).
"""

from __future__ import annotations

from collections.abc import Iterator

from .case import Case, Seen, Verdict, readable, request

_FORWARDED = [b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS"]
_WITH_CONTENT = [b"GET", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"HEAD"]

_UNKNOWN = [
    b"TRACE", b"CONNECT", b"TRACK", b"DEBUG", b"PRI", b"FOO", b"get", b"Get", b"gET", b"post", b"head", b"GETX", b"XGET", b"GE", b"G",
    b"PROPFIND", b"PROPPATCH", b"MKCOL", b"COPY",
    b"MOVE", b"LOCK", b"UNLOCK", b"SEARCH", b"MERGE", b"PURGE", b"REPORT", b"SUBSCRIBE", b"NOTIFY", b"M-SEARCH", b"SOURCE", b"QUERY",
    b"LINK", b"UNLINK", b"BREW", b"SETUP", b"PLAY",
    b"DESCRIBE", b"RTSP", b"HTTP", b"HTTP1.1", b"-", b"!#$%&'*+.^_`|~", b"0", b"GET-", b"_GET", b"GET_", b"X" * 64,
]  # fmt: skip

_NO_METHOD = [
    b"", b"GET:", b"GET,", b"GET;", b'"GET"', b"(GET)", b"<GET>", b"GET/", b"/GET", b"GET\\", b"[GET]", b"{GET}", b"G=T", b"G@T", b"G?T",
    b"GET GET", b"GET\x00", b"G\xc3\x89T",
    b"\xff", b"X" * 100_000, b"GET  ", b"GET\t", b"\tGET", b"  GET", b"GET\x0b", b"\x00", b"\x7f",
]  # fmt: skip

_OVERRIDES = [b"X-HTTP-Method-Override", b"X-HTTP-Method", b"X-Method-Override", b"x-http-method-override"]


def cases(host: bytes) -> Iterator[Case]:
    """The class `methods`."""
    why = "methods are case-sensitive tokens from a fixed list; TRACE and CONNECT are never passed on (RFC 9110 §9.1, §9.3.6, §9.3.8)"
    for method in _FORWARDED:
        yield Case(f"methods/known-{method.decode()}", request(host, method=method), Verdict.FORWARDED, why, (Seen(method),))
    for method in _WITH_CONTENT:
        payload = request(host, b"Content-Length: 5", method=method, body=b"hello")
        yield Case(f"methods/content-{method.decode()}", payload, Verdict.FORWARDED, why, (Seen(method, b"/", b"hello"),))
        payload = request(host, b"Transfer-Encoding: chunked", method=method, body=b"5\r\nhello\r\n0\r\n\r\n")
        yield Case(f"methods/chunks-{method.decode()}", payload, Verdict.FORWARDED, why, (Seen(method, b"/", b"hello"),))
    for method in _UNKNOWN:
        yield Case(
            f"methods/unknown-{readable(method)}", request(host, method=method), Verdict.DENIED, why, statuses=frozenset({400, 405, 501})
        )
    for method in _NO_METHOD:
        yield Case(f"methods/none-{readable(method)[:30]}-{len(method)}", request(host, method=method), Verdict.REFUSED, why)
    for target in (b"127.0.0.1:22", b"evil.example:443", host, b"/", b"*", b"http://127.0.0.1/"):
        payload = request(host, method=b"CONNECT", target=target)
        yield Case(f"methods/connect-{readable(target.replace(host, b'HOST'))}", payload, Verdict.DENIED, why)
    for field in _OVERRIDES:
        payload = request(host, field + b": DELETE", method=b"POST", body=b"")
        yield Case(f"methods/override-{field.decode()}", payload, Verdict.FORWARDED, why, (Seen(b"POST"),))
