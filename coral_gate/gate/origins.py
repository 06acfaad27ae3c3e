"""
Web origins: which of ours a request is for, and whether the page that sent it may do so.
"""

from __future__ import annotations

import enum
import re

from attrs import frozen

from coral_gate.model import SandboxId

_LABEL = re.compile(rb"[a-z2-7]{26}\Z")
WORKER_PATH = b"/sw.js"
"""The one script of a sandbox that may become a service worker: that of the Control UI."""
SAFE_METHODS = frozenset({b"GET", b"HEAD", b"OPTIONS"})
"""Methods that change nothing (RFC 9110 §9.2.1)."""


class Side(enum.Enum):
    """Which kind of origin a request is for."""

    PORTAL = "portal"
    SANDBOX = "sandbox"


@frozen
class Place:
    """
    The origin that a request is for.

    :ivar authority: host and port as the browser writes them, e.g. `gate.localhost:8443`.
    :ivar sandbox: its id on a sandbox origin, None on the portal.
    """

    side: Side
    authority: bytes
    sandbox: SandboxId | None = None

    @property
    def origin(self) -> bytes:
        """The serialised origin (RFC 6454 §6.2)."""
        return b"https://" + self.authority


class Origins:
    """
    Our origins.

    :param portal: the portal's authority, e.g. `gate.localhost:8443`; without a port where it is 443.
    :param sandbox_site: the authority below which sandbox origins live, e.g. `sbx.localhost:8443`.
    """

    def __init__(self, portal: str, sandbox_site: str) -> None:
        self._portal = Place(Side.PORTAL, portal.encode("ascii"))
        self._suffix = b"." + sandbox_site.encode("ascii")

    @property
    def portal(self) -> Place:
        """The portal's place."""
        return self._portal

    def place(self, host: bytes) -> Place | None:
        """
        The place of a Host field in lower case, or None where it is not ours.

        Any well-formed sandbox id has a place, known or not: existence is no matter of names.
        """
        if host == self._portal.authority:
            return self._portal
        label = host[:26]
        if host[26:] == self._suffix and _LABEL.match(label):
            return Place(Side.SANDBOX, host, SandboxId(label.decode("ascii")))
        return None

    def names(self, server_name: bytes) -> bool:
        """Whether a TLS server name (RFC 6066 §3) is the portal's or a sandbox's."""
        return server_name == self._portal.authority.partition(b":")[0] or self.names_sandbox(server_name)

    def names_sandbox(self, server_name: bytes) -> bool:
        """Whether it is a sandbox's."""
        return server_name[26:] == self._suffix.partition(b":")[0] and _LABEL.match(server_name[:26]) is not None


def may_become_worker(place: Place, path: bytes, read: dict[bytes, bytes]) -> bool:
    """
    False where a browser fetches a script to keep it as a service worker, and this script may not be one.

    Whatever page an agent wrote would else stand between the browser and the origin for good (W3C Service Workers §6.3).
    """
    return read.get(b"sec-fetch-dest") != b"serviceworker" or (place.side is Side.SANDBOX and path == WORKER_PATH)


def same_origin(place: Place, method: bytes, read: dict[bytes, bytes]) -> bool:
    """
    Whether a request comes from a page of the same origin, or is a plain visit (W3C Fetch Metadata; RFC 6454).

    A browser adds the gate's authority to whatever any page makes it send, so a page elsewhere may cause nothing but a
    top-level GET: not a script's request, not a frame, not a form.

    :param read: the request's fields by lower-case name.
    """
    origin, site = read.get(b"origin"), read.get(b"sec-fetch-site")
    if origin is not None and origin != place.origin:
        return False
    if site is None:
        return method in SAFE_METHODS or origin is not None
    if site == b"same-origin":
        return True
    if method not in (b"GET", b"HEAD") or origin is not None:
        return False
    return site == b"none" or (read.get(b"sec-fetch-mode") == b"navigate" and read.get(b"sec-fetch-dest") == b"document")


def from_own_page(place: Place, read: dict[bytes, bytes]) -> bool:
    """
    Whether a WebSocket is asked for by a page of the same origin.

    No browser opens one without saying its origin (RFC 6455 §4.1), and none is held back by what the answer says: whoever
    says none, or `null`, is refused.
    """
    return read.get(b"origin") == place.origin and read.get(b"sec-fetch-site", b"same-origin") == b"same-origin"
