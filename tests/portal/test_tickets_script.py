"""The script that gives a sandbox's own UI its tickets, in Node.js; what is tested is in `tickets_script.mjs`."""

from __future__ import annotations

import subprocess
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.node_origin import NODE

HERE = Path(__file__).parent
SCRIPT = HERE.parent.parent / "coral_gate" / "portal" / "sandbox_static" / "tickets.js"


class ScriptTests(SynchronousTestCase):
    """One run of all of it."""

    def test_in_node(self) -> None:
        """Each promise of the script holds."""
        words = [str(NODE), "--test", str(HERE / "tickets_script.mjs")]
        run = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual(run.returncode, 0, run.stdout)

    def test_no_templates(self) -> None:
        """It is the same for everybody, and writes no HTML."""
        text = SCRIPT.read_text()
        for word in ("innerHTML", "insertAdjacentHTML", "document.write", "eval(", "{{", "%s"):
            self.assertNotIn(word, text)
