"""One request's life: what reaches the sandbox, what comes back, and every way that it can end."""

from __future__ import annotations

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.channels.http import SANDBOX_FIELDS
from coral_gate.config.sections.limits import LimitsConfig
from coral_gate.edge.answers import CONTINUE
from coral_gate.errors import SandboxStarting, UpstreamUnreachable
from tests.edge.bench import Bench, get, lose

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


class ForwardTests(SynchronousTestCase):
    """Requests that pass."""

    def setUp(self) -> None:
        self.bench = Bench()
        self.connection, self.wire = self.bench.browser()

    def test_whole(self) -> None:
        """A request goes on in one write with the gate's own Host, and its answer comes back in one with the gate's fields."""
        self.connection.dataReceived(get(b"/a?b", b"Accept: x", b"Authorization: Bearer y", b"X-Real-IP: 1"))
        upstream, sandbox = self.bench.sandbox()
        self.assertEqual(
            sandbox.take(),
            b"GET /a?b HTTP/1.1\r\nHost: " + b"a" * 26 + b".sbx.localhost:8443\r\nAccept-Encoding: identity\r\nAccept: x\r\n\r\n",
        )
        upstream.dataReceived(OK)
        self.assertEqual(self.wire.take(), b"HTTP/1.1 200 OK\r\n" + SANDBOX_FIELDS + b"\r\nContent-Length: 2\r\n\r\nhi")
        self.assertFalse(self.wire.closed)

    def test_kept(self) -> None:
        """The next request of the same connection takes the same stream; another browser's never does."""
        for _ in range(3):
            self.connection.dataReceived(get())
            self.bench.sandbox()[0].dataReceived(OK)
        self.assertEqual(len(self.bench.link.wires), 1)
        other, _ = self.bench.browser()
        other.dataReceived(get())
        self.assertEqual(len(self.bench.link.wires), 2)

    def test_length_content(self) -> None:
        """Content of a known length goes on as it comes."""
        self.connection.dataReceived(get(b"/", b"Content-Length: 6", method=b"POST") + b"ab")
        upstream, sandbox = self.bench.sandbox()
        self.assertTrue(sandbox.take().endswith(b"\r\nContent-Length: 6\r\n\r\nab"))
        self.connection.dataReceived(b"cdef")
        self.assertEqual(sandbox.take(), b"cdef")
        upstream.dataReceived(OK)
        self.assertIn(b"hi", self.wire.take())
        self.assertFalse(self.wire.closed)

    def test_chunks_framed_anew(self) -> None:
        """Chunks are framed anew: what looks like framing inside them stays content, extensions and trailers stop here."""
        inner = b"0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n"
        self.connection.dataReceived(get(b"/", b"Transfer-Encoding: chunked", method=b"POST"))
        _, sandbox = self.bench.sandbox()
        self.assertTrue(sandbox.take().endswith(b"\r\nTransfer-Encoding: chunked\r\n\r\n"))
        self.connection.dataReceived(b"%x;ext=1\r\n%b\r\n0\r\nA: b\r\n\r\n" % (len(inner), inner))
        self.assertEqual(sandbox.take(), b"%x\r\n%b\r\n0\r\n\r\n" % (len(inner), inner))

    def test_post_without_content(self) -> None:
        """A POST without content says so to the sandbox."""
        self.connection.dataReceived(get(method=b"POST"))
        self.assertTrue(self.bench.sandbox()[1].take().endswith(b"\r\nContent-Length: 0\r\n\r\n"))

    def test_pipelined(self) -> None:
        """Requests that come at once are served one after the other, in order, and nothing more is read meanwhile."""
        self.connection.dataReceived(get(b"/1") + get(b"/2") + get(b"/3"))
        upstream, sandbox = self.bench.sandbox()
        for number in (b"1", b"2", b"3"):
            self.assertTrue(sandbox.take().startswith(b"GET /" + number + b" "))
            self.assertEqual(self.wire.producerState, "paused" if number != b"3" else "producing")
            upstream.dataReceived(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" + number)
            self.assertTrue(self.wire.take().endswith(number))

    def test_pipelined_refusals(self) -> None:
        """A thousand pipelined requests that are refused are answered one by one without exhausting the stack."""
        self.connection.dataReceived(get().replace(b"a" * 26, b"b" * 26) * 1000)
        self.assertEqual(self.wire.take().count(b"HTTP/1.1 401 "), 1000)

    def test_answer_forms(self) -> None:
        """Chunked, ended by the close, HEAD, 204 and 304: each reaches the browser in the form that it can read."""
        self.connection.dataReceived(get())
        upstream, _ = self.bench.sandbox()
        upstream.dataReceived(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        self.assertTrue(self.wire.take().endswith(b"\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"))
        upstream.dataReceived(b"0\r\nX: y\r\n\r\n")
        self.assertEqual(self.wire.take(), b"0\r\n\r\n")
        self.connection.dataReceived(get(method=b"HEAD"))
        upstream.dataReceived(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
        self.assertTrue(self.wire.take().endswith(b"\r\nContent-Length: 5\r\n\r\n"))
        for status in (b"204 No Content", b"304 Not Modified"):
            self.connection.dataReceived(get())
            upstream.dataReceived(b"HTTP/1.1 " + status + b"\r\nETag: x\r\n\r\n")
            self.assertNotIn(b"Content-Length", self.wire.take())
        self.connection.dataReceived(get())
        upstream.dataReceived(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc")
        self.assertTrue(self.wire.take().endswith(b"\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"))
        lose(upstream, ConnectionDone())
        self.assertEqual(self.wire.take(), b"0\r\n\r\n")
        self.assertFalse(self.wire.closed)
        self.assertEqual(len(self.bench.link.wires), 1)

    def test_old_client(self) -> None:
        """HTTP/1.0 gets no chunks: the close ends the content."""
        self.connection.dataReceived(get().replace(b"HTTP/1.1", b"HTTP/1.0"))
        self.bench.sandbox()[0].dataReceived(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
        self.assertTrue(self.wire.take().endswith(b"\r\nConnection: close\r\n\r\nabc"))
        self.assertTrue(self.wire.closed)

    def test_events_unbuffered(self) -> None:
        """Each event of a stream goes on when it comes."""
        self.connection.dataReceived(get())
        upstream, _ = self.bench.sandbox()
        upstream.dataReceived(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        self.assertIn(b"text/event-stream", self.wire.take())
        for number in range(3):
            upstream.dataReceived(b"9\r\ndata: %d\n\n\r\n" % number)
            self.assertEqual(self.wire.take(), b"9\r\ndata: %d\n\n\r\n" % number)

    def test_continue_after_decision(self) -> None:
        """100 is said when the request is decided and the sandbox there, not before; the sandbox is not asked to say it."""
        self.bench.link.waits = True
        self.connection.dataReceived(get(b"/", b"Content-Length: 2", b"Expect: 100-continue", method=b"PUT"))
        self.assertEqual(self.wire.take(), b"")
        self.bench.link.answer()
        self.assertEqual(self.wire.take(), CONTINUE)
        self.assertNotIn(b"xpect", self.bench.sandbox()[1].take())

    def test_continue_refused(self) -> None:
        """A request that is refused gets its refusal instead of 100."""
        self.connection.dataReceived(get(b"/", b"Content-Length: 2", b"Expect: 100-continue", b"Origin: https://evil", method=b"PUT"))
        self.assertTrue(self.wire.take().startswith(b"HTTP/1.1 403 "))
        self.assertTrue(self.wire.closed)

    def test_early_content_waits(self) -> None:
        """Content that comes while the stream is being opened waits for it, and no more is read."""
        self.bench.link.waits = True
        self.connection.dataReceived(get(b"/", b"Content-Length: 4", method=b"PUT") + b"ab")
        self.assertEqual(self.wire.producerState, "paused")
        self.bench.link.answer()
        self.assertEqual(self.wire.producerState, "producing")
        self.connection.dataReceived(b"cd")
        self.assertTrue(self.bench.sandbox()[1].take().endswith(b"\r\n\r\nabcd"))


class BackPressureTests(SynchronousTestCase):
    """What the one side does not take, the other is not asked for."""

    def setUp(self) -> None:
        self.bench = Bench()
        self.connection, self.wire = self.bench.browser()

    def test_slow_browser(self) -> None:
        """A browser that does not read stops the sandbox's stream, and starts it again."""
        self.connection.dataReceived(get())
        upstream, sandbox = self.bench.sandbox()
        upstream.dataReceived(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
        self.wire.fill()
        self.assertEqual(sandbox.producerState, "paused")
        self.wire.drain()
        self.assertEqual(sandbox.producerState, "producing")

    def test_slow_sandbox(self) -> None:
        """A sandbox that does not read stops the browser's connection, and starts it again."""
        self.connection.dataReceived(get(b"/", b"Content-Length: 100", method=b"PUT"))
        _, sandbox = self.bench.sandbox()
        sandbox.fill()
        self.assertEqual(self.wire.producerState, "paused")
        sandbox.drain()
        self.assertEqual(self.wire.producerState, "producing")

    def test_pooled_while_paused(self) -> None:
        """A stream that was paused when its answer ended reads again for the next request."""
        self.connection.dataReceived(get())
        upstream, sandbox = self.bench.sandbox()
        upstream.dataReceived(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n")
        self.wire.fill()
        upstream.dataReceived(b"abc")
        self.assertEqual(sandbox.producerState, "producing")

    def test_no_next_while_full(self) -> None:
        """While the browser does not read, its next request is not begun: answers would gather in memory."""
        self.connection.dataReceived(get(b"/1"))
        upstream, sandbox = self.bench.sandbox()
        sandbox.take()
        upstream.dataReceived(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n")
        self.wire.fill()
        upstream.dataReceived(b"abc")
        self.connection.dataReceived(get(b"/2"))
        self.connection.dataReceived(get(b"/3"))
        self.assertEqual((sandbox.take(), self.wire.producerState), (b"", "paused"))
        self.wire.drain()
        self.assertTrue(sandbox.take().startswith(b"GET /2 "))
        upstream.dataReceived(OK)
        self.assertTrue(sandbox.take().startswith(b"GET /3 "))


class EndTests(SynchronousTestCase):
    """Every way that an exchange can end."""

    def setUp(self) -> None:
        self.bench = Bench(limits=LimitsConfig(body_bytes=10, upstream_connections_per_sandbox=2, upstream_waiting=1))
        self.connection, self.wire = self.bench.browser()

    def test_early_answer(self) -> None:
        """An answer before the request's end closes both sides: the rest of the content is never a request."""
        self.connection.dataReceived(get(b"/", b"Content-Length: 9", method=b"PUT") + b"ab")
        upstream, sandbox = self.bench.sandbox()
        upstream.dataReceived(OK)
        self.assertIn(b"\r\nConnection: close\r\n", self.wire.take())
        self.assertTrue(self.wire.closed and sandbox.aborted)
        self.connection.dataReceived(get(b"/smuggled"))
        self.assertEqual((len(self.bench.link.wires), self.wire.take()), (1, b""))

    def test_starting(self) -> None:
        """A sandbox that is coming up is 503; a page tries again by itself, nothing else does."""
        self.bench.link.refusing = SandboxStarting()
        self.connection.dataReceived(get())
        said = self.wire.take()
        self.assertTrue(said.startswith(b"HTTP/1.1 503 ") and b"\r\nRefresh: 3\r\n" in said and b"\r\nRetry-After: 3\r\n" in said)
        self.connection.dataReceived(get(method=b"DELETE"))
        self.assertNotIn(b"Refresh", self.wire.take())

    def test_no_way(self) -> None:
        """A sandbox that cannot be reached is 502, and the connection stays."""
        self.bench.link.refusing = UpstreamUnreachable()
        self.connection.dataReceived(get())
        self.assertTrue(self.wire.take().startswith(b"HTTP/1.1 502 "))
        self.assertFalse(self.wire.closed)

    def test_link_breaks_its_promise(self) -> None:
        """A link that fails with what it does not say it can is 502 too, and is logged."""
        self.bench.link.refusing = ValueError("secret")
        self.connection.dataReceived(get())
        answer = self.wire.take()
        self.assertTrue(answer.startswith(b"HTTP/1.1 502 ") and b"secret" not in answer)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_lost_before_answer(self) -> None:
        """A stream that ends before the answer is 502; a POST is not sent again."""
        self.connection.dataReceived(get(b"/", b"Content-Length: 1", method=b"PUT") + b"x")
        lose(self.bench.sandbox()[0], ConnectionDone())
        self.assertTrue(self.wire.take().startswith(b"HTTP/1.1 502 "))
        self.assertEqual(len(self.bench.link.wires), 1)

    def test_stale_stream(self) -> None:
        """A kept stream that closes under a GET is replaced once, unseen; a second loss is 502."""
        self.connection.dataReceived(get())
        self.bench.sandbox()[0].dataReceived(OK)
        self.wire.take()
        self.connection.dataReceived(get(b"/again"))
        lose(self.bench.sandbox()[0], ConnectionDone())
        upstream, sandbox = self.bench.sandbox()
        self.assertTrue(sandbox.take().startswith(b"GET /again "))
        lose(upstream, ConnectionDone())
        self.assertTrue(self.wire.take().startswith(b"HTTP/1.1 502 "))
        self.assertEqual(len(self.bench.link.wires), 2)

    def test_cut_short(self) -> None:
        """An answer that ends too soon is cut, never ended: nobody takes it for whole."""
        for head in (b"Content-Length: 9", b"Transfer-Encoding: chunked", b"X: until-close"):
            connection, wire = self.bench.browser()
            connection.dataReceived(get())
            upstream, _ = self.bench.sandbox()
            upstream.dataReceived(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n")
            lose(upstream, ConnectionLost() if b"X" in head else ConnectionDone())
            self.assertTrue(wire.aborted, head)
            lose(connection, ConnectionDone())

    def test_malformed_answers(self) -> None:
        """An answer that breaks a rule is 502 before it has begun, and a cut after; its stream is never used again."""
        for octets, status in (
            (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", b"502"),
            (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", b"502"),
            (b"HTTP/1.1 100 Continue\r\n\r\n" * 9, b"502"),
            (b"nonsense\r\n\r\n", b"502"),
            (b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 1\r\n\r\n", b"502"),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"502"),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n", b"cut"),
        ):
            connection, wire = self.bench.browser()
            connection.dataReceived(get())
            upstream, sandbox = self.bench.sandbox()
            upstream.dataReceived(octets)
            if status == b"cut":
                upstream.dataReceived(b"zz\r\n")
            self.assertTrue(sandbox.aborted)
            if status == b"cut":
                self.assertTrue(wire.aborted)
            else:
                self.assertTrue(wire.take().startswith(b"HTTP/1.1 502 "), octets)
            lose(connection, ConnectionDone())

    def test_interim_dropped(self) -> None:
        """Interim answers are dropped."""
        self.connection.dataReceived(get())
        self.bench.sandbox()[0].dataReceived(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK)
        self.assertTrue(self.wire.take().startswith(b"HTTP/1.1 200 OK\r\n"))

    def test_bytes_after_answer(self) -> None:
        """Bytes after an answer, or without a request, end the stream; they are nobody's answer."""
        self.connection.dataReceived(get())
        upstream, sandbox = self.bench.sandbox()
        upstream.dataReceived(OK + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        self.assertTrue(sandbox.aborted)
        self.connection.dataReceived(get())
        upstream, sandbox = self.bench.sandbox()
        upstream.dataReceived(OK)
        upstream.dataReceived(b"HTTP/1.1 200 OK\r\n")
        self.assertTrue(sandbox.aborted)
        self.assertEqual(len(self.bench.link.wires), 2)
        self.assertNotIn(b"evil", self.wire.take())

    def test_browser_gone(self) -> None:
        """A browser that goes ends the sandbox's work: the stream is closed, and one that is being opened is given up."""
        self.connection.dataReceived(get())
        lose(self.connection, ConnectionDone())
        self.assertTrue(self.bench.sandbox()[1].aborted)
        self.bench.link.waits = True
        connection, _ = self.bench.browser()
        connection.dataReceived(get())
        lose(connection, ConnectionDone())
        self.assertEqual(self.bench.link.cancelled, 1)

    def test_too_large(self) -> None:
        """Content beyond the limit is 413: before a stream is opened where the length is known, else when it is reached."""
        self.connection.dataReceived(get(b"/", b"Content-Length: 11", method=b"PUT"))
        self.assertTrue(self.wire.take().startswith(b"HTTP/1.1 413 "))
        self.assertEqual(self.bench.link.wires, [])
        connection, wire = self.bench.browser()
        connection.dataReceived(get(b"/", b"Transfer-Encoding: chunked", method=b"PUT") + b"b\r\n01234567890")
        self.assertTrue(wire.take().startswith(b"HTTP/1.1 413 "))
        self.assertTrue(wire.closed and self.bench.sandbox()[1].aborted)
        self.assertNotIn(b"01234", self.bench.sandbox()[1].take())

    def test_malformed_content(self) -> None:
        """Content whose framing breaks is 400 and closed, and the sandbox's stream is cut."""
        self.connection.dataReceived(get(b"/", b"Transfer-Encoding: chunked", method=b"PUT") + b"zz\r\n")
        self.assertTrue(self.wire.take().startswith(b"HTTP/1.1 400 "))
        self.assertTrue(self.wire.closed and self.bench.sandbox()[1].aborted)

    def test_caps(self) -> None:
        """Beyond the cap a request waits for a stream; beyond the waiting places it is 503 with Retry-After."""
        browsers = [self.bench.browser() for _ in range(4)]
        for connection, _ in browsers:
            connection.dataReceived(get())
        self.assertEqual(len(self.bench.link.wires), 2)
        refused = browsers[3][1].take()
        self.assertTrue(refused.startswith(b"HTTP/1.1 503 ") and b"\r\nRetry-After: " in refused)
        self.assertNotIn(b"Refresh", refused)
        self.bench.sandbox(0)[0].dataReceived(OK)
        self.assertIn(b"hi", browsers[0][1].take())
        self.bench.sandbox(2)[0].dataReceived(OK)
        self.assertIn(b"hi", browsers[2][1].take())

    def test_waiting_gone(self) -> None:
        """A browser that goes while its request waits for a stream leaves no place taken."""
        browsers = [self.bench.browser() for _ in range(3)]
        for connection, _ in browsers:
            connection.dataReceived(get())
        lose(browsers[2][0], ConnectionDone())
        connection, wire = self.bench.browser()
        connection.dataReceived(get())
        self.assertEqual(wire.take(), b"")
        lose(browsers[0][0], ConnectionDone())
        self.bench.sandbox(2)[0].dataReceived(OK)
        self.assertIn(b"hi", wire.take())

    def test_idle_gives_way(self) -> None:
        """A stream that one browser keeps idle gives way to another browser's request."""
        for connection, _ in [self.bench.browser() for _ in range(2)]:
            connection.dataReceived(get())
            self.bench.sandbox()[0].dataReceived(OK)
        connection, _ = self.bench.browser()
        connection.dataReceived(get())
        self.assertTrue(self.bench.sandbox(0)[1].aborted)
        self.assertEqual(len(self.bench.link.wires), 3)

    def test_idle_gives_way_alone(self) -> None:
        """Where a sandbox has one stream, an idle one gives way too, and the count of streams stays right afterwards."""
        bench = Bench(limits=LimitsConfig(upstream_connections_per_sandbox=1, upstream_waiting=1))
        for _ in range(3):
            connection, wire = bench.browser()
            connection.dataReceived(get())
            bench.sandbox()[0].dataReceived(OK)
            self.assertIn(b"hi", wire.take())
        holder, _ = bench.browser()
        holder.dataReceived(get())
        late, late_wire = bench.browser()
        late.dataReceived(get())
        self.assertEqual((len(bench.link.wires), late_wire.take()), (4, b""))
        lose(bench.sandbox()[0], ConnectionDone())
        bench.sandbox()[0].dataReceived(OK)
        self.assertIn(b"hi", late_wire.take())

    def test_waited_then_gone(self) -> None:
        """A stream that is being opened for a request that had to wait is given up with it, and its place is free again."""
        bench = Bench(limits=LimitsConfig(upstream_connections_per_sandbox=1, upstream_waiting=1))
        first, _ = bench.browser()
        first.dataReceived(get())
        waiting, _ = bench.browser()
        waiting.dataReceived(get())
        bench.link.waits = True
        lose(first, ConnectionDone())
        self.assertEqual(len(bench.link.pending), 1)
        lose(waiting, ConnectionDone())
        self.assertEqual(bench.link.cancelled, 1)
        bench.link.waits = False
        last, wire = bench.browser()
        last.dataReceived(get())
        bench.sandbox()[0].dataReceived(OK)
        self.assertIn(b"hi", wire.take())

    def test_many_waiting_fail(self) -> None:
        """However many requests wait, a sandbox that cannot be reached any more answers each of them."""
        bench = Bench(limits=LimitsConfig(upstream_connections_per_sandbox=1, upstream_waiting=2000, connections_per_address=3000))
        first, _ = bench.browser()
        first.dataReceived(get())
        waiting = [bench.browser() for _ in range(2000)]
        for connection, _ in waiting:
            connection.dataReceived(get())
        bench.link.refusing = UpstreamUnreachable()
        lose(first, ConnectionDone())
        for _, wire in waiting:
            self.assertTrue(wire.take().startswith(b"HTTP/1.1 502 "))

    def test_full_stream_not_kept(self) -> None:
        """A stream whose buffer toward the sandbox is full when its answer ends is not kept: who takes it would not know."""
        self.connection.dataReceived(get(b"/", b"Content-Length: 4", method=b"PUT"))
        upstream, sandbox = self.bench.sandbox()
        sandbox.fill()
        self.connection.dataReceived(b"abcd")
        upstream.dataReceived(OK)
        self.assertTrue(sandbox.aborted)
        self.assertIn(b"hi", self.wire.take())
