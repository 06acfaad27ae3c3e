"""
A client that sends exactly the bytes it is given, and hears exactly what comes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.interfaces import IReactorTCP, IReactorTime
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
    clock: IReactorTime
    malformed: Malformed | None = None
    closed: Deferred[None] = field(factory=Deferred)
    transport: Any = field(default=None)  # a TCP transport; it is a consumer and a producer too, which no interface says
    _waiting: list[tuple[Callable[[], bool], Deferred[None]]] = field(factory=list)

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
        self._tell()

    async def answer(self, number: int, within_s: float) -> Answer:
        """
        The whole of an answer, counted from 0.

        :raises Malformed: what came is none, or the connection ended before it did.
        :raises TimeoutError: it took longer.
        """
        await self._until(lambda: self._has(number), within_s)
        return self.reader.answers[number]

    async def content(self, number: int, octets: int, within_s: float) -> None:
        """
        Wait until this much content of an answer has come.

        :raises Malformed: what came is none, or the connection ended before.
        :raises TimeoutError: it took longer.
        """
        await self._until(lambda: len(self.reader.answers) > number and len(self.reader.answers[number].body) >= octets, within_s)

    async def _until(self, there: Callable[[], bool], within_s: float) -> None:
        if not self._over() and not there():
            waiting: Deferred[None] = Deferred()
            self._waiting.append((there, waiting))
            await waiting.addTimeout(within_s, self.clock)
        if self.malformed is not None:
            raise self.malformed
        if not there():
            raise Malformed("the connection ended before")

    def _over(self) -> bool:
        return bool(self.closed.called) or self.malformed is not None

    def _has(self, number: int) -> bool:
        return len(self.reader.answers) > number and self.reader.answers[number].complete

    def _tell(self) -> None:
        for there, waiting in list(self._waiting):
            if self._over() or there():
                self._waiting.remove((there, waiting))
                waiting.callback(None)


class Reactor(IReactorTCP, IReactorTime):
    """What a client needs."""


async def connect(reactor: Reactor, port: int, methods: Sequence[bytes]) -> Wire:
    """Open a connection on which these methods will be sent."""
    factory = Factory.forProtocol(Protocol)
    factory.noisy = False
    wire = Wire(AnswerReader(methods), reactor)
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
