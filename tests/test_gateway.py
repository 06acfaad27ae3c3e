"""The wiring: one set of rooms, a factory for each channel."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.audit.sinks import MemorySink
from coral_gate.config import parse
from coral_gate.gateway import Rooms
from coral_gate.identity.configured import NoProvider, SigningIn
from coral_gate.model import ChannelKind, Role, UserId
from coral_gate.records import AsGate, Capacity, User
from coral_gate.stores.providers import memory_stores
from tests.edge.bench import SANDBOX, TestLink, Wire, get, lose, one_sandbox
from tests.gate.stage import START, now

CONFIG = f"""
[gate]
portal_origin = "https://gate.localhost:8443"
sandbox_site = "https://sbx.localhost:8443"
[[listen]]
endpoint = "tcp:8443:interface=127.0.0.1"
tls = false
[links]
allow = ["127.0.0.1"]
[[sandbox]]
id = "{SANDBOX}"
name = "Try-out"
speaks = "http"
open = true
app = {{ kind = "tcp", host = "127.0.0.1", port = 9000 }}
"""

PORTAL = b"GET /sign-in HTTP/1.1\r\nHost: gate.localhost:8443\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


class FactoryTests(SynchronousTestCase):
    """Each channel is a factory of its own; all of them share what decides."""

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.link = TestLink()
        self.audit = MemorySink()
        self.rooms = Rooms(
            parse(CONFIG, "test"), self.reactor, one_sandbox(self.link), memory_stores(), self.audit, SigningIn(NoProvider(), "nobody")
        )
        self.rooms.site.doStart()
        self.addCleanup(self.rooms.site.doStop)

    def ask(self, request: bytes, *channels: ChannelKind) -> bytes:
        """What a factory for these channels alone answers."""
        wire = Wire()
        connection = self.rooms.factory(*channels).buildProtocol(wire.getPeer())
        assert connection is not None
        connection.makeConnection(wire)
        connection.dataReceived(request)
        for _ in range(20):
            self.reactor.advance(0)
            if self.link.protocols and not wire.value():
                self.link.protocols.pop().dataReceived(OK)
        return wire.take()

    def test_alone(self) -> None:
        """Each factory serves its channel, and has nothing where the others have something."""
        for kind, mine, others in ((ChannelKind.PORTAL, PORTAL, get()), (ChannelKind.HTTP, get(), PORTAL)):
            self.assertTrue(self.ask(mine, kind).startswith(b"HTTP/1.1 200 "), kind)
            self.assertTrue(self.ask(others, kind).startswith(b"HTTP/1.1 404 "), kind)

    def test_together(self) -> None:
        """One factory may serve them all."""
        for request in (PORTAL, get()):
            self.assertTrue(self.ask(request, ChannelKind.PORTAL, ChannelKind.HTTP).startswith(b"HTTP/1.1 200 "))

    def test_shared(self) -> None:
        """All factories share sessions, pool and channels: the same objects."""
        doors = [self.rooms.factory(kind).door for kind in (ChannelKind.PORTAL, ChannelKind.HTTP)]
        self.assertIs(doors[0].pool, doors[1].pool)
        self.assertIs(doors[0].channels, doors[1].channels)
        self.assertIs(doors[0].caps, doors[1].caps)
        self.assertIs(doors[0].judge.sessions, doors[1].judge.sessions)
        self.assertIs(doors[0].judge.sessions, self.rooms.sessions)

    def test_refusals_recorded(self) -> None:
        """A refusal of somebody known is an event of its own that says who; those of strangers are counted together."""
        for _ in range(3):
            self.ask(PORTAL.replace(b"/sign-in", b"/sessions"), ChannelKind.PORTAL)
        self.assertEqual(self.audit.types(), [])
        who = UserId("https://issuer.example", "alice")
        user = now(self.rooms.stores.users.allow(AsGate(Capacity.OPERATOR), who, Role.USER, START))
        assert isinstance(user, User)
        opened = now(self.rooms.sessions.open(user, "Browser", "192.0.2.1", None, None))
        assert isinstance(opened, tuple)
        cookie = b"\r\nCookie: __Host-coral=" + opened[0].reveal() + b"\r\n\r\n"
        request = PORTAL.replace(b"GET /sign-in", b"PUT /sessions").replace(b"\r\n\r\n", cookie)
        answer = self.ask(request, ChannelKind.PORTAL)
        self.assertTrue(answer.startswith(b"HTTP/1.1 405 "))
        refused = self.audit.events[-1]
        self.assertEqual((refused.type, refused.who, refused.reason), ("request.refused", who, "method-not-allowed"))
        self.audit.flush()
        self.assertEqual(self.audit.types().count("request.refused"), 2)

    def test_leave(self) -> None:
        """Every door leaves at once: while one still serves a request, what is idle at the others is closed already."""
        wires, connections = [Wire(), Wire()], []
        for wire in wires:
            connection = self.rooms.factory(ChannelKind.HTTP).buildProtocol(wire.getPeer())
            assert connection is not None
            connection.makeConnection(wire)
            connections.append(connection)
        connections[0].dataReceived(get())
        left = Deferred.fromCoroutine(self.rooms.leave())
        self.assertEqual([wire.closed for wire in wires], [False, True])
        self.link.protocols[0].dataReceived(OK)
        for connection in connections:
            lose(connection, ConnectionDone())
        self.successResultOf(left)
