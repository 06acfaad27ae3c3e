"""
On which line each key of a TOML file stands: `tomllib` reads values and forgets lines.

The scanner follows the grammar (TOML 1.0.0) as far as keys, tables and the ends of values go. It judges nothing else:
whether the text is TOML is for `tomllib` to say, and where the text is not, the scanner stops and keeps what it has.
"""

from __future__ import annotations

import bisect
import re
import tomllib
from collections.abc import Iterator
from typing import Final, TypeAlias

from attrs import define, field, frozen

KeyPath: TypeAlias = "tuple[str | int, ...]"
"""Keys from the top of the file down; a number is a place in an array."""

MOST_LEVELS: Final = 32
"""How deep tables and arrays may be nested; far more than any section needs, far less than Python's stack."""

_BLANK: Final = re.compile(r"[ \t]*+")
_GAP: Final = re.compile(r"(?:[ \t\n]|#[^\n]*)*+")
_ITEM_GAP: Final = re.compile(r"(?:[ \t\n,]|#[^\n]*)*+")
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]++")
_PLAIN: Final = re.compile(r"[^,\]}\n#]++")
_QUOTED: Final = re.compile(
    r'''"""(?:[^"\\]|\\.|"{1,2}(?!"))*+"{3,5}|\'\'\'(?:[^']|'{1,2}(?!'))*+'{3,5}|"(?:[^"\\\n]|\\.)*+"|'[^'\n]*+\'''',
    re.DOTALL,
)


class TooDeep(Exception):
    """
    Keys, arrays or tables are nested beyond `MOST_LEVELS`.

    :ivar line: where that happens.
    """

    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line


class _Lost(Exception):
    """What comes next is not TOML."""


@frozen
class Repeat:
    """A key or table that stands in the file a second time."""

    path: KeyPath
    line: int
    first_line: int


@frozen
class Positions:
    """
    The lines of one file's keys.

    :ivar lines: the line of each key, table and array item, counted from 1.
    :ivar repeats: what is there twice, in the order of the file.
    """

    lines: dict[KeyPath, int]
    repeats: tuple[Repeat, ...] = ()

    def line(self, path: KeyPath) -> int | None:
        """The line of a key, else that of the nearest table around it; None where no table around it is in the file."""
        for length in range(len(path), 0, -1):
            if (line := self.lines.get(path[:length])) is not None:
                return line
        return None


def scan(text: str) -> Positions:
    """
    Find the lines of all keys.

    :param text: a whole TOML file; of a text that is none, the keys before the mistake are found.
    :raises TooDeep: something is nested beyond `MOST_LEVELS`; do not give the text to `tomllib`, which would recurse.
    """
    scanner = _Scanner(text.replace("\r\n", "\n"))
    try:
        scanner.document()
    except _Lost:
        pass
    return Positions(scanner.lines, tuple(scanner.repeats))


@define
class _Scanner:
    _text: str
    _position: int = 0
    lines: dict[KeyPath, int] = field(factory=dict)
    repeats: list[Repeat] = field(factory=list)
    _assigned: dict[KeyPath, int] = field(factory=dict)
    _array_lengths: dict[KeyPath, int] = field(factory=dict)
    _line_ends: list[int] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._line_ends = [match.start() for match in re.finditer("\n", self._text)]

    def document(self) -> None:
        table: KeyPath = ()
        while self._skip(_GAP) < len(self._text):
            if self._take("[["):
                table = self._next_array_table()
            elif self._take("["):
                table = self._table()
            else:
                self._assignment(table)
                self._skip(_BLANK)

    # -- tables

    def _table(self) -> KeyPath:
        line = self._line()
        path = self._current(self._key())
        self._need("]")
        self._assign(path, line)
        return path

    def _next_array_table(self) -> KeyPath:
        line = self._line()
        *parents, last = self._key()
        self._need("]]")
        array = (*self._current(parents), last)
        number = self._array_lengths.get(array, 0)
        self._array_lengths[array] = number + 1
        self._note(array, line)
        self._note((*array, number), line)
        return (*array, number)

    def _current(self, keys: list[str]) -> KeyPath:
        """Where a header's keys lead: through an array of tables to its last table."""
        path: KeyPath = ()
        for key in keys:
            path = (*path, key)
            if length := self._array_lengths.get(path):
                path = (*path, length - 1)
        return path

    # -- keys and values

    def _assignment(self, table: KeyPath) -> None:
        line = self._line()
        path = (*table, *self._key())
        self._need("=")
        self._assign(path, line)
        self._value(path)

    def _value(self, path: KeyPath) -> None:
        self._skip(_BLANK)
        if self._take("["):
            self._array(path)
        elif self._take("{"):
            self._inline_table(path)
        elif not self._match(_QUOTED) and not self._match(_PLAIN):
            raise _Lost

    def _array(self, path: KeyPath) -> None:
        for number in self._items("]"):
            item = (*path, number)
            self._note(item, self._line())
            self._value(item)

    def _inline_table(self, path: KeyPath) -> None:
        for _ in self._items("}"):
            self._assignment(path)

    def _items(self, end: str) -> Iterator[int]:
        number = 0
        while True:
            self._skip(_ITEM_GAP)
            if self._take(end):
                return
            yield number
            number += 1

    def _key(self) -> list[str]:
        keys = [self._simple_key()]
        while self._skip(_BLANK) < len(self._text) and self._take("."):
            keys.append(self._simple_key())
            self._check_depth(len(keys))
        return keys

    def _simple_key(self) -> str:
        self._skip(_BLANK)
        if bare := self._match(_BARE_KEY):
            return bare
        quoted = self._match(_QUOTED)
        try:
            key = tomllib.loads(f"key = {quoted}")["key"]
        except ValueError:
            raise _Lost from None
        return str(key)

    # -- notes

    def _assign(self, path: KeyPath, line: int) -> None:
        self._note(path, line)
        if path in self._assigned:
            self.repeats.append(Repeat(path, line, self._assigned[path]))
        else:
            self._assigned[path] = line

    def _note(self, path: KeyPath, line: int) -> None:
        self._check_depth(len(path))
        for length in range(1, len(path) + 1):
            self.lines.setdefault(path[:length], line)

    def _check_depth(self, levels: int) -> None:
        if levels > MOST_LEVELS:
            raise TooDeep(self._line())

    # -- text

    def _line(self) -> int:
        return bisect.bisect_left(self._line_ends, self._position) + 1

    def _skip(self, pattern: re.Pattern[str]) -> int:
        match = pattern.match(self._text, self._position)
        if match is not None:
            self._position = match.end()
        return self._position

    def _match(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._position)
        if match is None:
            return ""
        self._position = match.end()
        return match[0]

    def _take(self, token: str) -> bool:
        if not self._text.startswith(token, self._position):
            return False
        self._position += len(token)
        return True

    def _need(self, token: str) -> None:
        self._skip(_BLANK)
        if not self._take(token):
            raise _Lost
