"""
A client that sends exactly the bytes it is given, and hears exactly what comes.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.interfaces import IReactorTCP, IReactorTime, ITCPTransport
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from tests.integration.answers import Answer, AnswerReader, Malformed

_PAUSE_S = 0.004
"""Between two segments, so that they are read apart."""


@define(eq=False)
class Wire(Protocol):
    """
    One connection.

    :ivar malformed: what was wrong with what came, if anything.
    :ivar closed: fires when the other side has closed.
    """

    reader: AnswerReader
    malformed: Malformed | None = None
    closed: Deferred[None] = field(factory=Deferred)
    transport: ITCPTransport = field(default=None)
    _waiting: list[tuple[int, Deferred[None]]] = field(factory=list)

    def dataReceived(self, data: bytes) -> None:
        if self.malformed is not None:
            return
        try:
            self.reader.feed(data)
        except Malformed as malformed:
            self.malformed = malformed
        self._tell()

    def connectionLost(self, reason: Failure | None = None) -> None:
        try:
            self.reader.closed()
        except Malformed as malformed:
            self.malformed = self.malformed or malformed
        self.closed.callback(None)
        self._tell(lost=True)

    async def answer(self, number: int) -> Answer:
        """
        The whole of an answer, counted from 0.

        :raises Malformed: what came is none, or the connection ended before it did.
        """
        if not self._has(number) and not self.closed.called and self.malformed is None:
            waiting: Deferred[None] = Deferred()
            self._waiting.append((number, waiting))
            await waiting
        if self.malformed is not None:
            raise self.malformed
        if not self._has(number):
            raise Malformed(f"the connection ended before answer {number}")
        return self.reader.answers[number]

    def _has(self, number: int) -> bool:
        return len(self.reader.answers) > number and self.reader.answers[number].complete

    def _tell(self, lost: bool = False) -> None:
        for number, waiting in list(self._waiting):
            if lost or self.malformed is not None or self._has(number):
                self._waiting.remove((number, waiting))
                waiting.callback(None)


class Reactor(IReactorTCP, IReactorTime):
    """What a client needs."""


async def connect(reactor: Reactor, port: int, methods: Sequence[bytes]) -> Wire:
    """Open a connection on which these methods will be sent."""
    factory = Factory.forProtocol(Protocol)
    factory.noisy = False
    wire = Wire(AnswerReader(methods))
    factory.buildProtocol = lambda addr: wire  # type: ignore[method-assign]  # one connection, made before
    await TCP4ClientEndpoint(reactor, "127.0.0.1", port, timeout=10).connect(factory)
    wire.transport.setTcpNoDelay(True)
    return wire


async def send(reactor: Reactor, wire: Wire, payload: bytes, cuts: Sequence[int] = ()) -> None:
    """Send bytes, in separate segments where `cuts` says so."""
    for start, end in zip((0, *cuts), (*cuts, len(payload)), strict=True):
        if start:
            await deferLater(reactor, _PAUSE_S)
        wire.transport.write(payload[start:end])
