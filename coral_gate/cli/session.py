"""`coral-gate session`: who is signed in, in which browsers."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from coral_gate.cli.arguments import config_argument, json_argument
from coral_gate.cli.exits import Exit
from coral_gate.cli.persons import OPERATOR, Wrong, everybody, known
from coral_gate.errors import Fault, Unavailable
from coral_gate.records import Because, Session, User, session_id

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from coral_gate.cli.stores_beside import StoresBeside
    from coral_gate.config import Config

SUMMARY = "List who is signed in, and end sessions, whether or not the daemon runs"
EXAMPLE = """\
coral-gate session list
coral-gate session list --user https://accounts.google.com 1234567890
coral-gate session end ID --reason "a lost laptop"
coral-gate session end --user https://accounts.google.com 1234567890 --json"""

_HEADS = ("ID", "WHO", "ISSUER", "BROWSER", "FROM", "SINCE", "LAST SEEN")


def arguments(parser: ArgumentParser) -> None:
    """Add the arguments of `coral-gate session`."""
    what = parser.add_subparsers(dest="what", required=True, metavar="list|end")
    listing = what.add_parser("list", help="the sessions that live")
    ending = what.add_parser("end", help="end one, or all of a person, with their streams")
    for each in (listing, ending):
        config_argument(each)
        json_argument(each)
    listing.add_argument("--user", nargs=2, metavar=("ISS", "SUB"), help="of one person: issuer and subject")
    which = ending.add_mutually_exclusive_group(required=True)
    which.add_argument("id", nargs="?", type=session_id, metavar="ID", help="the session's id in the list")
    which.add_argument("--user", nargs=2, metavar=("ISS", "SUB"), help="all of one person: issuer and subject")
    ending.add_argument("--reason", default="ended by the operator", metavar="WORDS", help="why; they may get to read it")


def run(args: Namespace) -> int:
    """
    List or end.

    :raises ConfigError: the configuration, or what it names, cannot be used.
    """
    from coral_gate.cli.stores_beside import stores_beside_the_daemon
    from coral_gate.config import load

    config = load(args.config)
    with stores_beside_the_daemon(config) as beside:
        try:
            return _list(args, beside) if args.what == "list" else _end(args, beside, config)
        except Unavailable as fault:
            return _failed(fault.sentence, Exit.UNAVAILABLE)
        except (Fault, Wrong) as why:
            return _failed(why.sentence if isinstance(why, Fault) else str(why))


def _living(beside: StoresBeside, users: list[User]) -> list[tuple[User, Session]]:
    from coral_gate.cli.finished import finished

    return [
        (user, one) for user in users for one in finished(beside.stores.sessions.list(OPERATOR, user.id)) if not one.is_over(beside.now)
    ]


def _list(args: Namespace, beside: StoresBeside) -> int:
    from coral_gate.cli.tables import lines

    users = [known(beside.stores.users, *args.user)] if args.user else everybody(beside.stores.users)
    living = _living(beside, users)
    if args.json:
        print(json.dumps({"sessions": [_facts(user, one) for user, one in living]}, indent=2))
        return Exit.OK
    rows = [
        (one.id, user.email or user.who.sub, user.who.iss, one.label.agent, one.label.address, *(
            f"{at:%Y-%m-%d %H:%M}" for at in (one.created_at, one.last_seen_at)
        ))
        for user, one in living
    ]  # fmt: skip
    for line in lines(_HEADS, rows):
        print(line)
    return Exit.OK


def _end(args: Namespace, beside: StoresBeside, config: Config) -> int:
    from coral_gate.cli.daemon import follow_if_running

    try:
        because = Because(args.reason, beside.now)
    except ValueError:
        raise Wrong("A reason is 1 to 200 printable characters.") from None
    users = [known(beside.stores.users, *args.user)] if args.user else everybody(beside.stores.users)
    ending = [(user, one) for user, one in _living(beside, users) if args.id is None or one.id == args.id]
    if args.id is not None and not ending:
        raise Wrong("There is no such session; 'coral-gate session list' shows those that live.")
    ended = [one.id for user, one in ending if _ended(beside, user, one, because)]
    told = follow_if_running(config) if ended else True
    if args.json:
        print(json.dumps({"ended": ended, "daemon_told": told}, indent=2))
    else:
        print(f"ended: {len(ended)}" + ("" if told else "; no daemon runs, or it learns of it within a second"))
    return Exit.OK


def _ended(beside: StoresBeside, user: User, session: Session, because: Because) -> bool:
    """Before it takes effect it is recorded: what cannot be recorded is not done."""
    from coral_gate.audit.events import SessionEnded
    from coral_gate.cli.finished import finished

    finished(beside.audit.record(SessionEnded(who=user.who, session=session.id, reason="operator")))
    return finished(beside.stores.sessions.end_by_id(OPERATOR, session.id, because))


def _facts(user: User, session: Session) -> dict[str, str]:
    return {
        "id": session.id,
        "user": user.id,
        "issuer": user.who.iss,
        "subject": user.who.sub,
        "agent": session.label.agent,
        "address": session.label.address,
        "created_at": session.created_at.isoformat(),
        "last_seen_at": session.last_seen_at.isoformat(),
        "ends_at": session.absolute_expires_at.isoformat(),
    }


def _failed(why: str, code: Exit = Exit.FAILED) -> int:
    print(f"coral-gate session: {why}", file=sys.stderr)
    return code
