"""Browsers in a few words."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.portal.browsers import browser_name

_KIT = "AppleWebKit/537.36 (KHTML, like Gecko)"


class BrowserNameTests(SynchronousTestCase):
    """For people, and only for people."""

    def test_known(self) -> None:
        """Browsers as they are, each of which names its forebears too."""
        for agent, name in (
            (f"Mozilla/5.0 (X11; Linux x86_64) {_KIT} Chrome/156.0.0.0 Safari/537.36", "Chrome on Linux"),
            (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_KIT} Chrome/156.0.0.0 Safari/537.36 Edg/156.0.0.0", "Edge on Windows"),
            ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:150.0) Gecko/20100101 Firefox/150.0", "Firefox on a Mac"),
            ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1 (KHTML, like Gecko) Version/26.0 Safari/605.1",
             "Safari on a Mac"),
            ("Mozilla/5.0 (iPhone; CPU iPhone OS 26_0 like Mac OS X) AppleWebKit/605.1 (KHTML, like Gecko) CriOS/156 Mobile Safari/604.1",
             "Chrome on an iPhone"),
            (f"Mozilla/5.0 (Linux; Android 10; K) {_KIT} Chrome/156.0.0.0 Mobile Safari/537.36", "Chrome on Android"),
            (f"Mozilla/5.0 (Plan 9) {_KIT} Safari/1", "Safari"),
            ("curl/8.1", "curl/8.1"),
            ("", "Unknown browser"),
            ("Mozilla/5.0", "Mozilla/5.0"),
        ):  # fmt: skip
            self.assertEqual(browser_name(agent), name)

    @given(st.text())
    def test_any(self, agent: str) -> None:
        """There is always something to read."""
        self.assertTrue(browser_name(agent))
