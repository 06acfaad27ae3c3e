"""The words for refusals and outages are told to operators."""

from __future__ import annotations

import ast
import re

from twisted.trial.unittest import SynchronousTestCase

from coral_gate.errors import IssuerUnavailable, SignInRefused
from coral_gate.identity.refusals import Document, Outage, Refusal, refused, unavailable
from tests import ROOT

PAGE = (ROOT / "docs" / "sign-in.md").read_text()
_OTHERS = {"user.disabled"}  # said by the gate, after the issuer's part is done


def told(heading: str) -> list[str]:
    """The words in the first column of the tables under a heading."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"(?m)^\| `([a-z_.]+)` \| \S", section)


class WordTests(SynchronousTestCase):
    """`docs/sign-in.md` and the code."""

    def test_refusals(self) -> None:
        """Every reason has its line on the page, and every line its reason."""
        self.assertEqual(sorted(told("What refusals mean")), sorted({*map(str, Refusal), *_OTHERS}))

    def test_outages(self) -> None:
        """So have outages, in two words."""
        words = told("What outages mean")
        self.assertEqual(sorted(word for word in words if not word.endswith(".")), sorted(map(str, Outage)))
        self.assertEqual(sorted(word for word in words if word.endswith(".")), sorted(f"{document}." for document in Document))

    def test_no_word_is_there_for_nothing(self) -> None:
        """Every word is said somewhere, and every word that is said is one of them."""
        said: set[str] = set()
        for module in (ROOT / "coral_gate" / "identity").glob("*.py"):
            for node in ast.walk(ast.parse(module.read_text())):
                if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in ("Refusal", "Outage"):
                    said.add(f"{node.value.id}.{node.attr}")
        known = {f"Refusal.{word.name}" for word in Refusal} | {f"Outage.{word.name}" for word in Outage}
        self.assertEqual(said, known)

    def test_faults(self) -> None:
        """A refusal is 403, an outage 503; people read one sentence each, without the word."""
        refusal, outage = refused(Refusal.NONCE_WRONG), unavailable(Document.JWKS, Outage.TOO_SLOW)
        self.assertEqual((type(refusal), refusal.status, refusal.reason), (SignInRefused, 403, "nonce.wrong"))
        self.assertEqual((type(outage), outage.status, outage.reason), (IssuerUnavailable, 503, "jwks.too_slow"))
        self.assertNotIn("nonce", refusal.sentence)
        self.assertNotIn("jwks", outage.sentence)
