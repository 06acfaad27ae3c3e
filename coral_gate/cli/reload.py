"""`coral-gate reload`: the running daemon reads its configuration again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

from coral_gate.cli.arguments import config_argument, json_argument
from coral_gate.cli.exits import Exit

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

SUMMARY = "Let the running daemon read its configuration again, and say what came of it"
EXAMPLE = "coral-gate reload\ncoral-gate reload --json"


def arguments(parser: ArgumentParser) -> None:
    """Add the arguments of `coral-gate reload`."""
    config_argument(parser)
    json_argument(parser)


def run(args: Namespace) -> int:
    """
    Ask for it and wait; 1 where the daemon refused the configuration.

    :raises ConfigError: the configuration cannot be used; the daemon was not asked.
    """
    from coral_gate.cli.daemon import LONG_S, ask, excused
    from coral_gate.config import load

    config = load(args.config)

    def work() -> int:
        facts = ask(config, "daemon.reload", {}, wait_s=LONG_S)
        if args.json:
            print(json.dumps(facts, indent=2))
            return Exit.OK
        print("changed: " + (", ".join(cast("list[str]", facts["applied"])) or "nothing"))
        if facts["needs_restart"]:
            print("needs a restart: " + ", ".join(cast("list[str]", facts["needs_restart"])))
        if facts["people_ended"]:
            print(f"people whose sessions ended, since no list names them any more: {facts['people_ended']}")
        return Exit.OK

    return excused("reload", work)
