"""`coral-gate audit`: read the audit log, and verify that it is as it was written."""

from __future__ import annotations

import os
import sys
import time
from argparse import ArgumentTypeError
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Final

from coral_gate.cli.arguments import config_argument, json_argument
from coral_gate.cli.exits import Exit

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterable

SUMMARY = "Read the audit log, or verify that it is as it was written"
EXAMPLE = "coral-gate audit tail -n 50 --follow --type stream\ncoral-gate audit verify --head SEQ:HASH"

_LOOK_AGAIN_S: Final = 0.5


def arguments(parser: ArgumentParser) -> None:
    """Add the arguments of `coral-gate audit`."""
    from coral_gate.audit import verify

    what = parser.add_subparsers(dest="what", required=True, metavar="tail|verify")
    tail = what.add_parser("tail", help="show the last events")
    tail.add_argument("-n", dest="count", type=_count, default=20, metavar="N", help="how many (default: %(default)s)")
    tail.add_argument("--follow", action="store_true", help="go on with those that come, until interrupted")
    tail.add_argument(
        "--type",
        dest="types",
        action="append",
        default=[],
        metavar="TYPE",
        help="only these: `stream.opened`, or `stream` for each of them",
    )
    json_argument(tail)
    verifying = what.add_parser("verify", help="verify the chain: exits with 0 if it is whole, 1 if not, 2 if it cannot be read")
    verify.arguments(verifying)
    for each in (tail, verifying):
        config_argument(each)
        each.add_argument("--folder", type=Path, metavar="DIR", help="the audit folder (default: the configuration's)")


def run(args: Namespace) -> int:
    """
    Read or verify.

    :raises ConfigError: no folder was given and the configuration, which would say it, cannot be used.
    """
    from coral_gate.audit import verify

    folder = args.folder or _configured(args.config)
    if args.what == "verify":
        return verify.verify(folder, args)
    try:
        return _tail(folder, args)
    except KeyboardInterrupt:
        return Exit.OK
    except BrokenPipeError:
        # whoever read our output has enough; Python must not try to flush the rest when it ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.OK
    except OSError as error:
        print(f"coral-gate audit: {folder}: {error.strerror}", file=sys.stderr)
        return Exit.FAILED


def _configured(config: Path) -> Path:
    from coral_gate.audit.segments import FOLDER_NAME
    from coral_gate.config import load

    return load(config).gate.state_directory / FOLDER_NAME


def _tail(folder: Path, args: Namespace) -> int:
    from coral_gate.audit.reading import Tail, of_types

    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal that cannot show a letter
    tail = Tail(folder, of_types(args.types))
    _show(tail.last(args.count), args.json)
    while args.follow:
        time.sleep(_LOOK_AGAIN_S)
        _show(tail.more(), args.json)
    return Exit.OK


def _show(lines: Iterable[bytes], as_json: bool) -> None:
    from coral_gate.audit.reading import as_text, printable

    for line in lines:
        print(printable(line) if as_json else as_text(line), flush=True)


def _count(word: str) -> int:
    if not word.isascii() or not word.isdigit():
        raise ArgumentTypeError("expected a number of events")
    return int(word)
