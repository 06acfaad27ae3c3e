"""`coral-gate user`: who may sign in, and what they may do."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Final

from coral_gate.cli.arguments import config_argument, json_argument
from coral_gate.cli.exits import Exit
from coral_gate.errors import Fault, Unavailable
from coral_gate.model import Role, UserId
from coral_gate.records import AsGate, Because, Capacity, User, user_row_id

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from coral_gate.cli.stores_beside import StoresBeside

SUMMARY = "List who may sign in, let people in, disable or enable them, and give roles"
EXAMPLE = """\
coral-gate user list
coral-gate user allow --subject 1234567890 --role administrator
coral-gate user disable --subject 1234567890 --reason "left the company"
coral-gate user role administrator --id ID --json"""

_OPERATOR: Final = AsGate(Capacity.OPERATOR)
_PAGE: Final = 500
_SUBJECT: Final = "the person, as the issuer calls them (`sub`); no e-mail address"


def arguments(parser: ArgumentParser) -> None:
    """Add the arguments of `coral-gate user`."""
    what = parser.add_subparsers(dest="what", required=True, metavar="list|allow|disable|enable|role")
    listing = what.add_parser("list", help="everybody who may sign in")
    allowing = what.add_parser("allow", help="let somebody sign in, by the issuer's subject for them; who is known stays as they are")
    disabling = what.add_parser("disable", help="end somebody's sessions now, and let them sign in no more")
    enabling = what.add_parser("enable", help="let somebody sign in again")
    giving = what.add_parser("role", help="give somebody a role")
    roles = [role.value for role in Role]
    for each in (listing, allowing, disabling, enabling, giving):
        config_argument(each)
        json_argument(each)
        if each is not listing:
            each.add_argument("--issuer", metavar="URL", help="who vouches for the subject (default: the configuration's issuer)")
    for each in (disabling, enabling, giving):
        person = each.add_mutually_exclusive_group(required=True)
        person.add_argument("--subject", metavar="SUB", help=_SUBJECT)
        person.add_argument("--id", type=user_row_id, metavar="ID", help="the person's id in the list")
        each.add_argument("--reason", default="", metavar="WORDS", help="why; they may get to read it")
    allowing.add_argument("--subject", required=True, metavar="SUB", help=_SUBJECT)
    allowing.add_argument("--role", choices=roles, default=Role.USER.value, help="what they are (default: %(default)s)")
    giving.add_argument("role", choices=roles, help="what they become")


def run(args: Namespace) -> int:
    """
    List, or change one person.

    :raises ConfigError: the configuration, or what it names, cannot be used.
    """
    from coral_gate.cli.stores_beside import stores_beside_the_daemon
    from coral_gate.config import load
    from coral_gate.identity.configured import configured_issuer

    config = load(args.config)
    with stores_beside_the_daemon(config) as beside:
        try:
            if args.what == "list":
                return _list(args, beside)
            args.issuer = args.issuer or configured_issuer(config)
            return {"allow": _allow, "disable": _disable, "enable": _disable, "role": _role}[args.what](args, beside)
        except Unavailable as fault:
            return _failed(fault.sentence, Exit.UNAVAILABLE)
        except Fault as fault:
            return _failed(fault.sentence)
        except _Wrong as wrong:
            return _failed(str(wrong))


class _Wrong(Exception):
    """Something about the arguments, in a sentence."""


def _list(args: Namespace, beside: StoresBeside) -> int:
    users = _everybody(beside)
    if args.json:
        print(json.dumps({"users": [_facts(user) for user in users]}, indent=2))
        return Exit.OK
    for user in users:
        seen = f"{user.last_sign_in_at:%Y-%m-%d %H:%M} UTC" if user.last_sign_in_at else "never signed in"
        state = "disabled" if user.disabled else user.role.value
        print(f"{user.id}  {state:<14}{seen:<22}{user.email or user.name or '-'}  {user.who.sub} at {user.who.iss}")
    return Exit.OK


def _everybody(beside: StoresBeside) -> list[User]:
    from coral_gate.cli.finished import finished

    users: list[User] = []
    while True:
        after = users[-1].id if users else None
        page = finished(beside.stores.users.list(_OPERATOR, after=after, most=_PAGE))
        users += page
        if len(page) < _PAGE:
            return users


def _allow(args: Namespace, beside: StoresBeside) -> int:
    from coral_gate.cli.finished import finished

    who = _person(args)
    known = finished(beside.stores.users.find(who))
    if known is not None:
        return _show(args, known, "known already, and left as they are")
    _record(beside, who, "allowed", args.role)
    return _show(args, finished(beside.stores.users.allow(_OPERATOR, who, Role(args.role), beside.now)), "may sign in")


def _disable(args: Namespace, beside: StoresBeside) -> int:
    from coral_gate.cli.finished import finished

    disabled, user = args.what == "disable", _known(args, beside)
    if user.disabled is not disabled:
        because = _because(args, beside)
        _record(beside, user.who, f"{args.what}d")
        user = finished(beside.stores.users.set_disabled(_OPERATOR, user.id, disabled, because)) or user
    return _show(args, user, "disabled; their sessions have ended" if disabled else "may sign in")


def _role(args: Namespace, beside: StoresBeside) -> int:
    from coral_gate.cli.finished import finished

    user, role = _known(args, beside), Role(args.role)
    if user.role is not role:
        because = _because(args, beside)
        _record(beside, user.who, "role", role.value)
        user = finished(beside.stores.users.set_role(_OPERATOR, user.id, role, because)) or user
    return _show(args, user, f"is {user.role.value}")


def _person(args: Namespace) -> UserId:
    from coral_gate.checks import is_person

    if not args.issuer:
        raise _Wrong("The configuration names no issuer; say with --issuer who vouches for this person.")
    who = UserId(args.issuer, args.subject)
    if not is_person(who):
        raise _Wrong("A subject is 1 to 255 printable characters.")
    return who


def _known(args: Namespace, beside: StoresBeside) -> User:
    from coral_gate.cli.finished import finished

    if args.id is not None:
        user = finished(beside.stores.users.get(_OPERATOR, args.id))
    else:
        user = finished(beside.stores.users.find(_person(args)))
    if user is None:
        raise _Wrong("There is no such person; 'coral-gate user list' shows everybody.")
    return user


def _because(args: Namespace, beside: StoresBeside) -> Because:
    try:
        return Because(args.reason or f"{args.what} by the operator", beside.now)
    except ValueError:
        raise _Wrong("A reason is at most 200 printable characters.") from None


def _record(beside: StoresBeside, who: UserId, change: str, to: str = "") -> None:
    """Before it takes effect: what cannot be recorded is not done."""
    from coral_gate.audit.events import UserChanged
    from coral_gate.cli.finished import finished

    finished(beside.audit.record(UserChanged(user=who, change=change, to=to, reason="operator")))


def _facts(user: User) -> dict[str, str | bool | None]:
    return {
        "id": user.id,
        "issuer": user.who.iss,
        "subject": user.who.sub,
        "email": user.email,
        "name": user.name,
        "role": user.role.value,
        "disabled": user.disabled,
        "allowed_by": user.allowed_by,
        "created_at": user.created_at.isoformat(),
        "last_sign_in_at": user.last_sign_in_at.isoformat() if user.last_sign_in_at else None,
    }


def _show(args: Namespace, user: User, outcome: str) -> int:
    if args.json:
        print(json.dumps(_facts(user), indent=2))
    else:
        print(f"{user.id}  {user.who.sub} at {user.who.iss}: {outcome}")
    return Exit.OK


def _failed(why: str, code: Exit = Exit.FAILED) -> int:
    print(f"coral-gate user: {why}", file=sys.stderr)
    return code
