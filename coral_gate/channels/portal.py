"""
The `portal` channel: our own pages, served by twisted.web inside this process, behind the same strict reader.

Each validated request is framed anew into a connection in memory. Who asks travels as the connection's peer, an object that
no browser can write: there is no header to forge.
"""

from __future__ import annotations

from attrs import frozen
from twisted.internet.interfaces import IProtocol, IProtocolFactory
from zope.interface import implementer

from coral_gate.channels.http import STATUS_LINES
from coral_gate.channels.plan import Plan
from coral_gate.http1.head import RequestHead, ResponseHead
from coral_gate.interfaces import ILink
from coral_gate.model import Allowed, Asker
from coral_gate.portal.peer import PortalPeer
from coral_gate.sandboxes.memory import MemoryLink

BODY_BYTES = 64 * 1024
"""The most content that a portal page takes, where its route does not say; twisted.web holds it in memory."""

PORTAL_FIELDS = (
    b"Strict-Transport-Security: max-age=31536000; includeSubDomains\r\n"
    b"X-Content-Type-Options: nosniff\r\n"
    b"Referrer-Policy: same-origin\r\n"
    b"Origin-Agent-Cluster: ?1\r\n"
    b"Cross-Origin-Opener-Policy: same-origin\r\n"
    b"Cross-Origin-Resource-Policy: same-origin\r\n"
    b"Cross-Origin-Embedder-Policy: require-corp\r\n"
    b"Permissions-Policy: camera=(), microphone=(), geolocation=(), payment=(), usb=(), serial=(), hid=(), midi=(),"
    b" display-capture=(), browsing-topics=(), idle-detection=(), publickey-credentials-get=(self)\r\n"
    b"Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    b" font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
"""What the portal says of its own origin."""

_KEPT = ((b"content-type", b"Content-Type: "), (b"location", b"Location: "))


CLEARS = frozenset({"portal.sign-out", "sandbox.bye"})
"""Routes after which a browser keeps nothing of the origin (W3C Clear Site Data)."""


@implementer(ILink)
@frozen
class _AskedBy:
    """A link that says who asks."""

    link: MemoryLink
    peer: PortalPeer
    label: str = "portal"
    plaintext: bool = False

    async def connect(self, factory: IProtocolFactory) -> IProtocol:
        """See `ILink.connect`."""
        return self.link.connect_as(factory, self.peer)


class PortalChannel:
    """
    Forwards to the site in this process.

    :param link: to the site.
    """

    __slots__ = ("_link",)

    def __init__(self, link: MemoryLink) -> None:
        self._link = link

    def plan(self, head: RequestHead, allowed: Allowed, asker: Asker) -> Plan:
        """See `Forwarding.plan`."""
        lines = [b"%b %b HTTP/1.1\r\nHost: %b\r\nConnection: close" % (head.method, head.target, allowed.authority)]
        origin = head.read.get(b"origin")
        if origin is not None:
            lines.append(b"Origin: " + origin)
        lines += head.passing
        most = BODY_BYTES if allowed.body_bytes is None else allowed.body_bytes
        return Plan(
            _AskedBy(self._link, PortalPeer(asker.address, allowed.visitor, allowed.sandbox, head.read.get(b"cookie"))),
            OWNER,
            None,
            lines,
            most,
        )

    def answer(self, head: ResponseHead, allowed: Allowed) -> list[bytes]:
        """See `Forwarding.answer`; the portal is ours, so that its cookies pass as they are."""
        read = head.read
        lines = [STATUS_LINES[head.status]]
        lines += [name + read[lower] for lower, name in _KEPT if lower in read]
        lines += head.passing
        lines += [b"Set-Cookie: " + cookie for cookie in head.cookies]
        if allowed.visitor is not None:
            lines.append(b"Vary: Cookie")
        if allowed.route in CLEARS and head.status < 400:
            lines.append(b'Clear-Site-Data: "cookies", "storage", "cache"')
        lines.append(PORTAL_FIELDS)
        return lines


OWNER = "portal"
"""What the cap on connections in memory counts by."""
