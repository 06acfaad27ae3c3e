"""`coral-gate sandbox`: the sandboxes that the gate makes, each somebody's."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

from coral_gate.cli.arguments import config_argument, json_argument
from coral_gate.cli.exits import Exit
from coral_gate.cli.persons import OPERATOR, Wrong, everybody
from coral_gate.errors import Fault, Unavailable
from coral_gate.model import sandbox_id

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from coral_gate.config import Config
    from coral_gate.interfaces import ISandboxStore, IUserStore
    from coral_gate.records import Sandbox, User

SUMMARY = "Make sandboxes, start, stop, lock and destroy them, and list those there are"
EXAMPLE = """\
coral-gate sandbox create --owner https://accounts.google.com 1234567890 --name "Ann's" --driver local
coral-gate sandbox list
coral-gate sandbox start ID
coral-gate sandbox lock ID --why "Under investigation; call 4711."
coral-gate sandbox destroy ID --yes --json"""

Facts: TypeAlias = dict[str, str | None]

_HEADS = ("ID", "NAME", "OWNER", "DRIVER", "STATE", "SINCE")
_HELP: Mapping[str, str] = {
    "list": "the sandboxes there are",
    "show": "one of them",
    "create": "make one for somebody; it is not started",
    "start": "start one; returns when its app answers",
    "stop": "stop one",
    "lock": "let nobody use one until it is given back; whoever uses it now is cut off. Needs no running daemon",
    "unlock": "give a locked one back",
    "destroy": "destroy one for ever, with all that is in it",
}


def arguments(parser: ArgumentParser) -> None:
    """Add the arguments of `coral-gate sandbox`."""
    what = parser.add_subparsers(dest="what", required=True, metavar="|".join(_HELP))
    verbs = {name: what.add_parser(name, help=text) for name, text in _HELP.items()}
    for name, each in verbs.items():
        config_argument(each)
        json_argument(each)
        if name not in ("list", "create"):
            each.add_argument("id", type=sandbox_id, metavar="ID")
    create = verbs["create"]
    create.add_argument("--owner", nargs=2, metavar=("ISS", "SUB"), required=True, help="whose: issuer and subject")
    create.add_argument("--name", required=True, help="what its owner reads, 1 to 64 characters")
    create.add_argument("--driver", default="local", metavar="WORD", help="what makes it (default: %(default)s)")
    verbs["lock"].add_argument("--why", required=True, metavar="WORDS", help="what its owner reads, 1 to 200 characters")
    verbs["destroy"].add_argument("--yes", action="store_true", help="do not ask; needed where there is no terminal to ask at")


def run(args: Namespace) -> int:
    """
    List, show, or let the daemon do it.

    :raises ConfigError: the configuration, or what it names, cannot be used.
    """
    from coral_gate.cli.daemon import excused
    from coral_gate.config import load

    config = load(args.config)
    if args.what in ("list", "show"):
        return _read(args, config)
    if args.what in ("lock", "unlock"):
        return _lock(args, config)
    if args.what == "destroy" and not args.yes and not _sure(args.id):
        return _failed("Nothing was destroyed; say --yes where nobody can be asked.", Exit.USAGE)
    return excused("sandbox", lambda: _do(args, config))


def _lock(args: Namespace, config: Config) -> int:
    from coral_gate.cli.locking import set_lock

    try:
        return set_lock(args, config)
    except Unavailable as fault:
        return _failed(fault.sentence, Exit.UNAVAILABLE)
    except (Fault, Wrong) as why:
        return _failed(why.sentence if isinstance(why, Fault) else str(why))


def _do(args: Namespace, config: Config) -> int:
    from coral_gate.cli.daemon import LONG_S, ask

    if args.what == "create":
        given = {"issuer": args.owner[0], "subject": args.owner[1], "name": args.name, "driver": args.driver}
    else:
        given = {"sandbox": args.id}
    facts = ask(config, f"sandbox.{args.what}", given, wait_s=LONG_S)
    print(json.dumps(facts, indent=2) if args.json else f"{facts['id']}  {facts['state']}")
    return Exit.OK


def _sure(sandbox: str) -> bool:
    if not sys.stdin.isatty():
        return False
    print(f"All that is in {sandbox} is gone for ever. Type its id to destroy it: ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip() == sandbox


def _read(args: Namespace, config: Config) -> int:
    from coral_gate.cli.stores_beside import stores_beside_the_daemon

    try:
        with stores_beside_the_daemon(config) as beside:
            rows = _rows(beside.stores.users, beside.stores.sandboxes)
    except Unavailable as fault:
        return _failed(fault.sentence, Exit.UNAVAILABLE)
    except (Fault, Wrong) as why:
        return _failed(why.sentence if isinstance(why, Fault) else str(why))
    if args.what == "show":
        rows = [(user, row) for user, row in rows if row.id == args.id]
        if not rows:
            return _failed("There is no such sandbox; 'coral-gate sandbox list' shows those there are.")
    facts = _with_live(config, [_facts(user, row) for user, row in rows])
    if args.json:
        print(json.dumps(facts[0] if args.what == "show" else {"sandboxes": facts}, indent=2))
        return Exit.OK
    return _print(args, facts)


def _print(args: Namespace, facts: list[Facts]) -> int:
    from coral_gate.cli.tables import lines

    rows = [[one[name] for name in ("id", "name", "subject", "driver", "state", "created_at", "locked")] for one in facts]
    for line in lines(_HEADS, [[*row[:4], row[4] if row[6] is None else f"{row[4]}, locked", row[5]] for row in rows]):
        print(line)
    if args.what == "show" and facts[0]["locked"] is not None:
        print(f"locked: {facts[0]['locked']}")
    return Exit.OK


def _rows(users: IUserStore, sandboxes: ISandboxStore) -> list[tuple[User, Sandbox]]:
    from coral_gate.cli.finished import finished

    return [(user, row) for user in everybody(users) for row in finished(sandboxes.list(OPERATOR, user.id))]


def _with_live(config: Config, facts: list[Facts]) -> list[Facts]:
    """What the daemon's drivers see is newer than what the rows say; without a daemon the rows must do."""
    from coral_gate.cli.daemon import NotDone, ask_if_running

    try:
        live = ask_if_running(config, "sandbox.states", {}) if facts else None
    except NotDone:
        live = None
    states = live.get("states") if live is not None else None
    if isinstance(states, dict):
        for one in facts:
            one["state"] = str(states.get(one["id"], one["state"]))
    return facts


def _facts(user: User, row: Sandbox) -> Facts:
    return {
        "id": row.id,
        "name": row.name,
        "issuer": user.who.iss,
        "subject": user.who.sub,
        "driver": row.driver,
        "state": row.state,
        "created_at": row.created_at.isoformat(timespec="seconds"),
        "locked": row.locked,
    }


def _failed(why: str, code: Exit = Exit.FAILED) -> int:
    print(f"coral-gate sandbox: {why}", file=sys.stderr)
    return code
