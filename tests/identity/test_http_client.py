"""Asking over a network: one whole answer or a fault, within a deadline, and nothing left open."""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError, ConnectionDone, ConnectionLost
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from coral_gate.errors import AnswerTooLarge, UpstreamFault, UpstreamTooSlow, UpstreamUnreachable
from coral_gate.identity.http_client import ANSWER_BYTES, DEADLINE_S, NetworkHTTPClient
from coral_gate.interfaces import IHTTPClient
from coral_gate.model import HTTPAnswer

URL = "http://id.localhost:8080/a?b=c"
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


class _Wire:
    """One exchange, the issuer's part of it played by a test."""

    def __init__(self, body: bytes | None = None) -> None:
        self.reactor: Any = MemoryReactorClock()  # it provides what a test needs, and no type says so
        self.client = NetworkHTTPClient(self.reactor)
        fields = [(b"Accept", b"application/json")]
        asked = self.client.get(URL, fields) if body is None else self.client.post(URL, fields, body)
        self.answer: Deferred[HTTPAnswer] = Deferred.fromCoroutine(asked)
        self.transport = StringTransport()
        self.told = False

    def connect(self) -> None:
        factory = self.reactor.tcpClients[0][2]
        self.protocol = factory.buildProtocol(None)
        self.protocol.makeConnection(self.transport)

    def receive(self, octets: bytes) -> None:
        """Deliver octets, unless the connection is gone; end it once the client wants that."""
        if octets and not self.gone:
            self.protocol.dataReceived(octets)
        if self.gone:
            self.drop(ConnectionDone())

    def drop(self, why: Exception) -> None:
        """End the connection, once."""
        if not self.told:
            self.told = True
            self.protocol.connectionLost(Failure(why))

    @property
    def gone(self) -> bool:
        """Whether the client has ended the connection."""
        return self.told or self.transport.disconnecting or self.transport.disconnected


class ExchangeTests(SynchronousTestCase):
    """`NetworkHTTPClient`."""

    def wire(self, body: bytes | None = None) -> _Wire:
        wire = _Wire(body)
        wire.connect()
        return wire

    def fails(self, wire: _Wire, fault: type[Exception]) -> None:
        self.assertIs(type(self.failureResultOf(wire.answer).value), fault)
        self.assertEqual(wire.reactor.getDelayedCalls(), [])

    def test_interface(self) -> None:
        """It provides what it says."""
        self.assertTrue(verifyObject(IHTTPClient, NetworkHTTPClient(MemoryReactorClock())))

    def test_get(self) -> None:
        """The request is what was asked for, without an offer to take compressed content; the answer is whole."""
        wire = self.wire()
        sent = wire.transport.value()
        self.assertTrue(sent.startswith(b"GET /a?b=c HTTP/1.1\r\n"))
        for field in (b"Host: id.localhost:8080", b"Accept: application/json", b"Accept-Encoding: identity", b"Connection: close"):
            self.assertIn(field + b"\r\n", sent)
        wire.receive(OK)
        answer = self.successResultOf(wire.answer)
        self.assertEqual((answer.status, answer.body), (200, b"{}"))
        self.assertIn((b"Content-Type", b"application/json"), answer.fields)
        self.assertEqual(wire.reactor.getDelayedCalls(), [])
        self.assertTrue(wire.gone)

    def test_post(self) -> None:
        """The content goes along."""
        wire = self.wire(b"a=b")
        head, _, content = wire.transport.value().partition(b"\r\n\r\n")
        self.assertIn(b"Content-Length: 3", head)
        self.assertEqual(content, b"a=b")

    def test_localhost_is_this_machine(self) -> None:
        """A name below .localhost is not looked up."""
        self.assertEqual(_Wire().reactor.tcpClients[0][:2], ("127.0.0.1", 8080))

    def test_redirects_are_answers(self) -> None:
        """A redirect is given back and not followed, and cookies are not kept."""
        wire = self.wire()
        wire.receive(b"HTTP/1.1 302 Found\r\nLocation: http://evil.localhost/\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n")
        self.assertEqual(self.successResultOf(wire.answer).status, 302)
        self.assertEqual(len(wire.reactor.tcpClients), 1)

    def test_nobody_there(self) -> None:
        """No connection."""
        wire = _Wire()
        factory = wire.reactor.tcpClients[0][2]
        factory.clientConnectionFailed(wire.reactor.connectors[0], Failure(ConnectError()))
        self.fails(wire, UpstreamUnreachable)

    def test_dropped(self) -> None:
        """A connection that ends before the answer, in its head and in its content."""
        for so_far, fault in ((b"", UpstreamUnreachable), (OK[:20], UpstreamFault), (OK[:-1], UpstreamFault)):
            wire = self.wire()
            wire.receive(so_far)
            wire.drop(ConnectionLost())
            self.assertIsInstance(self.failureResultOf(wire.answer).value, fault)

    def test_no_length(self) -> None:
        """An answer whose end is that of the connection might have been cut: it is not taken."""
        wire = self.wire()
        wire.receive(b"HTTP/1.1 200 OK\r\n\r\n{}")
        wire.drop(ConnectionDone())
        self.fails(wire, UpstreamFault)

    def test_not_http(self) -> None:
        """Something else than HTTP, and codings that we do not take."""
        for octets in (
            b"SSH-2.0-x\r\n",
            b"HTTP/1.1 abc\r\n\r\n",
            OK.replace(b"Length: 2", b"Length: two"),
            OK.replace(b"Content-Length: 2", b"Transfer-Encoding: gzip"),
            OK.replace(b"Content-Length", b"Content-Encoding: gzip\r\nContent-Length"),
        ):
            wire = self.wire()
            wire.receive(octets)
            self.assertIsInstance(self.failureResultOf(wire.answer).value, UpstreamFault, octets)
            self.assertTrue(wire.gone, octets)

    def test_too_large_content(self) -> None:
        """The limit holds to the byte, whatever the answer says its length is."""
        for size, fault in ((ANSWER_BYTES, None), (ANSWER_BYTES + 1, AnswerTooLarge)):
            wire = self.wire()
            wire.receive(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
            wire.receive(b"x" * size)
            if fault is None:
                self.assertEqual(len(self.successResultOf(wire.answer).body), size)
            else:
                self.fails(wire, fault)

    def test_endless_content(self) -> None:
        """An answer without end is cut while it arrives, in chunks or not."""
        chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
        for framing, piece in ((b"Content-Length: 1073741824", b"x" * 65536), (b"Transfer-Encoding: chunked", chunk)):
            wire = self.wire()
            wire.receive(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n")
            for _ in range(6):
                wire.receive(piece)
            self.fails(wire, AnswerTooLarge)
            self.assertTrue(wire.transport.disconnected)

    def test_endless_head(self) -> None:
        """So is a head without end, and a row of interim answers."""
        for piece in (b"X: " + b"x" * 8000 + b"\r\n", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 400):
            wire = self.wire()
            wire.receive(b"HTTP/1.1 200 OK\r\n" if piece.startswith(b"X") else b"")
            for _ in range(60):
                wire.receive(piece)
            self.fails(wire, AnswerTooLarge)
            self.assertTrue(wire.transport.disconnected)

    def test_deadline(self) -> None:
        """One deadline from the connection to the last byte; bytes in between do not move it, and the connection is dropped."""
        for octets in (b"", OK[:10], OK[:-1]):
            wire = self.wire()
            wire.receive(octets)
            wire.reactor.advance(DEADLINE_S - 0.1)
            wire.receive(b"")
            self.assertNoResult(wire.answer)
            wire.reactor.advance(0.1)
            self.fails(wire, UpstreamTooSlow)
            self.assertTrue(wire.transport.disconnected)

    def test_deadline_before_connection(self) -> None:
        """An address that swallows everything."""
        wire = _Wire()
        wire.reactor.advance(DEADLINE_S)
        self.fails(wire, UpstreamTooSlow)

    def test_cancelled(self) -> None:
        """Whoever waits may give up at any time; nothing stays open."""
        for octets in (b"", OK[:10], OK[:-1]):
            wire = self.wire()
            wire.receive(octets)
            wire.answer.cancel()
            self.failureResultOf(wire.answer)
            self.assertTrue(wire.transport.disconnected)
            self.assertEqual(wire.reactor.getDelayedCalls(), [])

    @given(st.lists(st.integers(1, len(OK) - 1), max_size=6))
    def test_any_split(self, cuts: list[int]) -> None:
        """However the answer is cut into pieces, it is the same."""
        wire = self.wire()
        edges = [0, *sorted(set(cuts)), len(OK)]
        for begin, end in itertools.pairwise(edges):
            wire.receive(OK[begin:end])
        self.assertEqual(self.successResultOf(wire.answer).body, b"{}")

    @given(st.binary(max_size=300) | st.binary(max_size=40).map(lambda more: OK[:30] + more))
    def test_nothing_else_escapes(self, octets: bytes) -> None:
        """Any bytes give an answer or a fault of the issuer."""
        wire = self.wire()
        wire.receive(octets)
        wire.drop(ConnectionDone())
        outcome: list[Any] = []
        wire.answer.addBoth(outcome.append)
        if isinstance(outcome[0], Failure):
            self.assertIsInstance(outcome[0].value, UpstreamFault)
