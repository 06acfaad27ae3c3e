"""
The route table: data. Each route names its guard; there are no skip lists, and nothing looks at a query.
"""

from __future__ import annotations

import enum
from urllib.parse import unquote_to_bytes

from attrs import field, frozen

from coral_gate.gate.origins import Side
from coral_gate.model import ChannelKind


class Guard(enum.Enum):
    """What a request must have to pass."""

    PUBLIC = "public"
    SESSION = "session"
    SANDBOX = "sandbox"


READS = frozenset({b"GET", b"HEAD"})
ANY = frozenset({b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS"})


@frozen
class Route:
    """
    One row.

    :ivar name: for audit and metrics; unique.
    :ivar path: exactly this path; with `subtree` also everything below it, and then it ends with a slash.
    :ivar methods: what it takes; anything else is 405.
    :ivar channel: what serves it.
    :ivar body_bytes: the most content it takes, or None for the configured limit.
    :ivar quiet: a page asks for it by itself, which is no use of the session and keeps it no longer.
    :ivar upgrade: it is there for a WebSocket alone; a plain request for its path meets the other routes.
    """

    name: str
    side: Side
    path: bytes
    methods: frozenset[bytes]
    channel: ChannelKind
    guard: Guard
    subtree: bool = False
    body_bytes: int | None = None
    upgrade: bool = False
    quiet: bool = False


_PORTAL, _PAGE = Side.PORTAL, ChannelKind.PORTAL
_GET, _POST = frozenset({b"GET"}), frozenset({b"POST"})

ROUTES: tuple[Route, ...] = (
    Route("portal.home", _PORTAL, b"/", READS, _PAGE, Guard.SESSION, body_bytes=0),
    Route("portal.live", _PORTAL, b"/live", READS, _PAGE, Guard.SESSION, body_bytes=0, quiet=True),
    Route("portal.stream-cut", _PORTAL, b"/streams/cut", _POST, _PAGE, Guard.SESSION, body_bytes=1024),
    Route("portal.sessions", _PORTAL, b"/sessions", READS, _PAGE, Guard.SESSION, body_bytes=0),
    Route("portal.session-end", _PORTAL, b"/sessions/end", _POST, _PAGE, Guard.SESSION, body_bytes=1024),
    Route("portal.sessions-end-others", _PORTAL, b"/sessions/end-others", _POST, _PAGE, Guard.SESSION, body_bytes=1024),
    Route("portal.sign-out", _PORTAL, b"/sign-out", _POST, _PAGE, Guard.SESSION, body_bytes=1024),
    Route("portal.hand-off", _PORTAL, b"/handoff", _GET, _PAGE, Guard.SESSION, body_bytes=0),
    Route("portal.sign-in", _PORTAL, b"/sign-in", READS, _PAGE, Guard.PUBLIC, body_bytes=0),
    Route("portal.sign-in-start", _PORTAL, b"/sign-in/start", _POST, _PAGE, Guard.PUBLIC, body_bytes=4096),
    Route("portal.sign-in-callback", _PORTAL, b"/sign-in/callback", _GET, _PAGE, Guard.PUBLIC, body_bytes=0),
    Route("portal.signed-out", _PORTAL, b"/signed-out", READS, _PAGE, Guard.PUBLIC, body_bytes=0),
    Route("portal.used-up", _PORTAL, b"/used-up", READS, _PAGE, Guard.PUBLIC, body_bytes=0),
    Route("portal.static", _PORTAL, b"/static/", READS, _PAGE, Guard.PUBLIC, subtree=True, body_bytes=0),
    Route("portal.favicon", _PORTAL, b"/favicon.ico", READS, _PAGE, Guard.PUBLIC, body_bytes=0),
    Route("portal.robots", _PORTAL, b"/robots.txt", READS, _PAGE, Guard.PUBLIC, body_bytes=0),
    Route("portal.alive", _PORTAL, b"/livez", READS, _PAGE, Guard.PUBLIC, body_bytes=0),
    Route("portal.ready", _PORTAL, b"/readyz", READS, _PAGE, Guard.PUBLIC, body_bytes=0),
    Route("sandbox.enter", Side.SANDBOX, b"/.gate/enter", _GET, _PAGE, Guard.PUBLIC, body_bytes=0),
    Route("sandbox.bye", Side.SANDBOX, b"/.gate/bye", _GET, _PAGE, Guard.PUBLIC, body_bytes=0),
    Route("sandbox.tickets-script", Side.SANDBOX, b"/.gate/tickets.js", READS, _PAGE, Guard.PUBLIC, body_bytes=0),
    Route("sandbox.ticket", Side.SANDBOX, b"/.gate/ticket", _POST, _PAGE, Guard.SANDBOX, body_bytes=256),
    Route("sandbox.control", Side.SANDBOX, b"/", _GET, ChannelKind.CONTROL, Guard.SANDBOX, body_bytes=0, upgrade=True),
    Route("sandbox.http", Side.SANDBOX, b"/", ANY, ChannelKind.HTTP, Guard.SANDBOX, subtree=True),
)
"""Every way in, but for the built-in issuer."""

LOCAL_ISSUER = Route(
    "portal.local-issuer", _PORTAL, b"/local-issuer/", READS | _POST, _PAGE, Guard.PUBLIC, subtree=True, body_bytes=16 * 1024
)
"""The built-in issuer for trying out; a row of the table only where it is configured."""

RESERVED = b".gate"
"""The first path segment that is the gate's own on a sandbox origin, in any case, and never forwarded."""


@frozen
class RouteTable:
    """
    The table, made ready to be searched.

    :param routes: the rows; no two may cover the same method on the same path.
    """

    routes: tuple[Route, ...] = ROUTES
    _exact: dict[tuple[Side, bytes], Route] = field(init=False, repr=False)
    _upgrades: dict[tuple[Side, bytes], Route] = field(init=False, repr=False)
    _trees: dict[Side, tuple[Route, ...]] = field(init=False, repr=False)

    @_exact.default
    def _index_exact(self) -> dict[tuple[Side, bytes], Route]:
        return self._index(upgrade=False)

    @_upgrades.default
    def _index_upgrades(self) -> dict[tuple[Side, bytes], Route]:
        return self._index(upgrade=True)

    def _index(self, upgrade: bool) -> dict[tuple[Side, bytes], Route]:
        exact = [route for route in self.routes if not route.subtree and route.upgrade is upgrade]
        index = {(route.side, route.path): route for route in exact}
        if len(index) != len(exact):
            raise ValueError("two routes cover one path")
        return index

    @_trees.default
    def _index_trees(self) -> dict[Side, tuple[Route, ...]]:
        longest_first = sorted((route for route in self.routes if route.subtree), key=lambda route: -len(route.path))
        if any(not route.path.endswith(b"/") or route.upgrade for route in longest_first):
            raise ValueError("a subtree's path ends with a slash, and a WebSocket has an exact path")
        return {side: tuple(route for route in longest_first if route.side is side) for side in Side}

    def find(self, side: Side, path: bytes, upgrade: bool = False) -> Route | None:
        """
        The route of a checked path (see `http1.target`), whatever the method.

        :param upgrade: the request asks for a WebSocket; where none can be had at this path, the plain route says who may know that.
        :return: None where nothing is there, and for any reserved path that the table does not name.
        """
        route = self._upgrades.get((side, path)) if upgrade else None
        if route is None:
            route = self._exact.get((side, path))
        if route is not None:
            return route
        for tree in self._trees[side]:
            if path.startswith(tree.path):
                return None if side is Side.SANDBOX and is_reserved(path) else tree
        return None


def is_reserved(path: bytes) -> bool:
    """Whether a path is the gate's own on a sandbox origin, in any spelling that some server might take for it."""
    if path[1:2] not in (b".", b"%"):
        return False
    return unquote_to_bytes(path[1:].partition(b"/")[0]).lower().startswith(RESERVED)
