"""
Where in the file something stands, and the list of what is wrong there.
"""

from __future__ import annotations

import datetime
import json
import re
from pathlib import Path
from typing import Final, NoReturn

from attrs import define, field, frozen

from coral_gate.config.positions import KeyPath, Positions
from coral_gate.errors import Problem

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+\Z")
_PASSWORD: Final = re.compile(r"://[^/]*@")
_SHOWN_CHARACTERS: Final = 60
_SHOWN_INTEGER: Final = 10**18


class Unreadable(Exception):
    """A value could not be read; why is in the report already."""


@define
class Report:
    """
    Collects what is wrong with one file.

    :ivar name: the file, as problems name it.
    :ivar folder: what relative paths are relative to.
    """

    name: str
    folder: Path
    _positions: Positions
    _found: list[tuple[int, Problem]] = field(factory=list, init=False)

    def record(self, path: KeyPath, what: str, hint: str = "") -> None:
        """Note one mistake at a key."""
        line = self._positions.line(path)
        where = self.name if line is None else f"{self.name}:{line}"
        problem = Problem(where=where, key=dotted(path), what=what, hint=hint)
        # What has no line (a table that is missing) comes after everything that has one.
        order = 1 << 62 if line is None else line
        self._found.append((order, problem))

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Every mistake so far, in the order of the file."""
        return tuple(problem for _, problem in sorted(self._found, key=lambda entry: entry[0]))

    def where(self, path: KeyPath) -> str:
        """`file:line` of a key, or the file alone."""
        line = self._positions.line(path)
        return self.name if line is None else f"{self.name}:{line}"


@frozen
class Place:
    """
    One key of the file under the eyes of its kind.

    :ivar path: from the top of the file to this key.
    """

    report: Report
    path: KeyPath = ()

    @property
    def key(self) -> str:
        """The dotted key."""
        return dotted(self.path)

    def at(self, *keys: str | int) -> Place:
        """A place below this one."""
        return Place(self.report, (*self.path, *keys))

    def record(self, what: str, hint: str = "") -> None:
        """Note a mistake here and go on."""
        self.report.record(self.path, what, hint)

    def fail(self, what: str, hint: str = "") -> NoReturn:
        """
        Note a mistake here that leaves no value.

        :raises Unreadable: always.
        """
        self.record(what, hint)
        raise Unreadable

    def expected(self, found: object, wanted: str, hint: str = "") -> NoReturn:
        """
        Note that something else stands here than should.

        :raises Unreadable: always.
        """
        self.fail(f"Found {shown(found)}; expected {wanted}.", hint)


def dotted(path: KeyPath) -> str:
    """A path as an operator would write it, with the number of a table in its array in brackets: `sandbox[0].app.port`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += ("." if text else "") + (part if _BARE.match(part) else quoted(part))
    return text


def quoted(text: str) -> str:
    """Text in quotation marks, cut where it is long, with everything escaped that could act on a terminal."""
    cut = text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 3] + "..."
    return json.dumps(cut, ensure_ascii=not cut.isprintable())


def shown(found: object) -> str:
    """What stands in the file, for a sentence; arrays and tables by their kind only."""
    match found:
        case str():
            # Who puts a password into an address does not want to see it in a log.
            return quoted(_PASSWORD.sub("://...@", found))
        case bool():
            return "true" if found else "false"
        case int():
            # A hexadecimal integer may be longer than Python is willing to write in decimal.
            return f"the integer {found}" if abs(found) < _SHOWN_INTEGER else "a very large integer"
        case float():
            return f"the number {found}"
        case list():
            return "an array"
        case dict():
            return "a table"
        case datetime.date() | datetime.time():
            return "a date or time"
        case _:
            return "something else"
