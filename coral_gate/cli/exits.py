"""The exit codes of `coral-gate` and of the daemon, and how a configuration is refused."""

from __future__ import annotations

import sys
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from coral_gate.errors import ConfigError


class Exit(IntEnum):
    """What an exit code means; 64 and above as in BSD's sysexits(3)."""

    OK = 0
    FAILED = 1
    """It was tried and did not succeed; stderr says why."""
    USAGE = 2
    """The command line was not understood; nothing was tried."""
    UNAVAILABLE = 69
    """A service that is needed does not answer; the same command may succeed later."""
    CONFIGURATION = 78
    """The configuration cannot be used; stderr has each problem on a line of its own."""


def refuse(error: ConfigError) -> Exit:
    """Print every problem of a configuration to stderr, each on a line of its own."""
    for problem in error.problems:
        print(problem, file=sys.stderr)
    return Exit.CONFIGURATION
