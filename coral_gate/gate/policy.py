"""
The decision: pure, on values.
"""

from __future__ import annotations

import enum

from coral_gate.gate.routes import Guard, Route


class Refusal(enum.Enum):
    """Why a request is not served: a machine word, the status, and a sentence for a person."""

    NOT_OURS = ("host-not-ours", 421, "This gate does not serve that host name.")
    NO_ROUTE = ("no-route", 404, "There is nothing at this address.")
    METHOD = ("method-not-allowed", 405, "This address does not take that method.")
    SIGN_IN = ("sign-in-first", 401, "Sign in at the portal first.")
    GONE = ("sandbox-gone", 410, "This sandbox is no more.")
    LOCKED = ("sandbox-locked", 403, "This sandbox is locked; the portal says why.")
    CROSS_SITE = ("cross-site", 403, "Another site's page may not send this.")
    WORKER = ("worker-not-here", 403, "A service worker may not be registered from this address.")
    CHANNEL = ("channel-not-here", 404, "There is nothing at this address.")
    UPGRADE = ("upgrade-not-here", 400, "This address takes no WebSocket.")

    def __init__(self, word: str, status: int, sentence: str) -> None:
        self.word = word
        self.status = status
        self.sentence = sentence


def decide(route: Route | None, method: bytes, same_origin: bool, known: bool) -> Refusal | None:
    """
    Decide on a request.

    Who is asking comes first: nobody learns from a refusal what only somebody who is signed in may know. The answers for a
    sandbox that does not exist and for one that the principal may not use are the same.

    :param method: the request's.
    :param same_origin: see `origins.same_origin`.
    :param known: what the route's guard asks for is there; a public route asks for nothing.
    :return: None where it may pass.
    """
    if route is None:
        return Refusal.NO_ROUTE
    if route.guard is not Guard.PUBLIC and not known:
        return Refusal.SIGN_IN
    if method not in route.methods:
        return Refusal.METHOD
    if not same_origin:
        return Refusal.CROSS_SITE
    return None


class Redirect:
    """
    Send the browser elsewhere instead (303: with GET, and no method is ever repeated; RFC 9110 §15.4.4).

    :ivar location: a path or an absolute URL.
    :ivar cookie: a Set-Cookie value, or None.
    """

    __slots__ = ("cookie", "location")

    def __init__(self, location: bytes, cookie: bytes | None = None) -> None:
        self.location = location
        self.cookie = cookie
