"""
What a channel asks the edge to do for one allowed request: which stream, which head, and what becomes of the answer.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from coral_gate.http1.head import RequestHead, ResponseHead
    from coral_gate.interfaces import ILink
    from coral_gate.model import Allowed, Asker


class Plan:
    """
    How one request is served.

    Not an attrs class: one is made for every request on the hot path.

    :ivar link: the way to the service.
    :ivar owner: what the cap on upstream connections counts by: the sandbox.
    :ivar pool: upstream connections are shared only between plans with an equal key; it names sandbox, service and session.
        None for a connection that serves this request alone.
    :ivar lines: the request line and fields to send, but those that frame the content; the edge adds these.
    :ivar body_bytes: the most content that may be sent, in octets.
    """

    __slots__ = ("body_bytes", "lines", "link", "owner", "pool")

    def __init__(self, link: ILink, owner: Hashable, pool: Hashable, lines: list[bytes], body_bytes: int) -> None:
        self.link = link
        self.owner = owner
        self.pool = pool
        self.lines = lines
        self.body_bytes = body_bytes


class Forwarding(Protocol):
    """A channel that forwards requests and answers."""

    def plan(self, head: RequestHead, allowed: Allowed, asker: Asker) -> Plan:
        """
        Say how a request is served.

        :raises UpstreamUnreachable: there is no way to the service now.
        """

    def answer(self, head: ResponseHead, allowed: Allowed) -> list[bytes]:
        """
        The status line and fields of the answer toward the browser, but those that frame the content.

        :raises UpstreamFault: the answer may not be passed on.
        """
