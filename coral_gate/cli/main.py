"""The `coral-gate` command: find the verb, read its arguments, do it."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from textwrap import indent
from typing import TYPE_CHECKING

from coral_gate import __version__
from coral_gate.cli.exits import Exit, refuse
from coral_gate.cli.verbs import VERBS, load, nearest
from coral_gate.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

_HELP = """\
usage: coral-gate [--help | --version] VERB [...]

The front door of a house of AI-agent sandboxes.

verbs:
{verbs}
'coral-gate VERB --help' says more.

example:
  coral-gate run --config /etc/coral-gate/coral-gate.toml
"""


def _help() -> str:
    return _HELP.format(verbs="".join(f"  {name:<12}{load(name).SUMMARY}\n" for name in VERBS))


def _run_verb(name: str, rest: Sequence[str]) -> int:
    verb = load(name)
    parser = ArgumentParser(
        prog=f"coral-gate {name}",
        description=f"{verb.SUMMARY}.",
        epilog="example:\n" + indent(verb.EXAMPLE, "  "),
        formatter_class=RawDescriptionHelpFormatter,
    )
    verb.arguments(parser)
    try:
        return verb.run(parser.parse_args(rest))
    except ConfigError as error:
        return refuse(error)


def _unknown(word: str) -> Exit:
    likely = nearest(word)
    hint = f"did you mean '{likely}'?" if likely else "'coral-gate --help' lists the verbs."
    print(f"coral-gate: there is no verb '{word}'; {hint}", file=sys.stderr)
    return Exit.USAGE


def main(words: Sequence[str] | None = None) -> int:
    """
    Run the command and give its exit code (`Exit`).

    :param words: the command line without the command's name; by default that of this process.
    :raises SystemExit: argparse ends a verb's `--help` and wrong arguments itself, with 0 or `Exit.USAGE`.
    """
    words = sys.argv[1:] if words is None else words
    match words:
        case []:
            print(_help(), end="", file=sys.stderr)
            return Exit.USAGE
        case ["-h" | "--help", *_]:
            print(_help(), end="")
            return Exit.OK
        case ["--version", *_]:
            print(f"coral-gate {__version__}")
            return Exit.OK
        case [name, *rest] if name in VERBS:
            return _run_verb(name, rest)
    return _unknown(words[0])


if __name__ == "__main__":
    sys.exit(main())
