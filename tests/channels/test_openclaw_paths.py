"""Which addresses of OpenClaw a browser reaches."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.channels.openclaw_paths import Kind, place_of


class PathTests(SynchronousTestCase):
    """Exact bytes, and nothing that is not named."""

    def test_what_the_ui_asks_for(self) -> None:
        """The UI's pages, its files and what it fetches are there."""
        for path, kind in (
            (b"/", Kind.DOCUMENT), (b"/chat", Kind.DOCUMENT), (b"/chat/agent%3Amain%3Amain", Kind.DOCUMENT),
            (b"/settings/general", Kind.DOCUMENT), (b"/approve/x1", Kind.DOCUMENT), (b"/sw.js", Kind.WORKER),
            (b"/assets/index-D0qRUhR.js", Kind.ASSET), (b"/assets/deep/er/a.css", Kind.ASSET), (b"/control-ui-config.json", Kind.API),
            (b"/fonts/geist.css", Kind.API), (b"/api/users/u1/avatar", Kind.API), (b"/avatar/main", Kind.API),
            (b"/__openclaw__/assistant-media", Kind.API),
        ):  # fmt: skip
            for method in (b"GET", b"HEAD"):
                self.assertIs(place_of(method, path), kind, path)

    def test_nothing_else(self) -> None:
        """What OpenClaw has besides is not there: tools, models, hooks, workers, canvas, shares, plugins, and pages it would make up."""
        for path in (
            b"/tools/invoke", b"/v1/models", b"/v1/chat/completions", b"/v1/responses", b"/api/v1/admin/rpc", b"/hooks/wake",
            b"/rpc", b"/share/session", b"/desktop/observe", b"/desktop", b"/__openclaw__/worker", b"/__openclaw__/worker-bundle",
            b"/__openclaw__/canvas/documents/x/index.html", b"/__openclaw__/cap/x", b"/__openclaw__/a2ui/x", b"/__openclaw__/board/x",
            b"/plugins-x", b"/healthz", b"/readyz", b"/api/channels", b"/anything", b"/chatter", b"/approve", b"/settings/x",
            b"/__openclaw__/", b"/assets/", b"/fonts/",
        ):  # fmt: skip
            self.assertIsNone(place_of(b"GET", path), path)

    def test_other_spellings(self) -> None:
        """Another spelling of an address is another address."""
        for path in (
            b"/Chat", b"/CHAT", b"/chat;x", b"/chat/a;b", b"/chat%2Fx", b"/%63hat", b"/index.html/", b"/sw.js/", b"/SW.js", b"/sw.js;a",
            b"/assets/../x", b"/assets/.x", b"/assets/a%2e%2e", b"/assets/a;b.js", b"/Assets/a.js", b"/fonts/%2e%2e", b"//", b"/?",
        ):  # fmt: skip
            self.assertIsNone(place_of(b"GET", path), path)

    def test_methods(self) -> None:
        """Nothing there is changed by HTTP: the UI does that over its WebSocket."""
        for method in (b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"get"):
            for path in (b"/", b"/sw.js", b"/assets/a.js", b"/api/users/x/avatar"):
                self.assertIsNone(place_of(method, path))

    @given(st.binary(max_size=40))
    def test_no_semicolon_passes(self, tail: bytes) -> None:
        """Whatever follows, no path with a `;` or a byte that is no path's passes."""
        for start in (b"/chat/", b"/assets/", b"/avatar/", b"/fonts/"):
            if place_of(b"GET", start + tail) is not None:
                self.assertFalse(set(tail) - set(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._~!$&'()*+,=:@/%-"))
