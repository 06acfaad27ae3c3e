"""A door on a test bench: a clock, browsers' transports in memory, and a sandbox that does what a test says."""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocol, IProtocolFactory
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from zope.interface import implementer

from coral_gate.audit.fields import word as machine_word
from coral_gate.channels.http import HTTPChannel
from coral_gate.config.sections.deadlines import DeadlinesConfig
from coral_gate.config.sections.limits import LimitsConfig
from coral_gate.edge.deadlines import TICK_S, Deadlines
from coral_gate.edge.door import Door
from coral_gate.edge.limits import ConnectionCaps
from coral_gate.edge.listener import FrontConnection, FrontFactory
from coral_gate.edge.pool import UpstreamPool
from coral_gate.gate.judge import Judge
from coral_gate.gate.origins import Origins
from coral_gate.gate.routes import RouteTable
from coral_gate.gate.sessions import Sessions
from coral_gate.http1.head import HeadLimits
from coral_gate.interfaces import ILink
from coral_gate.model import Asker, ChannelKind, SandboxId, ServiceName
from coral_gate.sandboxes.memory_driver import MemoryDriver
from tests.gate.stage import memory_sessions, no_tombstones

SANDBOX = SandboxId("a" * 26)
HOST = b"Host: " + b"a" * 26 + b".sbx.localhost:8443"


def get(path: bytes = b"/", *fields: bytes, method: bytes = b"GET") -> bytes:
    """A whole request head for the sandbox; a method that changes something comes from the sandbox's own page."""
    if method not in (b"GET", b"HEAD") and not any(one.lower().startswith(b"origin:") for one in fields):
        fields = (*fields, b"Origin: https://" + HOST.removeprefix(b"Host: "))
    return b"\r\n".join([method + b" " + path + b" HTTP/1.1", HOST, *fields]) + b"\r\n\r\n"


class Wire(StringTransport):
    """A browser's or a sandbox's end, whose other end a test plays."""

    def __init__(self) -> None:
        super().__init__(peerAddress=IPv4Address("TCP", "192.0.2.1", 1000))
        self.aborted = False
        self.full = False

    def abortConnection(self) -> None:
        """Note it; the loss is reported when the test says so."""
        self.aborted = True
        super().abortConnection()

    def resumeProducing(self) -> None:
        """As a real transport: a stopped one stays as it is."""
        if self.producerState != "stopped":
            super().resumeProducing()

    @property
    def closed(self) -> bool:
        """Whether the gate wants it closed."""
        return self.disconnecting or self.aborted

    def take(self) -> bytes:
        """What the gate has sent since the last time."""
        octets: bytes = self.value()
        self.clear()
        return octets

    def fill(self) -> None:
        """The peer takes no more: tell the producer."""
        self.full = True
        assert self.producer is not None
        self.producer.pauseProducing()

    def drain(self) -> None:
        """It takes again."""
        self.full = False
        assert self.producer is not None
        self.producer.resumeProducing()


@implementer(ILink)
@define(eq=False)
class TestLink:
    """
    Streams whose other end is the test.

    :ivar wires: one for each connection that the gate opened.
    :ivar waiting: where set, connections stay unanswered until `answer`.
    """

    label: str = "test"
    plaintext: bool = False
    wires: list[Wire] = field(factory=list)
    protocols: list[Protocol] = field(factory=list)
    waits: bool = False
    pending: list[tuple[Deferred[IProtocol], IProtocolFactory]] = field(factory=list)
    cancelled: int = 0
    refusing: Exception | None = None

    async def connect(self, factory: IProtocolFactory) -> IProtocol:
        """Open at once, or when the test says so."""
        if self.refusing is not None:
            raise self.refusing
        if self.waits:
            opening: Deferred[IProtocol] = Deferred(lambda _: setattr(self, "cancelled", self.cancelled + 1))
            self.pending.append((opening, factory))
            return await opening
        return self.open(factory)

    def open(self, factory: IProtocolFactory) -> IProtocol:
        """Open one stream."""
        protocol = factory.buildProtocol(IPv4Address("TCP", "192.0.2.2", 80))
        assert isinstance(protocol, Protocol)
        wire = Wire()
        wire.protocol = protocol
        self.wires.append(wire)
        self.protocols.append(protocol)
        protocol.makeConnection(wire)
        return protocol

    def answer(self) -> None:
        """Open the stream that waits longest."""
        opening, factory = self.pending.pop(0)
        opening.callback(self.open(factory))


def one_sandbox(app: TestLink) -> MemoryDriver:
    """A driver of one sandbox."""
    return MemoryDriver({SANDBOX: {ServiceName.APP: app}})


@define(eq=False)
class Bench:
    """
    The bench.

    :ivar refusals: the words that the door gave.
    """

    times: DeadlinesConfig = field(factory=DeadlinesConfig)
    limits: LimitsConfig = field(factory=LimitsConfig)
    clock: Clock = field(factory=Clock)
    link: TestLink = field(factory=TestLink)
    refusals: list[str] = field(factory=list)
    sessions: Sessions = field(factory=memory_sessions)
    door: Door = field(init=False)
    factory: FrontFactory = field(init=False)

    def __attrs_post_init__(self) -> None:
        deadlines = Deadlines(self.clock)
        origins = Origins("gate.localhost:8443", "sbx.localhost:8443")
        self.door = Door(
            judge=Judge(origins, RouteTable(), self.sessions, no_tombstones(), frozenset({ChannelKind.HTTP}), frozenset({SANDBOX})),
            channels={ChannelKind.HTTP: HTTPChannel(one_sandbox(self.link), self.limits.body_bytes)},
            pool=UpstreamPool(deadlines, self.limits),
            deadlines=deadlines,
            caps=ConnectionCaps(self.limits.connections, self.limits.connections_per_address),
            head_limits=HeadLimits(self.limits.head_bytes, self.limits.target_bytes, self.limits.fields),
            times=self.times,
            refused=self._refused,
        )
        self.factory = FrontFactory(self.door, tls=False)

    def _refused(self, word: str, asker: Asker) -> None:
        self.refusals.append(machine_word(word))

    def browser(self) -> tuple[FrontConnection, Wire]:
        """A connection of a browser."""
        wire = Wire()
        connection = self.factory.buildProtocol(wire.getPeer())
        assert connection is not None
        connection.makeConnection(wire)
        return connection, wire

    def pass_time(self, seconds: float) -> None:
        """Let time pass in ticks."""
        self.clock.pump([TICK_S] * round(seconds / TICK_S))

    def sandbox(self, number: int = -1) -> tuple[Protocol, Wire]:
        """The sandbox's end of a stream that the gate opened."""
        return self.link.protocols[number], self.link.wires[number]


def lose(protocol: Protocol, error: Exception) -> None:
    """The connection of a protocol is lost."""
    protocol.connectionLost(Failure(error))


Setup = Callable[[], Bench]
