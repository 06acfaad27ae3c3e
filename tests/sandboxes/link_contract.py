"""What every link promises, whatever its streams run over."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IConsumer, IProtocolFactory, IPushProducer
from twisted.internet.protocol import Factory, connectionDone
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from zope.interface import implementer
from zope.interface.verify import verifyObject

from coral_gate.errors import UpstreamUnreachable
from coral_gate.interfaces import ILink
from tests.sandboxes.recording import Recording, RecordingFactory

if TYPE_CHECKING:
    from twisted.trial.unittest import TestCase
else:
    TestCase = object

BULK_BYTES = 8 * 1024 * 1024
SOME_BYTES = 64 * 1024 * 1024
PIECE = b"0123456789abcdef" * 4096


class End(Recording):
    """One end of a stream, on which a test can wait."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0
        self.digest = hashlib.sha256()
        self._waits: list[tuple[Callable[[], bool], Deferred[None]]] = []

    def until(self, condition: Callable[[], bool]) -> Deferred[None]:
        """Fires when the condition holds, which is looked at on each event."""
        waiting: Deferred[None] = Deferred()
        self._waits.append((condition, waiting))
        self._look()
        return waiting

    def connectionMade(self) -> None:
        super().connectionMade()
        self._look()

    def dataReceived(self, data: bytes) -> None:
        self.events.append("octets")
        self.total += len(data)
        self.digest.update(data)
        self._look()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        super().connectionLost(reason)
        self._look()

    def _look(self) -> None:
        ready = [(condition, waiting) for condition, waiting in self._waits if condition()]
        self._waits = [pair for pair in self._waits if pair not in ready]
        for _, waiting in ready:
            waiting.callback(None)


class EchoEnd(End):
    """Writes back what it receives."""

    def dataReceived(self, data: bytes) -> None:
        super().dataReceived(data)
        self.transport.write(data)


class Ends(Factory[Recording]):
    """Builds ends and keeps them; a test can wait for the next."""

    noisy = False

    def __init__(self, kind: type[End] = End) -> None:
        self.kind = kind
        self.built: list[End] = []
        self._wanted: list[Deferred[End]] = []

    def buildProtocol(self, addr: object) -> End:
        end = self.kind()
        self.built.append(end)
        for wanted in self._wanted:
            wanted.callback(end)
        self._wanted = []
        return end

    def first(self) -> Deferred[End]:
        """The first end that was or will be built."""
        wanted: Deferred[End] = Deferred()
        if self.built:
            wanted.callback(self.built[0])
        else:
            self._wanted.append(wanted)
        return wanted


class NoProtocol(Factory[Recording]):
    """Builds nothing."""

    noisy = False

    def buildProtocol(self, addr: object) -> None:
        return None


@implementer(IPushProducer)
class Flood:
    """Writes as much as it may, up to `SOME_BYTES`, and no more while it is paused."""

    def __init__(self, consumer: IConsumer) -> None:
        self._consumer = consumer
        self._turn: Deferred[None] | None = None
        self.written = 0
        self.paused = False
        self.pauses = 0

    def start(self) -> None:
        self._consumer.registerProducer(self, True)
        self._go()

    def _go(self) -> None:
        self._turn = None
        if self.written == SOME_BYTES:
            self._consumer.unregisterProducer()
        elif not self.paused:
            self.written += len(PIECE)
            self._turn = deferLater(reactor, 0, self._go)
            self._consumer.write(PIECE)

    def pauseProducing(self) -> None:
        self.paused = True
        self.pauses += 1

    def resumeProducing(self) -> None:
        self.paused = False
        if self._turn is None:
            self._turn = deferLater(reactor, 0, self._go)

    def stopProducing(self) -> None:
        self.paused = True


class LinkContract(TestCase):
    """
    Mixed into a trial TestCase for each provider, which gives `serve`, `unreachable` and `hanging`.

    Trial itself fails a test that leaves a socket or a timer behind.
    """

    def serve(self, factory: IProtocolFactory) -> ILink:
        """Start a service, until the end of the test, and give a link to it."""
        raise NotImplementedError

    def unreachable(self) -> ILink:
        """A link to a service that is not there."""
        raise NotImplementedError

    def hanging(self) -> ILink | None:
        """A link to a service that never answers, or None where there can be no such thing."""
        raise NotImplementedError

    async def stream(self, kind: type[End] = End) -> tuple[End, End]:
        """A stream's two ends, ours first."""
        servers, clients = Ends(kind), Ends()
        link = self.serve(servers)
        ours = await link.connect(clients)
        assert ours is clients.built[0]
        theirs = await servers.first()
        await theirs.until(lambda: "made" in theirs.events)
        self.addCleanup(self.close, clients.built[0], theirs)
        return clients.built[0], theirs

    async def close(self, *ends: End) -> None:
        """Close a stream in any state."""
        for end in ends:
            if end.ended is None:
                end.transport.abortConnection()  # type: ignore[attr-defined]  # every transport of a link has it
        for end in ends:
            await end.until(lambda end=end: end.ended is not None)  # type: ignore[misc]  # bound now

    async def test_is_a_link(self) -> None:
        """It provides ILink, and its label shows neither address nor path."""
        link = self.serve(Ends())
        verifyObject(ILink, link)
        self.assertRegex(link.label, r"\A[a-z]+\Z")
        self.assertIs(link.plaintext, False)

    async def test_echo(self) -> None:
        """Bytes go there and come back, over a stream that was connected when connect() answered."""
        ours, _ = await self.stream(EchoEnd)
        self.assertEqual(ours.events, ["made"])
        ours.transport.write(b"hello")
        ours.transport.writeSequence([b", ", b"world"])
        await ours.until(lambda: ours.total == 12)
        self.assertEqual(ours.digest.digest(), hashlib.sha256(b"hello, world").digest())

    async def test_many_streams(self) -> None:
        """One link gives any number of streams that have nothing to do with each other."""
        servers, clients = Ends(EchoEnd), Ends()
        link = self.serve(servers)
        for _ in range(3):
            await link.connect(clients)
        for number, ours in enumerate(clients.built):
            ours.transport.write(b"x" * (number + 1))
        for number, ours in enumerate(clients.built):
            await ours.until(lambda ours=ours, number=number: ours.total == number + 1)  # type: ignore[misc]  # bound now
        await self.close(*clients.built, *servers.built)

    async def test_bulk(self) -> None:
        """8 MiB each way at once arrive as they are."""
        ours, theirs = await self.stream()
        there, back = PIECE * (BULK_BYTES // len(PIECE)), bytes(reversed(PIECE)) * (BULK_BYTES // len(PIECE))
        ours.transport.write(there)
        theirs.transport.write(back)
        await theirs.until(lambda: theirs.total >= BULK_BYTES)
        await ours.until(lambda: ours.total >= BULK_BYTES)
        self.assertEqual(theirs.digest.digest(), hashlib.sha256(there).digest())
        self.assertEqual(ours.digest.digest(), hashlib.sha256(back).digest())

    async def test_back_pressure_there(self) -> None:
        """A service that stops reading stops our producer; when it reads on everything arrives."""
        ours, theirs = await self.stream()
        await self.back_pressure(ours, theirs)

    async def test_back_pressure_back(self) -> None:
        """When we stop reading the service's producer is stopped; when we read on everything arrives."""
        ours, theirs = await self.stream()
        await self.back_pressure(theirs, ours)

    async def back_pressure(self, writer: End, reader: End) -> None:
        reader.transport.pauseProducing()  # type: ignore[attr-defined]  # every transport of a link has it
        flood = Flood(writer.transport)  # type: ignore[arg-type]  # every transport of a link is an IConsumer
        flood.start()
        before = -1
        while before != flood.written:
            before = flood.written
            await deferLater(reactor, 0.1)
        self.assertTrue(flood.paused)
        self.assertLess(flood.written, SOME_BYTES // 2)
        self.assertLess(reader.total, SOME_BYTES // 2)
        reader.transport.resumeProducing()  # type: ignore[attr-defined]  # as above
        await reader.until(lambda: reader.total == SOME_BYTES)
        self.assertEqual(reader.digest.digest(), hashlib.sha256(PIECE * (SOME_BYTES // len(PIECE))).digest())

    async def test_we_close(self) -> None:
        """What we wrote arrives, then both ends end cleanly, each once."""
        ours, theirs = await self.stream()
        await self.clean_close(ours, theirs)

    async def test_the_service_closes(self) -> None:
        """What the service wrote arrives, then both ends end cleanly, each once."""
        ours, theirs = await self.stream()
        await self.clean_close(theirs, ours)

    async def clean_close(self, closing: End, other: End) -> None:
        closing.transport.write(PIECE * 16)
        closing.transport.loseConnection()
        for end in (closing, other):
            await end.until(lambda end=end: end.ended is not None)  # type: ignore[misc]  # bound now
            assert end.ended is not None
            self.assertIs(end.ended.type, ConnectionDone)
            self.assertEqual(end.events.count("lost"), 1)
        self.assertEqual(other.total, len(PIECE) * 16)

    async def test_abort(self) -> None:
        """A stream that is aborted ends on both sides, also where the other end reads nothing."""
        ours, theirs = await self.stream()
        ours.transport.write(PIECE)
        ours.transport.abortConnection()  # type: ignore[attr-defined]  # every transport of a link has it
        for end in (ours, theirs):
            await end.until(lambda end=end: end.ended is not None)  # type: ignore[misc]  # bound now

    async def test_unreachable(self) -> None:
        """A service that is not there is UpstreamUnreachable, the factory builds nothing, and no address is in the fault."""
        clients = RecordingFactory()
        with self.assertRaises(UpstreamUnreachable) as caught:
            await self.unreachable().connect(clients)
        self.assertNotRegex(repr(caught.exception), r"[0-9]\.[0-9]|/|::")
        self.assertEqual(clients.built, [])

    async def test_a_factory_that_wants_none(self) -> None:
        """Where the factory builds nothing there is no stream."""
        servers = Ends()
        link = self.serve(servers)
        with self.assertRaises(UpstreamUnreachable):
            await link.connect(NoProtocol())
        for end in servers.built:
            if end.events:
                await end.until(lambda end=end: end.ended is not None)  # type: ignore[misc]  # bound now

    async def test_cancel_while_connecting(self) -> None:
        """A cancelled attempt ends at once with CancelledError; nothing was built and nothing stays open."""
        link = self.hanging()
        if link is None:
            return
        clients = RecordingFactory()
        connecting = Deferred.fromCoroutine(link.connect(clients))
        await deferLater(reactor, 0.05)
        self.assertNoResult(connecting)
        connecting.cancel()
        self.failureResultOf(connecting, CancelledError)
        await deferLater(reactor, 0.05)
        self.assertEqual(clients.built, [])

    async def test_cancel_at_once(self) -> None:
        """An attempt that is cancelled before anything happened builds nothing; one that is done already cannot be cancelled."""
        clients = Ends()
        servers = Ends()
        connecting = Deferred.fromCoroutine(self.serve(servers).connect(clients))
        connecting.cancel()
        await deferLater(reactor, 0.05)
        if clients.built:
            self.successResultOf(connecting)
            await self.close(*clients.built, *servers.built)
        else:
            self.failureResultOf(connecting, CancelledError)
        for end in servers.built:
            await end.until(lambda end=end: end.ended is not None)  # type: ignore[misc]  # bound now
