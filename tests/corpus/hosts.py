"""
Host: absent, doubled, dressed up, or somebody else's (RFC 9110 §7.2, RFC 9112 §3.2).
"""

from __future__ import annotations

from collections.abc import Iterator

from .case import Case, Seen, Verdict, readable, request

_REFUSE = "a request has exactly one Host, and it is uri-host [: port] (RFC 9112 §3.2)"
_ELSEWHERE = "a well-formed Host that this gate does not serve is not forwarded to whoever it does serve (RFC 9110 §7.4)"


def _bare(*lines: bytes, version: bytes = b"HTTP/1.1") -> bytes:
    return b"\r\n".join([b"GET / " + version, *lines]) + b"\r\n\r\n"


def _malformed(host: bytes) -> Iterator[bytes]:
    name, _, port = host.partition(b":")
    yield from (
        b"",
        b" ",
        b"user@" + host,
        b"user:pass@" + host,
        b"evil.example@" + host,
        host + b"@evil.example",
        host + b"/",
        host + b"/path",
    )
    yield from (host + b"?x", host + b"#x", b"http://" + host, b"https://" + host, b"//" + host, host + b"," + host, host + b", " + host)
    yield from (
        host + b" " + host,
        name + b":",
        name + b":x",
        name + b":-1",
        name + b":+" + port,
        name + b": " + port,
        name + b":" + port + b"x",
    )
    yield from (name + b":0x1", name + b":99999", name + b":" + port + b":" + port, name + b"::" + port, b":" + port, name + b"%00:" + port)
    yield from (
        name + b"\\:" + port,
        name + b"%2eevil.example",
        b"%" + host,
        b"[::1",
        b"::1",
        b"[::1]x",
        b"[fe80::1%25eth0]",
        b"[:::]",
        b"[]",
    )
    yield from (
        b"." + host,
        name + b"..:" + port,
        b"a..b",
        b"-",
        b"*",
        b"*." + host,
        b"'" + host + b"'",
        b'"' + host + b'"',
        b"(" + host + b")",
    )
    yield from (
        host + b";",
        host + b"&",
        host + b"|id",
        b"$(id)",
        b"<h1>x</h1>",
        b"\t" + host[:3] + b"\t" + host[3:],
        b"a" * 300,
        b"a" * 70 + b".example",
    )
    label, _, site = name.partition(b".")
    yield from (label + b"_." + site, b"_" + host, label + b"_" + site)


def _not_ours(host: bytes) -> Iterator[bytes]:
    name, _, port = host.partition(b":")
    label, _, site = name.partition(b".")
    yield from (
        b"evil.example",
        b"evil.example:" + port,
        site,
        site + b":" + port,
        b"localhost",
        b"localhost:" + port,
        b"127.0.0.1:" + port,
    )
    yield from (
        b"127.0.0.1",
        b"[::1]:" + port,
        b"[::1]",
        b"0.0.0.0",
        b"2130706433",
        b"0x7f000001",
        b"127.1",
        b"169.254.169.254",
        label,
        label + b":" + port,
    )
    yield from (
        b"x." + host,
        label + b"x." + site + b":" + port,
        label[:-1] + b"." + site + b":" + port,
        b"b" * 26 + b"." + site + b":" + port,
    )
    yield from (name + b".evil.example", b"evil-" + host, b"xn--" + host, b"xn--e1afmkfd.example", label + b".-" + site)
    yield from (name + b":1", name + b":80", name + b":65535", name + b":0", name + b".:" + port, name + b".")


def _count(host: bytes) -> Iterator[Case]:
    good = b"Host: " + host
    yield Case("hosts/none", _bare(b"X-A: 1"), Verdict.REFUSED, _REFUSE)
    yield Case("hosts/none-1.0", _bare(b"X-A: 1", version=b"HTTP/1.0"), Verdict.REFUSED, _REFUSE)
    yield Case("hosts/no-field-at-all", b"GET / HTTP/1.1\r\n\r\n", Verdict.REFUSED, _REFUSE)
    for label, second in (("equal", good), ("other", b"Host: evil.example"), ("lower", b"host: " + host), ("upper", b"HOST: " + host),
                          ("empty", b"Host:"), ("underscored", b"Host_: x\r\nHost: " + host)):  # fmt: skip
        yield Case(f"hosts/two-{label}", _bare(good, second), Verdict.REFUSED, _REFUSE)
        yield Case(f"hosts/two-{label}-first", _bare(second, good), Verdict.REFUSED, _REFUSE)
        yield Case(f"hosts/two-{label}-apart", _bare(good, b"X-A: 1", second), Verdict.REFUSED, _REFUSE)
    yield Case("hosts/three", _bare(good, good, good), Verdict.REFUSED, _REFUSE)
    for line in (b" Host: " + host, b"\tHost: " + host, b"Host : " + host, b"Host\t: " + host, b"Host:\r\n " + host, b"Ho st: " + host, b"Host " + host,
                 b"Host: " + host + b"\r\n .evil.example", b"Host: " + host + b"\r\n ", b"Host: evil.example\nHost: " + host, b"Host:" + host + b"\x00"):  # fmt: skip
        yield Case(f"hosts/line-{readable(line.replace(host, b'HOST'))}", _bare(line), Verdict.REFUSED, _REFUSE)


def _accepted(host: bytes) -> Iterator[Case]:
    why = "a host name is compared without regard to case; white space around the value is none of it (RFC 3986 §3.2.2, RFC 9110 §5.5)"
    lines = (
        b"Host: " + host,
        b"host: " + host,
        b"HOST: " + host,
        b"Host:" + host,
        b"Host:\t" + host + b"\t",
        b"Host: " + host.upper(),
        b"Host: " + host.title(),
    )
    for number, line in enumerate(lines):
        yield Case(f"hosts/good-{number}", _bare(line), Verdict.FORWARDED, why, (Seen(),))
        seen = (Seen(fields=((b"x-a", b"1"),)),)
        yield Case(f"hosts/good-last-{number}", _bare(b"X-A: 1", line), Verdict.FORWARDED, why, seen)


def cases(host: bytes) -> Iterator[Case]:
    """The class `hosts`."""
    yield from _count(host)
    for number, value in enumerate(_malformed(host)):
        yield Case(f"hosts/malformed-{number:02}", request(value), Verdict.REFUSED, f"{_REFUSE}: {value[:60]!r}")
    for number, value in enumerate(_not_ours(host)):
        yield Case(f"hosts/elsewhere-{number:02}", request(value), Verdict.DENIED, f"{_ELSEWHERE}: {value[:60]!r}")
    yield from _accepted(host)
