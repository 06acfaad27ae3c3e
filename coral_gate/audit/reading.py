"""
Reads an audit folder for people: the last records, the ones that come, and how they look on a terminal.

Nothing is verified here, and nothing is trusted: whatever stands in a file, a terminal gets printable text alone.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from unicodedata import bidirectional

from attrs import define, field

from coral_gate.audit.verify import MAX_LINE_BYTES, lines, segments

Wanted = Callable[[bytes], bool]

_NEEDS_QUOTES = set(" =@")
_FIRST = ("type", "outcome", "who", "from", "sandbox", "channel", "reason")


@define
class Tail:
    """
    The end of a log.

    :param wanted: which lines to give.
    """

    _folder: Path
    _wanted: Wanted
    _path: Path | None = field(default=None, init=False)
    _offset_bytes: int = field(default=0, init=False)

    def last(self, count: int) -> list[bytes]:
        """
        The last wanted lines, oldest first, at most `count`; `more` goes on after them.

        :raises OSError: the folder cannot be read.
        """
        found: list[bytes] = []
        for path in reversed(segments(self._folder)):
            whole = (line for line in self._whole_lines(path, 0) if self._wanted(line))
            found = [*deque(whole, maxlen=max(0, count - len(found))), *found]
            if len(found) >= count:
                break
        return found

    def more(self) -> Iterator[bytes]:
        """
        The wanted lines that have come since.

        :raises OSError: the folder cannot be read.
        """
        for path in segments(self._folder):
            if self._path is None or path.name >= self._path.name:
                offset_bytes = self._offset_bytes if path == self._path else 0
                yield from filter(self._wanted, self._whole_lines(path, offset_bytes))

    def _whole_lines(self, path: Path, offset_bytes: int) -> Iterator[bytes]:
        newest = self._path is None or path.name >= self._path.name
        for line in lines(path, offset_bytes=offset_bytes):
            if not line.endswith(b"\n") and len(line) <= MAX_LINE_BYTES:
                break  # it is being written
            offset_bytes += len(line)
            yield line
        if newest:
            self._path, self._offset_bytes = path, offset_bytes


def of_types(names: list[str]) -> Wanted:
    """Which lines are events of these types; `stream` stands for every `stream.*`, and no name for every line."""

    def wanted(line: bytes) -> bool:
        found = _event(line).get("type")
        return not names or any(found == name or str(found).startswith(f"{name}.") for name in names)

    return wanted


def as_text(line: bytes) -> str:
    """
    A record as a line for a person: time, number, and the event's members; what is no record is shown as it is.

    Whatever stands in it, every character is printable, and no value can look like another member.
    """
    record, event = _record(line), _event(line)
    if not event:
        return f"?? {printable(line)}"
    first = [f"{name}={_value(event[name])}" for name in _FIRST[2:] if event.get(name) is not None]
    rest = [f"{_value(name)}={_value(value)}" for name, value in event.items() if name not in _FIRST]
    begin = [_value(record.get("at")), f"#{_value(record.get('seq'))}", _value(event.get("type")), _value(event.get("outcome"))]
    return " ".join([*begin, *first, *rest])


def printable(line: bytes) -> str:
    """A line as it is, if it is printable ASCII, as every true record is; other bytes as escapes."""
    return "".join(chr(byte) if 0x20 <= byte < 0x7F else f"\\x{byte:02x}" for byte in line.removesuffix(b"\n"))


def _value(value: object) -> str:
    if isinstance(value, dict) and set(value) == {"iss", "sub"}:
        return f"{_value(value['sub'])}@{_value(value['iss'])}"
    written = value if isinstance(value, str) else json.dumps(value)
    shown = "".join(_shown(character) for character in written)
    return shown if shown == written and not _NEEDS_QUOTES & set(written) and written else f'"{shown}"'


def _shown(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    # letters that are written from right to left would move what stands beside them
    if character.isprintable() and bidirectional(character) not in ("R", "AL", "AN"):
        return character
    return f"\\u{{{ord(character):x}}}"


def _event(line: bytes) -> dict[str, object]:
    event = _record(line).get("event")
    return event if isinstance(event, dict) else {}


def _record(line: bytes) -> dict[str, object]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}
