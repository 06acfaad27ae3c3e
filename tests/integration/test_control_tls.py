"""OpenClaw's channel over real sockets: a browser inside TLS, a sandbox over TCP, both of them autobahn's."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from autobahn.twisted.websocket import (
    WebSocketClientFactory,
    WebSocketClientProtocol,
    WebSocketServerFactory,
    WebSocketServerProtocol,
)
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, wrapClientTLS
from twisted.internet.ssl import Certificate, optionsForClientTLS
from twisted.internet.task import deferLater

from coral_gate.config.sections.deadlines import DeadlinesConfig
from coral_gate.config.sections.tls import CertificateConfig, TLSConfig
from coral_gate.edge.listener import FrontFactory
from coral_gate.edge.tls import Certificates, TLSFrontFactory
from coral_gate.model import CloseCode
from coral_gate.sandboxes.links import TCPLink
from tests.channels.control_table import Table, encodings
from tests.channels.openclaw_messages import CHALLENGE, PASSWORD, captured, connect, request
from tests.edge.bench import HOST, Bench
from tests.edge.certificates import write_certificate
from tests.integration.listening import LOOPBACK, Listening, reactor

PLACE = HOST.removeprefix(b"Host: ").decode()
NAME = PLACE.partition(":")[0]
MOST = 64 * 1024 * 1024
MUCH = 25 * 1024 * 1024 - 64


class Seen:
    """
    What one end of a WebSocket has seen, on which a test can wait.

    :ivar closes: whether cleanly, the code and the reason.
    """

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.closes: list[tuple[bool, int | None, str | None]] = []
        self.end: Any = None  # either kind of autobahn's protocols, which have no types
        self._waits: list[tuple[Callable[[], bool], Deferred[None]]] = []

    def until(self, condition: Callable[[], bool]) -> Deferred[None]:
        """Fires when the condition holds, which is looked at on each event."""
        waiting: Deferred[None] = Deferred()
        self._waits.append((condition, waiting))
        self.look()
        return waiting

    def look(self) -> None:
        """Something has happened."""
        for one in [one for one in self._waits if one[0]()]:
            self._waits.remove(one)
            one[1].callback(None)


class Page(WebSocketClientProtocol):
    """A browser's page."""

    seen: Seen

    def onOpen(self) -> None:
        self.seen.end = self
        self.seen.look()

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        self.seen.messages.append(payload)
        self.seen.look()

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        self.seen.closes.append((wasClean, code, reason))
        self.seen.look()


class OpenClaw(WebSocketServerProtocol):
    """A sandbox that lets in whoever has the password, and shows a very long log."""

    seen: Seen

    def onOpen(self) -> None:
        self.seen.end = self
        self.sendMessage(CHALLENGE)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        self.seen.messages.append(payload)
        asked = json.loads(payload)
        if asked["method"] == "connect" and asked["params"]["auth"] == {"password": PASSWORD}:
            self.sendMessage(captured("hello"))
        elif asked["method"] == "logs.tail":
            self.sendMessage(b'"' + b"x" * MUCH + b'"')
        self.seen.look()

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        self.seen.closes.append((wasClean, code, reason))
        self.seen.look()


class ControlTLSTests(Listening):
    """What a browser sees."""

    timeout = 30

    def setUp(self) -> None:
        """A gate, a sandbox behind it."""
        self.page, self.sandbox = Seen(), Seen()
        service = WebSocketServerFactory()

        class Service(OpenClaw):
            seen = self.sandbox

        service.protocol = Service
        service.setProtocolOptions(maxMessagePayloadSize=MOST, maxFramePayloadSize=MOST)
        link = TCPLink(reactor, host="127.0.0.1", port=self.listen(service), policy=LOOPBACK, insecure_plaintext=True)
        self.table = Table(bench=Bench(times=DeadlinesConfig(reader_stall_s=30), clock=reactor, link=link))  # type: ignore[arg-type]  # real ones
        self.addCleanup(self.table.bench.door.deadlines.stop)
        folder = Path(self.mktemp())
        folder.mkdir()
        self.certificate, key = write_certificate(folder, "sandboxes", "*.sbx.localhost")
        shown = TLSConfig(certificates=(CertificateConfig(names=("*.sbx.localhost",), certificate=self.certificate, key=key),))
        self.port = self.listen(TLSFrontFactory(Certificates(shown, "test"), FrontFactory(self.table.bench.door, tls=True)))

    async def opened(self) -> None:
        """The page is let in."""
        _, _, cookie = self.table.cookie.decode().partition(": ")
        headers = {"Cookie": cookie}
        protocols = ["coral.v1", "coral.ticket.good"]
        factory = WebSocketClientFactory(f"wss://{PLACE}/", origin=f"https://{PLACE}", protocols=protocols, headers=headers)

        class Shown(Page):
            seen = self.page

        factory.protocol = Shown
        factory.setProtocolOptions(maxMessagePayloadSize=MOST, maxFramePayloadSize=MOST)
        options = optionsForClientTLS(NAME, trustRoot=Certificate.loadPEM(self.certificate.read_bytes()))
        await wrapClientTLS(options, TCP4ClientEndpoint(reactor, "127.0.0.1", self.port)).connect(factory)
        await self.page.until(lambda: self.page.end is not None)
        self.page.end.sendMessage(connect())
        await self.page.until(lambda: len(self.page.messages) == 2)

    async def over(self, code: int, reason: str) -> None:
        """The page and the sandbox have seen a clean end, and the registry one."""
        await self.page.until(lambda: bool(self.page.closes))
        await self.sandbox.until(lambda: bool(self.sandbox.closes))
        self.assertEqual(self.page.closes, [(True, code, reason)])
        self.assertEqual(self.table.streams.closes, [code])

    async def test_cut(self) -> None:
        """A cut is a clean close with its code and its reason, and the page has never seen the credential."""
        await self.opened()
        self.table.streams.entries[0].cut(CloseCode.SESSION_ENDED, "You signed out.")
        await self.over(4401, "You signed out.")
        for secret in encodings(PASSWORD):
            self.assertNotIn(secret, b"".join(self.page.messages))

    async def test_stop(self) -> None:
        """So is a daemon's stop, and then nothing is left of it."""
        await self.opened()
        drained = self.table.bench.door.leave()
        self.table.connection.connectionLost()  # the table's own browser, which is on no socket
        await self.over(4409, "The gate is being restarted; your page connects again by itself.")
        await drained

    async def test_page_closes(self) -> None:
        """The page's code and reason are what the sandbox sees."""
        await self.opened()
        self.page.end.sendClose(3999, "bye")
        await self.sandbox.until(lambda: bool(self.sandbox.closes))
        self.assertEqual(self.sandbox.closes, [(True, 3999, "bye")])
        await self.page.until(lambda: bool(self.page.closes))
        self.assertEqual(self.page.closes, [(True, 3999, None)])

    async def test_much_up(self) -> None:
        """A message as long as may be reaches the sandbox with the very same bytes."""
        await self.opened()
        bare = len(request("chat.send", {"message": ""}))
        message = request("chat.send", {"message": "x" * (8 * 1024 * 1024 - bare)})
        self.page.end.sendMessage(message)
        await self.sandbox.until(lambda: len(self.sandbox.messages) == 2)
        self.assertTrue(self.sandbox.messages[1] == message)
        await self.closed()

    async def test_much_down(self) -> None:
        """25 MiB reach a page that stops reading again and again; meanwhile next to nothing of it is in the gate."""
        await self.opened()
        (front,) = [one for one in self.table.bench.door.open if one is not self.table.connection]
        self.page.end.sendMessage(request("logs.tail"))
        held = []
        for _ in range(5):
            self.page.end.transport.pauseProducing()
            await deferLater(reactor, 0.2)
            held.append(_unsent(front.transport))  # type: ignore[attr-defined]  # it is a connection
            self.page.end.transport.resumeProducing()
            await deferLater(reactor, 0.01)
        await self.page.until(lambda: len(self.page.messages) == 3)
        self.assertEqual(len(self.page.messages[2]), MUCH + 2)
        self.assertGreater(max(held), 0, "the page was never behind")
        self.assertLess(max(held), 1024 * 1024)
        await self.closed()

    async def test_cut_asleep(self) -> None:
        """A cut in the middle of a long message reaches a page that did not read for a while."""
        await self.opened()
        self.page.end.sendMessage(request("logs.tail"))
        self.page.end.transport.pauseProducing()
        await deferLater(reactor, 0.3)
        self.table.streams.entries[0].cut(CloseCode.FORBIDDEN, "Locked.")
        await deferLater(reactor, 0.2)
        self.page.end.transport.resumeProducing()
        await self.page.until(lambda: bool(self.page.closes))
        self.assertEqual(self.page.closes, [(True, 4403, "Locked.")])
        self.sandbox.end.transport.abortConnection()
        await self.sandbox.until(lambda: bool(self.sandbox.closes))

    async def closed(self) -> None:
        """The page closes."""
        self.page.end.sendClose(1000)
        await self.page.until(lambda: bool(self.page.closes))
        await self.sandbox.until(lambda: bool(self.sandbox.closes))


def _unsent(transport: Any) -> int:  # Any: what is inside of Twisted's transports has no interface
    """What a TLS transport holds that the kernel has not taken."""
    tcp = transport.transport
    return int(sum(map(len, getattr(transport, "_appSendBuffer", ()))) + len(tcp.dataBuffer) - tcp.offset + tcp._tempDataLen)
