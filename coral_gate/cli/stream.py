"""`coral-gate stream`: the connections that are open in the running daemon."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from coral_gate.cli.arguments import config_argument, json_argument
from coral_gate.cli.exits import Exit
from coral_gate.model import sandbox_id
from coral_gate.records import session_id, user_row_id

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from coral_gate.config import Config

SUMMARY = "List the streams that are open (chats, terminals, desktops), and cut them"
EXAMPLE = """\
coral-gate stream list
coral-gate stream cut LABEL --reason "maintenance at noon"
coral-gate stream cut --user ID
coral-gate stream cut --sandbox ID --json"""

_HEADS = ("LABEL", "CHANNEL", "SANDBOX", "SESSION", "WHO", "FROM", "OPEN", "SENT", "RECEIVED")


def arguments(parser: ArgumentParser) -> None:
    """Add the arguments of `coral-gate stream`."""
    what = parser.add_subparsers(dest="what", required=True, metavar="list|cut")
    listing = what.add_parser("list", help="every stream that is open")
    cutting = what.add_parser("cut", help="end one, or all of a session, a user or a sandbox")
    for each in (listing, cutting):
        config_argument(each)
        json_argument(each)
    which = cutting.add_mutually_exclusive_group(required=True)
    which.add_argument("label", nargs="?", metavar="LABEL", help="the stream's label in the list")
    which.add_argument("--session", type=session_id, metavar="ID", help="all of a session")
    which.add_argument("--user", type=user_row_id, metavar="ID", help="all of a person, by their id in 'coral-gate user list'")
    which.add_argument("--sandbox", type=sandbox_id, metavar="ID", help="all to a sandbox")
    cutting.add_argument("--reason", metavar="WORDS", help="why; the person gets to read it")


def run(args: Namespace) -> int:
    """
    List or cut, through the daemon.

    :raises ConfigError: the configuration cannot be used.
    """
    from coral_gate.cli.daemon import excused
    from coral_gate.config import load

    config = load(args.config)
    return excused("stream", lambda: {"list": _list, "cut": _cut}[args.what](args, config))


def _list(args: Namespace, config: Config) -> int:
    from coral_gate.cli.daemon import ask
    from coral_gate.cli.tables import lines

    facts = ask(config, "stream.list", {})
    if args.json:
        print(json.dumps(facts, indent=2))
        return Exit.OK
    streams = cast("list[Mapping[str, object]]", facts["streams"])
    names = ("label", "channel", "sandbox", "session", "subject", "address", "open_s", "sent_bytes", "received_bytes")
    for line in lines(_HEADS, [[one[name] for name in names] for one in streams]):
        print(line)
    return Exit.OK


def _cut(args: Namespace, config: Config) -> int:
    from coral_gate.cli.daemon import ask

    given = {name: getattr(args, name) for name in ("label", "session", "user", "sandbox", "reason")}
    facts = ask(config, "stream.cut", {name: value for name, value in given.items() if value is not None})
    print(json.dumps(facts, indent=2) if args.json else f"cut: {facts['cut']}")
    return Exit.OK
