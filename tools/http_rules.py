"""
The table of rules in docs/http.md, from the code: `python tools/http_rules.py` prints the page anew.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from coral_gate.http1.rules import Rule  # noqa: E402  # the checkout may not be installed

BEGIN = "<!-- rules: written by tools/http_rules.py -->\n"
END = "<!-- end of rules -->\n"


def table() -> str:
    """Every rule, a row each."""
    rows = [f"| `{rule.value.word}` | {rule.value.status} | {rule.value.source} | {rule.value.text} |\n" for rule in Rule]
    return "| word | status | source | what must hold |\n| --- | --- | --- | --- |\n" + "".join(rows)


def renewed(page: str) -> str:
    """The page with the table written anew."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + "\n" + table() + "\n" + END + after


if __name__ == "__main__":
    sys.stdout.write(renewed((ROOT / "docs" / "http.md").read_text(encoding="utf-8")))
