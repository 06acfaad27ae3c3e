"""
A connection that ends itself when the peer sends more than was bargained for, and that its owner can always end.

Twisted's HTTP client bounds neither the head of an answer nor its content, and has no way to drop a connection in the
middle of one; this bounds and drops what carries them.
"""

from __future__ import annotations

from typing import Any, cast

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import connectionDone
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from zope.interface import implementer

from coral_gate.errors import AnswerTooLarge


class _BoundedProtocol(ProtocolWrapper):
    """Counts what arrives; past the limit nothing more is passed on, and the connection is dropped."""

    left_bytes: int

    def dataReceived(self, data: bytes) -> None:
        """Pass on what still fits."""
        if self.left_bytes < 0:
            return
        self.left_bytes -= len(data)
        if self.left_bytes < 0:
            self.abort()
        else:
            super().dataReceived(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Say why, so that the one who waits for the answer learns it."""
        super().connectionLost(Failure(AnswerTooLarge()) if self.left_bytes < 0 else reason)

    def abort(self) -> None:
        """Drop the connection at once, whatever the peer thinks of it."""
        transport: Any = self.transport  # every stream's transport has it; ITransport alone does not say so
        transport.abortConnection()


class _BoundedFactory(WrappingFactory[_BoundedProtocol]):
    protocol = _BoundedProtocol
    noisy = False

    def __init__(self, wrapped: IProtocolFactory, limit_bytes: int) -> None:
        super().__init__(wrapped)
        self.wrappedFactory.noisy = False  # it would write two lines into the log for each connection
        self._limit_bytes = limit_bytes

    def buildProtocol(self, addr: IAddress | None) -> _BoundedProtocol:
        bounded = super().buildProtocol(addr)
        bounded.left_bytes = self._limit_bytes
        return bounded


@implementer(IStreamClientEndpoint)
@define
class BoundedEndpoint:
    """An endpoint whose connections take at most so many bytes from the peer, over their whole life."""

    _endpoint: IStreamClientEndpoint
    _limit_bytes: int
    _opened: list[_BoundedProtocol] = field(init=False, factory=list)

    def connect(self, factory: IProtocolFactory) -> Deferred[IProtocol]:
        """Connect; the caller gets its own protocol, which loses its connection with `AnswerTooLarge` past the limit."""
        return self._endpoint.connect(_BoundedFactory(factory, self._limit_bytes)).addCallback(self._keep)

    def abort(self) -> None:
        """Drop every connection that was opened here; those that are gone already stay gone."""
        for bounded in self._opened:
            bounded.abort()
        self._opened.clear()

    def _keep(self, connected: IProtocol) -> IProtocol:
        bounded = cast("_BoundedProtocol", connected)
        self._opened.append(bounded)
        return bounded.wrappedProtocol
