"""Arguments that several verbs take, so that they read the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from argparse import ArgumentParser

DEFAULT_CONFIG: Final = Path("/etc/coral-gate/coral-gate.toml")
"""Where the daemon and the command look for the configuration when they are not told."""


def config_argument(parser: ArgumentParser) -> None:
    """Add `-c, --config FILE`; the verb finds a `Path` in `args.config`."""
    parser.add_argument(
        "-c", "--config", metavar="FILE", type=Path, default=DEFAULT_CONFIG, help="the configuration (default: %(default)s)"
    )


def json_argument(parser: ArgumentParser) -> None:
    """Add `--json`, for a verb that prints facts; the verb finds a `bool` in `args.json`."""
    parser.add_argument("--json", action="store_true", help="print JSON for a program to read")
