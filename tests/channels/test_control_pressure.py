"""Ends that do not take what they are sent: nothing grows, nobody waits for ever, and who is only slow is not blamed."""

from __future__ import annotations

from twisted.internet.error import ConnectionLost
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.channels.control_stream import BEAT_S
from coral_gate.channels.websocket_frames import PING, TEXT, close_frame, frame
from coral_gate.model import CloseCode
from tests.channels.control_table import MASK, Table
from tests.channels.openclaw_messages import CHALLENGE, connect, request
from tests.edge.bench import lose


class PressureTests(SynchronousTestCase):
    """A table at which somebody does not listen."""

    def setUp(self) -> None:
        """Nobody has said anything yet."""
        self.table = Table()

    def test_browser_asks_and_takes_no_answers(self) -> None:
        """A browser that takes no answers of the gate's is read no further until it does; what goes to the sandbox holds nobody."""
        for asks in (frame(PING, b"?", mask=MASK), frame(TEXT, request("terminal.open"), mask=MASK)):
            self.table = Table()
            self.table.connected()
            self.table.wire.fill()
            self.table.says(request("chat.send"))
            self.assertEqual(self.table.wire.producerState, "producing")
            self.table.sends(asks)
            self.assertEqual(self.table.wire.producerState, "paused")
            self.table.wire.drain()
            self.assertEqual((self.table.wire.producerState, self.table.sandbox.producerState), ("producing", "producing"))

    def test_sandbox_asks_and_takes_no_answers(self) -> None:
        """So is a sandbox; and as it never does, that has an end."""
        self.table.connected()
        self.table.sandbox.fill()
        self.assertEqual(self.table.sandbox.producerState, "producing")
        self.table.sandbox_sends(frame(PING, b"?"))
        self.assertEqual(self.table.sandbox.producerState, "paused")
        self.table.sandbox.drain()
        self.assertEqual(self.table.sandbox.producerState, "producing")
        self.table.sandbox.fill()
        self.table.sandbox_sends(frame(PING, b"?"))
        self.table.bench.pass_time(BEAT_S * 5)
        self.assertEqual(self.table.streams.closes, [4408])

    def test_sandbox_talks_and_does_not_listen(self) -> None:
        """A sandbox that sends and takes nothing is not there."""
        self.table.connected()
        self.table.sandbox.fill()
        for _ in range(5):
            self.table.sandbox_says(b"{}")
            self.table.bench.pass_time(BEAT_S)
        self.assertEqual(self.table.streams.closes, [4408])

    def test_both_full(self) -> None:
        """Both ends full: each is read again when the other takes again."""
        self.table.connected()
        self.table.wire.fill()
        self.table.sandbox.fill()
        self.assertEqual((self.table.wire.producerState, self.table.sandbox.producerState), ("paused", "paused"))
        self.table.wire.drain()
        self.assertEqual((self.table.wire.producerState, self.table.sandbox.producerState), ("paused", "producing"))
        self.table.sandbox.drain()
        self.assertEqual(self.table.wire.producerState, "producing")

    def test_slow_reader(self) -> None:
        """A browser that takes what it is sent, if slowly, is not silent: its answers come after what it reads."""
        self.table.connected()
        for _ in range(8):
            self.table.wire.fill()
            self.table.bench.pass_time(BEAT_S + 1)
            self.table.sandbox_sends(frame(0xA, b""))
            self.table.wire.drain()
            self.table.bench.pass_time(1)
        self.assertEqual(self.table.streams.closes, [])

    def test_full_as_it_begins(self) -> None:
        """What a sandbox sends with its answer may be enough to fill the browser: the sandbox is read no further."""
        write, wire = self.table.wire.write, self.table.wire

        def filling(octets: bytes) -> None:
            write(octets)
            if b"connect.challenge" in octets:
                wire.fill()

        wire.write = filling  # type: ignore[method-assign]  # as a transport's buffer does
        self.table.ask()
        self.table.sandbox_answers(frame(TEXT, CHALLENGE))
        self.assertEqual(self.table.sandbox.producerState, "paused")
        wire.drain()
        self.assertEqual(self.table.sandbox.producerState, "producing")

    def test_lost_as_it_begins(self) -> None:
        """A sandbox that answers and goes before its link is said to be open: the browser hears of it at once."""
        link = self.table.bench.link
        link.waits = True
        self.table.ask()
        ((opening, factory),) = link.pending
        protocol = link.open(factory)
        self.table.sandbox_answers()
        lose(link.protocols[-1], ConnectionLost())
        opening.callback(protocol)
        _, _, frames = self.table.wire.take().partition(b"\r\n\r\n")
        self.assertEqual(frames, close_frame(1012, "The sandbox's service has gone away."))
        self.assertEqual(self.table.streams.closes, [1012])

    def test_sandbox_that_does_not_close(self) -> None:
        """The sandbox's end has a deadline too: what it does not take and does not close is cut, whatever ended the stream."""
        for end in (
            lambda: self.table.streams.entries[0].cut(CloseCode.SESSION_ENDED, "You signed out."),
            lambda: lose(self.table.connection, ConnectionLost()),
            lambda: self.table.closes(1000),
            lambda: self.table.sandbox_sends(close_frame(1000)),
        ):
            self.table = Table()
            self.table.connected()
            self.table.sandbox.fill()
            end()
            self.assertFalse(self.table.sandbox.aborted)
            self.table.bench.pass_time(60)
            self.assertTrue(self.table.sandbox.aborted)

    def test_one_close(self) -> None:
        """A sandbox that closes is answered with one close frame, and nothing after it."""
        self.table.connected()
        self.table.sandbox_sends(close_frame(4001, "gateway auth changed"))
        self.assertEqual(len(self.table.sandbox.value()), 2 + 4 + 2)
        self.assertEqual(self.table.sandbox_hears(), [(4001, "")])

    def test_one_record(self) -> None:
        """What ends a stream is recorded; what was said after that in the same breath is not."""
        self.table.connected()
        self.table.sends(frame(0x2, b"x", mask=MASK) + b"\xff\xff")
        self.assertEqual([event.reason for event in self.table.refused_messages()], ["binary-message"])

    def test_beats_under_pressure(self) -> None:
        """However often the browser is full and takes again, whoever is not let in within the time for it has to go."""
        self.table.opened()
        self.table.says(connect())
        for _ in range(60):
            if self.table.streams.closes:
                break
            self.table.wire.fill()
            self.table.wire.drain()
            self.table.bench.pass_time(1)
            self.table.sandbox_sends(frame(0xA, b""))
        self.assertEqual(self.table.streams.closes, [4408])

    def test_decided_late(self) -> None:
        """Who asks while the daemon is stopping, or is let in late, opens nothing: there would be nobody to end it."""
        self.table.bench.door.leaving = True
        self.table.ask()
        self.assertTrue(self.table.wire.take().startswith(b"HTTP/1.1 503 "))
        self.assertEqual((self.table.tickets.spent, self.table.wire.closed), ([], True))

    def test_old_tab_closes(self) -> None:
        """A page without a ticket that closes is answered at once."""
        self.table.ask(None)
        self.table.wire.take()
        self.table.closes(1000)
        self.assertEqual(self.table.hears(), [(1000, "")])
        self.assertTrue(self.table.wire.closed)
