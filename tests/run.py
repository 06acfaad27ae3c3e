"""
Run all checks and all tests, folder by folder, each folder in a process and within a time of its own.

`python -m tests.run` does everything; `python -m tests.run http1 gate` runs these folders only, without the checks (`.` is the top
folder). The last line is `N passed, N failed, N skipped`. With CORAL_NO_SKIPS=1 a skipped test counts as failed.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from attrs import field, frozen

from tests import LONG, ROOT, checks

BUDGETS_S: dict[str, tuple[int, int]] = {
    # folder: seconds, seconds in the long form; about four times what it takes on two slow cores
    ".": (60, 120),
    "audit": (60, 600),
    "channels": (120, 900),
    "cli": (60, 120),
    "config": (60, 300),
    "corpus": (60, 120),
    "custody": (60, 600),
    "edge": (120, 900),
    "gate": (120, 900),
    "http1": (120, 1800),
    "identity": (60, 600),
    "integration": (1500, 3600),
    "operations": (60, 300),
    "portal": (60, 300),
    "sandboxes": (60, 600),
    "stores": (120, 900),
    "tools": (60, 120),
}
"""How long each folder's tests may take; more is a failure, twice as much ends them."""

TESTS = ROOT / "tests"


@frozen
class Outcome:
    """
    What came of one folder, or of several together.

    :ivar reasons: why tests were skipped, with how many.
    """

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    reasons: Counter[str] = field(factory=Counter)

    def __add__(self, other: Outcome) -> Outcome:
        return Outcome(
            self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped, self.reasons + other.reasons
        )

    def without_skips(self) -> Outcome:
        """The same where a skipped test counts as failed."""
        return Outcome(self.passed, self.failed + self.skipped, 0, self.reasons)

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def folders(top: Path = TESTS) -> dict[str, list[Path]]:
    """Each folder that holds test modules, by its name under `tests`, with those modules."""
    found: dict[str, list[Path]] = {}
    for module in sorted(top.rglob("test_*.py")):
        found.setdefault(module.parent.relative_to(top).as_posix(), []).append(module)
    return found


def complaints(found: dict[str, list[Path]], budgets: dict[str, tuple[int, int]] = BUDGETS_S) -> list[str]:
    """What keeps folders from being run at all, a sentence each."""
    told = [f"tests/{name} has no time in BUDGETS_S of tests/run.py." for name in found if name not in budgets]
    told += [
        f"tests/{name} has no __init__.py." for name, modules in found.items() if not (modules[0].parent / "__init__.py").is_file()
    ]
    return told


def ends_in_time(child: subprocess.Popen[bytes], limit_s: float) -> bool:
    """Wait for a folder's process; after the limit, end it and all that it started."""
    try:
        child.wait(limit_s)
    except subprocess.TimeoutExpired:
        return False
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
    return True


def read(counts_file: Path) -> Outcome | None:
    """The counts that a folder's process left, or None where it left none or ran no test."""
    if not counts_file.is_file():
        return None
    counted = json.loads(counts_file.read_text())
    outcome = Outcome(counted["passed"], counted["failed"], counted["skipped"], Counter(counted["reasons"]))
    return outcome if outcome.passed + outcome.failed + outcome.skipped else None


def judge(outcome: Outcome | None, took_s: float, budget_s: float, code: int | None) -> tuple[Outcome, str]:
    """What a folder counts for, and what is wrong with it beside its tests, if anything."""
    if outcome is None and code == -signal.SIGKILL:
        return Outcome(failed=1), "did not end and was ended; the test named last hung, or they are many"
    if outcome is None:
        return Outcome(failed=1), f"ended before its tests did, or has none (exit code {code})"
    if took_s > budget_s:
        return outcome + Outcome(failed=1), "took longer than it may"
    if code and not outcome.failed:
        return outcome + Outcome(failed=1), f"exit code {code} though no test failed"
    return outcome, ""


def run_folder(name: str, modules: list[Path], budget_s: float) -> Outcome:
    """Run one folder and print trial's account of it, then one line of ours."""
    dotted = [".".join(module.relative_to(ROOT).with_suffix("").parts) for module in modules]
    scratch = Path(tempfile.mkdtemp(prefix="coral-"))
    print(f"\n=== tests/{name}", flush=True)
    began = time.monotonic()
    command = [sys.executable, "-m", "tests.one_folder", str(scratch / "counts"), str(scratch / "trial"), *dotted]
    child = subprocess.Popen(command, cwd=ROOT, start_new_session=True)
    ended = ends_in_time(child, 2 * budget_s)
    if child.returncode:
        print(flush=True)  # it may have stopped in the middle of a line
    took_s = time.monotonic() - began
    outcome, wrong = judge(read(scratch / "counts") if ended else None, took_s, budget_s, child.returncode)
    total = outcome.passed + outcome.failed + outcome.skipped
    print(f"folder tests/{name}: {total} tests, {took_s:.1f} s of {budget_s} s{' — ' + wrong if wrong else ''}", flush=True)
    if outcome.failed:
        print(f"  its log and files are in {scratch}", flush=True)
    else:
        shutil.rmtree(scratch, ignore_errors=True)
    return outcome


def run_folders(found: dict[str, list[Path]]) -> Outcome:
    """Run folders in the order of their names; one that may not run counts as one failure."""
    told = complaints(found)
    for complaint in told:
        print(complaint, flush=True)
    total = Outcome(failed=len(told))
    for name, modules in found.items():
        if name in BUDGETS_S:
            total += run_folder(name, modules, BUDGETS_S[name][LONG])
    return total


def chosen(names: list[str]) -> dict[str, list[Path]]:
    """The named folders, or all of them."""
    found = folders()
    unknown = [name for name in names if name not in found]
    if unknown:
        sys.exit(f"No tests in: {' '.join(unknown)}. There are: {' '.join(found)}")
    return {name: modules for name, modules in found.items() if not names or name in names}


def main(names: list[str]) -> int:
    """0 where nothing failed."""
    found = chosen(names)
    failed_checks = [] if names else checks.run()
    total = run_folders(found) + Outcome(failed=len(failed_checks))
    print()
    for reason, times in sorted(total.reasons.items()):
        print(f"skipped {times}: {reason}")
    if failed_checks:
        print(f"failed checks: {' '.join(failed_checks)}")
    if os.environ.get("CORAL_NO_SKIPS") == "1":
        total = total.without_skips()
    print(total, flush=True)
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
