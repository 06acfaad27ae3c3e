"""A control channel between a browser and a sandbox that a test plays, through the whole edge."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

from attrs import define, field
from zope.interface import implementer

from coral_gate.audit.events import MessageRefused
from coral_gate.audit.sinks import MemorySink
from coral_gate.channels.breaker import Breaker
from coral_gate.channels.control import ControlChannel
from coral_gate.channels.websocket_frames import TEXT, Close, Event, FrameReader, Message, Piece, close_frame, frame
from coral_gate.channels.websocket_handshake import accept_for
from coral_gate.config.sections.deadlines import DeadlinesConfig
from coral_gate.custody.memory_credentials import MemoryCredentials
from coral_gate.custody.of_sandboxes import SandboxCredentials
from coral_gate.edge.listener import FrontConnection
from coral_gate.errors import TicketRefused
from coral_gate.gate.judge import Judge
from coral_gate.gate.origins import Origins
from coral_gate.gate.routes import RouteTable
from coral_gate.interfaces import IStreams, ITicketValidator
from coral_gate.model import ChannelKind, SandboxId, Secret, ServiceName, UserId
from coral_gate.visitor import OpenStream, Visitor
from tests.channels.openclaw_messages import CHALLENGE, PASSWORD, captured, connect
from tests.edge.bench import HOST, SANDBOX, Bench, Wire, get, one_sandbox
from tests.gate.stage import Stage, no_tombstones

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
MASK = b"\x01\x02\x03\x04"
MOST = 64 * 1024 * 1024


@implementer(ITicketValidator)
@define
class OneTicket:
    """
    Takes the ticket `good`, once.

    :ivar spent: what was asked, in order.
    """

    spent: list[tuple[bytes | None, SandboxId, ChannelKind, bytes]] = field(factory=list)
    good: set[bytes] = field(factory=lambda: {b"good"})

    async def spend(
        self, token: bytes | None, visitor: Visitor, sandbox: SandboxId, channel: ChannelKind, origin: bytes, address: str
    ) -> None:
        """See `ITicketValidator.spend`."""
        self.spent.append((token, sandbox, channel, origin))
        if token not in self.good:
            raise TicketRefused
        self.good.discard(token)


@implementer(IStreams)
@define
class Registry:
    """
    A registry that refuses nothing, unless a test says so.

    :ivar closes: the codes with which streams ended.
    """

    entries: list[OpenStream] = field(factory=list)
    closes: list[int] = field(factory=list)
    refusing: Exception | None = None

    async def open(
        self, visitor: Visitor, sandbox: SandboxId, channel: ChannelKind, address: str, cut: Callable[[int, str], None]
    ) -> OpenStream:
        """See `IStreams.open`."""
        if self.refusing is not None:
            raise self.refusing
        entry = OpenStream(f"s{len(self.entries)}", visitor, sandbox, channel, address, 0.0, cut)
        self.entries.append(entry)
        return entry

    def closed(self, stream: OpenStream, code: int) -> None:
        """See `IStreams.closed`."""
        self.closes.append(code)


@define(eq=False)
class Table:
    """
    Everything.

    :ivar wire: the browser's end; `sandbox` the sandbox's, once it was dialled.
    """

    bench: Bench = field(factory=lambda: Bench(times=DeadlinesConfig(reader_stall_s=30)))
    stage: Stage = field(factory=Stage)
    tickets: OneTicket = field(factory=OneTicket)
    streams: Registry = field(factory=Registry)
    vault: MemoryCredentials = field(factory=MemoryCredentials)
    audit: MemorySink = field(factory=MemorySink)
    channel: ControlChannel = field(init=False)
    connection: FrontConnection = field(init=False)
    wire: Wire = field(init=False)
    cookie: bytes = field(init=False)
    _heard: FrameReader = field(init=False)
    _sandbox_heard: FrameReader = field(init=False)

    def __attrs_post_init__(self) -> None:
        owner = self.stage.person()
        self.cookie = b"Cookie: __Host-coral-sandbox=" + self.stage.enter(self.stage.sign_in(owner)[1])
        self.vault.put(owner.who, SANDBOX, ServiceName.APP, Secret(PASSWORD.encode()))

        async def owner_of(sandbox: SandboxId) -> UserId | None:
            return owner.who if sandbox == SANDBOX else None

        clock = self.bench.clock.seconds
        self.channel = ControlChannel(
            one_sandbox(self.bench.link), self.tickets, self.streams, SandboxCredentials(self.vault, owner_of), self.audit, Breaker(clock),
            clock, clock,
        )  # fmt: skip
        served = frozenset({ChannelKind.HTTP, ChannelKind.CONTROL})
        origins = Origins("gate.localhost:8443", "sbx.localhost:8443")
        self.bench.door.judge = Judge(origins, RouteTable(), self.stage.sessions, no_tombstones(), served, frozenset(), lambda _: True)
        self.bench.door.upgrading = {ChannelKind.CONTROL: self.channel}
        self.another_browser()

    def another_browser(self) -> None:
        """The browser opens another connection."""
        self.connection, self.wire = self.bench.browser()
        self._heard = FrameReader(False, MOST, MOST, whole=True)

    def refused_messages(self) -> list[MessageRefused]:
        """What was recorded of refused messages."""
        return [event for event in self.audit.events if isinstance(event, MessageRefused)]

    # -- opening -------------------------------------------------------------------------------------------------------

    def ask(self, subprotocols: bytes | None = b"coral.v1, coral.ticket.good", *more: bytes) -> None:
        """The browser asks for a WebSocket."""
        offered = () if subprotocols is None else (b"Sec-WebSocket-Protocol: " + subprotocols,)
        origin = b"Origin: https://" + HOST.removeprefix(b"Host: ")
        fields = (b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Key: " + KEY)
        self.connection.dataReceived(get(b"/", *fields, origin, self.cookie, *offered, *more))

    @property
    def sandbox(self) -> Wire:
        """The sandbox's end of the last connection that the gate opened to it."""
        return self.bench.link.wires[-1]

    def asked_of_sandbox(self) -> tuple[bytes, dict[bytes, bytes]]:
        """The request line and the fields with which the gate asked the sandbox."""
        line, *fields = self.sandbox.take().removesuffix(b"\r\n\r\n").split(b"\r\n")
        return line, {name.lower(): value for name, _, value in (field.partition(b": ") for field in fields)}

    def sandbox_answers(self, more: bytes = b"") -> None:
        """The sandbox agrees."""
        _, fields = self.asked_of_sandbox()
        accept = accept_for(fields[b"sec-websocket-key"])
        head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + accept
        self._sandbox_heard = FrameReader(True, MOST, MOST, whole=True)
        self.sandbox_sends(head + b"\r\n\r\n" + more)

    def opened(self) -> None:
        """The WebSocket is open, and the sandbox has sent its challenge."""
        self.ask()
        self.sandbox_answers(frame(TEXT, CHALLENGE))
        assert self.wire.value().startswith(b"HTTP/1.1 101 "), self.wire.value()
        self.wire.take()
        self._heard = FrameReader(False, MOST, MOST, whole=True)

    def connected(self) -> None:
        """The browser is let in."""
        self.opened()
        self.says(connect())
        self.sandbox_hears()
        self.sandbox_says(captured("hello"))
        self.hears()

    # -- talking -------------------------------------------------------------------------------------------------------

    def says(self, message: bytes) -> None:
        """The browser sends a text."""
        self.connection.dataReceived(frame(TEXT, message, mask=MASK))

    def sends(self, octets: bytes) -> None:
        """The browser sends octets."""
        self.connection.dataReceived(octets)

    def closes(self, code: int | None, reason: str = "") -> None:
        """The browser sends a close frame."""
        self.sends(close_frame(code, reason, mask=MASK))

    def hears(self) -> list[object]:
        """What the browser has heard since the last time: texts read as JSON, and closes as (code, reason)."""
        return [_told(event) for event in self._heard.feed(self.wire.take())]

    def sandbox_sends(self, octets: bytes) -> None:
        """The sandbox sends octets."""
        self.bench.link.protocols[-1].dataReceived(octets)

    def sandbox_says(self, message: bytes) -> None:
        """The sandbox sends a text."""
        self.sandbox_sends(frame(TEXT, message))

    def sandbox_hears(self) -> list[object]:
        """What the sandbox has heard since the last time."""
        return [_told(event) for event in self._sandbox_heard.feed(self.sandbox.take())]


def _told(event: Event) -> Any:  # Any: whatever JSON it is
    if isinstance(event, Message):
        return json.loads(event.payload)
    if isinstance(event, Close):
        return event.code, event.reason
    assert not isinstance(event, Piece)
    return type(event).__name__.lower()


def encodings(secret: str) -> list[bytes]:
    """A secret in six encodings."""
    raw = secret.encode()
    return [
        raw, raw.hex().encode(), base64.b64encode(raw).rstrip(b"="), base64.urlsafe_b64encode(raw).rstrip(b"="),
        b"".join(b"%%%02x" % octet for octet in raw), "".join(f"\\u{ord(letter):04x}" for letter in secret).encode(),
    ]  # fmt: skip
