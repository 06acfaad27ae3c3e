"""
Fields that never reach a sandbox, those that do, and the cookies in between (RFC 9110 §7.6.1, RFC 7239 §8.1).
"""

from __future__ import annotations

from collections.abc import Iterator

from .case import Case, Seen, Verdict, readable, request

_NEVER = [
    b"Forwarded", b"X-Forwarded-For", b"X-Forwarded-Host", b"X-Forwarded-Proto", b"X-Forwarded-Port", b"X-Forwarded-Server",
    b"X-Forwarded-User",
    b"X-Forwarded-Email", b"X-Forwarded-Groups", b"X-Forwarded-Preferred-Username", b"X-Forwarded-Access-Token", b"X-Forwarded-Prefix",
    b"X-Forwarded-Uri", b"X-Forwarded-Method", b"X-Forwarded", b"X-Forwarded-Anything-At-All", b"X-Real-IP", b"X-Client-IP",
    b"X-Cluster-Client-IP",
    b"X-Original-URL", b"X-Original-Host", b"X-Original-URI", b"X-Original-Method", b"X-Url-Scheme", b"Front-End-Https",
    b"X-Rewrite-URL", b"X-Host", b"X-HTTP-Host-Override", b"True-Client-IP", b"CF-Connecting-IP",
    b"Client-IP", b"X-Originating-IP", b"X-Remote-IP", b"X-Remote-Addr", b"Via", b"Remote-User", b"X-Remote-User", b"X-User", b"X-User-Id",
    b"X-User-Email", b"X-Auth-User", b"X-Auth-Request-User", b"X-Auth-Request-Access-Token", b"X-Auth-Token", b"X-WebAuth-User",
    b"X-Openclaw-Token",
    b"X-Openclaw-Scopes", b"X-Openclaw-Anything", b"Tailscale-User-Login", b"Tailscale-User-Name", b"Tailscale-Anything", b"X-Coral-User",
    b"X-Coral-Sandbox", b"Authorization", b"Proxy-Authorization", b"Proxy-Connection", b"Proxy-Anything", b"Proxy", b"Keep-Alive", b"TE",
    b"Trailer", b"X-HTTP-Method-Override", b"X-HTTP-Method", b"X-Method-Override", b"Max-Forwards", b"HTTP2-Settings",
    b"X-MS-Client-Principal-Name", b"X-Goog-Authenticated-User-Email", b"X-Goog-IAP-JWT-Assertion", b"X-Amzn-Oidc-Identity",
    b"Cf-Access-Jwt-Assertion",
]  # fmt: skip

_ALWAYS = [
    b"Accept", b"Accept-Language", b"User-Agent", b"Referer", b"Cache-Control", b"Pragma", b"If-None-Match", b"If-Modified-Since", b"Range",
    b"If-Range", b"Content-Type", b"DNT", b"Sec-CH-UA", b"Priority", b"X-Requested-With", b"X-Custom", b"Upgrade-Insecure-Requests",
    b"Last-Event-ID",
    b"X-Forward", b"X-Real", b"Use", b"Authorized", b"Cookies", b"Cookie2", b"Hosts", b"Content-Lengths", b"Transfer-Encodings",
    b"X-Content-Length", b"1",
]  # fmt: skip

_COOKIES = [
    (b"a=1", b"a=1"), (b"a=1; b=2", b"a=1; b=2"), (b"__Host-coral=SECRET", None), (b"__Host-coral-sandbox=SECRET", None),
    (b"__Host-coral-pre=SECRET", None),
    (b"a=1; __Host-coral=SECRET; b=2", b"a=1; b=2"), (b"__Host-coral=SECRET; a=1", b"a=1"), (b"a=1; __Host-coral=SECRET", b"a=1"),
    (b"a=1;__Host-coral=SECRET;b=2", b"a=1; b=2"), (b"a=1; __host-coral=SECRET", b"a=1"), (b"a=1; __HOST-CORAL=SECRET", b"a=1"),
    (b"__Host-coral=SECRET; __Host-coral=SECRET; a=1", b"a=1"), (b'__Host-coral="SECRET"; a=1', b"a=1"),
    (b"__Host-coral =SECRET; a=1", b"a=1"),
    (b" __Host-coral=SECRET ; a=1", b"a=1"), (b"\t__Host-coral=SECRET\t;\ta=1", b"a=1"), (b"a=1; __Host-coral", b"a=1"),
    (b"a=1; __Host-coral=", b"a=1"),
    (b"a=1;; __Host-coral=SECRET;;", b"a=1"), (b"__Host-coral-anything=SECRET; a=1", b"a=1"),
    (b"$Version=1; __Host-coral=SECRET; $Path=/", b"$Version=1; $Path=/"),
    (b"a=" + b"b" * 3000, b"a=" + b"b" * 3000), (b"a=\xff\xfe", b"a=\xff\xfe"), (b"a=\xff; __Host-coral=SECRET", b"a=\xff"),
]  # fmt: skip

_ODD_COOKIES = [
    (b"a=1, __Host-coral=SECRET; b=2", b"b=2"), (b'a="x; __Host-coral=SECRET; y"; b=2', b'a="x; y"; b=2'),
    (b"a=__Host-coral=SECRET; b=2", b"b=2"),
    (b"=__Host-coral=SECRET; b=2", b"b=2"), (b"a=1 __Host-coral=SECRET; b=2", b"b=2"),
]  # fmt: skip


def _fields(host: bytes) -> Iterator[Case]:
    why = "who the client is, where it is and what a hop may do is not for the client to say (RFC 9110 §7.6.1, RFC 7239 §8.1)"
    for name in _NEVER:
        for spelling in dict.fromkeys((name, name.lower(), name.upper())):
            payload = request(host, b"X-A: 1", spelling + b": root", b"X-B: 2")
            seen = (Seen(fields=((b"x-a", b"1"), (b"x-b", b"2"))),)
            yield Case(f"dropped/{spelling.decode()}", payload, Verdict.FORWARDED, why, seen)
    for name in (b"X-Forwarded-For", b"Forwarded", b"X-User", b"Via"):
        payload = request(host, *[name + b": 10.0.0.%d" % n for n in range(5)])
        yield Case(f"dropped/five-{name.decode()}", payload, Verdict.FORWARDED, why, (Seen(),))


def _passed(host: bytes) -> Iterator[Case]:
    why = "a proxy forwards the fields that it does not know, unchanged (RFC 9110 §5.1)"
    for name in _ALWAYS:
        payload = request(host, name + b': some; value="1"')
        seen = (Seen(fields=((name.lower(), b'some; value="1"'),)),)
        yield Case(f"dropped/not-{name.decode()}", payload, Verdict.FORWARDED, why, seen)


def _cookies(host: bytes) -> Iterator[Case]:
    why = "the gate's own cookies are taken out of Cookie and the others pass (RFC 6265 §5.4)"
    for number, (raw, left) in enumerate(_COOKIES):
        seen = (Seen(fields=() if left is None else ((b"cookie", left),)),)
        yield Case(f"dropped/cookie-{number:02}", request(host, b"Cookie: " + raw), Verdict.FORWARDED, f"{why}: {raw[:60]!r}", seen)
    seen = (Seen(fields=((b"cookie", b"a=1; b=2"),)),)
    for label, lines in (
        ("apart", (b"Cookie: a=1", b"Cookie: __Host-coral=SECRET; b=2")),
        ("own-line", (b"Cookie: a=1", b"Cookie: __Host-coral=SECRET", b"Cookie: b=2")),
    ):
        yield Case(f"dropped/cookie-lines-{label}", request(host, *lines), Verdict.FORWARDED, why, seen)
    for raw, left in _ODD_COOKIES:
        seen = (Seen(fields=((b"cookie", left),)),)
        yield Case(f"dropped/cookie-odd-{readable(raw)}", request(host, b"Cookie: " + raw), Verdict.FORWARDED, why, seen)


def cases(host: bytes) -> Iterator[Case]:
    """The class `dropped`."""
    yield from _fields(host)
    yield from _passed(host)
    yield from _cookies(host)
