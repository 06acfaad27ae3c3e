"""
The tests, in the same folders as the package; `python -m tests.run` runs them all.

Hypothesis: no deadline on a shared machine; a failing example is printed as a blob that reproduces it. In continuous
integration the examples follow from the test's own text, so that the verdict on a commit is always the same; everywhere else
they are new on each run and the failing ones are kept in `.hypothesis` (trial changes the folder and would lose them).
"""

from __future__ import annotations

import os
from pathlib import Path

from hypothesis import settings
from hypothesis.configuration import set_hypothesis_home_dir
from hypothesis.database import DirectoryBasedExampleDatabase

ROOT = Path(__file__).resolve().parent.parent
"""The checkout."""

LONG = os.environ.get("CORAL_LONG") == "1"
"""Whether the long forms are asked for (`make test-long`)."""

_EXAMPLES = 2000 if LONG else 100

set_hypothesis_home_dir(str(ROOT / ".hypothesis"))
settings.register_profile(
    "local",
    deadline=None,
    print_blob=True,
    max_examples=_EXAMPLES,
    database=DirectoryBasedExampleDatabase(ROOT / ".hypothesis" / "examples"),
)
settings.register_profile("ci", deadline=None, print_blob=True, max_examples=_EXAMPLES, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") and not LONG else "local")
