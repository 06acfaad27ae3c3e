"""
The judge: who is asking, for which route, and whether they may. Every way in is decided here, an upgrade like a GET.
"""

from __future__ import annotations

from coral_gate.gate.origins import Origins, same_origin
from coral_gate.gate.policy import Refusal, decide
from coral_gate.gate.routes import RouteTable
from coral_gate.http1.head import RequestHead
from coral_gate.model import Allowed, ChannelKind, SandboxId


class Judge:
    """
    Decides on requests.

    :param channels: those that this door serves; a route of any other channel is not there.
    :param open_sandboxes: sandboxes that anyone may use, for trying out.
    """

    __slots__ = ("_channels", "_open", "_origins", "_routes")

    def __init__(
        self, origins: Origins, routes: RouteTable, channels: frozenset[ChannelKind], open_sandboxes: frozenset[SandboxId]
    ) -> None:
        self._origins = origins
        self._routes = routes
        self._channels = channels
        self._open = open_sandboxes

    def for_channels(self, channels: frozenset[ChannelKind]) -> Judge:
        """The same judge for a door that serves these channels alone."""
        return Judge(self._origins, self._routes, channels, self._open)

    def judge(self, head: RequestHead, server_name: bytes | None) -> Allowed | Refusal:
        """
        Decide on one request.

        :param server_name: the name that the TLS connection was opened for, or None without TLS.
        """
        place = self._origins.place(head.host)
        if place is None or (server_name is not None and server_name != head.host.partition(b":")[0]):
            return Refusal.NOT_OURS
        route = self._routes.find(place.side, head.path)
        if route is not None and route.channel not in self._channels:
            return Refusal.CHANNEL
        refusal = decide(route, head.method, same_origin(place, head.method, head.read), place.sandbox in self._open)
        if refusal is not None:
            return refusal
        if _wants_websocket(head):
            return Refusal.UPGRADE
        assert route is not None  # decide() refuses a request without one
        return Allowed(route.name, route.channel, place.authority, place.sandbox, route.body_bytes)

    def methods(self, head: RequestHead) -> frozenset[bytes]:
        """What the route of a request takes, for the Allow field of a 405 (RFC 9110 §15.5.6)."""
        place = self._origins.place(head.host)
        route = self._routes.find(place.side, head.path) if place is not None else None
        return route.methods if route is not None else frozenset()


def _wants_websocket(head: RequestHead) -> bool:
    upgrade = head.read.get(b"upgrade")
    return upgrade is not None and b"websocket" in upgrade.lower()
