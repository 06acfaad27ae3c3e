"""
One stream between OpenClaw's UI and its gateway: frames checked both ways, messages of the browser judged, nothing kept.

What the browser says comes as whole messages and goes on masked anew. What the sandbox says passes as it came, but for the few
messages that carry credentials, and every byte of it is looked through for the sandbox's own credential.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from coral_gate.channels.masks import new_mask
from coral_gate.channels.openclaw import HELLO_BYTES, Answer, ControlDialogue, Forward
from coral_gate.channels.websocket_events import TOO_BIG
from coral_gate.channels.websocket_frames import (
    CONTINUATION,
    TEXT,
    Close,
    Event,
    FrameFault,
    FrameReader,
    Message,
    Octets,
    Piece,
    Ping,
    close_frame,
    frame,
    ping,
    pong,
)
from coral_gate.custody.leaks import LeakScan
from coral_gate.model import CloseCode, SandboxId, Secret

if TYPE_CHECKING:
    from coral_gate.channels.control import ControlChannel
    from coral_gate.channels.plan import Browser
    from coral_gate.channels.sandbox_socket import SandboxSocket
    from coral_gate.visitor import OpenStream

FIRST_BYTES = 64 * 1024
"""The longest message before OpenClaw has let the browser in."""

SANDBOX_BYTES = 32 * 1024 * 1024
"""The longest message of a sandbox: OpenClaw's own limit is 25 MiB."""

BEAT_S = 20.0
"""How often each end is asked whether it is still there."""

_SILENT_BEATS = 3
"""After so many unanswered ones an end counts as gone."""

_CONNECTED_BEATS = 2
"""Within so many the browser has to be let in."""

_WAITING = 256
"""Answers of the gate that may wait for the end of a message that the sandbox is sending."""

_RECORDED = 32
"""Refused messages of one stream that are recorded each; further ones are counted."""


class ControlStream:
    """
    The stream; to the edge a `channels.plan.Stream`, to the sandbox's socket a `sandbox_socket.Reader`.

    :param origin: the sandbox's own web origin.
    :param secret: goes into the first message.
    :ivar entry: in the registry of streams.
    """

    __slots__ = (
        "_beats", "_browser", "_browser_full", "_browser_held", "_browser_owed", "_browser_silent", "_channel", "_cut",
        "_dialogue", "_ended", "_from_browser", "_from_sandbox", "_midway", "_refusals", "_sandbox", "_sandbox_full",
        "_sandbox_owed", "_sandbox_silent", "_scan", "_secret", "_socket", "_waiting", "_wide", "entry",
    )  # fmt: skip

    entry: OpenStream

    def __init__(self, channel: ControlChannel, sandbox: SandboxId, origin: bytes, secret: Secret) -> None:
        self._channel = channel
        self._sandbox = sandbox
        self._secret = secret
        self._browser: Browser | None = None
        self._socket: SandboxSocket | None = None
        self._dialogue = ControlDialogue(secret, origin.decode("ascii"))
        self._from_browser = FrameReader(masked=True, most_frame_bytes=FIRST_BYTES, most_message_bytes=FIRST_BYTES, whole=True)
        self._from_sandbox = FrameReader(masked=False, most_frame_bytes=HELLO_BYTES, most_message_bytes=HELLO_BYTES, whole=True)
        self._scan = LeakScan([secret])
        self._waiting: deque[bytes] = deque()
        self._cut: tuple[int, str] | None = None
        self._browser_full = self._browser_held = self._browser_owed = self._sandbox_full = self._sandbox_owed = False
        self._midway = self._ended = self._wide = False
        self._beats = self._browser_silent = self._sandbox_silent = self._refusals = 0

    # -- beginning and ending ------------------------------------------------------------------------------------------

    def start(self, socket: SandboxSocket, browser: Browser) -> ControlStream:
        """Both ends are there."""
        self._browser, self._socket = browser, socket
        if self._cut is not None:
            self._end(*self._cut)
            return self
        browser.wake_in(BEAT_S)
        socket.begin(self)
        return self

    def cut(self, code: int, reason: str) -> None:
        """End with a reason for the person; also before it has begun."""
        if self._browser is None:
            self._cut = self._cut or (code, reason)
        else:
            self._end(code, reason)

    def leave(self) -> None:
        """See `channels.plan.Stream`."""
        self._end(CloseCode.DRAINING, "The gate is being restarted; your page connects again by itself.")

    def lost(self) -> None:
        """The browser is gone."""
        self._ended_with(1006)
        self._let_go(1001)
        self._browser = None

    def sandbox_lost(self) -> None:
        """See `sandbox_socket.Reader`; a connection that ends without a word is no clean end, and the browser is told so."""
        self._socket = None
        self._end(1012, "The sandbox's service has gone away.")

    def _end(self, code: int, reason: str) -> None:
        if self._ended or self._browser is None:
            return
        self._ended_with(code)
        self._browser.send(close_frame(code, reason))
        self._browser.finish()
        self._let_go(1001)

    def _let_go(self, code: int | None, reason: str = "") -> None:
        """Close the sandbox's end, once."""
        socket, self._socket = self._socket, None
        if socket is not None:
            socket.send(close_frame(code, reason, mask=new_mask()))
            socket.finish()
            assert self._browser is not None  # it was there before the socket, and is until `lost`
            self._browser.see_off(socket.abort)

    def _ended_with(self, code: int) -> None:
        if not self._ended:
            self._ended = True
            self._waiting.clear()
            self._channel.closed(self.entry, code)

    def _refuse(self, code: int, reason: str, word: str, method: str = "") -> None:
        """A rule was broken: say so, and end."""
        if not self._ended:
            self._channel.refused(self.entry, word, method)
            self._end(code, reason)

    # -- from the browser ----------------------------------------------------------------------------------------------

    def received(self, data: bytes) -> None:
        """See `channels.plan.Stream`."""
        if self._ended:
            return
        self.entry.received_bytes += len(data)
        self._browser_silent = 0
        try:
            self._act(self._from_browser.feed(data))
        except FrameFault as fault:
            self._act(fault.events)
            self._refuse(fault.code, fault.sentence, "browser-frame")

    def _act(self, events: list[Event]) -> None:
        for event in events:
            if self._ended:
                return
            if isinstance(event, Message):
                self._judge(event)
            elif isinstance(event, Ping):
                self._owe_browser(pong(event.payload))
            elif isinstance(event, Close):
                self._browser_closes(event)

    def _judge(self, message: Message) -> None:
        if message.opcode != TEXT:
            self._refuse(1003, "this channel takes text alone", "binary-message")
            return
        dialogue = self._dialogue
        outcome = dialogue.from_browser(message.payload)
        if isinstance(outcome, Forward):
            self._from_sandbox.whole = dialogue.watching
            if outcome.acts:
                self.entry.active_at = self._channel.monotonic()
            assert self._socket is not None  # it is there until the stream has ended
            self._socket.send(frame(TEXT, outcome.octets, mask=new_mask()))
        elif isinstance(outcome, Answer):
            self._refusals += 1
            self._channel.refused(self.entry, outcome.word, outcome.method, count=self._refusals > _RECORDED)
            self._tell(frame(TEXT, outcome.octets))
        else:
            if outcome.answer:
                self._tell(frame(TEXT, outcome.answer))
            self._refuse(outcome.code, outcome.reason, outcome.word)

    def _browser_closes(self, close: Close) -> None:
        """The browser's code and reason go on to the sandbox, and its own word back to it (RFC 6455 §5.5.1)."""
        code = 1000 if close.code is None else close.code
        self._ended_with(code)
        self._let_go(close.code, close.reason)
        assert self._browser is not None
        self._browser.send(close_frame(close.code, ""))
        self._browser.finish(answered=True)

    # -- from the sandbox ----------------------------------------------------------------------------------------------

    def sandbox_sent(self, data: bytes) -> None:
        """See `sandbox_socket.Reader`."""
        if self._ended:
            return
        if not self._sandbox_full:  # who talks and does not listen is not there either
            self._sandbox_silent = 0
        try:
            self._take(self._from_sandbox.feed(data))
        except FrameFault as fault:
            self._take(fault.events)
            self._refuse(TOO_BIG if fault.code == TOO_BIG else _BAD_GATEWAY, "The sandbox broke the protocol.", "sandbox-frame")

    def _take(self, events: list[Event]) -> None:
        out: list[Octets] = []
        for event in events:
            if isinstance(event, Piece):
                self._pass_on(event, out)
            elif isinstance(event, Message):
                self._look_into(event, out)
            elif isinstance(event, Ping) and self._socket is not None:
                self._owe_sandbox(pong(event.payload, mask=new_mask()))
            elif isinstance(event, Close):
                self._flush(out)
                self._sandbox_closes(event)
            if self._ended:
                return
        self._flush(out)

    def _pass_on(self, piece: Piece, out: list[Octets]) -> None:
        """
        A frame that comes in pieces goes on as fragments, so that the gate can say why it ends the stream at any moment: a close
        frame inside a frame would be part of it (RFC 6455 §5.4).
        """
        if self._scan.feed(piece.payload):
            self._leaks()
            return
        size = len(piece.payload)
        if piece.ends_frame and len(piece.wire) > size:
            out.append(piece.wire)  # a frame that came whole
        elif size or piece.ends_message:
            out.append(frame(CONTINUATION if self._midway else piece.opcode, piece.payload, fin=piece.ends_message))
        self._midway = not piece.ends_message and (self._midway or size > 0 or piece.ends_frame)
        if piece.ends_message and self._waiting:
            out.extend(self._waiting)
            self._waiting.clear()

    def _look_into(self, message: Message, out: list[Octets]) -> None:
        dialogue = self._dialogue
        outcome = dialogue.from_sandbox(message.payload) if dialogue.watching and message.opcode == TEXT else Forward(message.payload)
        if not isinstance(outcome, Forward):
            self._flush(out)
            self._refuse(outcome.code, outcome.reason, outcome.word)
            return
        if dialogue.mismatch:
            dialogue.mismatch = False
            self._channel.mismatch(self._sandbox, self._secret)
        if self._scan.feed(outcome.octets):
            self._leaks()
            return
        out.append(frame(message.opcode, outcome.octets))
        self._from_sandbox.whole = dialogue.watching
        if dialogue.connected and not self._wide:
            self._widen()

    def _widen(self) -> None:
        """The browser is let in: longer messages from now on, both ways."""
        self._wide = True
        self._channel.let_in(self.entry)
        self._from_sandbox.most_frame_bytes = self._from_sandbox.most_message_bytes = SANDBOX_BYTES
        self._from_browser.most_frame_bytes = self._from_browser.most_message_bytes = self._channel.message_bytes

    def _leaks(self) -> None:
        """The sandbox's own credential is in what it sends: nothing more of that goes to the browser."""
        self._refuse(1008, "The sandbox sent its own credential; the gate has kept it back.", "credential-leak")

    def _sandbox_closes(self, close: Close) -> None:
        """The sandbox's code and reason go on to the browser."""
        if close.code == _CREDENTIAL_CHANGED:
            self._channel.changed(self._sandbox)
        if self._scan.feed(close.reason.encode()):
            self._leaks()
            return
        self._let_go(close.code)
        self._end(1000 if close.code is None else close.code, close.reason)

    # -- toward the browser --------------------------------------------------------------------------------------------

    def _tell(self, octets: bytes) -> None:
        """A message of the gate's own: between two of the sandbox's, never inside one."""
        if not self._midway:
            self._owe_browser(octets)
        elif len(self._waiting) < _WAITING:
            self._waiting.append(octets)
        else:
            self._refuse(1008, "too many refused messages at once", "refused-too-often")

    def _flush(self, out: list[Octets]) -> None:
        if out and not self._ended:
            self._to_browser(b"".join(out) if len(out) > 1 else bytes(out[0]))
            out.clear()

    def _to_browser(self, octets: bytes) -> None:
        assert self._browser is not None
        self.entry.sent_bytes += len(octets)
        self._browser.send(octets)

    # -- back-pressure and time ----------------------------------------------------------------------------------------

    def full(self) -> None:
        """See `channels.plan.Stream`."""
        self._browser_full = True
        self._hold()

    def drained(self) -> None:
        """See `channels.plan.Stream`."""
        self._browser_full = self._browser_owed = False
        self._browser_silent = 0
        self._hold()

    def sandbox_full(self) -> None:
        """See `sandbox_socket.Reader`."""
        self._sandbox_full = True
        self._hold()

    def sandbox_drained(self) -> None:
        """See `sandbox_socket.Reader`."""
        self._sandbox_full = self._sandbox_owed = False
        self._sandbox_silent = 0
        self._hold()

    def _owe_browser(self, octets: bytes) -> None:
        """Answer a browser; one that does not take its answers may ask for no more of them."""
        self._to_browser(octets)
        if self._browser_full and not self._browser_owed:
            self._browser_owed = True
            self._hold()

    def _owe_sandbox(self, octets: bytes) -> None:
        """The same toward a sandbox."""
        assert self._socket is not None  # it is there until the stream has ended
        self._socket.send(octets)
        if self._sandbox_full and not self._sandbox_owed:
            self._sandbox_owed = True
            self._hold()

    def _hold(self) -> None:
        """Read of each end what the other takes, and no more than it takes answers to."""
        if self._ended or self._browser is None or self._socket is None:
            return
        if self._browser_full or self._sandbox_owed:
            self._socket.pause()
        else:
            self._socket.resume()
        held = self._sandbox_full or self._browser_owed
        if held is not self._browser_held and not self._ended:
            self._browser_held = held
            (self._browser.pause if held else self._browser.resume)()

    def woken(self) -> None:
        """A beat: ask each end whether it is there."""
        if self._ended or self._browser is None or self._socket is None:
            return
        self._beats += 1
        self._from_browser.barren = self._from_sandbox.barren = 0
        if self._beats >= _CONNECTED_BEATS and not self._dialogue.connected:
            self._refuse(CloseCode.DEADLINE, "Nobody was let in within the time for it.", "never-connected")
        elif self._browser_silent >= _SILENT_BEATS:
            self._end(CloseCode.DEADLINE, "Your browser did not answer any more.")
        elif self._sandbox_silent >= _SILENT_BEATS:
            self._end(CloseCode.DEADLINE, "The sandbox did not answer any more.")
        else:
            # Who is held cannot answer, and a browser that takes nothing is the edge's to judge.
            self._browser_silent += not (self._browser_held or self._browser_full)
            self._sandbox_silent += self._sandbox_full or not self._socket.paused
            self._to_browser(ping(b""))
            self._socket.send(ping(b"", mask=new_mask()))
            self._browser.wake_in(BEAT_S)


_BAD_GATEWAY = 1014
"""RFC 6455's registry of close codes: an intermediary got an answer that it cannot use."""

_CREDENTIAL_CHANGED = 4001
"""What OpenClaw closes with when its password was changed."""
