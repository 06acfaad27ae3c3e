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
from twisted.web.template import renderElement

from coral_gate.portal.pages import Page, welcome

_KINDS = {".css": b"text/css; charset=utf-8", ".js": b"text/javascript; charset=utf-8", ".svg": b"image/svg+xml"}


class PortalSite(Site):
    """A site that writes no access log of its own, and shows nothing of an error to anyone."""

    displayTracebacks = False

    def log(self, request: BareRequest) -> None:
        """The edge counts requests."""


class PageResource(Resource):
    """One page."""

    isLeaf = True

    def __init__(self, page: Page) -> None:
        super().__init__()
        self._page = page

    def render_GET(self, request: Request) -> object:
        """The page, which no cache keeps."""
        request.setHeader(b"Cache-Control", b"no-store")
        request.setHeader(b"Content-Type", b"text/html; charset=utf-8")
        return renderElement(request, self._page)


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


class Home(Resource):
    """The root: the first page at `/` itself."""

    def getChild(self, path: bytes, request: Request) -> IResource:
        """The page at `/`; below it only what was put there."""
        return PageResource(welcome()) if path == b"" and not request.postpath else super().getChild(path, request)


def build_site(reactor: IReactorTime) -> Site:
    """The portal's site. Its owner calls `doStart` and `doStop`."""
    root = Home()
    static = Resource()
    for name, content, kind in static_files(files("coral_gate.portal").joinpath("static")):
        static.putChild(name.encode("ascii"), StaticFile(content, kind))
    root.putChild(b"static", static)
    root.putChild(b"robots.txt", StaticFile(b"User-agent: *\nDisallow: /\n", b"text/plain; charset=utf-8"))
    icon = files("coral_gate.portal").joinpath("static", "gate.svg").read_bytes()
    root.putChild(b"favicon.ico", StaticFile(icon, _KINDS[".svg"]))
    return PortalSite(root, reactor=reactor, timeout=60, parsePOSTFormSubmission=False)


def static_files(folder: Traversable) -> list[tuple[str, bytes, bytes]]:
    """Name, content and media type of each file that may be served from a folder."""
    return [
        (file.name, file.read_bytes(), kind)
        for file in folder.iterdir()
        if file.is_file() and (kind := _KINDS.get("." + file.name.rpartition(".")[2])) is not None
    ]
