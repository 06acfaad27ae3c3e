"""The link to a sandbox that runs on the gate's own machine."""

from __future__ import annotations

from ipaddress import ip_network

from attrs import frozen
from twisted.internet.interfaces import IProtocol, IProtocolFactory
from zope.interface import implementer

from coral_gate.errors import DriverFault, UpstreamUnreachable
from coral_gate.interfaces import ILink
from coral_gate.sandboxes.addresses import AddressPolicy, Endpoint
from coral_gate.sandboxes.attempt import ILinkReactor
from coral_gate.sandboxes.links import TCPLink
from coral_gate.sandboxes.local.life import Life
from coral_gate.sandboxes.special_ranges import Network

_HERE: Network = ip_network("127.0.0.1/32")


def loopback_link(reactor: ILinkReactor, port: int, own: frozenset[Endpoint]) -> TCPLink:
    """A link to one port of 127.0.0.1, and to nothing else; never to a listener of the gate."""
    return TCPLink(reactor, host="127.0.0.1", port=port, policy=AddressPolicy((_HERE,), own=own))


@implementer(ILink)
@frozen(eq=False)
class LocalLink:
    """Reaches a sandbox; one that does not run is started, and goes on starting when the caller no longer waits."""

    _reactor: ILinkReactor
    _life: Life
    _own: frozenset[Endpoint]
    label = "local"
    plaintext = False

    async def connect(self, factory: IProtocolFactory) -> IProtocol:
        """See `ILink`."""
        try:
            await self._life.start()
        except DriverFault as fault:
            raise UpstreamUnreachable from fault
        return await loopback_link(self._reactor, self._life.port, self._own).connect(factory)
