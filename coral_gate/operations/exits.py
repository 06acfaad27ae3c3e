"""
Giving up at start, with a reason that an operator can act on.
"""

from __future__ import annotations

import sys
from typing import NoReturn

from coral_gate.errors import ConfigError

EXIT_UNAVAILABLE = 69
"""EX_UNAVAILABLE of sysexits(3)."""
EXIT_CONFIG = 78
"""EX_CONFIG of sysexits(3)."""


def give_up(error: ConfigError) -> NoReturn:
    """
    Print every problem to stderr, a line each.

    :raises SystemExit: always, with 78.
    """
    for problem in error.problems:
        say(f"coral-gate: {problem}")
    raise SystemExit(EXIT_CONFIG)


def say(line: str) -> None:
    """Print a line to the process's own stderr: twistd has turned `sys.stderr` into the log by then."""
    out = sys.__stderr__ or sys.stderr
    out.write(line + "\n")
    out.flush()
