"""The page that tells people the rules."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from coral_gate.http1.rules import Rule
from tests import ROOT
from tools.http_rules import renewed


class PageTests(SynchronousTestCase):
    """docs/http.md."""

    def test_current(self) -> None:
        """The table says what the code does; `python tools/http_rules.py > docs/http.md` writes it anew."""
        page = (ROOT / "docs" / "http.md").read_text(encoding="utf-8")
        self.assertEqual(renewed(page), page)

    def test_words(self) -> None:
        """Each rule has a word of its own and a status that refuses."""
        self.assertEqual(len({rule.value.word for rule in Rule}), len(Rule))
        self.assertTrue(all(400 <= rule.value.status < 600 for rule in Rule))
