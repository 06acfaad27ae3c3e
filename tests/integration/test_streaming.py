"""Content through the daemon: large, slow, endless and early, in constant memory."""

from __future__ import annotations

import hashlib
import itertools
import json
from pathlib import Path
from typing import Any

from attrs import define, field
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase
from zope.interface import implementer

from tests import LONG
from tests.corpus.case import request
from tests.integration.answers import AnswerReader
from tests.integration.client import Wire, connect, send
from tests.integration.daemon import Daemon
from tests.integration.node_origin import NodeOrigin, pattern

_GIB = 1 << 30
_LARGE = _GIB if LONG else _GIB >> 2
_GROWTH_BYTES = 64 << 20
_PATIENCE_S = 20
_LONG_S = 240
_BLOCK = 1 << 16

_SETTINGS = """
[limits]
body = "1GiB"
upstream_idle = "1h"
"""
"""Idle connections to the sandbox stay, so that one which is closed was closed for a reason."""

_reactor: Any = reactor  # it provides a dozen interfaces, and no type says which


class DigestReader(AnswerReader):
    """Keeps no content but its digest and length."""

    def __init__(self, *methods: bytes) -> None:
        super().__init__(methods)
        self.sha256 = hashlib.sha256()
        self.octets = 0

    def content(self, piece: bytearray) -> None:
        self.sha256.update(piece)
        self.octets += len(piece)


@implementer(IPushProducer)
@define(eq=False)
class Upload:
    """Writes a pattern to a connection as fast as it is taken, framed in chunks or not at all."""

    wire: Wire
    left: int
    chunked: bool = False
    sha256: Any = field(factory=hashlib.sha256)
    sent: int = 0
    _paused: bool = False
    _block: bytes = field(factory=lambda: pattern(_BLOCK))

    def start(self) -> None:
        self.wire.transport.registerProducer(self, True)
        self._more()

    def _more(self) -> None:
        while not self._paused and self.left:
            piece = self._block[: self.left]
            self.left -= len(piece)
            self.sent += len(piece)
            self.sha256.update(piece)
            self.wire.transport.write(b"%x\r\n%b\r\n" % (len(piece), piece) if self.chunked else piece)
        if not self.left and not self._paused:
            self._paused = True
            if self.chunked:
                self.wire.transport.write(b"0\r\n\r\n")
            self.wire.transport.unregisterProducer()

    def pauseProducing(self) -> None:
        self._paused = True

    def resumeProducing(self) -> None:
        self._paused = False
        _reactor.callLater(0, self._more)

    def stopProducing(self) -> None:
        self._paused = True


def _repeated(octets: int) -> str:
    """The digest of what `/mode/download` sends."""
    digest, block = hashlib.sha256(), pattern(_BLOCK)
    for size in itertools.chain(itertools.repeat(_BLOCK, octets // _BLOCK), [octets % _BLOCK]):
        digest.update(block[:size])
    return digest.hexdigest()


class StreamingTests(TestCase):
    """One node origin behind the daemon."""

    timeout = 600
    node: NodeOrigin
    daemon: Daemon
    idle: int

    async def _start(self) -> None:
        self.node = await NodeOrigin.start(_reactor)
        self.addCleanup(lambda: Deferred.fromCoroutine(self.node.stop()))
        folder = Path(self.mktemp()).resolve()
        folder.mkdir()
        self.daemon = await Daemon.start(_reactor, folder, self.node.ports, _SETTINGS)
        self.addCleanup(lambda: Deferred.fromCoroutine(self.daemon.stop()))
        wire = await self._open()
        await self._ask(wire, b"/")
        await wire.answer(0, _PATIENCE_S)  # what the first request makes the daemon load is not what is measured
        wire.transport.loseConnection()
        await self.node.take()
        self.idle = await self.node.open_connections()
        self.daemon.forget_peak()

    async def _open(self, *methods: bytes, reader: AnswerReader | None = None) -> Wire:
        wire = await connect(_reactor, self.daemon.port, methods or (b"GET",))
        if reader is not None:
            wire.reader = reader
        self.addCleanup(lambda: wire.transport.abortConnection())
        return wire

    async def _ask(self, wire: Wire, target: bytes, *lines: bytes, method: bytes = b"GET", body: bytes = b"") -> None:
        await send(_reactor, wire, request(self.daemon.authority(), *lines, method=method, target=target, body=body))

    def _assert_flat(self, before: int) -> None:
        grown = self.daemon.peak_bytes() - before
        self.assertLess(grown, _GROWTH_BYTES, f"grew by {grown >> 20} MiB")

    async def _download(self, octets: int, query: bytes) -> None:
        await self._start()
        before = self.daemon.resident_bytes()
        reader = DigestReader(b"GET")
        wire = await self._open(reader=reader)
        await self._ask(wire, b"/mode/download?bytes=%d%b" % (octets, query))
        await wire.answer(0, _LONG_S)
        self.assertEqual((reader.octets, reader.sha256.hexdigest()), (octets, _repeated(octets)))
        self._assert_flat(before)

    async def test_download(self) -> None:
        """1 GiB of known length comes through as it is, in constant memory."""
        await self._download(_GIB, b"")

    async def test_download_chunked(self) -> None:
        """Content of unknown length comes through as it is, in constant memory."""
        await self._download(_LARGE, b"&chunked")

    async def _upload(self, octets: int, line: bytes, chunked: bool) -> None:
        await self._start()
        before = self.daemon.resident_bytes()
        wire = await self._open(b"POST")
        await self._ask(wire, b"/upload", line, method=b"POST")
        upload = Upload(wire, octets, chunked)
        upload.start()
        answer = await wire.answer(0, _LONG_S)
        said = json.loads(bytes(answer.body))
        self.assertEqual((said["length"], said["sha256"], said["complete"]), (octets, upload.sha256.hexdigest(), True))
        self._assert_flat(before)

    async def test_upload(self) -> None:
        """1 GiB of known length arrives as it is, in constant memory."""
        await self._upload(_GIB, b"Content-Length: %d" % _GIB, chunked=False)

    async def test_upload_chunked(self) -> None:
        """Content in chunks arrives as it is, in constant memory."""
        await self._upload(_LARGE, b"Transfer-Encoding: chunked", chunked=True)

    async def test_upload_too_large(self) -> None:
        """One octet more than is allowed is refused before the sandbox hears of it; in chunks, when it has come."""
        await self._start()
        wire = await self._open(b"POST")
        await self._ask(wire, b"/upload", b"Content-Length: %d" % (_GIB + 1), method=b"POST")
        self.assertEqual((await wire.answer(0, _PATIENCE_S)).status, 413)
        await wire.closed.addTimeout(_PATIENCE_S, _reactor)
        self.assertEqual(await self.node.take(), [])

    async def test_echo(self) -> None:
        """Both ways at once: what goes up comes down on the same request, in constant memory."""
        await self._start()
        before = self.daemon.resident_bytes()
        reader = DigestReader(b"POST")
        wire = await self._open(reader=reader)
        octets = _LARGE
        await self._ask(wire, b"/mode/echo", b"Content-Length: %d" % octets, method=b"POST")
        upload = Upload(wire, octets)
        upload.start()
        await wire.answer(0, _LONG_S)
        self.assertEqual((reader.octets, reader.sha256.digest()), (octets, upload.sha256.digest()))
        self._assert_flat(before)

    async def test_slow_reader(self) -> None:
        """A client that stops reading makes the sandbox wait; when it goes on, all of it comes."""
        await self._start()
        before = self.daemon.resident_bytes()
        reader = DigestReader(b"GET")
        wire = await self._open(reader=reader)
        await self._ask(wire, b"/mode/download?bytes=%d" % _LARGE)
        while not reader.octets:
            await deferLater(_reactor, 0.01)
        wire.transport.pauseProducing()
        await deferLater(_reactor, 2)
        self._assert_flat(before)
        self.assertLess(reader.octets, _LARGE)
        wire.transport.resumeProducing()
        await wire.answer(0, _LONG_S)
        self.assertEqual(reader.sha256.hexdigest(), _repeated(_LARGE))
        self._assert_flat(before)

    async def test_slow_sandbox(self) -> None:
        """A sandbox that does not read an upload makes the client wait; memory stays as it is."""
        await self._start()
        before = self.daemon.resident_bytes()
        wire = await self._open(b"POST")
        await self._ask(wire, b"/mode/deaf?name=x", b"Content-Length: %d" % _LARGE, method=b"POST")
        upload = Upload(wire, _LARGE)
        upload.start()
        sent = -1
        while sent != upload.sent < _GROWTH_BYTES:
            sent = upload.sent
            await deferLater(_reactor, 1)
        self.assertLess(upload.sent, _GROWTH_BYTES)
        self._assert_flat(before)
        self.assertEqual(await self.node.answer("x"), 1)
        answer = await wire.answer(0, _LONG_S)
        self.assertEqual(json.loads(bytes(answer.body))["sha256"], upload.sha256.hexdigest())

    async def test_events(self) -> None:
        """Each event of a stream is with the client before the next is sent: nothing is kept back."""
        await self._start()
        wire = await self._open()
        await self._ask(wire, b"/mode/events?name=x", b"Accept: text/event-stream")
        came = b""
        while not await self.node.emit("x", "first"):
            await deferLater(_reactor, 0.02)
        for text in ["first", *map(str, range(100))]:
            if text != "first":
                self.assertEqual(await self.node.emit("x", text), 1)
            came += f"data: {text}\n\n".encode()
            await wire.content(0, len(came), _PATIENCE_S)
            self.assertEqual(bytes(wire.reader.answers[0].body), came)
        wire.transport.abortConnection()
        await self._until_closed()

    async def _until_closed(self) -> None:
        """Wait until no connection to the origin is open but those that were idle before."""
        for _ in range(200):
            if await self.node.open_connections() <= self.idle:
                return
            await deferLater(_reactor, 0.05)
        self.fail("the gate still holds a connection to the sandbox")

    async def test_continue(self) -> None:
        """A client that waits for 100 gets it when the request has been allowed, and its content arrives."""
        await self._start()
        wire = await self._open(b"POST")
        await self._ask(wire, b"/a", b"Expect: 100-continue", b"Content-Length: 5", method=b"POST")
        for _ in range(200):
            if wire.reader.interim:
                break
            await deferLater(_reactor, 0.02)
        self.assertEqual(wire.reader.interim, [100])
        wire.transport.write(b"hello")
        answer = await wire.answer(0, _PATIENCE_S)
        said = json.loads(bytes(answer.body))
        self.assertEqual((said["length"], "expect" in [name.lower() for name in said["fields"][::2]]), (5, False))
        self.assertEqual(wire.reader.interim, [100])

    async def test_no_continue(self) -> None:
        """A client that waits for 100 with a request that is refused gets the refusal, and no 100 before it."""
        await self._start()
        for target, line, status in ((b"/.gate/x", b"X: y", 404), (b"/a", b"Sec-Fetch-Site: cross-site", 403), (b"/a", b"Host: x", 400)):
            wire = await self._open(b"POST")
            await self._ask(wire, target, b"Expect: 100-continue", b"Content-Length: 5", line, method=b"POST")
            self.assertEqual((await wire.answer(0, _PATIENCE_S)).status, status)
            self.assertEqual(wire.reader.interim, [])
            await wire.closed.addTimeout(_PATIENCE_S, _reactor)
        self.assertEqual(await self.node.take(), [])

    async def test_early_answer(self) -> None:
        """An answer before the request's end reaches the client; then both connections close, and nothing is read as a request."""
        await self._start()
        for line, body in (
            (b"Content-Length: 1000000", b"x" * 1000),
            (b"Transfer-Encoding: chunked", b"3e8\r\n" + b"x" * 1000 + b"\r\n"),
        ):
            wire = await self._open(b"POST")
            await self._ask(wire, b"/mode/early?status=413", line, method=b"POST", body=body)
            answer = await wire.answer(0, _PATIENCE_S)
            self.assertEqual((answer.status, bytes(answer.body), answer.closes), (413, b"early\n", True))
            wire.transport.write(request(self.daemon.authority(), target=b"/SMUGGLED"))
            await wire.closed.addTimeout(_PATIENCE_S, _reactor)
            await self._until_closed()
        seen = await self.node.take()
        self.assertEqual([record.target for record in seen if not record.event], [b"/mode/early?status=413"] * 2)
        self.assertFalse(any(record.complete for record in seen))

    async def test_client_leaves(self) -> None:
        """A client that leaves in the middle of its upload leaves no whole request and no connection behind."""
        await self._start()
        wire = await self._open(b"POST")
        await self._ask(wire, b"/upload", b"Content-Length: 1000", method=b"POST", body=b"x" * 999)
        await deferLater(_reactor, 0.2)
        wire.transport.abortConnection()
        await self._until_closed()
        self.assertEqual([record.complete for record in await self.node.take() if not record.event], [False])
