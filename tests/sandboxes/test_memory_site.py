"""A link in memory serves a twisted.web Site, as the portal needs it."""

from __future__ import annotations

from pathlib import Path

from twisted.internet import _producer_helpers
from twisted.internet.task import Cooperator
from twisted.python.filepath import FilePath
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site
from twisted.web.static import File

from coral_gate.sandboxes.memory import MemoryLink
from coral_gate.sandboxes.memory_transport import HIGH_WATER_BYTES, MemoryTransport
from tests.sandboxes.recording import Recording, RecordingFactory
from tests.sandboxes.turns import Turns

LARGE_BYTES = 5 * 1024 * 1024


class Page(Resource):
    """Says who asked, and how long the content was."""

    isLeaf = True

    def render_GET(self, request: Request) -> bytes:
        return f"for {request.channel.getPeer()}".encode()

    def render_POST(self, request: Request) -> bytes:
        assert request.content is not None
        return f"{len(request.content.read())} octets".encode()


class Slow(Resource):
    """Never answers."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.ended: list[object] = []

    def render_GET(self, request: Request) -> int:
        request.notifyFinish().addErrback(lambda reason: self.ended.append(reason.type))
        return NOT_DONE_YET


class MemorySiteTests(SynchronousTestCase):
    """A browser's connection to a Site, in memory."""

    def setUp(self) -> None:
        self.clock = Turns()
        self.octets = bytes(range(256)) * (LARGE_BYTES // 256)
        path = self.mktemp()
        Path(path).write_bytes(self.octets)
        self.slow = Slow()
        root = Resource()
        root.putChild(b"page", Page())
        root.putChild(b"slow", self.slow)
        root.putChild(b"large", File(FilePath(path).path))
        site = Site(root, reactor=self.clock)
        site.noisy = False
        site.doStart()
        self.addCleanup(site.doStop)
        self.link = MemoryLink(self.clock, site, "nobody")
        # twisted.web turns a file's pull producer into a push producer on the global reactor.
        cooperator = Cooperator(scheduler=lambda step: self.clock.callLater(0, step))
        self.patch(_producer_helpers, "cooperate", cooperator.cooperate)

    def browser(self, peer: object = "nobody") -> Recording:
        clients = RecordingFactory()
        self.link.connect_as(clients, peer)
        return clients.built[0]

    def test_get(self) -> None:
        """A page is served to the peer that the connection was made for."""
        browser = self.browser("alice")
        browser.transport.write(b"GET /page HTTP/1.1\r\nHost: gate.example\r\n\r\n")
        self.clock.settle()
        self.assertTrue(browser.received.startswith(b"HTTP/1.1 200 OK\r\n"), browser.received)
        self.assertTrue(browser.received.endswith(b"\r\n\r\nfor alice"), browser.received)

    def test_keep_alive(self) -> None:
        """Two requests are served over one stream, also where both are sent at once."""
        browser = self.browser()
        browser.transport.write(b"GET /page HTTP/1.1\r\nHost: gate.example\r\n\r\n" * 2)
        self.clock.settle()
        browser.transport.write(b"GET /page HTTP/1.1\r\nHost: gate.example\r\n\r\n")
        self.clock.settle()
        self.assertEqual(browser.received.count(b"HTTP/1.1 200 OK"), 3)
        self.assertIsNone(browser.ended)

    def test_close(self) -> None:
        """A request that asks for it ends the stream after its answer."""
        browser = self.browser()
        browser.transport.write(b"GET /page HTTP/1.1\r\nHost: gate.example\r\nConnection: close\r\n\r\n")
        self.clock.settle()
        self.assertIn(b"200 OK", browser.received)
        self.assertIsNotNone(browser.ended)

    def test_post(self) -> None:
        """A body of 5 MiB arrives whole."""
        browser = self.browser()
        browser.transport.write(b"POST /page HTTP/1.1\r\nHost: gate.example\r\nContent-Length: %d\r\n\r\n" % LARGE_BYTES)
        browser.transport.write(self.octets)
        self.clock.settle()
        self.assertTrue(browser.received.endswith(b"\r\n\r\n%d octets" % LARGE_BYTES), browser.received)

    def test_a_large_file_arrives_whole(self) -> None:
        """A file of 5 MiB comes through its pull producer as it is."""
        browser = self.browser()
        browser.transport.write(b"GET /large HTTP/1.1\r\nHost: gate.example\r\n\r\n")
        self.clock.settle()
        head, _, body = browser.received.partition(b"\r\n\r\n")
        self.assertIn(b"Content-Length: %d" % LARGE_BYTES, head)
        self.assertTrue(body == self.octets)

    def test_a_slow_reader_is_bounded(self) -> None:
        """While the browser reads nothing, only little of a large file waits in memory; then the rest comes."""
        browser = self.browser()
        assert isinstance(browser.transport, MemoryTransport)
        browser.transport.write(b"GET /large HTTP/1.1\r\nHost: gate.example\r\n\r\n")
        self.clock.turn()
        self.clock.turn()
        browser.transport.pauseProducing()
        self.clock.settle()
        waiting = browser.transport._other._waiting_bytes
        self.assertGreater(waiting, HIGH_WATER_BYTES)
        self.assertLess(waiting, 4 * HIGH_WATER_BYTES)
        self.assertLess(len(browser.received) + waiting, LARGE_BYTES // 4)
        browser.transport.resumeProducing()
        self.clock.settle()
        self.assertTrue(browser.received.endswith(self.octets))

    def test_a_browser_that_goes_away(self) -> None:
        """A request that is still being served hears that its browser went away."""
        browser = self.browser()
        browser.transport.write(b"GET /slow HTTP/1.1\r\nHost: gate.example\r\n\r\n")
        self.clock.settle()
        browser.transport.loseConnection()
        self.clock.settle()
        self.assertEqual(len(self.slow.ended), 1)

    def test_no_time_is_left_behind(self) -> None:
        """When the streams are over nothing of them waits on the clock."""
        browser = self.browser()
        before = len(self.clock.getDelayedCalls())
        browser.transport.loseConnection()
        self.clock.settle()
        self.assertLess(len(self.clock.getDelayedCalls()), before)
