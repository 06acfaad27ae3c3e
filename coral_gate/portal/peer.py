"""
Who asks, as a page of the portal sees it.
"""

from __future__ import annotations

from twisted.internet.interfaces import IAddress
from zope.interface import implementer

from coral_gate.model import SandboxId
from coral_gate.visitor import Visitor


@implementer(IAddress)
class PortalPeer:
    """
    Who asks the portal, as `request.transport.getPeer()` gives it to a page.

    :ivar host: the browser's address as text.
    :ivar port: twisted.web reads it.
    :ivar visitor: who is signed in; on a public page it is None.
    :ivar sandbox: on a sandbox's origin, which.
    :ivar cookie: the Cookie field, which no page sees otherwise.
    """

    __slots__ = ("cookie", "host", "port", "sandbox", "visitor")

    def __init__(self, host: str, visitor: Visitor | None = None, sandbox: SandboxId | None = None, cookie: bytes | None = None) -> None:
        self.host = host
        self.port = 0
        self.visitor = visitor
        self.sandbox = sandbox
        self.cookie = cookie
