"""`coral-gate keys`: master keys, users' keys and their escrow."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from coral_gate.cli.arguments import config_argument, json_argument
from coral_gate.cli.exits import Exit
from coral_gate.errors import Fault, KeysUnavailable, SealBroken

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Callable

SUMMARY = "Make and rotate master keys, and bring a destroyed user's key back from escrow"
EXAMPLE = """\
coral-gate keys init /etc/coral-gate/master.key
coral-gate keys rotate /etc/coral-gate/master.key
coral-gate keys status --json
coral-gate keys escrow-init operator-private.pem operator-public.pem
coral-gate keys escrow-open COPY --private-key operator-private.pem --write-to opened.json
coral-gate keys escrow-restore opened.json"""


def arguments(parser: ArgumentParser) -> None:
    """Add the arguments of `coral-gate keys`."""
    what = parser.add_subparsers(dest="what", required=True, metavar="init|rotate|status|escrow-init|escrow-open|escrow-restore")
    for name, means in (
        ("init", "write a new master key to a new file (0600)"),
        ("rotate", "put a new version in front of the others in a master key's file"),
    ):
        each = what.add_parser(name, help=means)
        each.add_argument("file", type=Path, metavar="FILE")
    status = what.add_parser("status", help="whether the master key can be used, and how many users' keys each version holds")
    json_argument(status)
    making = what.add_parser("escrow-init", help="make the operator's pair of keys; do it where the private one will stay")
    making.add_argument("private", type=Path, metavar="PRIVATE")
    making.add_argument("public", type=Path, metavar="PUBLIC")
    opening = what.add_parser("escrow-open", help="open an escrow copy, where the private key is")
    opening.add_argument("copy", type=Path, metavar="COPY")
    opening.add_argument("--private-key", type=Path, required=True, metavar="FILE")
    opening.add_argument("--write-to", type=Path, required=True, metavar="FILE", help="a new file (0600) for the user's key")
    restoring = what.add_parser("escrow-restore", help="give a user their key back, from what escrow-open wrote")
    restoring.add_argument("opened", type=Path, metavar="FILE")
    for each in (status, restoring):
        config_argument(each)


def run(args: Namespace) -> int:
    """
    Do it.

    :raises ConfigError: the configuration, or what it names, cannot be used.
    """
    from coral_gate.cli import escrow_verbs, master_key_verbs

    verbs: dict[str, Callable[[Namespace], int]] = {
        "init": master_key_verbs.init,
        "rotate": master_key_verbs.rotate,
        "status": master_key_verbs.status,
        "escrow-init": escrow_verbs.make,
        "escrow-open": escrow_verbs.unseal,
        "escrow-restore": escrow_verbs.restore,
    }
    try:
        return verbs[args.what](args)
    except KeysUnavailable:
        return failed("the master key cannot be used; `coral-gate keys status` says why.", Exit.UNAVAILABLE)
    except SealBroken:
        return failed("this does not open: it was changed, or was sealed to another key.")
    except Fault as fault:
        return failed(fault.sentence)
    except OSError as error:
        return failed(f"{error.filename}: {error.strerror}." if error.filename else f"{error.strerror}.")
    except ValueError as error:
        return failed(str(error))


def failed(why: str, code: Exit = Exit.FAILED) -> int:
    """Say why on stderr."""
    print(f"coral-gate keys: {why}", file=sys.stderr)
    return code
