"""The checks that run no code of ours: ruff, mypy, pydoctor. Each must be silent."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time

from tests import ROOT


def commands(scratch: str) -> dict[str, list[str]]:
    """Name of each check to its command; what a check writes goes to `scratch`."""
    return {
        "ruff": ["ruff", "check", "--quiet", "--output-format=concise", "."],
        "mypy": ["mypy", "--no-error-summary"],
        "pydoctor": ["pydoctor", "--quiet", "--quiet", "--warnings-as-errors", "--html-output", scratch],
    }


def run() -> list[str]:
    """Run every check, showing what it says; the names of those that failed."""
    failed = []
    with tempfile.TemporaryDirectory(prefix="coral-checks-") as scratch:
        for name, command in commands(scratch).items():
            began = time.monotonic()
            code = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, check=False).returncode
            print(f"check {name}: {'FAILED' if code else 'ok'}, {time.monotonic() - began:.1f} s", flush=True)
            if code:
                failed.append(name)
    return failed


if __name__ == "__main__":
    sys.exit(1 if run() else 0)
