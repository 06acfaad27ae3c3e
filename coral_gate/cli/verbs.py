"""The verbs of `coral-gate`: which there are, and what the module of each gives."""

from __future__ import annotations

from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING, Final, Protocol, cast

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Mapping

VERBS: Final[Mapping[str, str]] = {
    "audit": "coral_gate.cli.audit",
    "check": "coral_gate.cli.check",
    "credential": "coral_gate.cli.credential",
    "keys": "coral_gate.cli.keys",
    "reload": "coral_gate.cli.reload",
    "run": "coral_gate.cli.run",
    "sandbox": "coral_gate.cli.sandbox",
    "session": "coral_gate.cli.session",
    "stream": "coral_gate.cli.stream",
    "user": "coral_gate.cli.user",
}
"""Each verb and its module, in the order that `coral-gate --help` shows."""


class Verb(Protocol):
    """
    What a verb's module gives. Its top level imports only what is quick; the rest is imported in `run`.

    :ivar SUMMARY: one line, without a full stop, for `coral-gate --help`.
    :ivar EXAMPLE: one or more command lines as a person would type them, for the verb's `--help`.
    """

    SUMMARY: str
    EXAMPLE: str

    def arguments(self, parser: ArgumentParser) -> None:
        """Add what the verb takes; shared ones come from `coral_gate.cli.arguments`."""

    def run(self, args: Namespace) -> int:
        """
        Do it, and say how it went as an `Exit`.

        :raises ConfigError: the configuration cannot be used; the command prints every problem and exits with 78.
        """


def load(name: str, verbs: Mapping[str, str] = VERBS) -> Verb:
    """
    Import a verb's module.

    :raises KeyError: there is no such verb.
    """
    return cast("Verb", import_module(verbs[name]))


def nearest(word: str, verbs: Mapping[str, str] = VERBS) -> str | None:
    """The verb that somebody who typed `word` probably meant, or None."""
    return next(iter(get_close_matches(word, verbs, n=1)), None)
