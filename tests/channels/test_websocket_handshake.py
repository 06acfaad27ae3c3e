"""The opening handshake of a WebSocket, as its server and as its client."""

from __future__ import annotations

import base64

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.channels.http import HTTPChannel
from coral_gate.channels.websocket_handshake import (
    AnswerRefused,
    Upgrade,
    UpgradeRefused,
    VersionRefused,
    accept_for,
    check_answer,
    read_upgrade,
    request,
    switching,
)
from coral_gate.errors import ClientFault, UpstreamFault
from coral_gate.http1.fields import ORDINARY, RESPONSE_READ, response_kind_of
from coral_gate.http1.head import HeadLimits, RequestHead, ResponseHead, read_request, read_response
from coral_gate.http1.rules import RefusedRequest, RefusedResponse

LIMITS = HeadLimits()
KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
"""The key of RFC 6455 §1.3."""
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

ASKED = {
    b"Host": b"server.example.com",
    b"Upgrade": b"websocket",
    b"Connection": b"Upgrade",
    b"Sec-WebSocket-Key": KEY,
    b"Sec-WebSocket-Version": b"13",
}
ANSWERED = {b"Upgrade": b"websocket", b"Connection": b"Upgrade", b"Sec-WebSocket-Accept": ACCEPT}
SWITCHING = b"HTTP/1.1 101 Switching Protocols"


def block(first: bytes, lines: dict[bytes, bytes], changes: dict[bytes, bytes | None]) -> bytes:
    """A head's lines, with fields changed, added or left out."""
    kept = {name: value for name, value in (lines | changes).items() if value is not None}
    return b"\r\n".join([first, *(name + b": " + value for name, value in kept.items())])


def asked(changes: dict[bytes, bytes | None], first: bytes = b"GET /chat HTTP/1.1") -> RequestHead:
    """A client's request."""
    return read_request(block(first, ASKED, changes), LIMITS)


def answered(changes: dict[bytes, bytes | None], first: bytes = SWITCHING) -> ResponseHead:
    """A server's answer."""
    return read_response(block(first, ANSWERED, changes), LIMITS)


class ReadUpgradeTests(SynchronousTestCase):
    """A browser's request (RFC 6455 §4.2.1)."""

    def refused(self, word: str, head: RequestHead, status: int = 400) -> None:
        """It is refused with this word."""
        fault = self.assertRaises(UpgradeRefused, read_upgrade, head)
        self.assertEqual((fault.word, fault.status), (word, status))
        self.assertIsInstance(fault, ClientFault)

    def test_example(self) -> None:
        """The RFC's own request is taken, and answered with the RFC's own proof."""
        upgrade = read_upgrade(asked({b"Sec-WebSocket-Protocol": b"chat, superchat"}))
        self.assertEqual(upgrade, Upgrade(KEY, ("chat", "superchat")))
        self.assertEqual(accept_for(upgrade.key), ACCEPT)

    def test_usual_forms(self) -> None:
        """Case and further options of Connection do not matter; what Firefox sends is taken."""
        self.assertEqual(read_upgrade(asked({b"Upgrade": b"WebSocket", b"Connection": b"keep-alive, Upgrade"})).subprotocols, ())
        self.assertEqual(read_upgrade(asked({b"Sec-WebSocket-Extensions": b"permessage-deflate"})).subprotocols, ())
        self.assertEqual(read_upgrade(asked({b"Content-Length": b"0"})).key, KEY)

    def test_method_and_version(self) -> None:
        """It is GET and HTTP/1.1."""
        for first in (b"POST / HTTP/1.1", b"HEAD / HTTP/1.1", b"OPTIONS / HTTP/1.1", b"GET / HTTP/1.0"):
            self.refused("upgrade-request", asked({}, first))

    def test_content(self) -> None:
        """It has no content, and expects nothing."""
        for changes in ({b"Content-Length": b"1"}, {b"Transfer-Encoding": b"chunked"}, {b"Expect": b"100-continue"}):
            self.refused("upgrade-request", asked({**changes}))

    def test_fields(self) -> None:
        """Upgrade is websocket and nothing besides; Connection has it as an option of its own."""
        for upgrade in (None, b"h2c", b"websocket, h2c", b"websocket/13", b"web socket", b""):
            self.refused("upgrade-fields", asked({b"Upgrade": upgrade}))
        for connection in (None, b"keep-alive", b"not-upgrade", b"upgrade-not", b"close"):
            self.refused("upgrade-fields", asked({b"Connection": connection}))

    def test_host(self) -> None:
        """Without a host there is not even a head."""
        self.assertRaises(RefusedRequest, asked, {b"Host": None})

    def test_versions(self) -> None:
        """Another version is answered with 426."""
        for version in (None, b"8", b"0", b"013", b"13, 8", b"14", b""):
            head = asked({b"Sec-WebSocket-Version": version})
            self.refused("upgrade-version", head, 426)
            self.assertRaises(VersionRefused, read_upgrade, head)

    def test_keys(self) -> None:
        """The key is 16 octets in base64, in their one form."""
        short, long = base64.b64encode(bytes(15)), base64.b64encode(bytes(17))
        wrong = (
            None,
            b"",
            b"x",
            short,
            long,
            KEY[:-1],
            KEY[:-2],
            KEY + b"=",
            KEY.replace(b"Q==", b"R=="),
            b"-" + KEY[1:],
            KEY + b", " + KEY,
        )
        for key in wrong:
            self.refused("upgrade-key", asked({b"Sec-WebSocket-Key": key}))

    def test_repeated(self) -> None:
        """A field that is sent twice is refused with the head."""
        for name in (b"sec-websocket-key", b"sec-websocket-version", b"sec-websocket-protocol", b"upgrade"):
            value = {key.lower(): value for key, value in ASKED.items()}.get(name, b"chat")
            self.assertRaises(RefusedRequest, asked, {b"Sec-WebSocket-Protocol": b"chat", name: value})

    def test_subprotocols(self) -> None:
        """They are tokens, at most eight, each once."""
        eight = b",".join(b"p%d" % n for n in range(8))
        self.assertEqual(len(read_upgrade(asked({b"Sec-WebSocket-Protocol": eight})).subprotocols), 8)
        self.assertEqual(
            read_upgrade(asked({b"Sec-WebSocket-Protocol": b"coral.v1,\tcoral.ticket.aB-_9"})).subprotocols,
            ("coral.v1", "coral.ticket.aB-_9"),
        )
        for offered in (eight + b",p8", b"", b"a,,b", b",a", b"a,", b"a, a", b"a b", b"a/b", b'"a"', b"\xe9", b"a;b"):
            self.refused("upgrade-subprotocols", asked({b"Sec-WebSocket-Protocol": offered}))

    def test_no_secret_in_repr(self) -> None:
        """A ticket that travels as a subprotocol is in no repr and no fault."""
        self.assertNotIn("s3cret", repr(read_upgrade(asked({b"Sec-WebSocket-Protocol": b"coral.ticket.s3cret"}))))
        fault = self.assertRaises(UpgradeRefused, read_upgrade, asked({b"Sec-WebSocket-Protocol": b"s3cret, s3cret"}))
        self.assertNotIn("s3cret", repr(fault))

    @given(st.dictionaries(st.sampled_from(sorted([*ASKED, b"Sec-WebSocket-Protocol"])), st.binary(max_size=30)))
    def test_nothing_else_escapes(self, changes: dict[bytes, bytes]) -> None:
        """Any values give an upgrade or a fault of the client's."""
        try:
            upgrade = read_upgrade(asked({**changes}))
        except ClientFault:
            return
        self.assertLessEqual(len(upgrade.subprotocols), 8)


class SwitchingTests(SynchronousTestCase):
    """Our answer to a browser (RFC 6455 §4.2.2)."""

    def test_octets(self) -> None:
        """It says what the RFC says, and nothing of extensions."""
        self.assertEqual(
            switching(ACCEPT, None),
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
        )

    def test_round_trip(self) -> None:
        """Our client takes our server's answer, with a subprotocol and without one."""
        for subprotocol in (None, "coral.v1"):
            head = read_request(request(b"h", b"https://o", b"/", KEY, subprotocol).removesuffix(b"\r\n\r\n"), LIMITS)
            upgrade = read_upgrade(head)
            self.assertEqual(upgrade, Upgrade(KEY, () if subprotocol is None else (subprotocol,)))
            answer = switching(accept_for(upgrade.key), subprotocol).removesuffix(b"\r\n\r\n")
            check_answer(read_response(answer, LIMITS), KEY, subprotocol)

    def test_no_second_line(self) -> None:
        """No subprotocol can add a field."""
        for subprotocol in ("a\r\nSet-Cookie: b", "", "a b", "é"):
            self.assertRaises(ValueError, switching, ACCEPT, subprotocol)


class RequestTests(SynchronousTestCase):
    """Our request to a sandbox (RFC 6455 §4.1)."""

    def test_octets(self) -> None:
        """It has the fields of the RFC, and offers no extension."""
        self.assertEqual(
            request(b"127.0.0.1:1", b"http://127.0.0.1:1", b"/a?b", KEY, "chat"),
            b"GET /a?b HTTP/1.1\r\nHost: 127.0.0.1:1\r\nOrigin: http://127.0.0.1:1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: chat\r\n\r\n",
        )
        self.assertNotIn(b"Origin", request(b"h", None, b"/", KEY))

    def test_no_second_line(self) -> None:
        """No value can add a field or a request."""
        for host, origin, target, key in (
            (b"h\r\nA: b", None, b"/", KEY), (b"", None, b"/", KEY), (b"h", b"o\n", b"/", KEY), (b"h", b"", b"/", KEY),
            (b"h", None, b"/ HTTP/1.1\r\n", KEY), (b"h", None, b"/ a", KEY), (b"h", None, b"/", b"x"), (b"h", None, b"/", KEY + b"\n"),
        ):  # fmt: skip
            self.assertRaises(ValueError, request, host, origin, target, key)


class CheckAnswerTests(SynchronousTestCase):
    """A sandbox's answer (RFC 6455 §4.1)."""

    def refused(self, word: str, head: ResponseHead, subprotocol: str | None = None) -> None:
        """It is refused with this word."""
        fault = self.assertRaises(AnswerRefused, check_answer, head, KEY, subprotocol)
        self.assertEqual((fault.word, fault.status), (word, 502))
        self.assertIsInstance(fault, UpstreamFault)

    def test_example(self) -> None:
        """The RFC's own answer is taken; case does not matter in Upgrade and Connection."""
        check_answer(answered({}), KEY)
        check_answer(answered({b"Upgrade": b"WebSocket", b"Connection": b"keep-alive, upgrade"}), KEY)
        check_answer(answered({b"Sec-WebSocket-Protocol": b"chat"}), KEY, "chat")

    def test_status(self) -> None:
        """It is 101 and HTTP/1.1."""
        for first in (b"HTTP/1.1 200 OK", b"HTTP/1.1 100 Continue", b"HTTP/1.1 401 No", b"HTTP/1.1 302 There", b"HTTP/1.0 101 X"):
            self.refused("answer-status", answered({}, first))

    def test_content(self) -> None:
        """It has no content."""
        for changes in ({b"Content-Length": b"0"}, {b"Content-Length": b"5"}, {b"Transfer-Encoding": b"chunked"}):
            self.refused("answer-content", answered({**changes}))

    def test_fields(self) -> None:
        """Upgrade and Connection are as in the request."""
        for changes in ({b"Upgrade": None}, {b"Upgrade": b"h2c"}, {b"Connection": None}, {b"Connection": b"close"}):
            self.refused("answer-fields", answered({**changes}))

    def test_accept(self) -> None:
        """The proof is that of our key."""
        for accept in (None, b"", ACCEPT[:-1], ACCEPT.lower(), accept_for(base64.b64encode(bytes(16))), b"\xe9"):
            self.refused("answer-accept", answered({b"Sec-WebSocket-Accept": accept}))

    def test_extensions(self) -> None:
        """No extension was offered, so none can be agreed on."""
        for value in (b"permessage-deflate", b"", b"x"):
            self.refused("answer-extensions", answered({b"Sec-WebSocket-Extensions": value}))

    def test_subprotocol(self) -> None:
        """It is the one that was offered, or none where none was."""
        for offered, value in ((None, b"chat"), (None, b""), ("chat", None), ("chat", b"Chat"), ("chat", b"chat, chat"), ("chat", b"\xe9")):
            self.refused("answer-subprotocol", answered({b"Sec-WebSocket-Protocol": value}), offered)

    def test_repeated(self) -> None:
        """A field that is sent twice is refused with the head."""
        for name in (b"sec-websocket-accept", b"upgrade"):
            self.assertRaises(RefusedResponse, answered, {name: b"x"})

    @given(st.dictionaries(st.sampled_from(sorted([*ANSWERED, b"Sec-WebSocket-Protocol", b"Content-Length"])), st.binary(max_size=30)))
    def test_nothing_else_escapes(self, changes: dict[bytes, bytes]) -> None:
        """Any values are taken or give a fault of the sandbox's."""
        try:
            check_answer(answered({**changes}), KEY)
        except UpstreamFault:
            pass


class OrdinaryAnswerTests(SynchronousTestCase):
    """What is read of answers to requests to upgrade is still nothing that a browser is told."""

    def test_nothing_passes(self) -> None:
        """No Sec-WebSocket field of an ordinary answer is among the lines that pass, and the channel writes none of them anew."""
        names = (b"sec-websocket-accept", b"sec-websocket-protocol", b"sec-websocket-extensions", b"sec-websocket-version")
        for name in names:
            self.assertNotEqual(response_kind_of(name), ORDINARY)
            for spelling in (name, name.title(), name.upper()):
                self.assertEqual(read_response(b"HTTP/1.1 200 OK\r\n" + spelling + b": x", LIMITS).passing, [])
        self.assertTrue(RESPONSE_READ.issuperset(names[:3]))
        head = read_response(b"\r\n".join([b"HTTP/1.1 200 OK", *(name + b": x" for name in names)]), LIMITS)
        lines = HTTPChannel.answer(None, head, None)  # type: ignore[arg-type]  # it looks at the head alone
        self.assertNotIn(b"websocket", b"\r\n".join(lines).lower())
