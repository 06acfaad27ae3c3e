"""
Run the test modules of one folder under trial, print trial's own account, and leave the counts in a file.

`python -m tests.one_folder COUNTS.json WORK-FOLDER MODULE...`; started by tests/run.py, one process per folder.
"""

from __future__ import annotations

import faulthandler
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from twisted.trial.reporter import TestResult, VerboseTextReporter
from twisted.trial.runner import DestructiveTestSuite, TestLoader, TrialRunner


def counts(result: TestResult) -> dict[str, Any]:  # values are ints and one mapping
    """Trial's result as numbers: an expected failure counts as skipped (`todo`), an unexpected success as failed."""
    reasons = Counter(str(reason) for _, reason in result.skips)
    reasons.update(f"todo: {todo}" for _, _, todo in result.expectedFailures)
    return {
        "passed": result.successes,
        "failed": len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses),
        "skipped": len(result.skips) + len(result.expectedFailures),
        "reasons": dict(reasons),
    }


def main(counts_file: str, work: str, *modules: str) -> int:
    """0 where every test passed or was skipped."""
    faulthandler.enable()
    loader = TestLoader()
    loader.suiteFactory = DestructiveTestSuite
    suite = loader.loadByNames(list(modules))
    result = TrialRunner(VerboseTextReporter, workingDirectory=work).run(suite)
    assert isinstance(result, TestResult)
    Path(counts_file).write_text(json.dumps(counts(result)))
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
