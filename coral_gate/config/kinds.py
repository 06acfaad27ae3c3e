"""
What may stand behind a key: texts of a certain form, numbers, choices, paths and lists.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

from attrs import frozen

from coral_gate.config.definitions import Kind
from coral_gate.config.places import Place, Unreadable, quoted, shown
from coral_gate.config.units import duration_s, duration_text, size_bytes, size_text

T = TypeVar("T")

_PATH_CHARACTERS: Final = 4096


@frozen
class Spelled(Kind[T]):
    """
    A TOML string that is read by a function.

    :ivar parse: gives the value or raises ValueError with a sentence for the operator.
    :ivar spell: the other way round.
    :ivar least: the smallest value that is allowed.
    :ivar most: the largest.
    """

    words: str
    parse: Callable[[str], T]
    spell: Callable[[T], str]
    least: T | None = None
    most: T | None = None

    def read(self, found: object, place: Place) -> T:
        """See `Kind.read`."""
        if not isinstance(found, str):
            place.expected(found, self.words)
        try:
            value = self.parse(found)
        except ValueError as error:
            place.expected(found, self.words, str(error))
        _in_range(value, found, place, self)
        return value

    def show(self, value: T) -> str:
        """See `Kind.show`."""
        return quoted(self.spell(value))


@frozen
class Whole(Kind[int]):
    """A whole number."""

    least: int
    most: int
    words: str = "a whole number"

    def read(self, found: object, place: Place) -> int:
        """See `Kind.read`."""
        if type(found) is not int:
            place.expected(found, self.words)
        _in_range(found, found, place, self)
        return found

    def show(self, value: int) -> str:
        """See `Kind.show`."""
        return str(value)

    def spell(self, value: int) -> str:
        """A bound of the range, for a sentence."""
        return str(value)


@frozen
class Switch(Kind[bool]):
    """`true` or `false`."""

    words: str = "true or false"

    def read(self, found: object, place: Place) -> bool:
        """See `Kind.read`."""
        if not isinstance(found, bool):
            place.expected(found, self.words)
        return found

    def show(self, value: bool) -> str:
        """See `Kind.show`."""
        return "true" if value else "false"


@frozen
class Choice(Kind[T]):
    """
    One of a few words.

    :ivar options: the value that each word stands for.
    :ivar later: words that are refused because this version lacks what they name.
    """

    options: Mapping[str, T]
    later: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """See `Kind.words`."""
        names = [quoted(word) for word in self.options]
        return " or ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)

    def read(self, found: object, place: Place) -> T:
        """See `Kind.read`."""
        if not isinstance(found, str):
            place.expected(found, self.words)
        if found in self.later:
            place.expected(found, self.words, "This version does not have that yet.")
        if found not in self.options:
            place.expected(found, self.words, meant(found, self.options))
        return self.options[found]

    def show(self, value: T) -> str:
        """See `Kind.show`."""
        return next(quoted(word) for word, option in self.options.items() if option == value)


@frozen
class FilePath(Kind[Path]):
    """A path; a relative one is taken from the folder of the configuration file."""

    words: str = "a path"
    _settle: bool = True

    def read(self, found: object, place: Place) -> Path:
        """See `Kind.read`."""
        if not isinstance(found, str):
            place.expected(found, self.words)
        if not found or "\0" in found or not found.isprintable() or len(found) > _PATH_CHARACTERS:
            place.expected(found, self.words)
        if found.startswith("~"):
            place.expected(found, self.words, "A leading ~ is not expanded; write the whole path.")
        return place.report.folder / found if self._settle else Path(found)

    def show(self, value: Path) -> str:
        """See `Kind.show`."""
        return quoted(str(value))


@frozen
class ListOf(Kind["tuple[T, ...]"]):
    """An array of values of one kind, none of them twice."""

    item: Kind[T]
    plural: str
    least: int = 0

    @property
    def words(self) -> str:
        """See `Kind.words`."""
        return f"an array of {self.plural}"

    def read(self, found: object, place: Place) -> tuple[T, ...]:
        """See `Kind.read`."""
        if not isinstance(found, list):
            place.expected(found, self.words, "Put it in brackets: [...]." if isinstance(found, str) else "")
        if len(found) < self.least:
            place.fail(f"The array is empty; expected at least {self.least}.")
        values = read_each(self.item, found, place)
        seen = set()
        for number, value in enumerate(values):
            if value in seen:
                place.at(number).record(f"Found {self.item.show(value)} twice; expected it once.")
            seen.add(value)
        return values

    def show(self, value: tuple[T, ...]) -> str:
        """See `Kind.show`."""
        return f"[{', '.join(self.item.show(item) for item in value)}]"


def read_each(kind: Kind[T], found: list[Any], place: Place) -> tuple[T, ...]:
    """
    Read every item of an array, also past one that is wrong.

    :raises Unreadable: at least one was wrong.
    """
    values = []
    for number, item in enumerate(found):
        try:
            values.append(kind.read(item, place.at(number)))
        except Unreadable:
            continue
    if len(values) < len(found):
        raise Unreadable
    return tuple(values)


def meant(found: str, known: Mapping[str, object] | tuple[str, ...]) -> str:
    """A sentence that names the nearest word that is known; empty where none is near."""
    near = difflib.get_close_matches(found[:64], list(known), n=1)
    return f"Did you mean {quoted(near[0])}?" if near else ""


def duration(least: str, most: str) -> Spelled[float]:
    """A duration in seconds between two bounds."""
    return Spelled('a duration such as "10s"', duration_s, duration_text, duration_s(least), duration_s(most))


def size(least: str, most: str) -> Spelled[int]:
    """A size in bytes between two bounds."""
    return Spelled('a size such as "64KiB"', size_bytes, size_text, size_bytes(least), size_bytes(most))


def _in_range(value: Any, found: object, place: Place, kind: Spelled[Any] | Whole) -> None:
    if kind.least is not None and value < kind.least:
        place.fail(f"Found {shown(found)}; expected at least {kind.show(kind.least)}.")
    if kind.most is not None and value > kind.most:
        place.fail(f"Found {shown(found)}; expected at most {kind.show(kind.most)}.")
