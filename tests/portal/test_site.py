"""The site: files, probes, and what is nowhere."""

from __future__ import annotations

import json
from importlib.resources import files

from twisted.trial.unittest import SynchronousTestCase

from coral_gate.portal.site import static_files
from tests.portal.asking import Portal, visitor


class StaticTests(SynchronousTestCase):
    """Files that ship with the package."""

    def test_every_file(self) -> None:
        """Each is served under its name, with its type, and asked about again each time."""
        shipped = static_files(files("coral_gate.portal").joinpath("static"))
        self.assertIn("portal.css", [name for name, _, _ in shipped])
        for name, content, kind in shipped:
            answer = Portal().ask(f"/static/{name}")
            self.assertEqual((answer.status, bytes(answer.body), answer.value(b"content-type")), (200, content, kind), name)
            self.assertEqual(answer.value(b"cache-control"), b"no-cache")

    def test_not_modified(self) -> None:
        """A browser that has it is told so (RFC 9110 §13.1.2)."""
        portal = Portal()
        etag = portal.ask("/static/portal.css").value(b"etag")
        assert etag is not None
        again = portal.ask("/static/portal.css", "GET", (b"If-None-Match", etag))
        self.assertEqual((again.status, again.body), (304, b""))
        self.assertEqual(portal.ask("/static/portal.css", "GET", (b"If-None-Match", b'"other"')).status, 200)

    def test_nothing_else(self) -> None:
        """No other file of the package, the machine or a listing is served."""
        for path in ("/static/", "/static/pages.py", "/static/../site.py", "/static/..%2fsite.py", "/static/portal.css/", "/static/.",
                     "/x", "/static/portal.css%00", "/sessions/", "/SESSIONS", "/.gate", "/local-issuer/authorize",
                     "/sign-in/start/x"):  # fmt: skip
            answer = Portal().ask(path, who=visitor())
            self.assertEqual((answer.status, answer.body, answer.value(b"cache-control")), (404, b"", b"no-store"), path)

    def test_own_files_only(self) -> None:
        """The style sheet and pictures load nothing from elsewhere."""
        for name, content, _ in static_files(files("coral_gate.portal").joinpath("static")):
            for word in (b"http:", b"https:", b"url(//", b"@import", b"<script", b"javascript:"):
                self.assertNotIn(word, content.replace(b"http://www.w3.org/2000/svg", b""), name)


class ProbeTests(SynchronousTestCase):
    """For load balancers."""

    def test_alive(self) -> None:
        """It lives."""
        self.assertEqual(json.loads(Portal().ask("/livez").body), {"alive": True})

    def test_ready(self) -> None:
        """It names what cannot be used, and nothing else of it."""
        answer = Portal().ask("/readyz")
        self.assertEqual((answer.status, json.loads(answer.body)), (200, {"ready": True, "failing": []}))
        answer = Portal(failing=lambda: ("keys", "audit")).ask("/readyz")
        self.assertEqual((answer.status, json.loads(answer.body)), (503, {"ready": False, "failing": ["audit", "keys"]}))
        self.assertEqual(answer.value(b"cache-control"), b"no-store")
