"""
Links over the network: plain TCP, and TLS to a certificate that is known beforehand.

Each gives a protocol an ordinary Twisted transport. None starts or stops the factory that builds it, and none has a
deadline of its own.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IProtocol, IProtocolFactory, ITCPTransport
from zope.interface import implementer

from coral_gate.errors import UpstreamUnreachable
from coral_gate.interfaces import ILink
from coral_gate.sandboxes.addresses import AddressPolicy
from coral_gate.sandboxes.attempt import Attempt, Greeting, ILinkReactor, LinkRefused
from coral_gate.sandboxes.destination import Destination
from coral_gate.sandboxes.pinned import PinnedTLS


@implementer(ILink)
class TCPLink:
    """
    A plain TCP connection; to another machine only where that was asked for in so many words.

    :param host: an address, or a host name that is resolved anew, once, for each connection.
    :param insecure_plaintext: allow other addresses than loopback ones.
    :raises ValueError: `host` or `port` is none.
    """

    label = "tcp"

    def __init__(self, reactor: ILinkReactor, *, host: str, port: int, policy: AddressPolicy, insecure_plaintext: bool = False) -> None:
        self._reactor = reactor
        self._destination = Destination(
            host=host, port=port, policy=policy, resolver=reactor.nameResolver, loopback_only=not insecure_plaintext
        )
        literal = self._destination.host
        self.plaintext = insecure_plaintext and (isinstance(literal, str) or not literal.is_loopback)

    async def connect(self, factory: IProtocolFactory) -> IProtocol:
        """See `ILink`; raises `LinkRefused` where the policy does not let it dial."""
        return await _connect(self._reactor, self._destination, factory, _greet_plainly)


@implementer(ILink)
class TLSLink:
    """
    A TLS connection (1.2 or 1.3) to a service that shows exactly one certificate.

    The factory builds its protocol after the certificate was compared: before that no byte of ours is sent and none is received.

    :param host: an address, or a host name that is resolved anew, once, for each connection.
    :param pin_sha256: the SHA-256 of the certificate in its DER form, 32 bytes.
    :param server_name: asked for by SNI; by default `host`, where that is a name.
    :raises ValueError: `host`, `port` or `pin_sha256` is none.
    """

    label = "tls"
    plaintext = False

    def __init__(
        self, reactor: ILinkReactor, *, host: str, port: int, policy: AddressPolicy, pin_sha256: bytes, server_name: str | None = None
    ) -> None:
        self._reactor = reactor
        self._destination = Destination(host=host, port=port, policy=policy, resolver=reactor.nameResolver)
        if server_name is None and isinstance(self._destination.host, str):
            server_name = self._destination.host
        self._tls = PinnedTLS(reactor, pin_sha256, server_name)

    async def connect(self, factory: IProtocolFactory) -> IProtocol:
        """See `ILink`; raises `LinkRefused` where the policy does not let it dial, and where another certificate is shown."""
        return await _connect(self._reactor, self._destination, factory, self._tls.greet)


def _greet_plainly(attempt: Attempt, transport: ITCPTransport, address: IAddress) -> IProtocol:
    transport.setTcpNoDelay(True)
    protocol = attempt.build(address)
    attempt.open_soon(protocol)
    return protocol


async def _connect(reactor: ILinkReactor, destination: Destination, factory: IProtocolFactory, greeting: Greeting) -> IProtocol:
    literal = destination.literal()
    if literal is not None:
        return await _dial(reactor, literal, destination.port, Attempt(reactor, factory, greeting))
    for address in await destination.addresses():
        try:
            return await _dial(reactor, address, destination.port, Attempt(reactor, factory, greeting))
        except LinkRefused:
            raise
        except UpstreamUnreachable as unreachable:
            last = unreachable
    raise last


def _dial(reactor: ILinkReactor, address: str, port: int, attempt: Attempt) -> Deferred[IProtocol]:
    # The types know neither that a timeout may be None nor that a factory need not be a ClientFactory.
    return attempt.dial(lambda attempt: reactor.connectTCP(address, port, attempt, timeout=None))  # type: ignore[arg-type]
