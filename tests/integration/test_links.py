"""Links over TCP, to addresses and to names, with services on real sockets."""

from __future__ import annotations

import socket
from ipaddress import ip_address, ip_network

from twisted.internet.address import IPv4Address
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.task import deferLater

from coral_gate.errors import UpstreamUnreachable
from coral_gate.interfaces import ILink
from coral_gate.sandboxes.addresses import AddressPolicy
from coral_gate.sandboxes.links import TCPLink
from coral_gate.sandboxes.local_addresses import is_local
from tests.integration.listening import LOOPBACK, Listening, reactor
from tests.sandboxes.link_contract import EchoEnd, Ends, LinkContract


class TCPLinkContractTests(LinkContract, Listening):
    """TCPLink over IPv4."""

    def serve(self, factory: IProtocolFactory) -> ILink:
        return TCPLink(reactor, host="127.0.0.1", port=self.listen(factory), policy=LOOPBACK)

    def unreachable(self) -> ILink:
        return TCPLink(reactor, host="127.0.0.1", port=self.nobody(), policy=LOOPBACK)

    def hanging(self) -> ILink:
        port = self.full(socket.AF_INET, ("127.0.0.1", 0)).getsockname()[1]
        return TCPLink(reactor, host="127.0.0.1", port=port, policy=LOOPBACK)


class NameLinkContractTests(LinkContract, Listening):
    """TCPLink to a host name, through the reactor's own resolver."""

    policy = AddressPolicy(allow_names=["localhost"])

    def serve(self, factory: IProtocolFactory) -> ILink:
        return TCPLink(reactor, host="localhost", port=self.listen(factory), policy=self.policy)

    def unreachable(self) -> ILink:
        return TCPLink(reactor, host="localhost", port=self.nobody(), policy=self.policy)

    def hanging(self) -> ILink:
        port = self.full(socket.AF_INET, ("127.0.0.1", 0)).getsockname()[1]
        return TCPLink(reactor, host="localhost", port=port, policy=self.policy)


class TCPLinkTests(Listening):
    """What is particular to plain TCP."""

    async def test_ipv6(self) -> None:
        """An IPv6 address is dialled as it is."""
        link = TCPLink(reactor, host="::1", port=self.listen(Ends(EchoEnd), "::1"), policy=LOOPBACK)
        await self.echoes(link)

    async def test_no_delay(self) -> None:
        """Small writes go out at once (TCP_NODELAY)."""
        clients = Ends()
        await TCPLink(reactor, host="127.0.0.1", port=self.listen(Ends()), policy=LOOPBACK).connect(clients)
        self.assertTrue(clients.built[0].transport.getTcpNoDelay())  # type: ignore[attr-defined]  # a TCP transport
        clients.built[0].transport.loseConnection()
        await clients.built[0].until(lambda: clients.built[0].ended is not None)

    async def test_own_listener(self) -> None:
        """A listener of the gate's own is not dialled, whatever is allowed, also where it listens on every address."""
        servers = Ends(EchoEnd)
        port = self.listen(servers)
        for own in ("127.0.0.1", "0.0.0.0", "::"):
            policy = AddressPolicy(LOOPBACK.allow_networks, own=[(ip_address(own), port)])
            self.assertEqual(await self.refused(TCPLink(reactor, host="127.0.0.1", port=port, policy=policy)), "own-endpoint")
        self.assertEqual(servers.built, [])

    async def test_loopback_is_refused(self) -> None:
        """Without an allow list nothing on this machine is dialled."""
        servers = Ends(EchoEnd)
        port = self.listen(servers)
        for host in ("127.0.0.1", "localhost"):
            self.assertEqual(await self.refused(TCPLink(reactor, host=host, port=port, policy=AddressPolicy())), "loopback")
        self.assertEqual(servers.built, [])

    async def test_an_interface_that_is_not_there(self) -> None:
        """An address on an interface that this machine lacks is unreachable, not an error of ours."""
        policy = AddressPolicy([ip_network("fe80::1")])
        link = TCPLink(reactor, host="fe80::1%nosuch0", port=80, policy=policy, insecure_plaintext=True)
        with self.assertRaises(UpstreamUnreachable):
            await link.connect(Ends())

    def test_which_addresses_are_local(self) -> None:
        """The kernel says which addresses are this machine's."""
        for text in ("127.0.0.1", "127.8.9.10", "::1"):
            self.assertTrue(is_local(ip_address(text)), text)
        for text in ("192.0.2.1", "8.8.8.8", "2001:db8::1"):
            self.assertFalse(is_local(ip_address(text)), text)


class NamedLinkTests(Listening):
    """A link to a host name."""

    async def test_resolved_once_and_that_address_dialled(self) -> None:
        """A name that answers differently the second time is asked only once for each connection."""
        resolver = self.resolve_by(["127.0.0.1"], ["127.0.0.2"])
        policy = AddressPolicy([ip_network("127.0.0.1")])
        link = TCPLink(reactor, host="vm.example", port=self.listen(Ends(EchoEnd)), policy=policy)
        await self.echoes(link)
        self.assertEqual(resolver.asked, ["vm.example"])
        self.assertEqual(await self.refused(link), "loopback")
        self.assertEqual(resolver.asked, ["vm.example"] * 2)

    async def test_mixed_answers(self) -> None:
        """One forbidden answer refuses the whole name, wherever it stands."""
        servers = Ends()
        port = self.listen(servers)
        for answers in (["127.0.0.1", "169.254.169.254"], ["169.254.169.254", "127.0.0.1"]):
            self.resolve_by(answers)
            self.assertEqual(await self.refused(TCPLink(reactor, host="vm.example", port=port, policy=LOOPBACK)), "metadata")
        self.assertEqual(servers.built, [])

    async def test_the_next_address(self) -> None:
        """Where nobody answers at the first address the next is tried."""
        self.resolve_by(["127.0.0.2", "127.0.0.1"])
        policy = AddressPolicy([ip_network("127.0.0.0/8")])
        await self.echoes(TCPLink(reactor, host="vm.example", port=self.listen(Ends(EchoEnd)), policy=policy))

    async def test_cancel_while_resolving(self) -> None:
        """A wait for the name service ends at once, though Twisted's own resolver cannot be cancelled."""
        resolver = self.resolve_by()
        connecting = Deferred.fromCoroutine(TCPLink(reactor, host="vm.example", port=1, policy=LOOPBACK).connect(Ends()))
        self.assertNoResult(connecting)
        connecting.cancel()
        self.failureResultOf(connecting, CancelledError)
        resolver.answer(resolver.late[0], [IPv4Address("TCP", "127.0.0.1", 1)])

    async def test_cancel_the_reactors_own_resolver(self) -> None:
        """The same with a look-up in a thread, whose late answer dials nothing."""
        servers, clients = Ends(), Ends()
        link = TCPLink(reactor, host="localhost", port=self.listen(servers), policy=AddressPolicy(allow_names=["localhost"]))
        connecting = Deferred.fromCoroutine(link.connect(clients))
        connecting.cancel()
        self.failureResultOf(connecting, CancelledError)
        await deferLater(reactor, 0.1)
        self.assertEqual((servers.built, clients.built), ([], []))

    async def test_a_name_that_is_not_there(self) -> None:
        """A name without addresses is unreachable (RFC 6761 §6.4 reserves this one)."""
        self.resolve_by([])
        with self.assertRaises(UpstreamUnreachable):
            await TCPLink(reactor, host="vm.invalid", port=1, policy=LOOPBACK).connect(Ends())
