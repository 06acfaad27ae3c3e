"""
From a file to the configuration, or to every mistake in it.
"""

from __future__ import annotations

import os
import re
import stat
import tomllib
from pathlib import Path
from typing import Any, Final, NoReturn

from coral_gate.config.places import Place, Report, Unreadable, dotted
from coral_gate.config.positions import MOST_LEVELS, Positions, TooDeep, scan
from coral_gate.config.root import Config
from coral_gate.config.tables import Table
from coral_gate.errors import ConfigError, Problem

LARGEST_FILE_BYTES: Final = 1 << 20

_POSITION: Final = re.compile(r" \(at (?:line ([0-9]+), column [0-9]+|end of document)\)\Z")


def load(path: Path) -> Config:
    """
    Read a configuration file; relative paths in it are taken from its folder.

    :raises ConfigError: it cannot be read or used; holds every mistake, in the order of the file.
    """
    name = str(path)
    try:
        text = _contents(path).decode()
    except OSError as error:
        _refuse(name, f"The file cannot be read: {(error.strerror or 'unknown error').lower()}.")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        _refuse(f"{name}:{line}", "The file is not UTF-8.")
    except ValueError as error:
        _refuse(name, str(error))
    return parse(text, name)


def parse(text: str, name: str) -> Config:
    """
    Read the text of a configuration file.

    :param name: the file's path as problems show it; relative paths in the text are taken from its folder.
    :raises ConfigError: it cannot be used; holds every mistake, in the order of the file.
    """
    positions = _scan(text, name)
    tables = _tables(text, name, positions)
    report = Report(name, Path(os.path.abspath(name)).parent, positions)
    try:
        config = Table(Config).read(tables, Place(report))
    except Unreadable:
        raise ConfigError(report.problems) from None
    if report.problems:
        raise ConfigError(report.problems)
    return config.settled()


def _contents(path: Path) -> bytes:
    """:raises ValueError: it is no file that a configuration could be in."""
    # Non-blocking, so that a named pipe is refused and not waited for.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError("This is not a regular file.")
        contents = file.read(LARGEST_FILE_BYTES + 1)
    if len(contents) > LARGEST_FILE_BYTES:
        raise ValueError("The file is larger than 1 MiB.")
    return contents


def _scan(text: str, name: str) -> Positions:
    try:
        return scan(text)
    except TooDeep as deep:
        _refuse(f"{name}:{deep.line}", f"Tables or arrays are nested more than {MOST_LEVELS} levels deep.")


def _tables(text: str, name: str, positions: Positions) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        # ValueError, not TOMLDecodeError: an integer of thousands of digits raises the former.
        raise ConfigError(_syntax_problems(error, name, positions)) from None


def _syntax_problems(error: Exception, name: str, positions: Positions) -> tuple[Problem, ...]:
    repeats = tuple(
        Problem(
            where=f"{name}:{repeat.line}",
            key=dotted(repeat.path),
            what=f"This is here a second time; the first is on line {repeat.first_line}.",
        )
        for repeat in positions.repeats
    )
    sentence = str(error)
    if repeats and sentence.startswith("Cannot "):
        # tomllib's own words for the first of the repeats, and less clear.
        return repeats
    return (*repeats, _syntax_problem(sentence, name))


def _syntax_problem(sentence: str, name: str) -> Problem:
    position = _POSITION.search(sentence)
    if position is None:
        return Problem(where=name, key="", what="The file is not TOML.", hint=sentence[:200])
    where = f"{name}:{position[1]}" if position[1] else name
    at_end = "" if position[1] else " at the end of the file"
    return Problem(where=where, key="", what=f"The file is not TOML: {sentence[: position.start()]}{at_end}.")


def _refuse(where: str, what: str) -> NoReturn:
    raise ConfigError((Problem(where=where, key="", what=what),)) from None
