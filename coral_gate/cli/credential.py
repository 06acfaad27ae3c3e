"""`coral-gate credential`: the credentials with which the gate signs in at sandboxes."""

from __future__ import annotations

import json
import os
import re
import sys
from getpass import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from coral_gate.cli.arguments import config_argument, json_argument
from coral_gate.cli.exits import Exit
from coral_gate.errors import ConfigError, Fault, KeysUnavailable
from coral_gate.model import SandboxId, Secret, ServiceName, UserId, sandbox_id

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from coral_gate.cli.beside import Beside
    from coral_gate.config import Config

SUMMARY = "Set, rotate or list the credentials of sandboxes; none is ever an argument or shown"
EXAMPLE = """\
coral-gate credential set --sandbox ID --service app < password
coral-gate credential rotate --sandbox ID --service vnc --write-to new-password
coral-gate credential list --sandbox ID --json"""

_LINE_END: Final = re.compile(rb"\r?\n\Z")
_MOST_BYTES: Final = 65_536  # the vault refuses far less


def arguments(parser: ArgumentParser) -> None:
    """Add the arguments of `coral-gate credential`."""
    what = parser.add_subparsers(dest="what", required=True, metavar="list|rotate|set")
    listing = what.add_parser("list", help="which credentials a sandbox has, and since when")
    rotating = what.add_parser("rotate", help="make a new one; the sandbox has to be told it")
    rotating.add_argument("--write-to", type=Path, metavar="FILE", help="a new file (0600) for the new password, to give it to the sandbox")
    setting = what.add_parser("set", help="set one that the sandbox has already; it is read from stdin or a file")
    setting.add_argument("--file", type=Path, metavar="FILE", help="what holds it (default: stdin; a terminal asks, without echo)")
    for each in (listing, rotating, setting):
        config_argument(each)
        json_argument(each)
        each.add_argument("--sandbox", type=sandbox_id, required=True, metavar="ID")
        if each is not listing:
            services = [service.value for service in ServiceName]
            each.add_argument("--service", choices=services, required=True, help="the service that takes it")


def run(args: Namespace) -> int:
    """
    Set, rotate or list.

    :raises ConfigError: the configuration, or what it names, cannot be used.
    """
    from coral_gate.cli.beside import beside_the_daemon
    from coral_gate.config import load

    config = load(args.config)
    if args.what == "rotate" and args.write_to is None and _is_made_here(config, args.sandbox):
        return _rotate_in_the_daemon(args, config)
    with beside_the_daemon(config) as beside:
        try:
            owner = _owner(config, beside, args.sandbox)
            return {"list": _list, "rotate": _rotate, "set": _set}[args.what](args, beside, owner)
        except KeysUnavailable:
            return _failed(beside.custody.keyring.state().why, Exit.UNAVAILABLE)
        except Fault as fault:
            return _failed(fault.sentence)
        except _Unknown as unknown:
            return _failed(str(unknown))
        except OSError as error:
            return _failed(f"{error.filename}: {error.strerror}." if error.filename else f"{error.strerror}.")


class _Unknown(Exception):
    """There is no such sandbox, or nobody owns it."""


def _owner(config: Config, beside: Beside, sandbox: SandboxId) -> UserId:
    from coral_gate.cli.finished import finished
    from coral_gate.records import AsGate, Capacity

    for one in config.sandboxes:
        if one.id == sandbox and one.owner is not None:
            return one.owner.who
        if one.id == sandbox:
            raise _Unknown("The sandbox has no owner: credentials belong to a person. Give it an owner in the configuration.")
    operator, stores = AsGate(Capacity.OPERATOR), beside.stores
    row = finished(stores.sandboxes.find(operator, sandbox))
    user = finished(stores.users.get(operator, row.owner)) if row is not None and row.destroyed_at is None else None
    if user is None:
        raise _Unknown("There is no such sandbox.")
    return user.who


def _list(args: Namespace, beside: Beside, owner: UserId) -> int:
    from coral_gate.cli.finished import finished

    found = finished(beside.custody.vault.list(owner, args.sandbox))
    facts = [{"service": one.service.value, "version": one.version, "changed_at": one.changed_at.isoformat()} for one in found]
    if args.json:
        print(json.dumps({"sandbox": args.sandbox, "credentials": facts}, indent=2))
        return Exit.OK
    for one in found:
        print(f"{one.service.value:<8}version {one.version:<6}changed {one.changed_at:%Y-%m-%d %H:%M:%S} UTC")
    return Exit.OK


def _set(args: Namespace, beside: Beside, owner: UserId) -> int:
    return _put(args, beside, owner, _read(args.file, ServiceName(args.service)))


def _rotate(args: Namespace, beside: Beside, owner: UserId) -> int:
    """The sandbox's copy is written first: a credential that nobody else knows would lock the gate out."""
    from coral_gate.cli.private_files import write_new
    from coral_gate.custody.generate import new_credential, ssh_public_key

    service = ServiceName(args.service)
    value = new_credential(service, os.urandom)
    if service is ServiceName.SSH:
        code = _put(args, beside, owner, value, public_key=ssh_public_key(value))
    elif args.write_to is None:
        return _failed("Say with --write-to where the new password goes, for the sandbox has to be told it.", Exit.USAGE)
    else:
        write_new(args.write_to, value)
        try:
            code = _put(args, beside, owner, value)
        except BaseException:
            args.write_to.unlink()
            raise
    return code


def _is_made_here(config: Config, sandbox: SandboxId) -> bool:
    """Whether one of the daemon's drivers makes the sandbox, so that the daemon can tell it."""
    from coral_gate.cli.finished import finished
    from coral_gate.cli.stores_beside import stores_beside_the_daemon
    from coral_gate.records import AsGate, Capacity

    if any(one.id == sandbox for one in config.sandboxes):
        return False
    try:
        with stores_beside_the_daemon(config) as beside:
            row = finished(beside.stores.sandboxes.find(AsGate(Capacity.OPERATOR), sandbox))
    except Fault:
        return False  # the rotation itself will say so
    return row is not None and row.destroyed_at is None and row.driver != "static"


def _rotate_in_the_daemon(args: Namespace, config: Config) -> int:
    """The daemon seals the new credential and tells the sandbox, which takes it over."""
    from coral_gate.cli.daemon import LONG_S, ask, excused

    def work() -> int:
        facts = ask(config, "sandbox.rotate", {"sandbox": args.sandbox, "service": args.service}, wait_s=LONG_S)
        print(json.dumps(facts, indent=2) if args.json else f"rotated: {args.service} of {args.sandbox}; the sandbox has it")
        return Exit.OK

    return excused("credential", work)


def _put(args: Namespace, beside: Beside, owner: UserId, value: Secret, public_key: str | None = None) -> int:
    from coral_gate.cli.finished import finished

    version = finished(beside.custody.vault.set(owner, args.sandbox, ServiceName(args.service), value))
    told = _tell_the_daemon(args)
    if args.json:
        facts = {"sandbox": args.sandbox, "service": args.service, "version": version, "public_key": public_key}
        print(json.dumps({name: fact for name, fact in facts.items() if fact is not None}, indent=2))
        return Exit.OK
    if public_key is not None:
        print(public_key)
    print(f"set: {args.service} of {args.sandbox}, version {version}; {told}", file=sys.stderr)
    return Exit.OK


def _tell_the_daemon(args: Namespace) -> str:
    """The change stands, whether a daemon hears of it or not; gives how that went."""
    from coral_gate.cli.daemon import NotDone, ask_if_running
    from coral_gate.config import load

    try:
        heard = ask_if_running(load(args.config), "credential.changed", {"sandbox": args.sandbox})
    except (NotDone, ConfigError, OSError):
        return "the daemon could not be told; if it runs, it uses it within a second"
    return "no daemon runs" if heard is None else "the daemon uses it from now on"


def _read(file: Path | None, service: ServiceName) -> Secret:
    """What is to be set: a key as it is, a password without the line's end that editors and `echo` add."""
    if file is not None:
        with file.open("rb") as stream:
            value = stream.read(_MOST_BYTES)
    elif sys.stdin.isatty():
        value = getpass(f"{service.value}: ").encode()
    else:
        value = sys.stdin.buffer.read(_MOST_BYTES)
    return Secret(value if service is ServiceName.SSH else _LINE_END.sub(b"", value))


def _failed(why: str, code: Exit = Exit.FAILED) -> int:
    print(f"coral-gate credential: {why}", file=sys.stderr)
    return code
