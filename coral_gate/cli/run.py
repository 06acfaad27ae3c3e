"""`coral-gate run`: the daemon, in the foreground, as systemd and people at a terminal want it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from coral_gate.cli.arguments import config_argument
from coral_gate.cli.exits import Exit

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from pathlib import Path

SUMMARY = "Run the daemon in the foreground, until it gets SIGTERM or SIGINT"
EXAMPLE = "coral-gate run --config /etc/coral-gate/coral-gate.toml"


def arguments(parser: ArgumentParser) -> None:
    """Add the arguments of `coral-gate run`."""
    config_argument(parser)


def twistd_words(config: Path) -> list[str]:
    """The twistd command line that this verb stands for."""
    return ["twistd", "--nodaemon", "--pidfile=", "coral-gate", "--config", str(config)]


def run(args: Namespace) -> int:
    """Run until stopped; a signal that stops the daemon is also what ends this process."""
    install_reactor()
    from twisted.scripts.twistd import run as twistd

    sys.argv = twistd_words(args.config)
    twistd()
    return Exit.OK


def install_reactor() -> None:
    """
    Choose the reactor; whatever imports `twisted.internet.reactor` after this gets it.

    Twisted's own choice for the platform: epoll on Linux.
    """
    from twisted.internet import default

    default.install()
