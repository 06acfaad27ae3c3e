"""Protocols and producers that record what they are told."""

from __future__ import annotations

from twisted.internet.interfaces import IPullProducer, IPushProducer, ITransport
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer


class Recording(Protocol):
    """Keeps what it receives, and why its stream ended."""

    transport: ITransport

    def __init__(self) -> None:
        self.events: list[str] = []
        self.pieces: list[bytes] = []
        self.ended: Failure | None = None

    @property
    def received(self) -> bytes:
        return b"".join(self.pieces)

    def connectionMade(self) -> None:
        self.events.append("made")

    def dataReceived(self, data: bytes) -> None:
        self.events.append("octets")
        self.pieces.append(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.events.append("lost")
        self.ended = reason


class RecordingFactory(Factory[Recording]):
    """Builds recording protocols and keeps them."""

    noisy = False

    def __init__(self, kind: type[Recording] = Recording) -> None:
        self.kind = kind
        self.built: list[Recording] = []

    def buildProtocol(self, addr: object) -> Recording:
        self.built.append(self.kind())
        return self.built[-1]


class Echo(Recording):
    """Writes back what it receives."""

    def dataReceived(self, data: bytes) -> None:
        super().dataReceived(data)
        self.transport.write(data)


@implementer(IPushProducer)
class RecordingPush:
    """A push producer that records what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def pauseProducing(self) -> None:
        self.told.append("pause")

    def resumeProducing(self) -> None:
        self.told.append("resume")

    def stopProducing(self) -> None:
        self.told.append("stop")


@implementer(IPullProducer)
class CountingPull:
    """A pull producer that writes `total` pieces, one each time it is asked."""

    def __init__(self, consumer: ITransport, piece: bytes, total: int) -> None:
        self.consumer = consumer
        self.piece = piece
        self.left = total
        self.asked = 0
        self.stopped = False

    def resumeProducing(self) -> None:
        self.asked += 1
        self.left -= 1
        self.consumer.write(self.piece)
        if self.left == 0:
            self.consumer.unregisterProducer()  # type: ignore[attr-defined]  # a transport is an IConsumer as well

    def stopProducing(self) -> None:
        self.stopped = True
