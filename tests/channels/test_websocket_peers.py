"""Our frames and handshake against autobahn's, which was written by others: each reads what the other writes, as server and as client."""

from __future__ import annotations

from typing import Any

from autobahn.twisted.websocket import (
    WebSocketClientFactory,
    WebSocketClientProtocol,
    WebSocketServerFactory,
    WebSocketServerProtocol,
)
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.channels.websocket_frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    TEXT,
    Close,
    FrameReader,
    Message,
    Ping,
    Pong,
    close_frame,
    frame,
    may_be_sent,
    ping,
)
from coral_gate.channels.websocket_handshake import accept_for, check_answer, read_upgrade, request, switching
from coral_gate.http1.head import HeadLimits, read_request, read_response
from tests.channels.websocket_cases import CASES, FIN, KEY, raw

NONCE = b"dGhlIHNhbXBsZSBub25jZQ=="
NORMAL = 1000
"""What autobahn answers a close frame with."""

MESSAGES = st.lists(st.tuples(st.booleans(), st.text(max_size=300), st.integers(0, 700)), max_size=4)
"""Binary or text, what it says, and how often."""


class Wire(StringTransport):
    """What autobahn wants of a transport besides."""

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Nothing is delayed here."""

    def unregisterProducer(self) -> None:
        """Autobahn says this without having registered one."""

    def taken(self) -> bytes:
        """What was written since the last call."""
        octets = bytes(self.value())
        self.clear()
        return octets


class Peer:
    """
    Autobahn's end of a connection of which ours is the other.

    :ivar heard: what autobahn made of what we wrote.
    """

    def __init__(self, factory: Any, protocol: Any) -> None:  # autobahn's classes are not typed
        heard = self.heard = list[tuple[object, ...]]()

        class Recording(protocol):  # type: ignore[misc]  # as above
            def onMessage(self, payload: bytes, isBinary: bool) -> None:
                heard.append((isBinary, payload))

            def onPong(self, payload: bytes) -> None:
                heard.append(("pong", payload))

            def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
                heard.append(("close", code, reason))

        factory.protocol = Recording
        factory.setProtocolOptions(failByDrop=False, autoPingInterval=0)
        self.wire = Wire()
        self.protocol = factory.buildProtocol(None)
        self.protocol.makeConnection(self.wire)


def server() -> Peer:
    """Autobahn as the sandbox's server, after the handshake with our client."""
    factory = WebSocketServerFactory("ws://h:80", protocols=["chat"], reactor=Clock())
    peer = Peer(factory, WebSocketServerProtocol)
    peer.protocol.dataReceived(request(b"h", b"http://h", b"/a?b", NONCE))
    check_answer(read_response(peer.wire.taken().removesuffix(b"\r\n\r\n"), HeadLimits()), NONCE)
    return peer


def client() -> Peer:
    """Autobahn as the browser, after the handshake with our server."""
    factory = WebSocketClientFactory("ws://h:80/a?b", origin="http://h", protocols=["coral.v1", "coral.ticket.x"], reactor=Clock())
    peer = Peer(factory, WebSocketClientProtocol)
    upgrade = read_upgrade(read_request(peer.wire.taken().removesuffix(b"\r\n\r\n"), HeadLimits()))
    assert upgrade.subprotocols == ("coral.v1", "coral.ticket.x")
    peer.protocol.dataReceived(switching(accept_for(upgrade.key), "coral.v1"))
    return peer


class PeerTests(SynchronousTestCase):
    """As a sandbox's server with our masked frames, and as a browser with our unmasked ones."""

    peers = ((server, KEY), (client, None))

    @given(MESSAGES)
    def test_reads_ours(self, messages: list[tuple[bool, str, int]]) -> None:
        """Autobahn reads our messages, whole and in fragments."""
        for make, key in self.peers:
            peer = make()
            payloads = [(binary, (text * times).encode()) for binary, text, times in messages]
            for binary, payload in payloads:
                half = len(payload) // 2
                peer.protocol.dataReceived(frame(BINARY if binary else TEXT, payload, key))
                peer.protocol.dataReceived(frame(BINARY if binary else TEXT, payload[:half], key, fin=False))
                peer.protocol.dataReceived(frame(CONTINUATION, payload[half:], key))
            self.assertEqual(peer.heard, [one for one in payloads for _ in range(2)])

    @given(MESSAGES)
    def test_we_read_its(self, messages: list[tuple[bool, str, int]]) -> None:
        """We read autobahn's messages, whole and in fragments."""
        for make, key in self.peers:
            peer, by = make(), FrameReader(key is None, 1 << 22, 1 << 22, whole=True)
            for binary, text, times in messages:
                payload = (text * times).encode()
                for fragment in (None, 1 + len(payload) // 3):
                    peer.protocol.sendMessage(payload, isBinary=binary, fragmentSize=fragment)
                    (event,) = by.feed(peer.wire.taken())
                    assert isinstance(event, Message)
                    self.assertEqual((event.opcode, event.payload), (BINARY if binary else TEXT, payload))

    def test_pings(self) -> None:
        """Autobahn answers our ping, and we read its own and its answer."""
        for make, key in self.peers:
            peer, by = make(), FrameReader(key is None, 1000, 1000, whole=False)
            peer.protocol.dataReceived(ping(b"here?", key))
            peer.protocol.sendPing(b"there?")
            pong, asked = by.feed(peer.wire.taken())
            assert isinstance(pong, Pong) and isinstance(asked, Ping)
            self.assertEqual((pong.payload, asked.payload), (b"here?", b"there?"))

    def test_closes(self) -> None:
        """Autobahn reads our close frame, and we its answer."""
        for make, key in self.peers:
            peer, by = make(), FrameReader(key is None, 1000, 1000, whole=False)
            peer.protocol.dataReceived(close_frame(4400, "ééé" * 40, key))
            (close,) = by.feed(peer.wire.taken())
            assert isinstance(close, Close)
            self.assertEqual((peer.protocol.remoteCloseCode, peer.protocol.remoteCloseReason), (4400, "é" * 61))
            self.assertEqual(close.code, 1000)  # autobahn's own choice

    def test_same_verdicts(self) -> None:
        """Of every case in our table but those about closes and limits, autobahn thinks as we do."""
        codes = {case.name: (case.code, self.code(case.octets(KEY))) for case in CASES if not case.name.startswith(("7", "9"))}
        self.assertEqual({name: both for name, both in codes.items() if both[0] != both[1]}, {})

    def test_same_close_codes(self) -> None:
        """What we take for a close code, autobahn does too, and the other way round; but for 1014, which is younger than it."""
        for code in (0, 1, *range(990, 1030), 2999, 3000, 4999, 5000, 65535):
            if code != 1014:
                refused = self.code(raw(FIN | CLOSE, code.to_bytes(2), KEY)) == 1002
                self.assertEqual((code, may_be_sent(code)), (code, not refused))

    def code(self, octets: bytes) -> int | None:
        """With which code autobahn fails the connection, if it does."""
        peer = server()
        peer.protocol.dataReceived(octets)
        closes = [event for event in FrameReader(False, 1 << 20, 1 << 20, whole=True).feed(peer.wire.taken()) if isinstance(event, Close)]
        return closes[0].code if closes and closes[0].code != NORMAL else None
