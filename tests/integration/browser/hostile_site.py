"""
What runs inside the tests' sandboxes: a server of whatever pages a test puts there, which notes all that reaches it.
"""

from __future__ import annotations

import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from attrs import define, field, frozen

PLAIN = "<!doctype html><meta charset=utf-8><title>A sandbox</title><h1>A sandbox's page</h1>"


@frozen
class Seen:
    """One request as a sandbox saw it; names of fields are in lower case."""

    sandbox: str
    method: str
    target: str
    fields: dict[str, str]
    body: bytes


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A connection that the gate has dropped is no error here."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]  # as it came


@define(eq=False)
class HostileSite:
    """
    The server, in a thread.

    :ivar pages: by path: media type, content, further fields. Any other path is a plain page.
    :ivar seen: all requests, oldest first.
    """

    pages: dict[str, tuple[str, str, dict[str, str]]] = field(factory=dict)
    seen: list[Seen] = field(factory=list)
    _server: ThreadingHTTPServer = field(init=False)

    def start(self) -> int:
        """Its port."""
        site = self

        class Answering(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                """Say nothing."""

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                fields = {name.lower(): value for name, value in self.headers.items()}
                sandbox = fields["host"].partition(".")[0]
                site.seen.append(Seen(sandbox, self.command, self.path, fields, body))
                kind, text, more = site.pages.get(self.path.partition("?")[0], ("text/html", PLAIN, {}))
                content = text.encode()
                self.send_response_only(200)
                for name, value in {"Content-Type": kind, "Content-Length": str(len(content)), **more}.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)

            do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_OPTIONS = answer

        self._server = _Server(("127.0.0.1", 0), Answering)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return int(self._server.server_address[1])

    def stop(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()

    def page(self, path: str, html: str, **more: str) -> None:
        """Put a page there."""
        self.pages[path] = ("text/html", f"<!doctype html><meta charset=utf-8>{html}", more)

    def script(self, path: str, text: str, **more: str) -> None:
        """Put a script there."""
        self.pages[path] = ("text/javascript", text, more)
