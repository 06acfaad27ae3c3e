"""The checks that run no code of ours: ruff, mypy, pydoctor. Each must be silent."""

from __future__ import annotations

import subprocess
import sys
import time

from tests import ROOT

COMMANDS = {
    "ruff": ["ruff", "check", "--quiet", "--output-format=concise", "."],
    "mypy": ["mypy", "--no-error-summary"],
    "pydoctor": ["tests.documentation"],
}
"""Name of each check to the module that Python runs for it, and its words."""


def run() -> list[str]:
    """Run every check, showing what it says; the names of those that failed."""
    failed = []
    for name, command in COMMANDS.items():
        began = time.monotonic()
        code = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, check=False).returncode
        print(f"check {name}: {'FAILED' if code else 'ok'}, {time.monotonic() - began:.1f} s", flush=True)
        if code:
            failed.append(name)
    return failed


if __name__ == "__main__":
    sys.exit(1 if run() else 0)
