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
    CROSS_SITE = ("cross-site", 403, "Another site's page may not send this.")
    CHANNEL = ("channel-not-here", 404, "There is nothing at this address.")
    UPGRADE = ("upgrade-not-here", 400, "This address takes no WebSocket.")

    def __init__(self, word: str, status: int, sentence: str) -> None:
        self.word = word
        self.status = status
        self.sentence = sentence


def decide(route: Route | None, method: bytes, same_origin: bool, sandbox_open: bool) -> Refusal | None:
    """
    Decide on a request.

    The answers for a sandbox that does not exist and for one that the principal may not use are the same.

    :param method: the request's.
    :param same_origin: see `origins.same_origin`.
    :param sandbox_open: the place is a sandbox that is configured to be open to anyone, for trying out.
    :return: None where it may pass.
    """
    if route is None:
        return Refusal.NO_ROUTE
    if route.guard is Guard.OPEN_SANDBOX and not sandbox_open:
        return Refusal.SIGN_IN
    if method not in route.methods:
        return Refusal.METHOD
    if not same_origin:
        return Refusal.CROSS_SITE
    return None
