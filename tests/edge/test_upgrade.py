"""A connection that becomes a stream."""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.channels.plan import Browser, Opened
from coral_gate.config.sections.deadlines import DeadlinesConfig
from coral_gate.edge.listener import FrontFactory
from coral_gate.errors import TicketRefused, UpstreamUnreachable
from coral_gate.gate.judge import Judge
from coral_gate.gate.origins import Origins
from coral_gate.gate.routes import RouteTable
from coral_gate.http1.head import RequestHead
from coral_gate.model import Allowed, Asker, ChannelKind
from tests.edge.bench import HOST, SANDBOX, Bench, get, lose
from tests.gate.stage import Stage, no_tombstones

SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"


@define(eq=False)
class Played:
    """
    A stream that writes down what happens to it.

    :ivar then: called with each event's word.
    """

    browser: Browser
    events: list[object] = field(factory=list)

    def received(self, data: bytes) -> None:
        """See `channels.plan.Stream`."""
        self.events.append(data)

    def full(self) -> None:
        """See `channels.plan.Stream`."""
        self.events.append("full")

    def drained(self) -> None:
        """See `channels.plan.Stream`."""
        self.events.append("drained")

    def lost(self) -> None:
        """See `channels.plan.Stream`."""
        self.events.append("lost")

    def woken(self) -> None:
        """See `channels.plan.Stream`."""
        self.events.append("woken")

    def leave(self) -> None:
        """See `channels.plan.Stream`."""
        self.events.append("leave")
        self.browser.finish()


@define(eq=False)
class Channel:
    """
    A channel whose opening a test decides.

    :ivar waits: openings stay unanswered until the test fires `pending`.
    """

    waits: bool = False
    refusing: Exception | None = None
    streams: list[Played] = field(factory=list)
    pending: list[Deferred[None]] = field(factory=list)
    cancelled: int = 0
    discarded: int = 0
    begins: Callable[[Browser], Played] = Played
    asked: list[tuple[Allowed, Asker]] = field(factory=list)

    async def open(self, head: RequestHead, allowed: Allowed, asker: Asker) -> Opened:
        """See `channels.plan.Upgrading`."""
        self.asked.append((allowed, asker))
        if self.waits:
            opening: Deferred[None] = Deferred(lambda _: setattr(self, "cancelled", self.cancelled + 1))
            self.pending.append(opening)
            await opening
        if self.refusing is not None:
            raise self.refusing
        return Opened(SWITCHING, self._start, self._discard)

    def _start(self, browser: Browser) -> Played:
        stream = self.begins(browser)
        self.streams.append(stream)
        return stream

    def _discard(self) -> None:
        self.discarded += 1


class UpgradeTests(SynchronousTestCase):
    """Before 101, during the stream, and how it ends."""

    def setUp(self) -> None:
        """A door that serves the control channel, and somebody with a session at the sandbox."""
        stage = Stage()
        owner = stage.person()
        token = stage.enter(stage.sign_in(owner)[1])
        self.bench = Bench(times=DeadlinesConfig(reader_stall_s=5, linger_s=2, upstream_connect_s=3))
        self.channel = Channel()
        origins = Origins("gate.localhost:8443", "sbx.localhost:8443")
        served = frozenset({ChannelKind.HTTP, ChannelKind.CONTROL})
        self.bench.door.judge = Judge(origins, RouteTable(), stage.sessions, no_tombstones(), served, frozenset(), lambda sandbox: True)
        self.bench.door.upgrading = {ChannelKind.CONTROL: self.channel}
        self.ask = get(
            b"/", b"Connection: Upgrade", b"Upgrade: websocket", b"Cookie: __Host-coral-sandbox=" + token,
            b"Origin: https://" + HOST.removeprefix(b"Host: "),
        )  # fmt: skip
        self.connection, self.wire = self.bench.browser()

    def begin(self) -> Played:
        """Open a stream."""
        self.connection.dataReceived(self.ask)
        self.assertEqual(self.wire.take(), SWITCHING)
        return self.channel.streams[-1]

    def refused(self, status: bytes) -> None:
        """The browser is told over HTTP, and the connection closes."""
        self.assertTrue(self.wire.take().startswith(b"HTTP/1.1 " + status), status)
        self.assertTrue(self.wire.closed)
        self.assertEqual(self.channel.streams, [])

    def test_bytes(self) -> None:
        """The stream has what the browser sends, and the browser what the stream sends."""
        stream = self.begin()
        self.connection.dataReceived(b"GET / HTTP/1.1\r\n\r\n")
        stream.browser.send(b"frames")
        self.assertEqual((stream.events, self.wire.take()), ([b"GET / HTTP/1.1\r\n\r\n"], b"frames"))

    def test_refused(self) -> None:
        """What cannot be opened is refused with the fault's status."""
        self.channel.refusing = TicketRefused()
        self.connection.dataReceived(self.ask)
        self.refused(b"403 ")

    def test_refused_unreachable(self) -> None:
        """A sandbox that is not there is 502."""
        self.channel.refusing = UpstreamUnreachable()
        self.connection.dataReceived(self.ask)
        self.refused(b"502 ")

    def test_broken_channel(self) -> None:
        """A channel with a bug opens nothing and says nothing of it."""
        self.channel.refusing = ZeroDivisionError("secret")
        self.connection.dataReceived(self.ask)
        self.refused(b"503 ")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_early_bytes(self) -> None:
        """Bytes before 101 are no WebSocket's: refused, with nothing opened."""
        self.connection.dataReceived(self.ask + b"\x81")
        self.refused(b"400 ")

    def test_early_bytes_later(self) -> None:
        """The same while it is being opened, which is given up."""
        self.channel.waits = True
        self.connection.dataReceived(self.ask)
        self.assertEqual(self.wire.producerState, "paused")
        self.connection.dataReceived(b"\x81")
        self.refused(b"400 ")
        self.assertEqual(self.channel.cancelled, 1)

    def test_content(self) -> None:
        """A request with content is no upgrade."""
        self.connection.dataReceived(self.ask.replace(b"\r\n\r\n", b"\r\nContent-Length: 1\r\n\r\n") + b"x")
        self.refused(b"400 ")

    def test_too_slow(self) -> None:
        """An opening that takes longer than a connection may is cancelled."""
        self.channel.waits = True
        self.connection.dataReceived(self.ask)
        self.bench.pass_time(4)
        self.refused(b"504 ")
        self.assertEqual(self.channel.cancelled, 1)

    def test_browser_gone(self) -> None:
        """A browser that has gone while it was being opened: the opening is cancelled."""
        self.channel.waits = True
        self.connection.dataReceived(self.ask)
        lose(self.connection, ConnectionDone())
        self.assertEqual((self.channel.cancelled, self.channel.streams), (1, []))

    def test_lost(self) -> None:
        """A browser that goes ends the stream, once."""
        stream = self.begin()
        lose(self.connection, ConnectionDone())
        stream.browser.finish()
        stream.browser.abort()
        self.assertEqual(stream.events, ["lost"])

    def test_finish(self) -> None:
        """What is left is sent, then it closes; what still comes is dropped, and `lost` is the last call."""
        stream = self.begin()
        stream.browser.send(b"close frame")
        stream.browser.finish()
        self.connection.dataReceived(b"more")
        self.assertEqual((self.wire.take(), self.wire.closed, stream.events), (b"close frame", True, []))
        lose(self.connection, ConnectionDone())
        self.assertEqual(stream.events, ["lost"])

    def test_finish_inside_tls(self) -> None:
        """Inside TLS it closes once the browser has answered, or when that takes too long."""
        self.bench.factory = FrontFactory(self.bench.door, tls=True)
        for answers in (True, False):
            self.connection, self.wire = self.bench.browser()
            stream = self.begin()
            stream.browser.send(b"close frame")
            stream.browser.finish()
            self.assertEqual((self.wire.take(), self.wire.closed), (b"close frame", False))
            if answers:
                self.connection.dataReceived(b"its own close frame")
                self.assertTrue(self.wire.disconnecting)
                self.connection.dataReceived(b"more")
            else:
                self.bench.pass_time(3)
                self.assertTrue(self.wire.aborted)
            lose(self.connection, ConnectionDone())
            self.assertEqual(stream.events, ["lost"])

    def test_finish_lingers(self) -> None:
        """A browser that does not close its end after that is cut."""
        stream = self.begin()
        stream.browser.finish()
        self.bench.pass_time(3)
        self.assertTrue(self.wire.aborted)
        self.assertEqual(stream.events, ["lost"])

    def test_abort(self) -> None:
        """It closes at once."""
        stream = self.begin()
        stream.browser.abort()
        self.assertEqual((self.wire.aborted, stream.events), (True, ["lost"]))
        self.connection.dataReceived(b"more")
        self.assertEqual(stream.events, ["lost"])

    def test_waking(self) -> None:
        """The stream is woken once, when it asked to be, never early; the later wish counts."""
        stream = self.begin()
        stream.browser.wake_in(2)
        stream.browser.wake_in(5)
        self.bench.pass_time(4.75)
        self.assertEqual(stream.events, [])
        self.bench.pass_time(1)
        self.assertEqual(stream.events, ["woken"])
        self.bench.pass_time(60)
        self.assertEqual(stream.events, ["woken"])

    def test_full(self) -> None:
        """Back-pressure reaches the stream, and goes when the browser takes again."""
        stream = self.begin()
        self.wire.fill()
        self.bench.pass_time(1)
        self.wire.drain()
        self.bench.pass_time(60)
        self.assertEqual((stream.events, self.wire.closed), (["full", "drained"], False))

    def test_asleep(self) -> None:
        """A browser that reads nothing for the deadline is cut; being woken in between does not prolong it."""
        stream = self.begin()
        self.wire.fill()
        stream.browser.wake_in(2)
        self.bench.pass_time(6)
        self.assertEqual((stream.events, self.wire.aborted), (["full", "woken", "lost"], True))
        self.assertEqual(self.bench.refusals, ["deadline-reader"])

    def test_pausing(self) -> None:
        """A stream that takes no more holds the browser."""
        stream = self.begin()
        stream.browser.pause()
        self.assertEqual(self.wire.producerState, "paused")
        stream.browser.resume()
        self.assertEqual(self.wire.producerState, "producing")

    def test_leaving(self) -> None:
        """When the daemon stops, a stream is told, and one that is not open yet is refused."""
        stream = self.begin()
        self.channel.waits = True
        other, wire = self.bench.browser()
        other.dataReceived(self.ask)
        drained = self.bench.door.leave()
        self.assertEqual((stream.events, self.wire.closed), (["leave"], True))
        self.assertTrue(wire.take().startswith(b"HTTP/1.1 503 "))
        for connection in (self.connection, other):
            lose(connection, ConnectionDone())
        self.successResultOf(drained)

    def test_ends_in_start(self) -> None:
        """A stream that ends as it begins ends cleanly."""

        def ending(browser: Browser) -> Played:
            browser.finish()
            return Played(browser)

        self.channel.begins = ending
        self.connection.dataReceived(self.ask)
        self.assertTrue(self.wire.closed)
        lose(self.connection, ConnectionDone())
        self.assertEqual(self.channel.streams[0].events, ["lost"])

    def test_breaks_in_start(self) -> None:
        """A stream with a bug as it begins leaves nothing open."""

        def breaking(browser: Browser) -> Played:
            raise ZeroDivisionError

        self.channel.begins = breaking
        self.connection.dataReceived(self.ask)
        self.assertEqual((self.wire.take(), self.wire.aborted, self.channel.discarded), (SWITCHING, True, 1))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_asked(self) -> None:
        """The channel learns which sandbox, and who asks."""
        self.begin()
        ((allowed, asker),) = self.channel.asked
        self.assertEqual((allowed.sandbox, allowed.route, asker), (SANDBOX, "sandbox.control", self.connection.asker))
