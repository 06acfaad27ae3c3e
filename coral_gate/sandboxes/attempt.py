"""One attempt to open a stream: what connectTCP and connectUNIX take for a factory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, cast

from attrs import define, field
from twisted.internet.base import BaseConnector
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IAddress,
    IConnector,
    IProtocol,
    IProtocolFactory,
    IReactorPluggableNameResolver,
    IReactorTCP,
    IReactorTime,
    IReactorUNIX,
    ITCPTransport,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from coral_gate.errors import UpstreamUnreachable


class LinkRefused(UpstreamUnreachable):
    """
    A link was not allowed to go where it leads, or what answered there is not who it must be.

    :ivar rule: what it broke, a word for the audit trail; it holds no address.
    """

    def __init__(self, rule: str) -> None:
        super().__init__(rule)
        self.rule = rule


class ILinkReactor(IReactorTime, IReactorTCP, IReactorUNIX, IReactorPluggableNameResolver):
    """What links ask of a reactor."""


class Greeting(Protocol):
    """Meets a transport that was just connected, before any protocol of ours has it."""

    def __call__(self, attempt: Attempt, transport: ITCPTransport, address: IAddress) -> IProtocol:
        """
        Build the protocol that gets the transport; call `attempt.open` when the stream may be used.

        :raises UpstreamUnreachable: the stream must not be used; it is closed, and no protocol has seen it.
        """


@implementer(IProtocolFactory)
@define(eq=False)
class Attempt:
    """
    One attempt, from dialling until the stream may be used.

    It starts and stops no factory, and has no deadline: who waits for it cancels it.
    """

    _reactor: IReactorTime
    _factory: IProtocolFactory
    _greeting: Greeting
    _connector: BaseConnector | None = field(default=None, init=False)
    _waiting: Deferred[IProtocol] | None = field(default=None, init=False)

    def dial(self, connect: Callable[[Attempt], IConnector]) -> Deferred[IProtocol]:
        """
        Start; the Deferred gives the connected protocol, or fails with `UpstreamUnreachable`. Cancelling it closes everything.

        :param connect: calls the reactor's connectTCP or connectUNIX.
        """
        waiting = self._waiting = Deferred(self._cancelled)
        try:
            self._connector = cast(BaseConnector, connect(self))
        except OSError as error:
            self._fail(error)
        return waiting

    def build(self, address: IAddress) -> IProtocol:
        """
        The protocol that wants the stream.

        :raises UpstreamUnreachable: it does not want it any more.
        """
        protocol = self._factory.buildProtocol(address)
        if protocol is None:
            raise UpstreamUnreachable
        return protocol

    def open(self, protocol: IProtocol) -> None:
        """The stream may be used, and `protocol` has it."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(protocol)

    def open_soon(self, protocol: IProtocol) -> None:
        """The same as `open`, once the transport has been given to `protocol`, which it will be in this turn."""
        self._reactor.callLater(0, self.open, protocol)

    def refuse(self, refused: UpstreamUnreachable) -> None:
        """The stream must not be used; who says so has cut it."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.errback(refused)

    # -- What a connector asks of its factory --------------------------------------------------------------------------

    def buildProtocol(self, addr: IAddress) -> IProtocol | None:
        """See `IProtocolFactory`."""
        assert self._connector is not None
        try:
            return self._greeting(self, cast(ITCPTransport, self._connector.transport), addr)
        except UpstreamUnreachable as refused:
            self.refuse(refused)
            return None  # the transport closes itself

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        """Nothing answered."""
        self._fail(reason.value)

    def clientConnectionLost(self, connector: IConnector, reason: Failure) -> None:
        """What answered went away, maybe before the stream could be used."""
        self._fail(reason.value)

    def startedConnecting(self, connector: IConnector) -> None:
        """Nothing to do."""

    def doStart(self) -> None:
        """Nothing to do."""

    def doStop(self) -> None:
        """Nothing to do."""

    # -- The end -------------------------------------------------------------------------------------------------------

    def _fail(self, cause: BaseException | None) -> None:
        unreachable = UpstreamUnreachable()
        unreachable.__cause__ = cause
        self.refuse(unreachable)

    def _cancelled(self, waiting: Deferred[IProtocol]) -> None:
        self._waiting = None
        self._cut()

    def _cut(self) -> None:
        connector = self._connector
        if connector is None:
            return
        if connector.state == "connected":
            cast(ITCPTransport, connector.transport).abortConnection()
        else:
            connector.disconnect()
