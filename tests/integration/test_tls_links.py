"""Links over TLS, to services on real sockets."""

from __future__ import annotations

import socket

from OpenSSL import SSL
from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.task import deferLater

from coral_gate.errors import UpstreamUnreachable
from coral_gate.interfaces import ILink
from coral_gate.sandboxes.addresses import AddressPolicy
from coral_gate.sandboxes.attempt import LinkRefused
from coral_gate.sandboxes.links import TLSLink
from tests.integration.certificates import certificate, options, pin
from tests.integration.listening import LOOPBACK, Listening, reactor
from tests.sandboxes.link_contract import EchoEnd, End, Ends, LinkContract


class TLSLinkContractTests(LinkContract, Listening):
    """TLSLink."""

    def serve(self, factory: IProtocolFactory) -> ILink:
        shown = certificate()
        return TLSLink(reactor, host="127.0.0.1", port=self.listen_tls(factory, options(shown)), policy=LOOPBACK, pin_sha256=pin(shown))

    def unreachable(self) -> ILink:
        return TLSLink(reactor, host="127.0.0.1", port=self.nobody(), policy=LOOPBACK, pin_sha256=bytes(32))

    def hanging(self) -> ILink:
        listening = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listening.close)
        return TLSLink(reactor, host="127.0.0.1", port=listening.getsockname()[1], policy=LOOPBACK, pin_sha256=bytes(32))


class Eager(End):
    """Writes as soon as it is connected."""

    def connectionMade(self) -> None:
        super().connectionMade()
        self.transport.write(b"a secret")


class TLSLinkTests(Listening):
    """What is particular to TLS with a pin."""

    def setUp(self) -> None:
        self.shown = certificate()
        self.servers = Ends(EchoEnd)

    def link(self, port: int, pin_sha256: bytes | None = None, **rest: str) -> TLSLink:
        return TLSLink(reactor, host="127.0.0.1", port=port, policy=LOOPBACK, pin_sha256=pin_sha256 or pin(self.shown), **rest)

    async def test_the_right_pin(self) -> None:
        """A certificate that no authority vouches for is taken, because it is the one."""
        await self.echoes(self.link(self.listen_tls(self.servers, options(self.shown))))

    async def test_the_wrong_pin(self) -> None:
        """Any other certificate is refused: our protocol is never built, and not one byte of ours reaches the service."""
        servers = Ends(Eager)
        port = self.listen_tls(servers, options(self.shown))
        for wrong in (pin(certificate()), bytes(32), pin(self.shown)[:-1] + bytes([pin(self.shown)[-1] ^ 1])):
            clients = Ends(Eager)
            with self.assertRaises(LinkRefused) as caught:
                await self.link(port, wrong).connect(clients)
            self.assertEqual(caught.exception.rule, "pin")
            self.assertEqual(clients.built, [])
        await deferLater(reactor, 0.05)
        for theirs in servers.built:
            await theirs.until(lambda theirs=theirs: theirs.ended is not None)  # type: ignore[misc]  # bound now
            self.assertEqual(theirs.total, 0)

    async def test_the_wrong_key_of_the_right_name(self) -> None:
        """Another certificate of the same name and issuer is another certificate."""
        port = self.listen_tls(self.servers, options(certificate()))
        self.assertEqual(await self.refused(self.link(port)), "pin")

    async def test_no_second_guess(self) -> None:
        """Where the first address of a name shows another certificate no other address is tried."""
        port = self.listen_tls(Ends(), options(certificate()))
        self.listen_tls(self.servers, options(self.shown), "127.0.0.2", port)
        self.resolve_by(["127.0.0.1", "127.0.0.2"])
        policy = AddressPolicy(allow_names=["vm.example"])
        link = TLSLink(reactor, host="vm.example", port=port, policy=policy, pin_sha256=pin(self.shown))
        self.assertEqual(await self.refused(link), "pin")
        self.assertEqual(self.servers.built, [])

    async def test_no_delay(self) -> None:
        """Small writes go out at once (TCP_NODELAY)."""
        clients = Ends()
        await self.link(self.listen_tls(Ends(), options(self.shown))).connect(clients)
        self.assertTrue(clients.built[0].transport.getTcpNoDelay())  # type: ignore[attr-defined]  # a TLS transport passes it on
        clients.built[0].transport.loseConnection()
        await clients.built[0].until(lambda: clients.built[0].ended is not None)

    async def test_no_renegotiation(self) -> None:
        """A service that begins a second handshake, in which it might show another certificate, loses the stream (TLS 1.2)."""

        class Again(End):
            def dataReceived(self, data: bytes) -> None:
                super().dataReceived(data)
                handle = self.transport.getHandle()  # type: ignore[attr-defined]  # a TLS transport
                handle.renegotiate()
                handle.do_handshake()
                self.transport.write(b"again")

        speaking = options(self.shown)
        speaking.getContext().set_max_proto_version(SSL.TLS1_2_VERSION)
        servers, clients = Ends(Again), Ends()
        await self.link(self.listen_tls(servers, speaking)).connect(clients)
        [ours] = clients.built
        ours.transport.write(b"x")
        await ours.until(lambda: ours.ended is not None)

    test_no_renegotiation.timeout = 10  # type: ignore[attr-defined]  # trial reads it

    async def test_what_is_written_first(self) -> None:
        """What a protocol writes as soon as it is connected arrives, once, and so does what the service says first."""
        servers, clients = Ends(Eager), Ends(Eager)
        await self.link(self.listen_tls(servers, options(self.shown))).connect(clients)
        for end in (servers.built[0], clients.built[0]):
            await end.until(lambda end=end: end.total == 8)  # type: ignore[misc]  # bound now
        clients.built[0].transport.loseConnection()
        for end in (servers.built[0], clients.built[0]):
            await end.until(lambda end=end: end.ended is not None)  # type: ignore[misc]  # bound now

    async def test_versions(self) -> None:
        """TLS 1.2 and 1.3 are spoken, 1.1 is not."""
        for method, works in ((SSL.TLS1_3_VERSION, True), (SSL.TLS1_2_VERSION, True), (SSL.TLS1_1_VERSION, False)):
            speaking = options(self.shown)
            context = speaking.getContext()
            context.set_cipher_list(b"ALL:@SECLEVEL=0")
            context.set_min_proto_version(method)
            context.set_max_proto_version(method)
            link = self.link(self.listen_tls(Ends(EchoEnd), speaking))
            if works:
                await self.echoes(link)
            else:
                with self.assertRaises(UpstreamUnreachable):
                    await link.connect(Ends())

    async def test_not_tls(self) -> None:
        """A service that does not speak TLS is unreachable, and gets no byte of ours but the handshake's."""
        with self.assertRaises(UpstreamUnreachable):
            await self.link(self.listen(Ends(EchoEnd))).connect(Ends())

    async def test_closed_in_the_handshake(self) -> None:
        """A service that closes before the handshake is done is unreachable."""

        class Closing(End):
            def connectionMade(self) -> None:
                super().connectionMade()
                self.transport.loseConnection()

        with self.assertRaises(UpstreamUnreachable):
            await self.link(self.listen(Ends(Closing))).connect(Ends())

    async def asked(self, link_host: str = "127.0.0.1", **rest: str) -> bytes | None:
        """The name that a service is asked for."""
        names: list[bytes | None] = []
        speaking = options(self.shown)
        speaking.getContext().set_tlsext_servername_callback(lambda connection: names.append(connection.get_servername()))
        port = self.listen_tls(Ends(EchoEnd), speaking)
        policy = AddressPolicy(LOOPBACK.allow_networks, ["localhost"])
        await self.echoes(TLSLink(reactor, host=link_host, port=port, policy=policy, pin_sha256=pin(self.shown), **rest))
        return names[0]

    async def test_server_name(self) -> None:
        """The service is asked for the configured name, else for the host's where that is a name, else for none."""
        self.assertEqual(await self.asked(server_name="vm.example"), b"vm.example")
        self.assertEqual(await self.asked("localhost"), b"localhost")
        self.assertEqual(await self.asked("localhost", server_name="vm.example"), b"vm.example")
        self.assertIsNone(await self.asked())

    async def test_protocol(self) -> None:
        """HTTP/1.1 is offered, and nothing else (RFC 7301)."""
        offered: list[list[bytes]] = []

        def select(connection: SSL.Connection, protocols: list[bytes]) -> bytes:
            offered.append(protocols)
            return protocols[0]

        speaking = options(self.shown)
        speaking.getContext().set_alpn_select_callback(select)
        await self.echoes(self.link(self.listen_tls(Ends(EchoEnd), speaking)))
        self.assertEqual(offered, [[b"http/1.1"]])

    def test_a_pin_is_32_bytes(self) -> None:
        """A pin of another length is a mistake at once, not a link that never connects."""
        for wrong in (b"", bytes(31), bytes(33), pin(self.shown).hex().encode()):
            self.assertRaises(ValueError, TLSLink, reactor, host="::1", port=1, policy=LOOPBACK, pin_sha256=wrong)

    async def test_forbidden(self) -> None:
        """TLS does not get round the policy."""
        link = TLSLink(reactor, host="169.254.169.254", port=443, policy=AddressPolicy(), pin_sha256=bytes(32))
        self.assertEqual(await self.refused(link), "metadata")
