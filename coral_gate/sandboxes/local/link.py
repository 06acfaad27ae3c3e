"""The link to a sandbox that runs on the gate's own machine."""

from __future__ import annotations

from ipaddress import ip_network

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocol, IProtocolFactory
from zope.interface import implementer

from coral_gate.errors import DriverFault, SandboxStarting, UpstreamUnreachable
from coral_gate.interfaces import ILink
from coral_gate.model import SandboxState
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
    """Reaches a sandbox; one that does not run is started, and whoever asked is told so at once: it takes longer than a browser waits."""

    _reactor: ILinkReactor
    _life: Life
    _own: frozenset[Endpoint]
    label = "local"
    plaintext = False

    async def connect(self, factory: IProtocolFactory) -> IProtocol:
        """
        See `ILink`.

        :raises SandboxStarting: it did not run; it is being started.
        """
        state = self._life.condition.state
        if state is not SandboxState.RUNNING:
            starting = Deferred.fromCoroutine(self._life.start())
            starting.addErrback(lambda failure: failure.trap(DriverFault) and None)  # its condition says so
            raise UpstreamUnreachable if state is SandboxState.FAILED else SandboxStarting
        return await loopback_link(self._reactor, self._life.port, self._own).connect(factory)
