"""A link to a service that runs in this process: the portal in production, and any service in tests."""

from __future__ import annotations

from attrs import define, field, frozen
from twisted.internet.interfaces import IAddress, IProtocol, IProtocolFactory, IReactorTime
from zope.interface import implementer

from coral_gate.errors import UpstreamUnreachable
from coral_gate.interfaces import ILink
from coral_gate.sandboxes.memory_transport import join


@implementer(IAddress)
@frozen
class MemoryAddress:
    """
    Names an end of a stream that has no address.

    :ivar port: twisted.web reads it when it makes an absolute URL.
    """

    name: str = "memory"
    port: int = 0


@implementer(ILink)
@define(eq=False)
class MemoryLink:
    """
    Streams to the protocols that `server_factory` builds, without a socket.

    Neither factory is started or stopped here: whoever owns `server_factory` calls its `doStart()` and `doStop()`.

    :ivar peer: what a server's protocol sees as `transport.getPeer()`, unless `connect_as` names another.
    :ivar here: what it sees as `transport.getHost()`.
    """

    _reactor: IReactorTime
    _server_factory: IProtocolFactory
    _peer: object = field(factory=MemoryAddress)
    _here: object = field(factory=MemoryAddress, kw_only=True)
    label: str = field(default="memory", kw_only=True)
    plaintext: bool = field(default=False, init=False)

    async def connect(self, factory: IProtocolFactory) -> IProtocol:
        """
        Open a stream; it never waits.

        :raises UpstreamUnreachable: the service takes no connection, or `factory` wants none.
        """
        return self.connect_as(factory, self._peer)

    def connect_as(self, factory: IProtocolFactory, peer: object) -> IProtocol:
        """
        Open a stream on behalf of `peer`, at once.

        :param peer: what the server's protocol sees as `transport.getPeer()`; any object.
        :raises UpstreamUnreachable: the service takes no connection, or `factory` wants none.
        """
        server = self._server_factory.buildProtocol(peer)  # type: ignore[arg-type]  # an end in memory is named by any object
        client = None if server is None else factory.buildProtocol(self._here)  # type: ignore[arg-type]  # as above
        if client is None or server is None:
            raise UpstreamUnreachable
        join(self._reactor, client, server, here=self._here, peer=peer)
        return client
