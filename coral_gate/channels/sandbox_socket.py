"""
The gate's end of a WebSocket to a sandbox: it asks, checks the answer, and then gives every byte to whoever reads frames.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol as Shape

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IPushProducer, ITransport
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure
from zope.interface import implementer

from coral_gate.errors import Fault, UpstreamUnreachable
from coral_gate.http1.head import HeadLimits, ResponseHead, find_head, read_response
from coral_gate.http1.rules import RefusedResponse
from coral_gate.interfaces import ILink


class Reader(Shape):
    """Who has what the sandbox sends."""

    def sandbox_sent(self, data: bytes) -> None:
        """Bytes of the sandbox."""

    def sandbox_full(self) -> None:
        """The sandbox does not take what it is sent: send no more for now."""

    def sandbox_drained(self) -> None:
        """It takes again."""

    def sandbox_lost(self) -> None:
        """The connection has ended; called once, and after nothing else is."""


@implementer(IPushProducer)
class SandboxSocket(Protocol):
    """
    One connection; it reads nothing between the sandbox's answer and `begin`.

    :param request: the whole request to upgrade.
    :param check: raises an `UpstreamFault` where the answer is not the one that was asked for.
    :ivar paused: nothing is read for now.
    :ivar answered: fires when the sandbox has answered as it must, or fails with a `Fault`.
    """

    transport: ITransport

    def __init__(self, request: bytes, check: Callable[[ResponseHead], None], limits: HeadLimits) -> None:
        self._request = request
        self._check = check
        self._limits = limits
        self._buffer = b""
        self._reader: Reader | None = None
        self._lost = False
        self.paused = False
        self.answered: Deferred[None] = Deferred()

    def connectionMade(self) -> None:
        """Ask."""
        self.transport.registerProducer(self, True)  # type: ignore[attr-defined]  # every stream's transport is a consumer too
        self.transport.write(self._request)

    def dataReceived(self, data: bytes) -> None:
        """The answer; what follows it waits for `begin`."""
        self._buffer += data
        if self.answered.called:
            return
        try:
            end = find_head(self._buffer, self._limits, RefusedResponse, 0)
            if end < 0:
                return
            self._check(read_response(self._buffer[:end], self._limits))
        except Fault as fault:
            self.answered.errback(fault)
            self.abort()
            return
        self._buffer = self._buffer[end + 4 :]
        self.pause()
        self.answered.callback(None)

    def begin(self, reader: Reader) -> None:
        """From now on `reader` has what comes."""
        self._reader = reader
        rest, self._buffer = self._buffer, b""
        self.dataReceived = reader.sandbox_sent  # type: ignore[method-assign]  # looked up on the instance by every transport
        self.paused = False  # the reader may pause it again, for what it has at once
        if rest:
            reader.sandbox_sent(rest)
        if self._lost:
            self._ended()
        else:
            self._go_on()

    def _go_on(self) -> None:
        if self._reader is not None and not self.paused:
            self.transport.resumeProducing()  # type: ignore[attr-defined]  # every stream's transport is a producer too

    def send(self, octets: bytes) -> None:
        """Send; nothing happens once the connection has ended."""
        self.transport.write(octets)

    def pause(self) -> None:
        """Read no more for now."""
        if not self.paused:
            self.paused = True
            self.transport.pauseProducing()  # type: ignore[attr-defined]  # every stream's transport is a producer too

    def resume(self) -> None:
        """Go on reading."""
        if self.paused:
            self.paused = False
            self.transport.resumeProducing()  # type: ignore[attr-defined]  # every stream's transport is a producer too

    def finish(self) -> None:
        """Send what is left, then close; what still comes is dropped."""
        self._deaf()
        if self._lost:
            return
        self.paused = False
        self.transport.resumeProducing()  # type: ignore[attr-defined]  # so that it hears that the other end has closed too
        self.transport.unregisterProducer()  # type: ignore[attr-defined]  # every stream's transport is a consumer too
        self.transport.loseConnection()

    def abort(self) -> None:
        """Close at once; nothing more comes of it."""
        self._deaf()
        if not self._lost and self.transport is not None:
            self.transport.abortConnection()  # type: ignore[attr-defined]  # every stream's transport has it

    def connectionLost(self, reason: Failure = None) -> None:  # type: ignore[assignment]  # Twisted's own signature
        """It has ended."""
        self._lost = True
        if not self.answered.called:
            self.answered.errback(UpstreamUnreachable())
        self._ended()

    def _ended(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.sandbox_lost()

    def _deaf(self) -> None:
        self._reader = None
        self.dataReceived = _drop  # type: ignore[method-assign]  # as in `begin`

    # -- the transport's side, as its producer -------------------------------------------------------------------------

    def pauseProducing(self) -> None:
        """The transport's buffer toward the sandbox is full."""
        if self._reader is not None:
            self._reader.sandbox_full()

    def resumeProducing(self) -> None:
        """It has room again."""
        if self._reader is not None:
            self._reader.sandbox_drained()

    def stopProducing(self) -> None:
        """The connection is gone; connectionLost follows."""


def _drop(data: bytes) -> None:
    """What comes after the end."""


class _Once(Factory):
    """A factory for one connection."""

    noisy = False

    def __init__(self, socket: SandboxSocket) -> None:
        self._socket = socket

    def buildProtocol(self, addr: IAddress | None) -> SandboxSocket:
        return self._socket


async def dial(link: ILink, request: bytes, check: Callable[[ResponseHead], None], limits: HeadLimits) -> SandboxSocket:
    """
    Open a WebSocket to a sandbox; where this is cancelled, nothing stays open.

    :raises Fault: it could not be opened, or the sandbox answers otherwise.
    """
    socket = SandboxSocket(request, check, limits)
    try:
        await link.connect(_Once(socket))
        await socket.answered
    except BaseException:  # a cancelled wait too
        socket.answered.addErrback(lambda _: None)
        socket.abort()
        raise
    return socket
