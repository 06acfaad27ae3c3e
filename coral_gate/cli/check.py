"""`coral-gate check`: whether a configuration can be used, and what would be served."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, Final

from coral_gate.cli.arguments import config_argument, json_argument
from coral_gate.cli.exits import Exit
from coral_gate.errors import ConfigError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from pathlib import Path

    from coral_gate.cli.served import Served
    from coral_gate.errors import Problem

SUMMARY = "Check a configuration and say what it would serve; nothing is opened"
EXAMPLE = "coral-gate check --config /etc/coral-gate/coral-gate.toml\ncoral-gate check --json"

_LINE: Final = re.compile(r"(.*):([0-9]+)\Z", re.DOTALL)


def arguments(parser: ArgumentParser) -> None:
    """Add the arguments of `coral-gate check`."""
    config_argument(parser)
    json_argument(parser)


def run(args: Namespace) -> int:
    """
    Check, and print what would be served.

    :raises ConfigError: without `--json`; the command prints every problem.
    """
    if not args.json:
        _print(check(args.config))
        return Exit.OK
    try:
        served = check(args.config)
    except ConfigError as error:
        _print_json({"ok": False, "problems": [_problem(problem) for problem in error.problems]})
        return Exit.CONFIGURATION
    _print_json({"ok": True, **served.facts()})
    return Exit.OK


def check(path: Path) -> Served:
    """
    Read the configuration and the certificates that it names, as the daemon does when it starts.

    :raises ConfigError: the daemon would refuse it.
    """
    from coral_gate.cli.served import Served
    from coral_gate.config import load
    from coral_gate.edge.tls import Certificates

    config = load(path)
    if any(listener.tls for listener in config.listeners):
        Certificates(config.tls, str(path))
    return Served(config)


def _print(served: Served) -> None:
    for line in served.lines():
        print(line)
    for warning in served.warnings():
        print(f"warning: {warning}", file=sys.stderr)


def _print_json(facts: object) -> None:
    print(json.dumps(facts, indent=2))


def _problem(problem: Problem) -> dict[str, object]:
    match = _LINE.match(problem.where)
    file, line = (match[1], int(match[2])) if match else (problem.where, None)
    return {"file": file, "line": line, "key": problem.key, "what": problem.what, "hint": problem.hint}
