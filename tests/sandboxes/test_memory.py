"""A link in memory keeps the promises of a TCP connection."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IConsumer, IPushProducer, ITransport
from twisted.internet.protocol import Factory
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from coral_gate.errors import UpstreamUnreachable
from coral_gate.interfaces import ILink
from coral_gate.sandboxes.memory import MemoryLink
from coral_gate.sandboxes.memory_transport import HIGH_WATER_BYTES, MemoryTransport
from tests.sandboxes.recording import CountingPull, Echo, Recording, RecordingFactory, RecordingPush
from tests.sandboxes.turns import Turns


class Refusing(Factory[Recording]):
    """Builds nothing."""

    def buildProtocol(self, addr: object) -> None:
        return None


class MemoryLinkTests(SynchronousTestCase):
    """Opening a stream."""

    def setUp(self) -> None:
        self.clock = Turns()
        self.servers = RecordingFactory()
        self.link = MemoryLink(self.clock, self.servers, "someone")

    def test_is_a_link(self) -> None:
        """It provides ILink and says that nothing leaves the machine."""
        verifyObject(ILink, self.link)
        self.assertEqual(self.link.label, "memory")
        self.assertFalse(self.link.plaintext)

    def test_connect_gives_the_connected_protocol(self) -> None:
        """connect() answers with what the factory built, already connected, without waiting."""
        clients = RecordingFactory()
        client = self.successResultOf(Deferred.fromCoroutine(self.link.connect(clients)))
        self.assertIs(client, clients.built[0])
        self.assertEqual(clients.built[0].events, ["made"])
        self.assertEqual(self.servers.built[0].events, ["made"])

    def test_the_server_sees_who_asks(self) -> None:
        """The peer given per connection is the server's getPeer(), whatever object it is."""
        asker = object()
        self.link.connect_as(RecordingFactory(), asker)
        self.link.connect_as(RecordingFactory(), "another")
        self.assertIs(self.servers.built[0].transport.getPeer(), asker)
        self.assertEqual(self.servers.built[1].transport.getPeer(), "another")

    def test_the_usual_peer(self) -> None:
        """connect() connects as the link's own peer."""
        self.successResultOf(Deferred.fromCoroutine(self.link.connect(RecordingFactory())))
        self.assertEqual(self.servers.built[0].transport.getPeer(), "someone")

    def test_a_service_that_takes_no_connection(self) -> None:
        """A server's factory that builds nothing is an unreachable upstream, and so is a client's."""
        refusing = MemoryLink(self.clock, Refusing())
        self.failureResultOf(Deferred.fromCoroutine(refusing.connect(RecordingFactory())), UpstreamUnreachable)
        self.failureResultOf(Deferred.fromCoroutine(self.link.connect(Refusing())), UpstreamUnreachable)


class MemoryTransportTests(SynchronousTestCase):
    """What happens on an open stream."""

    def setUp(self) -> None:
        self.clock = Turns()
        self.client, self.server = self.stream(Recording)

    def stream(self, kind: type[Recording]) -> tuple[Recording, Recording]:
        servers, clients = RecordingFactory(kind), RecordingFactory()
        MemoryLink(self.clock, servers).connect_as(clients, "peer")
        return clients.built[0], servers.built[0]

    def end(self, protocol: Recording) -> MemoryTransport:
        assert isinstance(protocol.transport, MemoryTransport)
        return protocol.transport

    def assertEnded(self, protocol: Recording, kind: type[Exception]) -> None:
        assert protocol.ended is not None, "the stream lives"
        self.assertIs(protocol.ended.type, kind)
        self.assertEqual(protocol.events.count("lost"), 1)

    def test_interfaces(self) -> None:
        """Both ends provide what protocols and twisted.web ask for."""
        for interface in (ITransport, IConsumer, IPushProducer):
            verifyObject(interface, self.client.transport)

    def test_never_re_entrant(self) -> None:
        """A write reaches the other end in a later turn, and an echo in one later still."""
        client, server = self.stream(Echo)
        client.transport.write(b"hello")
        self.assertEqual(server.received, b"")
        self.clock.turn()
        self.assertEqual((server.received, client.received), (b"hello", b""))
        self.clock.turn()
        self.assertEqual(client.received, b"hello")

    def test_order_of_writes(self) -> None:
        """Pieces arrive in the order in which they were written, empty ones not at all."""
        self.client.transport.write(b"a")
        self.client.transport.writeSequence([b"b", b"", b"c"])
        self.client.transport.write(b"")
        self.clock.settle()
        self.assertEqual(self.server.pieces, [b"abc"])

    def test_nothing_written(self) -> None:
        """Writing nothing gives the other end nothing."""
        self.client.transport.write(b"")
        self.clock.settle()
        self.assertEqual(self.server.pieces, [])

    def test_bytes_only(self) -> None:
        """Text and views are refused, as by every transport, and nothing of that sequence is sent."""
        for wrong in ("text", memoryview(b"view"), bytearray(b"array")):
            self.assertRaises(TypeError, self.client.transport.write, wrong)
            self.assertRaises(TypeError, self.client.transport.writeSequence, [b"good", wrong])
        self.clock.settle()
        self.assertEqual(self.server.received, b"")

    def test_a_large_write_arrives_in_turns(self) -> None:
        """One turn delivers at most 64 KiB, and all of a large write arrives."""
        octets = bytes(range(256)) * 1000 + b"end"
        self.client.transport.write(b"first")
        self.client.transport.write(octets)
        self.client.transport.write(b"last")
        self.clock.settle()
        self.assertEqual(self.server.received, b"first" + octets + b"last")
        self.assertLessEqual(max(map(len, self.server.pieces)), HIGH_WATER_BYTES)

    def test_a_paused_reader(self) -> None:
        """A paused protocol receives nothing until it resumes, even what was on its way."""
        self.client.transport.write(b"on its way")
        self.end(self.server).pauseProducing()
        self.client.transport.write(b", later")
        self.clock.settle()
        self.assertEqual(self.server.received, b"")
        self.end(self.server).resumeProducing()
        self.assertEqual(self.server.received, b"", "not re-entrantly")
        self.clock.settle()
        self.assertEqual(self.server.received, b"on its way, later")

    def test_pausing_while_receiving(self) -> None:
        """A reader that pauses in the middle of a large write gets no further piece."""
        self.client.transport.write(b"x" * (3 * HIGH_WATER_BYTES))
        self.clock.turn()
        self.end(self.server).pauseProducing()
        self.clock.settle()
        self.assertEqual(len(self.server.received), HIGH_WATER_BYTES)

    def test_push_producer(self) -> None:
        """More than 64 KiB waiting pauses a push producer once; it goes on when all was delivered."""
        producer = RecordingPush()
        self.end(self.client).registerProducer(producer, True)
        self.end(self.server).pauseProducing()
        self.client.transport.write(b"x" * HIGH_WATER_BYTES)
        self.assertEqual(producer.told, [])
        self.client.transport.write(b"y")
        self.client.transport.write(b"z")
        self.assertEqual(producer.told, ["pause"])
        self.end(self.server).resumeProducing()
        self.clock.turn()
        self.assertEqual(producer.told, ["pause"], "two octets still wait")
        self.clock.settle()
        self.assertEqual(producer.told, ["pause", "resume"])

    def test_push_producer_again(self) -> None:
        """A producer can be paused any number of times."""
        producer = RecordingPush()
        self.end(self.client).registerProducer(producer, True)
        for _ in range(2):
            self.client.transport.write(b"x" * (HIGH_WATER_BYTES + 1))
            self.clock.settle()
        self.assertEqual(producer.told, ["pause", "resume"] * 2)

    def test_push_producer_that_keeps_pace(self) -> None:
        """What was delivered already does not count, and a producer that never had to pause is told nothing."""
        producer = RecordingPush()
        self.end(self.client).registerProducer(producer, True)
        for _ in range(5):
            self.client.transport.write(b"x" * (HIGH_WATER_BYTES // 2))
            self.clock.settle()
        self.assertEqual(producer.told, [])

    def test_pull_producer(self) -> None:
        """A pull producer is asked at once, and again each time that its piece was delivered, never sooner."""
        producer = CountingPull(self.client.transport, b"x" * 10, 3)
        self.end(self.server).pauseProducing()
        self.end(self.client).registerProducer(producer, False)
        self.clock.settle()
        self.assertEqual(producer.asked, 1)
        self.end(self.server).resumeProducing()
        self.clock.settle()
        self.assertEqual((producer.asked, self.server.received), (3, b"x" * 30))

    def test_two_producers(self) -> None:
        """A second producer is refused."""
        self.end(self.client).registerProducer(RecordingPush(), True)
        self.assertRaises(RuntimeError, self.end(self.client).registerProducer, RecordingPush(), True)

    def test_lose_connection(self) -> None:
        """loseConnection delivers what was written, then both ends see ConnectionDone, once and in a later turn."""
        self.client.transport.write(b"x" * (2 * HIGH_WATER_BYTES))
        self.client.transport.loseConnection()
        self.client.transport.loseConnection()
        self.assertEqual(self.client.events, ["made"])
        self.clock.settle()
        self.assertEqual(len(self.server.received), 2 * HIGH_WATER_BYTES)
        self.assertEqual(self.server.events[-1], "lost")
        self.assertEnded(self.server, ConnectionDone)
        self.assertEnded(self.client, ConnectionDone)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_losing_waits_for_a_paused_reader(self) -> None:
        """What was written before loseConnection is not lost because its reader is slow."""
        self.end(self.server).pauseProducing()
        self.client.transport.write(b"late")
        self.client.transport.loseConnection()
        self.clock.settle()
        self.assertIsNone(self.client.ended)
        self.end(self.server).resumeProducing()
        self.clock.settle()
        self.assertEqual(self.server.received, b"late")
        self.assertEnded(self.server, ConnectionDone)

    def test_losing_with_nothing_written(self) -> None:
        """An end with nothing left to deliver is closed although the other end reads nothing."""
        self.end(self.server).pauseProducing()
        self.client.transport.loseConnection()
        self.clock.settle()
        self.assertEnded(self.server, ConnectionDone)

    def test_losing_waits_for_a_pull_producer(self) -> None:
        """A stream that is to close stays open until its pull producer has written everything."""
        producer = CountingPull(self.client.transport, b"x" * 10, 3)
        self.end(self.client).registerProducer(producer, False)
        self.client.transport.loseConnection()
        self.clock.settle()
        self.assertEqual(self.server.received, b"x" * 30)
        self.assertFalse(producer.stopped)
        self.assertEnded(self.client, ConnectionDone)

    def test_losing_waits_for_a_paused_push_producer(self) -> None:
        """A stream that is to close gives a paused push producer the chance to finish; it closes when that unregisters."""
        self.end(self.client).registerProducer(RecordingPush(), True)
        self.client.transport.write(b"x" * (HIGH_WATER_BYTES + 1))
        self.client.transport.loseConnection()
        self.clock.settle()
        self.assertIsNone(self.client.ended)
        self.client.transport.write(b"the rest")
        self.end(self.client).unregisterProducer()
        self.clock.settle()
        self.assertTrue(self.server.received.endswith(b"xthe rest"))
        self.assertEnded(self.client, ConnectionDone)

    def test_unregistering_lets_a_closing_end_close(self) -> None:
        """A paused push producer that has nothing more to say unregisters, and the stream ends."""
        self.end(self.client).registerProducer(RecordingPush(), True)
        self.client.transport.write(b"x" * (HIGH_WATER_BYTES + 1))
        self.client.transport.loseConnection()
        self.clock.settle()
        self.end(self.client).unregisterProducer()
        self.clock.settle()
        self.assertEnded(self.client, ConnectionDone)

    def test_writing_to_an_end_that_began_to_close(self) -> None:
        """Who writes to a closing end that still waits for its reader is not held up."""
        producer = RecordingPush()
        self.end(self.server).registerProducer(producer, True)
        self.end(self.client).pauseProducing()
        self.end(self.server).pauseProducing()
        self.server.transport.write(b"x" * (HIGH_WATER_BYTES + 1))
        self.client.transport.write(b"waits")
        self.client.transport.loseConnection()
        self.clock.settle()
        self.assertEqual(producer.told, ["pause", "resume"])
        self.assertEqual(self.client.received, b"")

    def test_a_closing_end_reads_no_more(self) -> None:
        """What arrives after loseConnection is dropped, and two ends that close with bytes waiting both close."""
        for protocol in (self.client, self.server):
            self.end(protocol).pauseProducing()
            protocol.transport.write(b"x")
            protocol.transport.loseConnection()
        self.clock.settle()
        self.assertEqual((self.client.received, self.server.received), (b"", b""))
        self.assertEnded(self.client, ConnectionDone)
        self.assertEnded(self.server, ConnectionDone)

    def test_abort(self) -> None:
        """abortConnection drops what waits both ways; the ends see ConnectionAborted and ConnectionLost, later."""
        self.client.transport.write(b"never")
        self.server.transport.write(b"never")
        self.end(self.client).abortConnection()
        self.end(self.client).abortConnection()
        self.client.transport.write(b"never")
        self.assertEqual(self.client.events, ["made"])
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.clock.settle()
        self.assertEnded(self.client, ConnectionAborted)
        self.assertEnded(self.server, ConnectionLost)
        self.assertEqual((self.client.received, self.server.received), (b"", b""))

    def test_abort_past_a_paused_reader(self) -> None:
        """A stream that waits for a slow reader can still be cut."""
        self.end(self.server).pauseProducing()
        self.client.transport.write(b"never")
        self.client.transport.loseConnection()
        self.clock.settle()
        self.end(self.client).abortConnection()
        self.clock.settle()
        self.assertEnded(self.server, ConnectionLost)

    def test_producers_are_stopped(self) -> None:
        """When the stream ends each end's producer is told once, and one that comes too late at once."""
        early, late = RecordingPush(), RecordingPush()
        self.end(self.client).registerProducer(early, True)
        self.server.transport.loseConnection()
        self.clock.settle()
        self.end(self.client).registerProducer(late, True)
        self.assertEqual((early.told, late.told), (["stop"], ["stop"]))

    def test_stop_producing_closes(self) -> None:
        """stopProducing on a transport is loseConnection."""
        self.end(self.client).stopProducing()
        self.clock.settle()
        self.assertEnded(self.server, ConnectionDone)

    def test_a_protocol_that_raises(self) -> None:
        """A protocol that raises is cut off with its own error, the other end sees ConnectionLost; it is logged."""

        class Broken(Recording):
            def dataReceived(self, data: bytes) -> None:
                raise ZeroDivisionError

        client, server = self.stream(Broken)
        client.transport.write(b"x")
        self.clock.settle()
        self.assertEnded(server, ZeroDivisionError)
        self.assertEnded(client, ConnectionLost)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_a_producer_that_raises(self) -> None:
        """A producer that raises when it is asked to go on costs its own stream."""

        class Broken(CountingPull):
            def resumeProducing(self) -> None:
                super().resumeProducing()
                if self.asked == 2:
                    raise ZeroDivisionError

        self.end(self.client).registerProducer(Broken(self.client.transport, b"x", 9), False)
        self.clock.settle()
        self.assertEnded(self.client, ZeroDivisionError)
        self.assertEnded(self.server, ConnectionLost)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_raising_at_the_end(self) -> None:
        """A protocol that raises in connectionLost does not keep the other end from hearing of it."""

        class Broken(Recording):
            def connectionLost(self, reason: Any = None) -> None:
                raise ZeroDivisionError

        client, server = self.stream(Broken)
        server.transport.loseConnection()
        self.clock.settle()
        self.assertEnded(client, ConnectionDone)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
