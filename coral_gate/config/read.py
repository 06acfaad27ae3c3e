"""
From a file to the configuration, or to every mistake in it.
"""

from __future__ import annotations

import codecs
import os
import re
import tomllib
from pathlib import Path
from typing import Any, Final, NoReturn

from coral_gate.config.places import Place, Report, Unreadable, dotted
from coral_gate.config.positions import MOST_LEVELS, Positions, TooDeep, scan
from coral_gate.config.regular_files import NotRegular, read_regular
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
    return parse(read_text(path), str(path))


def read_text(path: Path) -> str:
    """
    Read the text of a configuration file.

    :raises ConfigError: it cannot be read, or is too large or no text.
    """
    name = str(path)
    try:
        contents = read_regular(path, LARGEST_FILE_BYTES)
    except NotRegular:
        _refuse(name, "This is not a regular file.")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "its path is none"
        _refuse(name, f"The file cannot be read: {why.lower()}.")
    if len(contents) > LARGEST_FILE_BYTES:
        _refuse(name, "The file is larger than 1 MiB.")
    return _text(contents, name)


def _text(contents: bytes, name: str) -> str:
    if contents.startswith(codecs.BOM_UTF8):
        _refuse(f"{name}:1", "The file begins with a byte order mark.", "Save it as UTF-8 without one.")
    try:
        return contents.decode()
    except UnicodeDecodeError as error:
        line = contents.count(b"\n", 0, error.start) + 1
        _refuse(f"{name}:{line}", "The file is not UTF-8.")


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


def _refuse(where: str, what: str, hint: str = "") -> NoReturn:
    raise ConfigError((Problem(where=where, key="", what=what, hint=hint),)) from None
