"""The portal channel: who asks, and what is said of the portal's origin."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.channels.portal import BODY_BYTES, CLEARS, PORTAL_FIELDS, PortalChannel
from coral_gate.gate.routes import ROUTES
from coral_gate.http1.head import HeadLimits, read_request, read_response
from coral_gate.model import Allowed, Asker, ChannelKind
from coral_gate.portal.peer import PortalPeer
from coral_gate.sandboxes.memory import MemoryLink
from coral_gate.visitor import Visitor
from tests.portal.asking import SANDBOX, visitor
from tests.sandboxes.recording import RecordingFactory
from tests.sandboxes.turns import Turns

AUTHORITY = b"gate.localhost:8443"


class ServerFactory(RecordingFactory):
    """Keeps who asked."""

    def __init__(self) -> None:
        super().__init__()
        self.peers: list[object] = []

    def buildProtocol(self, addr: object) -> object:  # type: ignore[override]  # a wider type is of no use here
        self.peers.append(addr)
        return super().buildProtocol(addr)


class PortalChannelTests(SynchronousTestCase):
    """Between the gate and the site."""

    def setUp(self) -> None:
        self.site = ServerFactory()
        self.channel = PortalChannel(MemoryLink(Turns(), self.site))

    def allowed(self, route: str = "portal.home", who: Visitor | None = None) -> Allowed:
        return Allowed(route, ChannelKind.PORTAL, AUTHORITY, SANDBOX, None, who)

    def answer(self, allowed: Allowed, *fields: bytes, first: bytes = b"HTTP/1.1 200 OK") -> list[bytes]:
        head = read_response(b"\r\n".join([first, *fields]), HeadLimits())
        return b"\r\n".join(self.channel.answer(head, allowed)).split(b"\r\n")

    def test_who_asks(self) -> None:
        """Who asks, from where, with which cookies, travels beside the request and not in it; no field can say it."""
        head = read_request(
            b"GET /x HTTP/1.1\r\nHost: gate\r\nCookie: __Host-coral=a\r\nX-User: root\r\nX-Forwarded-For: 1.1.1.1\r\nAccept: a",
            HeadLimits(),
        )
        who = visitor()
        plan = self.channel.plan(head, self.allowed(who=who), Asker(1, "192.0.2.9"))
        self.assertEqual(b"\r\n".join(plan.lines), b"GET /x HTTP/1.1\r\nHost: " + AUTHORITY + b"\r\nConnection: close\r\nAccept: a")
        self.assertIsNone(plan.pool)
        self.assertEqual(plan.body_bytes, BODY_BYTES)
        self.successResultOf(Deferred.fromCoroutine(plan.link.connect(RecordingFactory())))
        [peer] = self.site.peers
        assert isinstance(peer, PortalPeer)
        self.assertEqual((peer.host, peer.visitor, peer.sandbox, peer.cookie), ("192.0.2.9", who, SANDBOX, b"__Host-coral=a"))

    def test_fields(self) -> None:
        """The site's cookies and addresses pass, its words about server and origin do not, and the portal's own stand on each answer."""
        lines = self.answer(
            self.allowed(), b"Server: TwistedWeb/1", b"Content-Type: text/html", b"Set-Cookie: __Host-coral=x", b"Location: /x",
            b"Access-Control-Allow-Origin: *", b"Cache-Control: no-store",
        )  # fmt: skip
        self.assertEqual(
            b"\r\n".join(lines),
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nLocation: /x\r\nCache-Control: no-store\r\nSet-Cookie: __Host-coral=x\r\n"
            + PORTAL_FIELDS,
        )

    def test_varies(self) -> None:
        """What somebody sees who is signed in, nobody else is shown by a cache."""
        self.assertIn(b"Vary: Cookie", self.answer(self.allowed(who=visitor())))
        self.assertNotIn(b"Vary: Cookie", self.answer(self.allowed()))

    def test_clears(self) -> None:
        """Signing out clears the origin, each at its own address; nothing else does, nor does a way out that was refused."""
        self.assertLessEqual(CLEARS, {route.name for route in ROUTES})
        for route in ROUTES:
            clears = any(line.startswith(b"Clear-Site-Data") for line in self.answer(self.allowed(route.name)))
            self.assertIs(clears, route.name in ("portal.sign-out", "sandbox.bye"), route.name)
        for name in CLEARS:
            self.assertFalse(any(b"Clear" in line for line in self.answer(self.allowed(name), first=b"HTTP/1.1 403 Forbidden")))

    def test_policy(self) -> None:
        """No inline script or style, nothing from elsewhere, no frame around it, no plug-in, no base, Trusted Types."""
        [line] = [line for line in PORTAL_FIELDS.split(b"\r\n") if line.startswith(b"Content-Security-Policy: ")]
        policy = dict(directive.strip().partition(b" ")[::2] for directive in line.partition(b": ")[2].split(b";"))
        self.assertEqual((policy[b"default-src"], policy[b"frame-ancestors"], policy[b"base-uri"]), (b"'none'",) * 3)
        self.assertEqual((policy[b"script-src"], policy[b"style-src"], policy[b"form-action"]), (b"'self'",) * 3)
        self.assertEqual(policy[b"require-trusted-types-for"], b"'script'")
        self.assertNotIn(b"unsafe", line)
        self.assertNotIn(b"http", line)
