"""Browser, sandbox, operator and clock in any order: what arrives is whole, every stream ends once, and nothing is left behind."""

from __future__ import annotations

import json
from collections.abc import Callable

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.protocol import Protocol
from twisted.logger import ILogObserver, LogEvent, LogLevel, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from coral_gate.channels.control_stream import BEAT_S, ControlStream
from coral_gate.channels.websocket_frames import BINARY, PING, PONG, TEXT, Close, FrameReader, Message, close_frame, frame
from coral_gate.edge.deadlines import NEVER, TICK_S
from coral_gate.edge.listener import FrontConnection
from coral_gate.edge.upgrade import Upgrade
from coral_gate.model import CloseCode
from tests.channels.control_table import MASK, MOST, Table, encodings
from tests.channels.openclaw_messages import CHALLENGE, PASSWORD, captured, connect, request
from tests.edge.bench import Wire, lose

REFUSED = ("terminal.open", "attach.grant", "config.patch", "device.pair.setupCode", "portal.open")
ALLOWED = ("chat.send", "chat.history", "plugin.surface.refresh", "health")
SPELLED = b'{"type":"req","id":"5","m\\u0065thod":"terminal\\u002eopen","params":{}}'
JUNK = st.sampled_from((b"\x81\x00", b"\xff\xff", b"\x00\x00", b"\x89\x80\x01", b"\x81\xfe", b"\x88\x01x", b"\xf1\x81"))
ENDS = ("junk", "sandbox_junk", "lose", "lose_sandbox", "cut", "leave")
SECRETS = encodings(PASSWORD)


@implementer(ILogObserver)
class Errors:
    """
    What is logged as an error.

    :ivar errors: in order.
    """

    def __init__(self) -> None:
        self.errors: list[LogEvent] = []

    def __call__(self, event: LogEvent) -> None:
        if event.get("log_level") in (LogLevel.error, LogLevel.critical):
            self.errors.append(event)


class Heard:
    """
    What one end has received: whole frames of good form, and nothing after a close.

    :ivar texts: the messages.
    """

    def __init__(self, masked: bool) -> None:
        self._reader = FrameReader(masked, MOST, MOST, whole=True, most_barren=MOST)
        self.texts: list[bytes] = []
        self.octets = b""
        self.closed: Close | None = None

    def takes(self, octets: bytes) -> None:
        """It has received."""
        if not octets:
            return
        assert self.closed is None, "something was sent after a close frame"
        self.octets += octets
        for event in self._reader.feed(octets):
            assert self.closed is None, "a frame after a close frame"
            if isinstance(event, Message):
                self.texts.append(event.payload)
            elif isinstance(event, Close):
                self.closed = event
        assert not self._reader.closed or octets.endswith(self._close_frame()), "octets after a close frame"
        assert self._whole(), "half a frame was sent"

    def _whole(self) -> bool:
        return not self._reader._kept and not self._reader._left

    def _close_frame(self) -> bytes:
        assert self.closed is not None
        return b"" if self._reader._masked else close_frame(self.closed.code, self.closed.reason)


class ControlMachine(RuleBasedStateMachine):
    """One browser's socket at a time, its sandbox, and whoever may end it."""

    def __init__(self) -> None:
        super().__init__()
        self.table = Table()
        self.log = Errors()
        globalLogPublisher.addObserver(self.log)
        self._new()

    def _new(self) -> None:
        self.browser, self.sandbox = Heard(masked=False), Heard(masked=True)
        self.switched = self.refused = self.lost = self.sandbox_lost = self.sandbox_answered = False
        self.browser_half = self.sandbox_half = False
        self.entries = len(self.table.streams.entries)
        self.dialled = len(self.table.bench.link.wires)
        self.heads = b""
        self.leaving = self.table.bench.door.leaving

    # -- what there is -------------------------------------------------------------------------------------------------

    @property
    def front(self) -> FrontConnection:
        """The browser's connection, at the gate."""
        return self.table.connection

    @property
    def stream(self) -> ControlStream | None:
        """The stream, while there is one."""
        exchange = self.front._exchange
        return exchange._stream if isinstance(exchange, Upgrade) else None  # type: ignore[return-value]  # no other kind is served

    @property
    def connected(self) -> bool:
        """Whether the browser is let in."""
        return isinstance(self.stream, ControlStream) and self.stream._dialogue.connected

    @property
    def protocol(self) -> Protocol | None:
        """The gate's end toward the sandbox, where it was dialled for this socket."""
        link = self.table.bench.link
        return link.protocols[-1] if len(link.protocols) > self.dialled else None

    def hear(self) -> None:
        """Each end takes what it was sent."""
        octets = self.table.wire.take()
        if not self.switched:
            self.heads += octets
            head, end, octets = self.heads.partition(b"\r\n\r\n")
            self.switched = bool(end) and head.startswith(b"HTTP/1.1 101 ")
            self.refused = bool(end) and not self.switched
        if self.switched:
            self.browser.takes(octets)
        if self.protocol is not None and self.sandbox_answered:
            self.sandbox.takes(self.table.sandbox.take())

    def sends(self, octets: bytes) -> None:
        """The browser sends, if it is there and read."""
        if not self.lost and self.table.wire.producerState == "producing":
            self.front.dataReceived(octets)

    def sandbox_sends(self, octets: bytes) -> None:
        """The sandbox sends, if it is there and read."""
        if self.protocol is not None and not self.sandbox_lost and self.table.sandbox.producerState == "producing":
            self.protocol.dataReceived(octets)

    # -- opening -------------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.front._exchange is None and not self.front.closing)
    @rule(offered=st.sampled_from((b"coral.v1, coral.ticket.good",) * 4 + (None, b"coral.v1, coral.ticket.bad")))
    def ask(self, offered: bytes | None) -> None:
        """The browser asks for a WebSocket."""
        self.table.tickets.good.add(b"good")
        self.table.ask(offered)

    @precondition(lambda self: self.protocol is not None and not self.sandbox_answered and not self.table.sandbox.closed)
    @rule(more=st.sampled_from((b"", frame(TEXT, CHALLENGE), frame(TEXT, CHALLENGE) * 2, b"\x81", close_frame(1013, "busy"))))
    def sandbox_answers(self, more: bytes) -> None:
        """The sandbox agrees, and may say more at once."""
        self.table.sandbox_answers(more)
        self.sandbox_answered = True

    @precondition(lambda self: self.protocol is not None and not self.sandbox_answered and not self.table.sandbox.closed)
    @rule()
    def sandbox_declines(self) -> None:
        """The sandbox answers otherwise."""
        self.sandbox_sends(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")

    @precondition(lambda self: self.switched and not self.connected and not self.browser_half and not self.sandbox_half)
    @rule()
    def let_in(self) -> None:
        """The browser connects, and the sandbox lets it in."""
        self.sends(frame(TEXT, connect(), mask=MASK))
        self.sandbox_sends(frame(TEXT, captured("hello")))

    @precondition(lambda self: self.front._exchange is None and not self.front.closing)
    @rule()
    def opened(self) -> None:
        """The usual way in."""
        self.ask(b"coral.v1, coral.ticket.good")
        if self.protocol is not None:
            self.sandbox_answers(frame(TEXT, CHALLENGE))
            self.hear()
            self.let_in()

    @precondition(lambda self: self.front._exchange is None and not self.front.closing)
    @rule(gone=st.booleans())
    def opened_late(self, gone: bool) -> None:
        """The sandbox has answered, and may be gone again, before its link is said to be open."""
        link = self.table.bench.link
        link.waits = True
        self.ask(b"coral.v1, coral.ticket.good")
        link.waits = False
        for opening, factory in link.pending:
            protocol = link.open(factory)
            self.sandbox_answers(frame(TEXT, CHALLENGE))
            if gone:
                self.lose_sandbox()
            opening.callback(protocol)
        link.pending.clear()

    @precondition(lambda self: self.lost or self.table.wire.closed)
    @rule()
    def another(self) -> None:
        """The socket is over; the browser opens another connection."""
        self.finished()
        self.table.bench.door.leaving = False
        self.table.another_browser()
        self._new()

    # -- what is said --------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.connected or self.lost)
    @rule(method=st.sampled_from(REFUSED + ALLOWED), cuts=st.lists(st.integers(1, 40), max_size=3))
    def says(self, method: str, cuts: list[int]) -> None:
        """A request, in any pieces."""
        if not self.browser_half:
            self._in_pieces(self.sends, frame(TEXT, request(method, request_id=f"i-{method}"), mask=MASK), cuts)

    @precondition(lambda self: self.connected)
    @rule()
    def says_in_disguise(self) -> None:
        """A refused method, spelled otherwise, in fragments with a ping between."""
        if not self.browser_half:
            self.sends(frame(TEXT, SPELLED[:30], mask=MASK, fin=False))
            self.sends(frame(PING, b"?", mask=MASK) + frame(0, SPELLED[30:], mask=MASK))

    @rule(control=st.sampled_from((frame(PING, b"?", mask=MASK), frame(PONG, b"", mask=MASK), close_frame(3999, "bye", mask=MASK))))
    def controls(self, control: bytes) -> None:
        """A control frame of the browser."""
        if not self.browser_half:
            self.sends(control)

    @precondition(lambda self: self.sandbox_answered)
    @rule(text=st.text(max_size=300), cuts=st.lists(st.integers(1, 300), max_size=3), fragments=st.integers(1, 3))
    def sandbox_says(self, text: str, cuts: list[int], fragments: int) -> None:
        """A message of the sandbox, in fragments, in any pieces."""
        if self.sandbox_half:
            return
        octets = json.dumps({"type": "event", "event": text}).encode()
        step = -(-len(octets) // fragments)
        parts = [octets[at : at + step] for at in range(0, len(octets), step)]
        frames = b"".join(frame(0 if n else TEXT, part, fin=n == len(parts) - 1) for n, part in enumerate(parts))
        self._in_pieces(self.sandbox_sends, frames, cuts)

    @precondition(lambda self: self.sandbox_answered)
    @rule(length=st.integers(1, 40))
    def sandbox_says_half(self, length: int) -> None:
        """A part of a frame, the rest of which may never come."""
        octets = frame(TEXT, b'{"type":"event","event":"' + b"x" * 40 + b'"}')
        if not self.sandbox_half:
            self.sandbox_half = True
            self.sandbox_sends(octets[:length])

    @precondition(lambda self: self.sandbox_answered)
    @rule(secret=st.sampled_from(SECRETS), cuts=st.lists(st.integers(1, 60), max_size=4), opcode=st.sampled_from((TEXT, BINARY)))
    def sandbox_leaks(self, secret: bytes, cuts: list[int], opcode: int) -> None:
        """Its own credential, in any pieces."""
        if not self.sandbox_half:
            half = len(secret) // 2
            octets = (
                frame(opcode, b'{"type":"event","event":"' + secret[:half], fin=False) + frame(PING, b"") + frame(0, secret[half:] + b'"}')
            )
            self._in_pieces(self.sandbox_sends, octets, cuts)

    @precondition(lambda self: self.sandbox_answered)
    @rule(control=st.sampled_from((frame(PING, b"?"), frame(PONG, b""), close_frame(1012, "restart"), close_frame(4001, PASSWORD))))
    def sandbox_controls(self, control: bytes) -> None:
        """A control frame of the sandbox."""
        if not self.sandbox_half:
            self.sandbox_sends(control)

    def junk(self, junk: bytes) -> None:
        """What is no frame, from the browser."""
        self.browser_half = True
        self.sends(junk)

    def sandbox_junk(self, junk: bytes) -> None:
        """What is no frame, from the sandbox."""
        if self.sandbox_answered:
            self.sandbox_half = True
            self.sandbox_sends(junk)

    # -- pressure, loss, time ------------------------------------------------------------------------------------------

    @precondition(lambda self: self.switched)
    @rule()
    def press(self) -> None:
        """The browser takes nothing, or takes again."""
        wire = self.table.wire
        if wire.producer is not None and not self.lost:
            (wire.drain if wire.full else wire.fill)()

    @precondition(lambda self: self.sandbox_answered)
    @rule()
    def sandbox_press(self) -> None:
        """So does the sandbox."""
        wire = self.table.sandbox
        if wire.producer is not None and not self.sandbox_lost:
            (wire.drain if wire.full else wire.fill)()

    def lose(self) -> None:
        """The browser's connection is gone."""
        if not self.lost:
            self.lost = True
            lose(self.front, ConnectionDone())

    def lose_sandbox(self) -> None:
        """The sandbox's connection is gone."""
        if self.protocol is not None and not self.sandbox_lost:
            self.sandbox_lost = True
            lose(self.protocol, ConnectionDone())

    @rule(seconds=st.sampled_from((0.25, 3.0, BEAT_S, 3 * BEAT_S)))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.table.bench.pass_time(seconds)

    def cut(self) -> None:
        """Somebody ends every stream there ever was: a second time is nothing."""
        for entry in self.table.streams.entries:
            entry.cut(CloseCode.SESSION_ENDED, "You signed out.")

    def leave(self) -> None:
        """The daemon is told to stop."""
        if not self.table.bench.door.leaving:
            self.table.bench.door.leave()

    @rule(how=st.sampled_from(ENDS), junk=JUNK)
    def ends(self, how: str, junk: bytes) -> None:
        """Somebody or something ends it: one rule, or no walk would be long."""
        if how in ("junk", "sandbox_junk"):
            getattr(self, how)(junk)
        else:
            getattr(self, how)()

    # -- what must hold ------------------------------------------------------------------------------------------------

    @invariant()
    def holds(self) -> None:
        """Everything."""
        self.hear()
        for connection in (self.table.wire, *self.table.bench.link.wires[self.dialled :]):
            if connection.aborted:
                self._report(connection)
        self._secrets()
        self._registry()
        self._held()
        assert not self.log.errors, self.log.errors

    def _report(self, wire: Wire) -> None:
        """An aborted connection is lost, as a reactor says at its next turn."""
        if wire is self.table.wire and not self.lost:
            self.lost = True
            lose(self.front, ConnectionAborted())
        elif wire is not self.table.wire and not self.sandbox_lost and self.protocol is not None:
            self.sandbox_lost = True
            lose(self.protocol, ConnectionAborted())

    def _secrets(self) -> None:
        for secret in SECRETS:
            assert secret not in self.browser.octets and secret not in self.heads
            assert secret not in b"".join(self.browser.texts)
        for text in self.sandbox.texts:
            assert json.loads(text)["method"] in (*ALLOWED, "connect"), text

    def _registry(self) -> None:
        streams, link = self.table.streams, self.table.bench.link
        over = len(streams.closes)
        live = self.stream is not None and not self.stream._ended
        opening = isinstance(self.front._exchange, Upgrade) and self.front._exchange._opening is not None
        opened = len(streams.entries)
        assert over == opened - (1 if (live and hasattr(self.stream, "entry")) or (opening and opened > self.entries) else 0)
        old_tab = isinstance(self.front._exchange, Upgrade) and self.switched and opened == self.entries
        assert self.table.channel.old_tabs == old_tab
        if not live and not opening:
            for wire in link.wires[self.dialled :]:
                assert wire.closed or self.sandbox_lost, "an over stream's sandbox is still connected"
            assert not isinstance(self.front._exchange, Upgrade) or self.front.due < NEVER or self.lost, "nothing will end it"
        if self.switched and not live and not old_tab and not self.table.wire.aborted and not self.lost:
            assert self.browser.closed is not None, "the browser would see 1006"

    def _held(self) -> None:
        """Who is not read is waited for by somebody who reads on."""
        stream = self.stream
        if not isinstance(stream, ControlStream) or stream._ended or self.lost:
            return
        assert not self.sandbox_lost, "a stream whose sandbox is gone goes on"
        browser, sandbox = self.table.wire, self.table.sandbox
        assert (browser.producerState == "paused") <= (browser.full or sandbox.full), "a browser that nobody reads again"
        assert (sandbox.producerState == "paused") <= (browser.full or sandbox.full), "a sandbox that nobody reads again"
        assert (sandbox.producerState == "paused") >= browser.full, "a sandbox fills memory"
        assert (browser.producerState == "paused") >= sandbox.full, "a browser fills memory"
        assert self.front.due <= self.table.bench.door.deadlines.tick + BEAT_S / TICK_S + 2, "no beat will come"

    def finished(self) -> None:
        """Once the browser is gone and time has passed, nothing is left."""
        self.lose()
        self.hear()
        self.table.bench.pass_time(30)
        self.hear()
        link = self.table.bench.link
        assert len(self.table.streams.closes) == len(self.table.streams.entries)
        assert self.table.channel.old_tabs == 0
        for wire in link.wires[self.dialled :]:
            assert wire.aborted or self.sandbox_lost, "a connection to the sandbox is left for ever"
            if not self.sandbox_lost and self.protocol is not None:
                self.sandbox_lost = True
                lose(self.protocol, ConnectionAborted())

    def teardown(self) -> None:
        """The end of a walk."""
        try:
            self.finished()
            assert not self.log.errors, self.log.errors
        finally:
            globalLogPublisher.removeObserver(self.log)

    @staticmethod
    def _in_pieces(send: Callable[[bytes], None], octets: bytes, cuts: list[int]) -> None:
        for cut in cuts:
            send(octets[:cut])
            octets = octets[cut:]
        send(octets)


class ControlMachineTests(SynchronousTestCase):
    """Any order of events."""

    def test_any_order(self) -> None:
        """Every invariant holds after every step, and at the end nothing is left."""
        run_state_machine_as_test(
            ControlMachine,
            settings=settings(max_examples=150, stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck)),
        )
        self.assertEqual(self.flushLoggedErrors(), [])
