"""
Asking an issuer that lives in this process, without a connection.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from attrs import define
from zope.interface import implementer

from coral_gate.errors import UpstreamUnreachable
from coral_gate.interfaces import IHTTPClient
from coral_gate.model import HTTPAnswer

Fields = Sequence[tuple[bytes, bytes]]


@implementer(IHTTPClient)
@define
class InProcessHTTPClient:
    """
    Answers from a function, for one origin.

    :ivar _origin: `https://gate.localhost:8443`; every other one is unreachable.
    :ivar _respond: given method, target, fields and content; e.g. `LocalIssuer.respond`.
    """

    _origin: str
    _respond: Callable[[bytes, bytes, Fields, bytes], HTTPAnswer]

    async def get(self, url: str, fields: Fields) -> HTTPAnswer:
        """Ask with GET; see `IHTTPClient`."""
        return self._respond(b"GET", self._target(url), fields, b"")

    async def post(self, url: str, fields: Fields, body: bytes) -> HTTPAnswer:
        """Ask with POST; see `IHTTPClient`."""
        return self._respond(b"POST", self._target(url), fields, body)

    def _target(self, url: str) -> bytes:
        parts = urlsplit(url)
        if f"{parts.scheme}://{parts.netloc}" != self._origin:
            raise UpstreamUnreachable
        return (parts.path + (f"?{parts.query}" if parts.query else "")).encode("ascii")
