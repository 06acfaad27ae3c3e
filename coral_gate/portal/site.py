"""
The portal's site: twisted.web in this process, which only the edge can reach.
"""

from __future__ import annotations

import hashlib
from importlib.resources import files
from importlib.resources.abc import Traversable

from twisted.internet.interfaces import IReactorTime
from twisted.web.http import Request as BareRequest
from twisted.web.resource import IResource, Resource
from twisted.web.server import Request, Site

from coral_gate.portal import visits
from coral_gate.portal.health import Alive, Ready
from coral_gate.portal.services import PortalServices
from coral_gate.portal.tickets import TicketAddress

_KINDS = {".css": b"text/css; charset=utf-8", ".js": b"text/javascript; charset=utf-8", ".svg": b"image/svg+xml"}


class PortalSite(Site):
    """A site that writes no access log of its own, and shows nothing of an error to anyone."""

    displayTracebacks = False
    noisy = False

    def log(self, request: BareRequest) -> None:
        """The edge counts requests."""


class StaticFile(Resource):
    """One file that ships with the package, held in memory; a browser asks each time whether it has changed."""

    isLeaf = True

    def __init__(self, content: bytes, kind: bytes) -> None:
        super().__init__()
        self._content = content
        self._kind = kind
        self._etag = b'"%b"' % hashlib.sha256(content).hexdigest()[:32].encode("ascii")

    def render_GET(self, request: Request) -> bytes:
        """The file, or 304 (RFC 9110 §13.1.2)."""
        request.setHeader(b"Content-Type", self._kind)
        request.setHeader(b"Cache-Control", b"no-cache")
        if request.setETag(self._etag):
            return b""
        return self._content


class Root(Resource):
    """Every address by its whole path: the gate's route table has matched it already."""

    isLeaf = True

    def __init__(self, pages: dict[bytes, IResource], local_issuer: IResource | None) -> None:
        super().__init__()
        self._pages = pages
        self._local_issuer = local_issuer

    def render(self, request: Request) -> bytes | int:
        """The page at the path; nobody keeps it but where the page itself says so."""
        request.setHeader(b"Cache-Control", b"no-store")
        page = self._pages.get(request.path)
        if page is None and self._local_issuer is not None and request.path.startswith(b"/local-issuer/"):
            page = self._local_issuer
        if page is None:
            request.setResponseCode(404)
            return b""
        answer: bytes | int = page.render(request)
        return answer


def build_site(reactor: IReactorTime, services: PortalServices) -> Site:
    """The portal's site. Its owner calls `doStart` and `doStop`."""
    pages = visits.Visits(services).table()
    for name, content, kind in static_files(files("coral_gate.portal").joinpath("static")):
        pages[b"/static/" + name.encode("ascii")] = StaticFile(content, kind)
    script = files("coral_gate.portal").joinpath("sandbox_static", "tickets.js").read_bytes()
    pages[b"/.gate/tickets.js"] = StaticFile(script, _KINDS[".js"])
    pages[b"/.gate/ticket"] = TicketAddress(services.mint)
    pages[b"/robots.txt"] = StaticFile(b"User-agent: *\nDisallow: /\n", b"text/plain; charset=utf-8")
    icon = files("coral_gate.portal").joinpath("static", "gate.svg").read_bytes()
    pages[b"/favicon.ico"] = StaticFile(icon, _KINDS[".svg"])
    pages[b"/livez"] = Alive()
    pages[b"/readyz"] = Ready(services.failing)
    local = services.local_issuer
    root = Root(pages, None if local is None else visits.LocalIssuerAddress(local))
    return PortalSite(root, reactor=reactor, timeout=60, parsePOSTFormSubmission=False)


def static_files(folder: Traversable) -> list[tuple[str, bytes, bytes]]:
    """Name, content and media type of each file that may be served from a folder."""
    return [
        (file.name, file.read_bytes(), kind)
        for file in folder.iterdir()
        if file.is_file() and (kind := _KINDS.get("." + file.name.rpartition(".")[2])) is not None
    ]
