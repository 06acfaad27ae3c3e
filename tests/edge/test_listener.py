"""A browser's connection: refusals, deadlines, caps, stopping."""

from __future__ import annotations

import json
import socket
import termios

from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.config.sections.deadlines import DeadlinesConfig
from coral_gate.config.sections.limits import LimitsConfig
from coral_gate.edge.deadlines import NEVER, TICK_S, Deadlines, ticks
from coral_gate.edge.limits import ConnectionCaps, counted_as, unsent_bytes
from coral_gate.edge.listener import FrontFactory
from tests.edge.bench import HOST, Bench, Wire, get, lose

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"


class RefusalTests(SynchronousTestCase):
    """The gate's own answers."""

    def setUp(self) -> None:
        self.bench = Bench()
        self.connection, self.wire = self.bench.browser()

    def test_malformed(self) -> None:
        """A head that breaks a rule is answered with the rule's status and closed; what follows is not read."""
        self.connection.dataReceived(b"GET / HTTP/1.1\r\nHost : h\r\n\r\n" + get(b"/smuggled"))
        answer = self.wire.take()
        self.assertTrue(answer.startswith(b"HTTP/1.1 400 Bad Request\r\n") and b"\r\nConnection: close\r\n" in answer)
        self.assertTrue(self.wire.closed)
        self.connection.dataReceived(get(b"/smuggled"))
        self.assertEqual((self.wire.take(), self.bench.link.wires), (b"", []))
        self.assertEqual(self.bench.refusals, ["field-line"])

    def test_page_for_people(self) -> None:
        """A browser's visit is answered with a page, a script's request with JSON, any other with text; none repeats what was asked."""
        for accept, kind in (
            (b"text/html,*/*", b"text/html"),
            (b"application/json", b"application/problem+json"),
            (b"application/problem+json, */*", b"application/problem+json"),
            (b"*/*", b"text/plain"),
        ):
            self.connection.dataReceived(get(b"/.gate/%3Cscript%3E", b"Accept: " + accept))
            answer = self.wire.take()
            self.assertIn(b"\r\nContent-Type: " + kind, answer)
            self.assertNotIn(b"script", answer.split(b"\r\n\r\n")[1])
            self.assertIn(b"\r\nContent-Length: %d\r\n" % len(answer.split(b"\r\n\r\n", 1)[1]), answer)

    def test_problem(self) -> None:
        """A script reads the status, a sentence for a person and the number to ask about (RFC 9457)."""
        self.connection.dataReceived(get(b"/x", b"Accept: application/json").replace(b"a" * 26, b"b" * 26))
        said = json.loads(self.wire.take().partition(b"\r\n\r\n")[2])
        self.assertEqual(said.pop("request").rpartition("-")[2], "1")
        self.assertEqual(
            said, {"type": "about:blank", "title": "Unauthorized", "status": 401, "detail": "Sign in at the portal first."}
        )

    def test_unknown_as_known(self) -> None:
        """An unknown sandbox answers exactly as a known one that is not open, but for the request's number."""
        answers = []
        for name in (b"b" * 26, b"c" * 26):
            connection, wire = self.bench.browser()
            connection.dataReceived(get(b"/x").replace(b"a" * 26, name))
            answers.append(wire.take().rpartition(b"Request ")[0])
        self.assertEqual(answers[0], answers[1])
        self.assertTrue(answers[0].startswith(b"HTTP/1.1 401 "))

    def test_head_method(self) -> None:
        """A refusal of HEAD has the fields and no content."""
        self.connection.dataReceived(get(method=b"HEAD").replace(b"a" * 26, b"b" * 26) + get(b"/next"))
        answer = self.wire.take()
        self.assertTrue(answer.endswith(b"\r\n\r\n") and b"Content-Length: 0" not in answer)
        self.assertTrue(self.bench.sandbox()[1].take().startswith(b"GET /next "))

    def test_refused_with_content(self) -> None:
        """A refused request with content closes: its content is not taken for the next request."""
        self.connection.dataReceived(get(b"/", b"Content-Length: 300", method=b"POST").replace(b"a" * 26, b"b" * 26) + get(b"/smuggled"))
        self.assertTrue(self.wire.closed)
        self.assertEqual(self.bench.link.wires, [])

    def test_foreign_hosts(self) -> None:
        """A host that is not ours is 421 and closed."""
        for host in (
            b"gate.localhost",
            b"gate.localhost:8444",
            b"x.sbx.localhost:8443",
            b"sbx.localhost:8443",
            b"127.0.0.1:8443",
            b"a" * 26 + b".sbx.localhost:8443.",
        ):
            connection, wire = self.bench.browser()
            connection.dataReceived(get().replace(HOST, b"Host: " + host))
            answer = wire.take()
            self.assertTrue(answer.startswith((b"HTTP/1.1 421 ", b"HTTP/1.1 400 ")), host)
            self.assertTrue(wire.closed)

    def test_websocket(self) -> None:
        """An upgrade to a WebSocket where none is taken is refused; any other upgrade is ignored and not forwarded."""
        self.connection.dataReceived(get(b"/x", b"Connection: Upgrade", b"Upgrade: WebSocket"))
        self.assertTrue(self.wire.take().startswith(b"HTTP/1.1 400 "))
        self.connection.dataReceived(get(b"/", b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABk"))
        sent = self.bench.sandbox()[1].take().lower()
        self.assertFalse(b"upgrade" in sent or b"http2" in sent or b"connection" in sent)

    def test_other_channel(self) -> None:
        """A door that does not serve a channel has nothing at its addresses."""
        self.connection.dataReceived(get().replace(HOST, b"Host: gate.localhost:8443"))
        self.assertTrue(self.wire.take().startswith(b"HTTP/1.1 404 "))


class DeadlineTests(SynchronousTestCase):
    """Every wait ends."""

    def setUp(self) -> None:
        self.bench = Bench(
            times=DeadlinesConfig(
                handshake_s=3, head_s=4, idle_s=8, body_stall_s=5, body_minimum_bytes_per_s=2, upstream_connect_s=2, upstream_head_s=6,
                upstream_stall_s=7, reader_stall_s=9, linger_s=1,
            )
        )  # fmt: skip
        self.connection, self.wire = self.bench.browser()

    def ends(self, seconds: float, wire: Wire | None = None) -> None:
        """The connection lives for that long and not half a second longer."""
        wire = wire or self.wire
        self.bench.pass_time(seconds - TICK_S)
        self.assertFalse(wire.closed, "too early")
        self.bench.pass_time(3 * TICK_S)
        self.assertTrue(wire.closed, "too late")

    def test_silent(self) -> None:
        """A connection that says nothing is closed."""
        self.ends(4)
        self.assertEqual(self.wire.take(), b"")

    def test_handshake(self) -> None:
        """A TLS handshake has its own deadline, and then the head has its."""
        connection = FrontFactory(self.bench.door, tls=True).buildProtocol(self.wire.getPeer())
        assert connection is not None
        wire = Wire()
        connection.makeConnection(wire)
        self.ends(3, wire)
        self.assertTrue(wire.aborted)

    def test_trickled_head(self) -> None:
        """A head that comes a byte a second is cut at its deadline, however steadily it comes."""
        head = get()
        for at in range(5):
            self.connection.dataReceived(head[at : at + 1])
            self.bench.pass_time(1)
        self.assertTrue(self.wire.take().startswith(b"HTTP/1.1 408 "))
        self.assertTrue(self.wire.closed)

    def test_idle(self) -> None:
        """A kept connection without a request is closed; half a next head has the head's deadline."""
        self.connection.dataReceived(get())
        self.bench.sandbox()[0].dataReceived(OK)
        self.wire.take()
        self.ends(8)
        self.assertEqual(self.wire.take(), b"")

    def test_next_head(self) -> None:
        """The head's deadline runs from its first byte."""
        self.connection.dataReceived(get())
        self.bench.sandbox()[0].dataReceived(OK)
        self.bench.pass_time(6)
        self.connection.dataReceived(b"GET")
        self.ends(4)

    def test_slow_content(self) -> None:
        """Content must bring so much in each window: steady content lives, a trickle is 408 and the sandbox's stream is cut."""
        self.connection.dataReceived(get(b"/", b"Content-Length: 1000", method=b"PUT"))
        for _ in range(20):
            self.bench.pass_time(1)
            self.connection.dataReceived(b"xxx")
        self.assertFalse(self.wire.closed)
        for _ in range(11):
            self.bench.pass_time(1)
            self.connection.dataReceived(b"x")
        self.assertTrue(self.wire.take().startswith(b"HTTP/1.1 408 "))
        self.assertTrue(self.wire.closed and self.bench.sandbox()[1].aborted)
        self.assertIn("body-too-slow", self.bench.refusals)

    def test_no_minimum(self) -> None:
        """Where no rate is asked of content, its next byte has a deadline all the same."""
        self.bench = Bench(times=DeadlinesConfig(body_stall_s=5, body_minimum_bytes_per_s=0))
        self.connection, self.wire = self.bench.browser()
        self.connection.dataReceived(get(b"/", b"Content-Length: 1000", method=b"PUT"))
        for _ in range(4):
            self.bench.pass_time(4)
            self.connection.dataReceived(b"x")
        self.assertFalse(self.wire.closed)
        self.bench.pass_time(11)
        self.assertTrue(self.wire.take().startswith(b"HTTP/1.1 408 "))

    def test_asleep_after_upload(self) -> None:
        """A browser that takes nothing of an answer that came before its upload ended has a reader's time, not a stream's."""
        self.bench = Bench(times=DeadlinesConfig(reader_stall_s=9))
        self.connection, self.wire = self.bench.browser()
        self.connection.dataReceived(get(b"/", b"Content-Length: 4", method=b"PUT"))
        self.bench.sandbox()[0].dataReceived(HEAD)
        self.wire.fill()
        self.connection.dataReceived(b"abcd")
        self.ends(9)

    def test_sandbox_takes_nothing(self) -> None:
        """A sandbox that takes no content is 504: it is not the browser's fault."""
        self.connection.dataReceived(get(b"/", b"Content-Length: 1000", method=b"PUT"))
        self.bench.sandbox()[1].fill()
        self.bench.pass_time(11)
        self.assertTrue(self.wire.take().startswith(b"HTTP/1.1 504 "))

    def test_connect(self) -> None:
        """A stream that does not open is 504, and the attempt is given up."""
        self.bench.link.waits = True
        self.connection.dataReceived(get())
        self.bench.pass_time(2 + 2 * TICK_S)
        self.assertTrue(self.wire.take().startswith(b"HTTP/1.1 504 "))
        self.assertEqual(self.bench.link.cancelled, 1)

    def test_no_answer(self) -> None:
        """A sandbox that does not answer is 504; interim answers win it no time."""
        self.connection.dataReceived(get())
        for _ in range(6):
            self.bench.pass_time(1)
            self.bench.sandbox()[0].dataReceived(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.bench.pass_time(2 * TICK_S)
        self.assertTrue(self.wire.take().startswith(b"HTTP/1.1 504 "))
        self.assertTrue(self.bench.sandbox()[1].aborted)

    def test_silent_answer(self) -> None:
        """An answer that stops in the middle is cut; one that goes on lives."""
        self.connection.dataReceived(get())
        upstream, _ = self.bench.sandbox()
        upstream.dataReceived(HEAD)
        for _ in range(3):
            self.bench.pass_time(6)
            upstream.dataReceived(b"x")
        self.ends(7)
        self.assertTrue(self.wire.aborted)

    def test_asleep_reader(self) -> None:
        """A browser that takes nothing is cut, and with it the sandbox's stream; a slow one that takes some lives."""
        server, peer = socket.socketpair()
        self.addCleanup(server.close)
        self.addCleanup(peer.close)
        self.wire.fileno = server.fileno  # type: ignore[attr-defined]  # what a real transport has
        server.send(b"x" * 10_000)
        self.connection.dataReceived(get())
        self.bench.sandbox()[0].dataReceived(HEAD + b"x" * 50)
        self.wire.fill()
        for _ in range(3):
            self.bench.pass_time(9)
            server.send(b"y" * 1000)
        self.assertFalse(self.wire.closed)
        self.bench.pass_time(19)
        self.assertTrue(self.wire.aborted and self.bench.sandbox()[1].aborted)

    def test_linger(self) -> None:
        """After the last answer the browser has a moment to close, what it still sends is dropped, then it is cut."""
        self.connection.dataReceived(b"bad\r\n\r\n")
        self.assertTrue(self.wire.disconnecting and not self.wire.aborted)
        self.bench.pass_time(1 + 2 * TICK_S)
        self.assertTrue(self.wire.aborted)

    def test_last_answer_full(self) -> None:
        """After the last answer what comes is read and dropped also where the browser has not taken it all yet."""
        self.connection.dataReceived(get(b"/", b"Connection: close"))
        upstream, _ = self.bench.sandbox()
        upstream.dataReceived(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n")
        self.wire.fill()
        upstream.dataReceived(b"abc")
        self.connection.dataReceived(get(b"/late"))
        self.assertEqual((self.wire.disconnecting, self.wire.producerState), (True, "producing"))

    def test_linger_unread(self) -> None:
        """After the last answer, a browser that has not read it all has a slow reader's time, one that is asleep no more than that."""
        server, peer = socket.socketpair()
        self.addCleanup(server.close)
        self.addCleanup(peer.close)
        self.wire.fileno = server.fileno  # type: ignore[attr-defined]  # what a real transport has
        self.connection.dataReceived(b"bad\r\n\r\n")
        server.send(b"x" * 10_000)
        self.bench.pass_time(5)
        self.assertFalse(self.wire.aborted)
        peer.recv(10_000)
        server.send(b"x" * 20_000)
        self.bench.pass_time(9)
        self.assertFalse(self.wire.aborted)
        self.bench.pass_time(12)
        self.assertTrue(self.wire.aborted)

    def test_pooled_streams_expire(self) -> None:
        """A stream that nobody uses is closed, at the sandbox's own time if that is sooner."""
        for keep_alive, seconds in ((b"", 4.0), (b"Keep-Alive: timeout=2\r\n", 1.0), (b"Keep-Alive: timeout=99\r\n", 4.0)):
            connection, _ = self.bench.browser()
            connection.dataReceived(get())
            upstream, sandbox = self.bench.sandbox()
            upstream.dataReceived(OK.replace(b"\r\n\r\n", b"\r\n" + keep_alive + b"\r\n"))
            self.ends(seconds, sandbox)

    def test_forgotten(self) -> None:
        """A connection that is gone leaves no deadline and no timer behind."""
        self.connection.dataReceived(get())
        self.bench.sandbox()[0].dataReceived(OK)
        lose(self.connection, ConnectionDone())
        self.bench.pass_time(10)
        lose(self.bench.sandbox()[0], ConnectionDone())
        self.assertEqual(self.bench.clock.getDelayedCalls(), [])


class SweepTests(SynchronousTestCase):
    """The sweep itself."""

    def test_one_failure_harms_no_other(self) -> None:
        """A deadline whose action raises is logged, and the others are met all the same."""
        bench = Bench()
        met: list[str] = []

        class One:
            def __init__(self, name: str) -> None:
                self.due, self.name = 1, name

            def expired(self) -> None:
                met.append(self.name)
                raise ValueError(self.name)

        deadlines = Deadlines(bench.clock)
        for name in ("a", "b"):
            deadlines.watch(One(name))
        bench.pass_time(1)
        self.assertEqual(sorted(met), ["a", "b"])
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 2)
        deadlines.stop()
        self.assertEqual(bench.clock.getDelayedCalls(), [])

    def test_never_early(self) -> None:
        """A wait lasts at least as long as it says, wherever in a tick it begins."""
        for seconds in (0.0, 0.1, 0.25, 1.0, 75.0):
            self.assertGreaterEqual((ticks(seconds) - 1) * TICK_S, seconds)
        self.assertGreater(NEVER, 1 << 60)


class CapTests(SynchronousTestCase):
    """How many connections there may be."""

    def test_per_address(self) -> None:
        """One address has so many connections and no more; a closed one makes room."""
        bench = Bench(limits=LimitsConfig(connections_per_address=2))
        first, _ = bench.browser()
        bench.browser()
        self.assertIsNone(bench.factory.buildProtocol(StringTransport(peerAddress=Wire().getPeer()).getPeer()))
        lose(first, ConnectionDone())
        bench.browser()
        self.assertEqual(bench.door.counters.capped, 1)

    def test_in_all(self) -> None:
        """All addresses together have a cap too."""
        caps = ConnectionCaps(2, 2)
        self.assertEqual([caps.enter("192.0.2.1"), caps.enter("192.0.2.2"), caps.enter("192.0.2.3")], [True, True, False])
        caps.leave("192.0.2.1")
        self.assertTrue(caps.enter("192.0.2.3"))

    def test_counted_as(self) -> None:
        """IPv6 is counted by its /64, a mapped address as the IPv4 address that it is."""
        self.assertEqual(counted_as("2001:db8:1:2::1"), counted_as("2001:db8:1:2:ffff::9"))
        self.assertNotEqual(counted_as("2001:db8:1:2::1"), counted_as("2001:db8:1:3::1"))
        self.assertEqual(counted_as("::ffff:192.0.2.1"), "192.0.2.1")
        self.assertEqual(counted_as("fe80::1%eth0"), counted_as("fe80::2%eth0"))

    def test_unsent(self) -> None:
        """The kernel says what a peer has not taken."""
        here, there = socket.socketpair()
        self.addCleanup(here.close)
        self.addCleanup(there.close)
        self.assertEqual(unsent_bytes(here), 0)
        here.send(b"x" * 1000)
        self.assertGreater(unsent_bytes(here) or 0, 0)
        self.assertIsNone(unsent_bytes(object()))
        self.assertTrue(hasattr(termios, "TIOCOUTQ"))


class StopTests(SynchronousTestCase):
    """Stopping."""

    def test_leave(self) -> None:
        """Idle connections close at once, one that is served closes after its answer, and then the door is empty."""
        bench = Bench()
        busy, busy_wire = bench.browser()
        busy.dataReceived(get())
        idle, idle_wire = bench.browser()
        left = bench.door.leave()
        self.assertTrue(idle_wire.closed and not busy_wire.closed)
        self.assertIsNone(bench.factory.buildProtocol(busy_wire.getPeer()))
        bench.sandbox()[0].dataReceived(OK)
        self.assertIn(b"\r\nConnection: close\r\n", busy_wire.take())
        self.assertTrue(busy_wire.closed)
        self.assertNoResult(left)
        for connection in (idle, busy):
            lose(connection, ConnectionDone())
        self.successResultOf(left)

    def test_cut(self) -> None:
        """What does not end in time is cut."""
        bench = Bench()
        busy, wire = bench.browser()
        busy.dataReceived(get())
        bench.door.leave()
        bench.door.cut()
        self.assertTrue(wire.aborted and bench.sandbox()[1].aborted)
