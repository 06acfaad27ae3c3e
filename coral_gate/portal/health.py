"""
Whether the gate lives, and whether it can serve: for load balancers and probes. Why it cannot is in the log, for operators.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection

from twisted.web.resource import Resource
from twisted.web.server import Request


class Alive(Resource):
    """Answers while the process does."""

    isLeaf = True

    def render_GET(self, request: Request) -> bytes:
        """`{"alive": true}`."""
        return _answer(request, 200, {"alive": True})


class Ready(Resource):
    """
    Answers 200 while everything that the gate needs can be used, else 503.

    :param failing: names what cannot be used now.
    """

    isLeaf = True

    def __init__(self, failing: Callable[[], Collection[str]]) -> None:
        super().__init__()
        self._failing = failing

    def render_GET(self, request: Request) -> bytes:
        """`{"ready": false, "failing": ["keys"]}`: names alone."""
        failing = sorted(self._failing())
        return _answer(request, 503 if failing else 200, {"ready": not failing, "failing": failing})


def _answer(request: Request, status: int, members: dict[str, object]) -> bytes:
    request.setResponseCode(status)
    request.setHeader(b"Content-Type", b"application/json")
    request.setHeader(b"Cache-Control", b"no-store")
    return json.dumps(members).encode("ascii")
