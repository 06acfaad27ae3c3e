"""What links dial, and when they do not; on a reactor without sockets."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Any

from attrs import evolve
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectError, ConnectionLost
from twisted.internet.interfaces import IAddress, IProtocol
from twisted.internet.protocol import ClientFactory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.errors import UpstreamUnreachable
from coral_gate.interfaces import ILink
from coral_gate.sandboxes.addresses import AddressPolicy
from coral_gate.sandboxes.attempt import LinkRefused
from coral_gate.sandboxes.links import TCPLink, TLSLink
from tests.sandboxes.recording import RecordingFactory
from tests.sandboxes.scripted_resolver import ScriptedResolver

PRIVATE = "10.0.0.5"


class Transport(StringTransport):
    """A client's transport."""

    no_delay = False
    aborted = False

    def setTcpNoDelay(self, enabled: bool) -> None:
        self.no_delay = enabled

    def abortConnection(self) -> None:
        self.aborted = True


class Connector:
    """What connectTCP gives."""

    def __init__(self, factory: ClientFactory[Protocol], host: str, port: int, timeout: object) -> None:
        self.factory = factory
        self.dialled = (host, port)
        self.timeout = timeout
        self.state = "connecting"
        self.transport = Transport()

    def disconnect(self) -> None:
        """Give up, as a connector does: synchronously."""
        self.state = "disconnected"
        self.factory.clientConnectionFailed(self, Failure(CancelledError()))  # type: ignore[arg-type]  # enough of a connector

    def connected(self) -> IProtocol | None:
        """Somebody answers."""
        self.state = "connected"
        protocol = self.factory.buildProtocol(IPv4Address("TCP", *self.dialled))
        if protocol is not None:
            protocol.makeConnection(self.transport)
        return protocol

    def refused(self) -> None:
        """Nobody answers."""
        self.factory.clientConnectionFailed(self, Failure(ConnectError()))  # type: ignore[arg-type]  # as above

    def lost(self) -> None:
        """Who answered goes away."""
        self.factory.clientConnectionLost(self, Failure(ConnectionLost()))  # type: ignore[arg-type]  # as above


class Dialling(Clock):
    """A reactor that keeps what is dialled."""

    def __init__(self, *answers: list[IAddress]) -> None:
        super().__init__()
        self.nameResolver = ScriptedResolver(*answers)
        self.connectors: list[Connector] = []

    def connectTCP(self, host: str, port: int, factory: Any, timeout: object = 30, bindAddress: object = None) -> Connector:
        self.connectors.append(Connector(factory, host, port, timeout))
        return self.connectors[-1]


def v4(*texts: str) -> list[IAddress]:
    """What a resolver says."""
    return [IPv4Address("TCP", text, 80) for text in texts]


def dialling(*answers: list[IAddress]) -> Any:  # only the little of a reactor that a link needs
    """A reactor that keeps what is dialled."""
    return Dialling(*answers)


class Case(SynchronousTestCase):
    """Connects links on a reactor that only keeps what is dialled."""

    def setUp(self) -> None:
        self.clients = RecordingFactory()

    def tcp(self, host: str, *answers: list[IAddress], policy: AddressPolicy | None = None, plain: bool = True) -> TCPLink:
        self.reactor = dialling(*answers)
        return TCPLink(self.reactor, host=host, port=80, policy=policy or AddressPolicy(), insecure_plaintext=plain)

    def connect(self, link: ILink) -> Deferred[IProtocol]:
        return Deferred.fromCoroutine(link.connect(self.clients))

    def assertRefused(self, link: ILink, rule: str) -> None:
        refused = self.failureResultOf(self.connect(link), LinkRefused).value
        self.assertEqual((refused.rule, str(refused)), (rule, rule))
        self.assertEqual(self.reactor.connectors, [])

    def dialled(self) -> list[tuple[str, int]]:
        return [connector.dialled for connector in self.reactor.connectors]


class AddressLinkTests(Case):
    """A link to an address."""

    def test_dialled_as_it_is(self) -> None:
        """The address is dialled at once, asking no name service and with no deadline of its own."""
        connecting = self.connect(self.tcp(PRIVATE))
        self.assertEqual(self.dialled(), [(PRIVATE, 80)])
        self.assertIsNone(self.reactor.connectors[0].timeout)
        self.assertEqual(self.reactor.nameResolver.asked, [])
        self.assertNoResult(connecting)

    def test_connected(self) -> None:
        """The protocol comes back connected, and its transport sends at once."""
        connecting = self.connect(self.tcp(PRIVATE))
        self.reactor.connectors[0].connected()
        self.assertNoResult(connecting)
        self.reactor.advance(0)
        self.assertIs(self.successResultOf(connecting), self.clients.built[0])
        self.assertEqual(self.clients.built[0].events, ["made"])
        self.assertTrue(self.reactor.connectors[0].transport.no_delay)

    def test_unreachable(self) -> None:
        """Nobody there is UpstreamUnreachable, which keeps the cause for our own log but does not say it."""
        connecting = self.connect(self.tcp(PRIVATE))
        self.reactor.connectors[0].refused()
        fault = self.failureResultOf(connecting, UpstreamUnreachable).value
        self.assertIsInstance(fault.__cause__, ConnectError)
        self.assertEqual(str(fault), "")

    def test_lost_before_it_is_given(self) -> None:
        """A stream that ends in the very turn in which it was opened is not given to anyone."""
        connecting = self.connect(self.tcp(PRIVATE))
        self.reactor.connectors[0].connected()
        self.reactor.connectors[0].lost()
        self.failureResultOf(connecting, UpstreamUnreachable)
        self.reactor.advance(0)

    def test_lost_afterwards(self) -> None:
        """What happens to a stream that was given is its protocol's business."""
        connecting = self.connect(self.tcp(PRIVATE))
        self.reactor.connectors[0].connected()
        self.reactor.advance(0)
        self.reactor.connectors[0].lost()
        self.assertIs(self.successResultOf(connecting), self.clients.built[0])

    def test_cancel(self) -> None:
        """Cancelling gives up dialling, and is told apart from an upstream that cannot be reached."""
        connecting = self.connect(self.tcp(PRIVATE))
        connecting.cancel()
        self.failureResultOf(connecting, CancelledError)
        self.assertEqual(self.reactor.connectors[0].state, "disconnected")

    def test_cancel_when_connected(self) -> None:
        """Cancelling in the moment between cuts the stream at once."""
        connecting = self.connect(self.tcp(PRIVATE))
        self.reactor.connectors[0].connected()
        connecting.cancel()
        self.failureResultOf(connecting, CancelledError)
        self.assertTrue(self.reactor.connectors[0].transport.aborted)
        self.reactor.advance(0)

    def test_forbidden(self) -> None:
        """What the policy forbids is not dialled; the fault is an UpstreamUnreachable that says the rule and no address."""
        self.assertRefused(self.tcp("169.254.169.254"), "metadata")
        self.assertRefused(self.tcp("::ffff:10.0.0.5"), "v4-mapped")
        self.assertTrue(issubclass(LinkRefused, UpstreamUnreachable))

    def test_judged_each_time(self) -> None:
        """Whether an address is this machine's is looked at on each connection."""
        ours: set[object] = set()
        link = self.tcp("8.8.8.8", policy=AddressPolicy(own=[(ip_address("0.0.0.0"), 80)]))
        link._destination = evolve(link._destination, is_local=ours.__contains__)
        self.connect(link)
        self.assertEqual(len(self.dialled()), 1)
        ours.add(ip_address("8.8.8.8"))
        self.failureResultOf(self.connect(link), LinkRefused)


class PlaintextTests(Case):
    """Plain TCP to other machines."""

    def test_not_unless_asked_for(self) -> None:
        """Without insecure_plaintext only loopback addresses are dialled, even where a name has others besides."""
        loopback = AddressPolicy([ip_network("127.0.0.0/8")])
        self.assertRefused(self.tcp(PRIVATE, plain=False), "plaintext")
        self.assertRefused(self.tcp("vm.example", v4(PRIVATE), plain=False), "plaintext")
        self.assertRefused(self.tcp("vm.example", v4("127.0.0.1", PRIVATE), policy=loopback, plain=False), "plaintext")
        self.connect(self.tcp("127.0.0.1", policy=loopback, plain=False))
        self.assertEqual(self.dialled(), [("127.0.0.1", 80)])

    def test_said(self) -> None:
        """A link says that it is plaintext where it may leave the machine, and only there."""
        for host, plain, said in (
            (PRIVATE, True, True),
            (PRIVATE, False, False),
            ("vm.example", True, True),
            ("vm.example", False, False),
            ("127.0.0.1", True, False),
            ("::1", True, False),
        ):
            self.assertIs(self.tcp(host, plain=plain).plaintext, said, host)
        self.assertIs(TLSLink(self.reactor, host=PRIVATE, port=1, policy=AddressPolicy(), pin_sha256=bytes(32)).plaintext, False)


class NameLinkTests(Case):
    """A link to a name."""

    def test_the_checked_address_is_dialled(self) -> None:
        """The name is asked for once, in lower case, and what is dialled is the address, not the name."""
        self.connect(self.tcp("VM.example", v4(PRIVATE)))
        self.assertEqual(self.reactor.nameResolver.asked, ["vm.example"])
        self.assertEqual(self.dialled(), [(PRIVATE, 80)])

    def test_one_forbidden_answer(self) -> None:
        """One forbidden answer among good ones refuses the name, wherever it stands."""
        for answers in (v4("127.0.0.1", PRIVATE), v4(PRIVATE, "127.0.0.1"), v4("8.8.8.8", PRIVATE, "127.0.0.1", "8.8.4.4")):
            self.assertRefused(self.tcp("vm.example", answers), "loopback")

    def test_an_allowed_name(self) -> None:
        """A name in the allow list may lead to loopback."""
        self.connect(self.tcp("vm.example", v4("127.0.0.1"), policy=AddressPolicy(allow_names=["vm.example"])))
        self.assertEqual(self.dialled(), [("127.0.0.1", 80)])

    def test_odd_answers(self) -> None:
        """What is no address of the internet, or does not spell one, is refused."""
        for odd in (UNIXAddress("/run/x"), IPv4Address("TCP", "127.1", 80), IPv6Address("TCP", "vm.example", 80)):
            self.assertRefused(self.tcp("vm.example", [*v4(PRIVATE), odd]), "odd-answer")

    def test_too_many_answers(self) -> None:
        """A name with more than 16 addresses is refused."""
        many = [f"10.0.0.{number}" for number in range(17)]
        self.assertRefused(self.tcp("vm.example", v4(*many)), "too-many-answers")
        self.connect(self.tcp("vm.example", v4(*many[:16])))
        self.assertEqual(self.dialled(), [("10.0.0.0", 80)])

    def test_no_answer(self) -> None:
        """A name without addresses is unreachable."""
        self.failureResultOf(self.connect(self.tcp("vm.example", [])), UpstreamUnreachable)

    def test_the_next_address(self) -> None:
        """Addresses are tried in their order, each once, until one answers; the last failure is the link's."""
        connecting = self.connect(self.tcp("vm.example", v4("10.0.0.1", "10.0.0.2", "10.0.0.1")))
        self.reactor.connectors[0].refused()
        self.reactor.connectors[1].refused()
        fault = self.failureResultOf(connecting, UpstreamUnreachable).value
        self.assertIsInstance(fault.__cause__, ConnectError)
        self.assertEqual(self.dialled(), [("10.0.0.1", 80), ("10.0.0.2", 80)])

    def test_cancel_stops_trying(self) -> None:
        """A cancelled attempt does not go on to the next address."""
        connecting = self.connect(self.tcp("vm.example", v4("10.0.0.1", "10.0.0.2")))
        connecting.cancel()
        self.failureResultOf(connecting, CancelledError)
        self.assertEqual(len(self.dialled()), 1)

    def test_cancel_while_resolving(self) -> None:
        """A wait for the name service can be cancelled; its late answer dials nothing."""
        connecting = self.connect(self.tcp("vm.example"))
        connecting.cancel()
        self.failureResultOf(connecting, CancelledError)
        [late] = self.reactor.nameResolver.late
        self.reactor.nameResolver.answer(late, v4(PRIVATE))
        self.assertEqual(self.dialled(), [])


class ConstructionTests(Case):
    """Mistakes that show at once."""

    def test_hosts(self) -> None:
        """A host that is neither address nor name, however the C library might read it, is a ValueError."""
        for host in ("127.1", "0x7f000001", "2130706433", "0177.0.0.1", "", "a b", "10.0.0.5:80", "[::1]", "http://x"):
            self.assertRaises(ValueError, self.tcp, host)

    def test_ports(self) -> None:
        """So is a port that is none."""
        for port in (0, -1, 65536):
            with self.assertRaises(ValueError):
                TCPLink(dialling(), host=PRIVATE, port=port, policy=AddressPolicy())
