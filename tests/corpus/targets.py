"""
Request targets: the forms that are not ours, and the paths that two readers take for two places (RFC 9112 §3.2, RFC 3986 §3.3).
"""

from __future__ import annotations

from collections.abc import Iterator

from .case import Case, Seen, Verdict, readable, request

_REFUSED_PATHS = [
    b"/a#b", b"/#", b"#", b"/a?b#c", b"/%2f", b"/%2F", b"/a%2fb", b"/a%2f..%2fb", b"/.gate%2fcb", b"/%5c", b"/%5C", b"/a%5cb",
    b"/..%5c..%5cb",
    b"/.", b"/..", b"/./", b"/../", b"/a/.", b"/a/..", b"/a/./b", b"/a/../b", b"/../../etc/passwd", b"/a/../../b", b"/%2e", b"/%2E",
    b"/%2e%2e",
    b"/%2e%2e/", b"/%2e%2E/x", b"/.%2e/x", b"/%2e./x", b"/a/%2e/b", b"/a/%2e%2e/b", b"/a/.%2e", b"/%2e%2e%2fx", b"/..%2fx",
    b"/%2e%2e%5cx", b"/./a?b",
    b"\\", b"/\\", b"/a\\b", b"\\\\evil.example\\x", b"/\\evil.example", b"/..\\x", b"/a\\..\\b",
    b"/%00", b"/a%00b", b"/a%00.html", b"/%01", b"/%08", b"/%09", b"/%0a", b"/%0d", b"/%0d%0aX:%20y", b"/%0D%0ASet-Cookie:%20a=b",
    b"/%1f", b"/%1F", b"/%7f",
    b"/%7F", b"/%", b"/%%", b"/%2", b"/%g0", b"/%0g", b"/%zz", b"/a%", b"/a%2", b"/%u002f", b"/% 2f", b"/%-1", b"/%+2", b"/%x2f",
    b"/%%32%66", b"/%c", b"/%\xc3",
    b"", b"a", b"a/b", b"?", b"?a", b";", b"..", b"../x", b".", b"%2f", b"%2fa", b"a:b", b"localhost", b"127.0.0.1:22",
    b"evil.example:443", b"a:80", b":80", b"[::1]:22",
    b"*", b"**", b"*/", b"/\xe2\x80\xae", b"/caf\xc3\xa9", b"/\xff", b"/\xc0\xaf", b"/a\xa0b", b"/a?b\xffc", b"/\x85",
]  # fmt: skip

_ACCEPTED = [
    b"/", b"/a", b"/a/", b"/a/b", b"/a.b", b"/.a", b"/a.", b"/...", b"/.../a", b"/..a", b"/a..", b"/a;x=1", b"/;x", b"/a;b/c;d", b"/a:b",
    b"/a@b", b"/@", b"/a,b",
    b"/a!b", b"/a$b", b"/a&b", b"/a'b", b"/a(b)", b"/a*b", b"/*", b"/a+b", b"/a=b", b"/~a", b"/-", b"/_", b"/%20", b"/a%20b", b"/%41",
    b"/%7e", b"/%7E", b"/%3f",
    b"/%3Fx", b"/%23", b"/%25", b"/%2525", b"/%3b", b"/%40", b"/%e2%82%ac", b"/%E2%82%AC", b"/%c3%a9", b"/%F0%9F%98%80", b"/?", b"/??",
    b"/?a",
    b"/?a=b&c=d", b"/?a=b?c", b"/?/../x", b"/?a=/b/../c", b"/?a=//b", b"/?a=%2f", b"/?a=%5c", b"/?a=%2e%2e", b"/?a=http://b/",
    b"/?a=b;c", b"/?a+b", b"/?%20", b"/?=", b"/?&",
    b"/?a=:@!$'()*,", b"/a?b=c%20d", b"/a/http:", b"/a%20HTTP/1.1", b"/" + b"a" * 2000, b"/?" + b"a" * 2000, b"/" + b"a/" * 500,
]  # fmt: skip

_ODD_REFUSED = [
    b"//", b"//a", b"//evil.example/", b"//evil.example/%2F..", b"/a//b", b"/a//", b"///", b"////a", b"/%c0%af", b"/%c0%ae%c0%ae/x",
    b"/%e0%80%af", b"/%f0%80%80%af", b"/%c1%9c", b"/%ff", b"/%80", b"/%fe%ff", b"/%ed%a0%80", b"/%f5%80%80%80", b"/..;/x", b"/.;/x",
    b"/a/..;x/b", b"/%2e%2e;/x", b"/a^b", b"/a`b", b"/{a}", b'/"a"', b"/<a>", b'/?"', b"/?<script>", b"/%252f", b"/%252e%252e/x",
    b"/%255c", b"/%2500", b"/?%", b"/?%zz", b"/?%2", b"/?a=%u002f", b"/.%00", b"/..%00/x", b"/%2e%2e%00/x", b"/..%09/x",
    b"/http://evil.example/",
]  # fmt: skip
"""Paths that some server somewhere reads as another path, and bytes that no browser sends."""

_ODD_ACCEPTED = [
    b"/%c2%85", b"/%c2%80", b"/%e2%80%a8", b"/%ef%bc%8f", b"/%e2%88%95", b"/%ef%bc%8e%ef%bc%8e/x", b"/..%3b/x", b"/a|b", b"/[a]",
    b"/?[a]=b", b"/?{a}", b"/?a|b", b"/a?b\\c\\..", b"/?`", b"/?^", b"/?\\", b"/?%00", b"/?%0d%0a", b"/?%0d%0aX:y", b"/?%ff",
    b"/?%c0%af", b"/..%20/x",
]  # fmt: skip
"""Odd, and passed on byte for byte: the origin is told exactly what the gate has read."""


def _absolute(host: bytes) -> Iterator[bytes]:
    for scheme in (b"http", b"https", b"HTTP", b"ws", b"wss", b"ftp", b"file", b"gopher", b"javascript", b"data"):
        yield scheme + b"://" + host + b"/"
    yield from (
        b"http://evil.example/",
        b"http://" + host,
        b"http://" + host + b"/a?b",
        b"http://u@" + host + b"/",
        b"http:/a",
        b"http:a",
        b"http:",
        b"://" + host,
    )
    yield from (
        b"http:///a",
        b"http://127.0.0.1:22/",
        b"http://[::1]/",
        b"http://169.254.169.254/latest",
        b"unix:/run/x",
        b"@evil.example/",
        b"@" + host,
        host,
        host + b"/a",
    )


_RESERVED = [
    b"/.gate",
    b"/.gate/",
    b"/.gate/cb?code=x",
    b"/.GATE/cb",
    b"/.Gate",
    b"/%2egate/cb",
    b"/.g%61te/cb",
    b"/%2E%67ate/cb",
    b"/.gate;x/cb",
    b"/.gate%3bx",
]


def cases(host: bytes) -> Iterator[Case]:
    """The class `targets`."""
    why = "only the origin form is taken, and only a path that all readers take for the same place (RFC 9112 §3.2, RFC 3986 §3.3, §6.2.2)"
    for target in _REFUSED_PATHS:
        yield Case(f"targets/refused-{readable(target)}", request(host, target=target), Verdict.REFUSED, why)
    for target in _absolute(host):
        name = f"targets/absolute-{readable(target.replace(host, b'HOST'))}"
        yield Case(name, request(host, target=target), Verdict.REFUSED, why)
    for target in _ACCEPTED:
        name = f"targets/good-{readable(target)[:60]}-{len(target)}"
        yield Case(name, request(host, target=target), Verdict.FORWARDED, why, (Seen(target=target),))
    for target in _ODD_REFUSED:
        yield Case(f"targets/odd-refused-{readable(target)}", request(host, target=target), Verdict.REFUSED, why)
    for target in _ODD_ACCEPTED:
        yield Case(f"targets/odd-{readable(target)}", request(host, target=target), Verdict.FORWARDED, why, (Seen(target=target),))
    for target in _RESERVED:
        yield Case(
            f"targets/reserved-{readable(target)}", request(host, target=target), Verdict.DENIED, "the gate's own paths are never forwarded"
        )
    for target in (b"*", b"/*", b"**"):
        payload = request(host, method=b"OPTIONS", target=target)
        if target == b"/*":
            yield Case(f"targets/options-{readable(target)}", payload, Verdict.FORWARDED, why, (Seen(b"OPTIONS", target),))
        else:
            yield Case(f"targets/options-{readable(target)}", payload, Verdict.REFUSED, why)
