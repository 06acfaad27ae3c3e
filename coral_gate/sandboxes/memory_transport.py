"""
Two transports joined in memory: what one end writes, the other end's protocol receives in a later turn of the reactor.

They keep the promises that Twisted's TCP transports keep (`twisted.internet.abstract.FileDescriptor`), so that a
protocol cannot tell the difference: the same back-pressure, the same order of events, the same reasons at the end.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any, cast

from attrs import define, field
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IConsumer,
    IDelayedCall,
    IProducer,
    IProtocol,
    IPullProducer,
    IPushProducer,
    IReactorTime,
    ITransport,
)
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

HIGH_WATER_BYTES = 64 * 1024
"""More than this waiting for the other end pauses a streaming producer; also the most that one turn delivers."""


@implementer(ITransport, IConsumer, IPushProducer)
@define(eq=False)
class MemoryTransport:
    """
    One end of a stream in memory.

    :ivar disconnecting: `loseConnection` was called; what was written is still delivered (`LineReceiver` reads this).
    :ivar connected: writes are still taken.
    """

    _reactor: IReactorTime
    _protocol: IProtocol
    _host: object
    _peer: object
    disconnecting: bool = field(default=False, init=False)
    connected: bool = field(default=True, init=False)
    _other: MemoryTransport = field(init=False, repr=False)
    _queue: deque[bytes] = field(factory=deque, init=False, repr=False)
    _offset: int = field(default=0, init=False)
    _waiting_bytes: int = field(default=0, init=False)
    _turn: IDelayedCall | None = field(default=None, init=False, repr=False)
    _reading: bool = field(default=True, init=False)
    _producer: IProducer | None = field(default=None, init=False, repr=False)
    _streaming: bool = field(default=False, init=False)
    _producer_paused: bool = field(default=False, init=False)

    _log = Logger()

    # -- ITransport ----------------------------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Queue bytes for the other end; dropped once the stream is over."""
        self.writeSequence((data,))

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Queue several pieces at once."""
        pieces = [_octets(piece) for piece in data]
        if not self.connected:
            return
        self._queue.extend(piece for piece in pieces if piece)
        self._waiting_bytes += sum(map(len, pieces))
        self._schedule()
        if self._waiting_bytes > HIGH_WATER_BYTES:
            self._pause_producer()

    def loseConnection(self) -> None:
        """Deliver what was written, then end the stream on both sides with `ConnectionDone`."""
        if self.connected and not self.disconnecting:
            self.disconnecting = True
            self._schedule()
            self._other._schedule()

    def abortConnection(self) -> None:
        """Drop what waits in either direction; this end sees `ConnectionAborted`, the other `ConnectionLost`."""
        if self.connected:
            self._sever()
            self._reactor.callLater(0, self._tell_both, Failure(ConnectionAborted()), Failure(ConnectionLost()))

    def getHost(self) -> Any:  # ITransport says IAddress; ours may be any object that names an end
        """What names this end."""
        return self._host

    def getPeer(self) -> Any:  # as above
        """What names the other end: for a server, who asks."""
        return self._peer

    # -- IConsumer -----------------------------------------------------------------------------------------------------

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        """
        Let a producer write here and be told when to stop and go on.

        :raises RuntimeError: another producer is registered.
        """
        if self._producer is not None:
            raise RuntimeError("a producer is registered already")
        if not self.connected:
            producer.stopProducing()
            return
        self._producer, self._streaming, self._producer_paused = producer, streaming, False
        if not streaming:
            cast(IPullProducer, producer).resumeProducing()

    def unregisterProducer(self) -> None:
        """The producer has no more to write; an end that is already disconnecting can now finish."""
        self._producer = None
        if self.disconnecting:
            self._schedule()

    # -- IPushProducer -------------------------------------------------------------------------------------------------

    def pauseProducing(self) -> None:
        """Give this end's protocol no more bytes until `resumeProducing`."""
        self._reading = False

    def resumeProducing(self) -> None:
        """Go on giving bytes to this end's protocol."""
        self._reading = True
        self._other._schedule()

    def stopProducing(self) -> None:
        """The same as `loseConnection`."""
        self.loseConnection()

    # -- Delivery ------------------------------------------------------------------------------------------------------

    def _schedule(self) -> None:
        if self._turn is None and self.connected and self._deliverable():
            self._turn = self._reactor.callLater(0, self._deliver)

    def _deliverable(self) -> bool:
        # An end that is closing reads no more: what is sent to it is dropped, or two closing ends would wait for each other.
        return not self._queue or self._other._reading or self._other.disconnecting

    def _deliver(self) -> None:
        self._turn = None
        if not self._deliverable():
            return
        if self._queue:
            self._give(self._take())
        if self._queue:
            self._schedule()
        elif self.connected:
            self._drained()

    def _take(self) -> bytes:
        head = self._queue[0]
        if len(head) > HIGH_WATER_BYTES:
            piece = head[self._offset : self._offset + HIGH_WATER_BYTES]
            self._offset += len(piece)
            if self._offset == len(head):
                self._queue.popleft()
                self._offset = 0
        else:
            piece = b"".join(self._small_pieces())
        self._waiting_bytes -= len(piece)
        return piece

    def _small_pieces(self) -> Iterable[bytes]:
        room = HIGH_WATER_BYTES
        while self._queue and len(self._queue[0]) <= room:
            piece = self._queue.popleft()
            room -= len(piece)
            yield piece

    def _give(self, octets: bytes) -> None:
        other = self._other
        if other.disconnecting:
            return
        try:
            other._protocol.dataReceived(octets)
        except Exception as error:
            other._fail(error)

    def _drained(self) -> None:
        producer = self._producer
        if producer is not None and (self._producer_paused or not self._streaming):
            self._producer_paused = False
            self._resume(cast(IPullProducer, producer))
        elif self.disconnecting:
            self._sever()
            self._tell_both(Failure(ConnectionDone()), Failure(ConnectionDone()))

    def _resume(self, producer: IPullProducer) -> None:
        try:
            producer.resumeProducing()
        except Exception as error:
            self._fail(error)

    def _pause_producer(self) -> None:
        if self._producer is not None and self._streaming and not self._producer_paused:
            self._producer_paused = True
            cast(IPushProducer, self._producer).pauseProducing()

    # -- The end -------------------------------------------------------------------------------------------------------

    def _fail(self, error: Exception) -> None:
        self._log.failure("A protocol or its producer raised; its stream is cut.")
        self._sever()
        self._tell_both(Failure(error), Failure(ConnectionLost()))

    def _sever(self) -> None:
        for end in (self, self._other):
            end.connected = False
            end._queue.clear()
            end._waiting_bytes = 0
            if end._turn is not None:
                end._turn.cancel()
                end._turn = None

    def _tell_both(self, mine: Failure, theirs: Failure) -> None:
        self._tell(mine)
        self._other._tell(theirs)

    def _tell(self, reason: Failure) -> None:
        producer, self._producer = self._producer, None
        try:
            if producer is not None:
                producer.stopProducing()
            self._protocol.connectionLost(reason)
        except Exception:
            self._log.failure("A protocol raised when its stream ended.")


def join(reactor: IReactorTime, client: IProtocol, server: IProtocol, *, here: object, peer: object) -> None:
    """
    Connect two protocols; each gets its transport before this returns, and bytes only in later turns.

    :param here: names the server's end: its `getHost()`, and the client's `getPeer()`.
    :param peer: names the client's end: the server's `getPeer()`.
    """
    ours = MemoryTransport(reactor, client, peer, here)
    theirs = MemoryTransport(reactor, server, here, peer)
    ours._other, theirs._other = theirs, ours
    server.makeConnection(theirs)
    client.makeConnection(ours)


def _octets(piece: bytes) -> bytes:
    if not isinstance(piece, bytes):
        raise TypeError("a transport takes bytes")
    return piece
