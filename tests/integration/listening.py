"""Services on real sockets for the tests of links."""

from __future__ import annotations

import socket
from ipaddress import ip_network
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import IAddress, IProtocolFactory
from twisted.trial.unittest import TestCase

from coral_gate.interfaces import ILink
from coral_gate.sandboxes.addresses import AddressPolicy
from coral_gate.sandboxes.attempt import LinkRefused
from tests.sandboxes.link_contract import End, Ends
from tests.sandboxes.scripted_resolver import ScriptedResolver

reactor: Any = installed  # Any: the type of the module knows only a part of what a reactor provides

LOOPBACK = AddressPolicy([ip_network("127.0.0.1"), ip_network("::1")])


class Listening(TestCase):
    """Starts services that end with the test."""

    timeout = 60

    def listen(self, factory: IProtocolFactory, interface: str = "127.0.0.1") -> int:
        """A TCP service's port."""
        port = reactor.listenTCP(0, factory, interface=interface)
        self.addCleanup(port.stopListening)
        return int(port.getHost().port)

    def listen_tls(self, factory: IProtocolFactory, options: object, interface: str = "127.0.0.1", port: int = 0) -> int:
        """A TLS service's port."""
        listening = reactor.listenSSL(port, factory, options, interface=interface)
        self.addCleanup(listening.stopListening)
        return int(listening.getHost().port)

    def resolve_by(self, *answers: list[str]) -> ScriptedResolver:
        """Let the reactor's resolver answer from a script until the end of the test."""
        scripted: list[list[IAddress]] = [[IPv4Address("TCP", text, 0) for text in some] for some in answers]
        resolver = ScriptedResolver(*scripted)
        before = reactor.installNameResolver(resolver)
        self.addCleanup(reactor.installNameResolver, before)
        return resolver

    def nobody(self) -> int:
        """A port on which nobody listens."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return int(probe.getsockname()[1])

    def full(self, family: socket.AddressFamily, address: object) -> socket.socket:
        """A socket that listens and takes no further connection."""
        listening = socket.socket(family)
        self.addCleanup(listening.close)
        listening.bind(address)  # type: ignore[arg-type]  # as the family wants it
        listening.listen(0)
        for _ in range(4):
            waiting = socket.socket(family)
            waiting.setblocking(False)
            self.addCleanup(waiting.close)
            waiting.connect_ex(listening.getsockname())
        return listening

    async def refused(self, link: ILink) -> str:
        """The rule by which a link refuses; its factory must not have built anything."""
        clients = Ends()
        with self.assertRaises(LinkRefused) as caught:
            await link.connect(clients)
        self.assertEqual(clients.built, [])
        self.assertEqual(str(caught.exception), caught.exception.rule)
        return str(caught.exception.rule)

    async def echoes(self, link: ILink) -> End:
        """Open a stream, see that it works, close it."""
        clients = Ends()
        await link.connect(clients)
        [ours] = clients.built
        ours.transport.write(b"hello")
        await ours.until(lambda: ours.total == 5)
        ours.transport.loseConnection()
        await ours.until(lambda: ours.ended is not None)
        return ours
