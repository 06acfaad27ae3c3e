"""Request heads: what passes, and each rule that refuses."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.http1.head import HeadLimits, RequestHead, find_head, read_request
from coral_gate.http1.rules import RefusedRequest, Rule
from tests.http1.messages import BROWSER, request

LIMITS = HeadLimits(head_bytes=2048, target_bytes=200, fields=20)


def outcome(octets: bytes, splits: list[int]) -> Rule | RequestHead | None:
    """What comes of bytes that arrive in pieces: a head, the rule that refuses it, or None while it is not whole."""
    cuts = sorted({min(cut, len(octets)) for cut in splits} | {len(octets)})
    seen = 0
    for cut in cuts:
        try:
            end = find_head(octets[:cut], LIMITS, RefusedRequest, seen)
            if end >= 0:
                return read_request(octets[:end], LIMITS)
        except RefusedRequest as e:
            return e.rule
        seen = cut
    return None


def same(one: object, other: object) -> bool:
    """Whether two outcomes are the same."""
    if isinstance(one, RequestHead) and isinstance(other, RequestHead):
        return all(getattr(one, name) == getattr(other, name) for name in RequestHead.__slots__)
    return one is other


class ReadTests(SynchronousTestCase):
    """What a head's values are."""

    def test_browser(self) -> None:
        """A browser's head is read whole; what the gate takes out does not pass, and lines that pass are the client's bytes."""
        head = read_request(BROWSER, LIMITS)
        self.assertEqual((head.method, head.target, head.path, head.minor), (b"GET", b"/a/b%20c?q=1&r=[2]", b"/a/b%20c", 1))
        self.assertEqual(head.host, b"gate.localhost:8443")
        self.assertEqual(head.read[b"cookie"], b"a=1; __Host-coral=x")
        self.assertEqual((head.length, head.chunked, head.keep_alive, head.has_content), (-1, False, True, False))
        self.assertEqual(
            head.passing,
            [
                b'sec-ch-ua: "Chromium";v="156"',
                b"User-Agent: Mozilla/5.0 (X11; Linux x86_64)",
                b"Accept: text/html,*/*;q=0.8",
                b"Sec-Fetch-Site: same-origin",
                b"X-App: caf\xe9\tau lait ",
            ],
        )
        self.assertEqual(head.value(b"x-app"), b"caf\xe9\tau lait")
        self.assertIsNone(head.value(b"x-forwarded-for"))

    def test_content(self) -> None:
        """Content-Length and chunked say how content is framed."""
        head = read_request(request(b"Content-Length: 000012", first=b"POST / HTTP/1.1"), LIMITS)
        self.assertEqual((head.length, head.chunked, head.has_content), (12, False, True))
        head = read_request(request(b"transfer-encoding:\tChunked ", first=b"POST / HTTP/1.1"), LIMITS)
        self.assertEqual((head.length, head.chunked, head.has_content), (-1, True, True))
        self.assertFalse(read_request(request(b"Content-Length: 0"), LIMITS).has_content)

    def test_expect(self) -> None:
        """100-continue counts only where content follows, in HTTP/1.1."""
        expects = request(b"Expect: 100-Continue", b"Content-Length: 3", first=b"PUT / HTTP/1.1")
        self.assertTrue(read_request(expects, LIMITS).expects_continue)
        self.assertFalse(read_request(expects.replace(b"HTTP/1.1", b"HTTP/1.0"), LIMITS).expects_continue)
        self.assertFalse(read_request(request(b"Expect: 100-continue"), LIMITS).expects_continue)

    def test_keep_alive(self) -> None:
        """HTTP/1.1 stays unless it says close, in any case and place of the list; HTTP/1.0 never stays."""
        for value, stays in ((b"keep-alive", True), (b"foo, CLOSE", False), (b"close", False), (b"closed", True), (b",, te ,", True)):
            self.assertIs(read_request(request(b"Connection: " + value), LIMITS).keep_alive, stays, value)
        self.assertFalse(read_request(request(b"Connection: keep-alive", first=b"GET / HTTP/1.0"), LIMITS).keep_alive)

    def test_connection_named(self) -> None:
        """Fields that Connection names are taken out, in all of its lines (RFC 9110 §7.6.1)."""
        head = read_request(
            request(b"Connection: x-one", b"X-One: 1", b"X-TWO: 2", b"Connection: keep-alive, x-Two", b"X-Three: 3"), LIMITS
        )
        self.assertEqual(head.passing, [b"X-Three: 3"])

    def test_cookies_joined(self) -> None:
        """Two Cookie lines are one list of pairs."""
        self.assertEqual(read_request(request(b"Cookie: a=1", b"cookie: b=2"), LIMITS).read[b"cookie"], b"a=1; b=2")

    def test_every_dropped_spelling(self) -> None:
        """A field that is taken out is taken out in any case."""
        for name in (
            b"Forwarded",
            b"x-FORWARDED-port",
            b"VIA",
            b"X-Real-Ip",
            b"tE",
            b"Keep-alive",
            b"proxy-foo",
            b"Proxy",
            b"X-OpenClaw-Scopes",
            b"TAILSCALE-USER",
        ):
            self.assertEqual(read_request(request(name + b": 1"), LIMITS).passing, [], name)


class RefusedTests(SynchronousTestCase):
    """Each rule refuses what breaks it."""

    def refused(self, rule: Rule, *octets: bytes) -> None:
        """Each of the heads is refused for one rule, however it is split."""
        for block in octets:
            for splits in ([], list(range(len(block)))):
                self.assertIs(outcome(block + b"\r\n\r\n", splits), rule, block)

    def test_lines(self) -> None:
        """Line ends are CRLF and nothing else; control bytes are nowhere."""
        self.refused(Rule.BARE_LF, b"GET / HTTP/1.1\nHost: h", request(b"A: b\nC: d"), b"\n" + request())
        self.refused(Rule.BARE_CR, request(b"A: b\rC: d"), b"\r" + request(), request(b"A: b\r"))
        control = [bytes([b]) for b in range(32) if b not in b"\t\r\n"] + [b"\x7f"]
        self.refused(Rule.CONTROL_BYTE, *(request(b"A: b" + b + b"c") for b in control), *(request(b"A" + b + b": b") for b in control))
        self.refused(Rule.CONTROL_BYTE, request(first=b"GET /\x00 HTTP/1.1"), b"\x16\x03\x01\x02\x00\x01")

    def test_request_line(self) -> None:
        """Method, one space, target, one space, version."""
        for line in (b"GET  / HTTP/1.1", b"GET / HTTP/1.1 ", b" GET / HTTP/1.1", b"GET /", b"GET", b"GET / x HTTP/1.1"):
            self.refused(Rule.REQUEST_LINE, request(first=line))
        self.refused(Rule.REQUEST_LINE, request(first=b"G@T / HTTP/1.1"), b"\r\n" + request(), request(first=b"GET\t/\tHTTP/1.1"))
        self.refused(Rule.METHOD, *(request(first=m + b" / HTTP/1.1") for m in (b"get", b"TRACE", b"CONNECT", b"PRI", b"BREW", b"GETX")))
        self.refused(Rule.VERSION, *(request(first=b"GET / HTTP/" + v) for v in (b"1.2", b"2.0", b"0.9", b"3.0")))
        self.refused(
            Rule.VERSION_SYNTAX,
            *(request(first=b"GET / " + v) for v in (b"http/1.1", b"HTTP/1", b"HTTP/1.10", b"HTTP/1.1x", b"HTTPS/1.1", b"")),
        )

    def test_target(self) -> None:
        """Origin form only, only URI characters, and only paths that every server reads alike."""

        def heads(*targets: bytes) -> list[bytes]:
            return [request(first=b"GET " + target + b" HTTP/1.1") for target in targets]

        self.refused(Rule.TARGET_FORM, *heads(b"*", b"http://h/", b"h:80", b"x", b"?q"))
        self.refused(
            Rule.TARGET_BYTE,
            *heads(b"/#f", b"/a?b#f", b"/%", b"/%g0", b"/a?%zz", b"/\\", b"/<", b'/"', b"/\xc3\xa9", b"/a?\xff", b"/{", b"/^"),
        )
        self.refused(
            Rule.PATH_ESCAPE, *heads(b"/a%2fb", b"/a%5Cb", b"/%00", b"/%0d%0a", b"/%7f", b"/%c0%af", b"/%ff", b"/%252f", b"/%252e%252e")
        )
        self.refused(
            Rule.PATH_SEGMENT,
            *heads(b"//", b"//a", b"/a//b", b"/.", b"/a/..", b"/../a", b"/%2e%2E/a", b"/.%2e", b"/a/./b", b"/..;x/a", b"/a//"),
        )
        self.refused(Rule.TARGET_TOO_LONG, *heads(b"/" + b"a" * 200))
        for target in (
            b"/",
            b"/a/",
            b"/.a/..b",
            b"/a;b=c",
            b"/%41%25",
            b"/a?/../%2f//",
            b"/%C3%A9",
            b"/a?q=\\{}|^`[]",
            b"/...",
            b"/" + b"a" * 199,
        ):
            self.assertIsInstance(outcome(request(first=b"GET " + target + b" HTTP/1.1") + b"\r\n\r\n", []), RequestHead, target)

    def test_fields(self) -> None:
        """A field line is a token, a colon directly after it, and a value; nothing is folded."""
        for line in (b"A", b": b", b"A : b", b"A\t: b", b"A(: b", b"\xe9: b", b"Host", b"Accept"):
            self.refused(Rule.FIELD_LINE, request(line))
        self.refused(Rule.OBS_FOLD, request(b"A: b", b" c"), request(b"A: b", b"\tc"), b"GET / HTTP/1.1\r\n Host: h", request(b" "))
        for name in (b"Transfer_Encoding", b"content_length", b"X_Forwarded_For", b"X_Real-IP", b"X-Auth_User", b"proxy_x"):
            self.refused(Rule.FIELD_UNDERSCORE, request(name + b": 1"))
        self.assertIsInstance(outcome(request(b"My_Field: 1") + b"\r\n\r\n", []), RequestHead)
        for name in (b"Origin", b"Expect", b"Upgrade", b"Authorization", b"Sec-Fetch-Site", b"Accept-Encoding", b"Sec-WebSocket-Key"):
            self.refused(Rule.FIELD_REPEATED, request(name + b": 1", name.upper() + b": 1"))

    def test_host(self) -> None:
        """Exactly one Host, and it is a host."""
        self.refused(Rule.HOST_COUNT, request(host=None), request(b"Host: h"), request(b"hOst: i"))
        for host in (b"", b"a b", b"a@b", b"a/b", b"a:b", b"a:123456", b"a,b", b"a_b", b"[::1", b"-a", b".a", b"a:80:80", b"\xe9"):
            self.refused(Rule.HOST_SYNTAX, request(host=b"Host: " + host))

    def test_framing(self) -> None:
        """A message's end is never in doubt."""
        for value in (b"", b"+1", b"-1", b"0x1", b"1,1", b"1 1", b"1" * 19, b"9" * 1500, b"1.0", b"\xb2", b"1_0"):
            self.refused(Rule.LENGTH_SYNTAX, request(b"Content-Length: " + value))
        self.refused(Rule.LENGTH_SYNTAX, request(b"Content-Length: 1", b"Content-Length: 1"))
        for value in (b"identity", b"gzip, chunked", b"chunked, chunked", b"xchunked", b"chunked;q=1", b"", b"\x0bchunked"[1:] + b","):
            self.refused(Rule.TRANSFER_CODING, request(b"Transfer-Encoding: " + value))
        self.refused(Rule.TRANSFER_CODING, request(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"))
        self.refused(Rule.TRANSFER_CODING, request(b"Transfer-Encoding: chunked", first=b"POST / HTTP/1.0"))
        self.refused(
            Rule.LENGTH_AND_CODING,
            request(b"Transfer-Encoding: chunked", b"Content-Length: 1"),
            request(b"Content-Length: 1", b"Transfer-Encoding: x"),
        )

    def test_connection(self) -> None:
        """Connection cannot take out what frames, routes or identifies."""
        for value in (
            b"host",
            b"close, Content-Length",
            b"cookie",
            b"authorization",
            b"Transfer-Encoding",
            b"origin",
            b"a b",
            b"@",
            b"connection",
        ):
            self.refused(Rule.CONNECTION_OPTION, request(b"Connection: " + value))

    def test_expectation(self) -> None:
        """Nothing but 100-continue can be expected."""
        self.refused(Rule.EXPECTATION, request(b"Expect: 200-ok"), request(b"Expect: "), request(b"Expect: 100-continue, x"))

    def test_sizes(self) -> None:
        """A head, a target and the number of fields are bounded; the last byte that fits fits."""
        self.refused(Rule.TOO_MANY_FIELDS, request(*[b"A: b"] * 20))
        self.assertIsInstance(outcome(request(*[b"A: b"] * 19) + b"\r\n\r\n", []), RequestHead)
        spare = 2048 - len(request(b"A: ")) - 4
        self.assertIsInstance(outcome(request(b"A: " + b"x" * spare) + b"\r\n\r\n", []), RequestHead)
        self.refused(Rule.HEAD_TOO_LARGE, request(b"A: " + b"x" * (spare + 1)), b"x" * 5000)


class PropertyTests(SynchronousTestCase):
    """What holds for any bytes."""

    @given(st.lists(st.binary(max_size=40), max_size=8), st.lists(st.integers(0, 400), max_size=8))
    def test_any_bytes_any_split(self, parts: list[bytes], splits: list[int]) -> None:
        """Any bytes give the same in any split, and nothing but the reader's own error escapes."""
        octets = b"\r\n".join(parts)
        self.assertTrue(same(outcome(octets, []), outcome(octets, splits)))

    @given(
        st.integers(0, len(BROWSER) + 3),
        st.sampled_from(["insert", "drop", "double", "set"]),
        st.integers(0, 255),
        st.lists(st.integers(0, 500), max_size=6),
    )
    @example(len(BROWSER) + 2, "drop", 0, [len(BROWSER) + 1])
    @example(BROWSER.index(b"\n"), "insert", 0x41, [BROWSER.index(b"\n"), BROWSER.index(b"\n") + 2])
    def test_mutated(self, at: int, how: str, byte: int, splits: list[int]) -> None:
        """A head with one byte wrong gives the same in any split; what it gives has no control byte and one Host."""
        octets = bytearray(BROWSER + b"\r\n\r\n")
        octets[at : at + (how != "insert")] = {"drop": b"", "double": octets[at : at + 1] * 2}.get(how, bytes([byte]))
        whole = outcome(bytes(octets), [])
        self.assertTrue(same(whole, outcome(bytes(octets), splits)))
        if isinstance(whole, RequestHead):
            for line in [whole.target, whole.host, *whole.passing]:
                self.assertFalse(any((b < 32 and b != 9) or b == 127 for b in line))

    @given(st.integers(0, 2100), st.sampled_from([b"\n", b"\r", b"\x00", b"\r\n\r\n", b" "]), st.lists(st.integers(0, 3000), max_size=6))
    def test_long(self, at: int, what: bytes, splits: list[int]) -> None:
        """Something odd anywhere near the limit of a head is judged alike in any split."""
        octets = b"x" * at + what + b"y" * (2200 - at)
        self.assertTrue(same(outcome(octets, []), outcome(octets, splits)))
