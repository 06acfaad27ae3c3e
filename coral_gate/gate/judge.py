"""
The judge: who is asking, for which route, and whether they may. Every way in is decided here, an upgrade like a GET.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias
from urllib.parse import quote

from coral_gate.gate.clean_address import clean_address
from coral_gate.gate.handoff import browser_binding, safe_path, start_location
from coral_gate.gate.origins import Origins, Place, Side, from_own_page, may_become_worker, same_origin
from coral_gate.gate.policy import Redirect, Refusal, decide
from coral_gate.gate.routes import Guard, Route, RouteTable
from coral_gate.gate.sessions import Sessions, Unknown
from coral_gate.gate.tokens import BROWSER_COOKIE, PORTAL_COOKIE, SANDBOX_COOKIE, cookie_token, digest_of, new_token, set_cookie
from coral_gate.gate.tombstones import Tombstones
from coral_gate.http1.head import RequestHead
from coral_gate.model import Allowed, Asker, ChannelKind, CloseCode, SandboxId, Secret
from coral_gate.visitor import Guest, Visitor

Decision: TypeAlias = Allowed | Refusal | Redirect
Later: TypeAlias = Coroutine[Any, Any, Decision]
"""A decision for which the store has to be asked."""

_BROWSER_COOKIE_S = 120


class Judge:
    """
    Decides on requests.

    :param channels: those that this door serves; a route of any other channel is not there.
    :param open_sandboxes: sandboxes that anyone may use, for trying out.
    :param openclaw: says which sandboxes speak OpenClaw.
    :ivar sessions: who is asking; every door's judge has the same.
    """

    __slots__ = ("_channels", "_open", "_openclaw", "_origins", "_routes", "_tombstones", "sessions")

    def __init__(
        self,
        origins: Origins,
        routes: RouteTable,
        sessions: Sessions,
        tombstones: Tombstones,
        channels: frozenset[ChannelKind],
        open_sandboxes: frozenset[SandboxId],
        openclaw: Callable[[SandboxId], bool] = lambda sandbox: False,
    ) -> None:
        self._origins = origins
        self._routes = routes
        self.sessions = sessions
        self._tombstones = tombstones
        self._channels = channels
        self._open = open_sandboxes
        self._openclaw = openclaw

    def for_channels(self, channels: frozenset[ChannelKind]) -> Judge:
        """The same judge for a door that serves these channels alone."""
        return Judge(self._origins, self._routes, self.sessions, self._tombstones, channels, self._open, self._openclaw)

    def judge(self, head: RequestHead, server_name: bytes | None, asker: Asker) -> Decision | Later:
        """
        Decide on one request: at once where memory knows who asks.

        :param server_name: the name that the TLS connection was opened for, or None without TLS.
        """
        place = self._origins.place(head.host)
        if place is None or (server_name is not None and server_name != head.host.partition(b":")[0]):
            return Refusal.NOT_OURS
        route = self._routes.find(place.side, head.path, wants_websocket(head))
        if route is not None and route.channel not in self._channels:
            return Refusal.CHANNEL
        asker.visitor = None
        if route is None or route.guard is Guard.PUBLIC or place.sandbox in self._open:
            return self._decide(head, place, route, None, known=place.sandbox in self._open)
        if route.guard is Guard.SESSION:
            return self._with_session(head, place, route, asker)
        return self._with_guest(head, place, route, asker)

    def methods(self, head: RequestHead) -> frozenset[bytes]:
        """What the route of a request takes, for the Allow field of a 405 (RFC 9110 §15.5.6)."""
        place = self._origins.place(head.host)
        route = self._routes.find(place.side, head.path, wants_websocket(head)) if place is not None else None
        return route.methods if route is not None else frozenset()

    def is_sandbox(self, server_name: bytes | None) -> bool:
        """Whether a TLS connection was opened for a sandbox's name: what its pages have put in a browser may be thrown away."""
        return server_name is not None and self._origins.names_sandbox(server_name)

    # -- who -----------------------------------------------------------------------------------------------------------

    def _with_session(self, head: RequestHead, place: Place, route: Route, asker: Asker) -> Decision | Later:
        token = cookie_token(head.read.get(b"cookie"), PORTAL_COOKIE)
        ask = self.sessions.glance if route.quiet else self.sessions.cached
        visitor = ask(token) if token is not None else None
        if isinstance(visitor, Unknown):
            assert token is not None  # without one the answer is known: nobody
            return self._find_session(head, place, route, token, asker)
        asker.visitor = visitor
        return self._decide(head, place, route, visitor, known=visitor is not None)

    async def _find_session(self, head: RequestHead, place: Place, route: Route, token: bytes, asker: Asker) -> Decision:
        asker.visitor = visitor = await (self.sessions.look(digest_of(token)) if route.quiet else self.sessions.find(token))
        return self._decide(head, place, route, visitor, known=visitor is not None)

    def _with_guest(self, head: RequestHead, place: Place, route: Route, asker: Asker) -> Decision | Later:
        token = cookie_token(head.read.get(b"cookie"), SANDBOX_COOKIE)
        guest = self.sessions.cached_guest(token) if token is not None else None
        if isinstance(guest, Guest) and guest.sandbox == place.sandbox:
            return self._decide_guest(head, place, route, guest, asker)
        return self._find_guest(head, place, route, token if isinstance(guest, Unknown) else None, asker)

    async def _find_guest(self, head: RequestHead, place: Place, route: Route, token: bytes | None, asker: Asker) -> Decision:
        guest = await self.sessions.find_guest(token) if token is not None else None
        if guest is not None and guest.sandbox == place.sandbox:
            return self._decide_guest(head, place, route, guest, asker)
        if place.sandbox is not None and await self._tombstones.holds(place.sandbox):
            return Refusal.GONE
        return self._decide(head, place, route, None, known=False)

    def _decide_guest(self, head: RequestHead, place: Place, route: Route, guest: Guest, asker: Asker) -> Decision:
        asker.visitor = visitor = guest.visitor
        if guest.closing is not None:
            return Refusal.GONE if guest.closing.code is CloseCode.SANDBOX_GONE else Refusal.LOCKED
        decision = self._decide(head, place, route, visitor, known=True)
        if place.sandbox is not None and isinstance(decision, Allowed):
            self.sessions.audit.count_allowed(visitor.session, place.sandbox, visitor.who, asker.address)
        return decision

    # -- whether -------------------------------------------------------------------------------------------------------

    def _decide(self, head: RequestHead, place: Place, route: Route | None, visitor: Visitor | None, known: bool) -> Decision:
        upgrade = route is not None and route.upgrade
        allowed_from = from_own_page(place, head.read) if upgrade else same_origin(place, head.method, head.read)
        if (
            head.path != head.target and place.sandbox is not None and route is not None and route.channel is ChannelKind.HTTP
            and _is_visit(head) and self._openclaw(place.sandbox) and (clean := clean_address(head.target)) is not None
        ):  # fmt: skip
            return Redirect(clean)  # before anything else, so that the portal's address does not carry it either
        refusal = decide(route, head.method, allowed_from, known)
        if refusal is Refusal.SIGN_IN and not upgrade and (_is_visit(head) or self._asks_who_signs_in(head, place)):
            return self._ask_to_sign_in(head, place)
        if refusal is not None:
            return refusal
        if not may_become_worker(place, head.path, head.read):
            return Refusal.WORKER
        if wants_websocket(head) and not (upgrade and visitor is not None and place.sandbox is not None and self._openclaw(place.sandbox)):
            return Refusal.UPGRADE
        assert route is not None  # decide() refuses a request without one
        return Allowed(route.name, route.channel, place.authority, place.sandbox, route.body_bytes, visitor)

    def _asks_who_signs_in(self, head: RequestHead, place: Place) -> bool:
        """OpenClaw's UI asks like this once it was refused; only where it is sent elsewhere does it show that one has to sign in."""
        config = head.method == b"HEAD" and head.path == b"/control-ui-config.json"
        return config and place.sandbox is not None and self._openclaw(place.sandbox)

    def _ask_to_sign_in(self, head: RequestHead, place: Place) -> Redirect:
        """A person's visit goes to the sign-in page, or to the portal that hands it over, and comes back afterwards."""
        if place.side is Side.PORTAL or place.sandbox is None:
            next_path = safe_path(head.target)
            return Redirect(b"/sign-in" if next_path == "/" else b"/sign-in?next=" + quote(next_path, safe="/").encode("ascii"))
        held = cookie_token(head.read.get(b"cookie"), BROWSER_COOKIE)
        token = Secret(held) if held else new_token()
        location = start_location(self._origins.portal.origin, place.sandbox, browser_binding(token.reveal()), head.target)
        return Redirect(location, set_cookie(BROWSER_COOKIE, token, _BROWSER_COOKIE_S))


def _is_visit(head: RequestHead) -> bool:
    """Whether a person waits for a page, as far as a browser says; anything else gets 401, and a POST never becomes a GET."""
    if head.method != b"GET":
        return False
    mode = head.read.get(b"sec-fetch-mode")
    if mode is not None:
        return mode == b"navigate" and head.read.get(b"sec-fetch-dest") == b"document"
    return b"text/html" in (head.value(b"accept") or b"")


def wants_websocket(head: RequestHead) -> bool:
    """Whether a request asks for a WebSocket, in whatever company (RFC 6455 §4.2.1)."""
    upgrade = head.read.get(b"upgrade")
    return upgrade is not None and b"websocket" in upgrade.lower()
