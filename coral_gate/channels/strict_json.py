"""
JSON objects from either side of a control connection, without the liberties that two readers could take differently.
"""

from __future__ import annotations

import json
import math
import re
from typing import Final, NoReturn

DEPTH: Final = 64
"""How deep objects and arrays may stand in each other, the outermost counted."""
CONTAINERS: Final = 100_000
"""How many objects and arrays a text may hold: an empty one takes two bytes on the wire and seventy in memory."""
NUMBER_CHARACTERS: Final = 40
"""The longest number: every 64-bit integer and every double that a program writes is shorter."""

# To the end of the text where the closing quote is missing, or each quote in an endless string would be tried anew.
_STRING: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\Z)', re.DOTALL)
_NOT_BRACKETS: Final = bytes(sorted(set(range(256)) - set(b"[]{}")))
_ONE_KIND: Final = bytes.maketrans(b"{}", b"[]")


class NotStrictJSON(ValueError):
    """A text that is not one JSON object within our bounds; the message holds none of the text."""


def read_object(text: bytes) -> dict[str, object]:
    """
    Read one JSON object in UTF-8 (RFC 8259), its member names unique at every depth, its numbers finite.

    An escaped half of a surrogate pair (`"\\\\ud800"`) is kept as it is: JavaScript writes such strings, both readers take
    them alike, and `write_object` escapes them again. UTF-8 that encodes one is refused as not being UTF-8.

    :param text: its length is the caller's to bound; the time is linear in it.
    :raises NotStrictJSON: it is anything else, nested deeper than `DEPTH`, or holds more than `CONTAINERS` objects and arrays
        or a number longer than `NUMBER_CHARACTERS`.
    """
    _check_nesting(text)
    try:
        found = _DECODER.decode(text.decode("utf-8"))
    except (ValueError, RecursionError):
        raise NotStrictJSON("not a JSON object that we take") from None  # the original would carry the text
    if not isinstance(found, dict):
        raise NotStrictJSON("not a JSON object")
    return found


def write_object(value: dict[str, object]) -> bytes:
    """Write what `read_object` read, compact and in ASCII; each number's value and the order of members are kept."""
    return json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode("ascii")


def _check_nesting(text: bytes) -> None:
    """Before the recursive reader sees it: the brackets outside of strings, innermost pairs taken away level by level."""
    if text.count(b"[") + text.count(b"{") <= DEPTH:
        return
    brackets = _STRING.sub(b"", text).translate(_ONE_KIND, _NOT_BRACKETS)
    if brackets.count(b"[") > CONTAINERS:
        raise NotStrictJSON("too many objects and arrays")
    for _level in range(DEPTH):
        brackets = brackets.replace(b"[]", b"")
    if brackets:
        raise NotStrictJSON("nested too deep, or unbalanced")


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member's name is repeated")
    return members


def _no_constant(name: str) -> NoReturn:
    raise ValueError("NaN and infinities are not JSON")


def _integer(text: str) -> int:
    if len(text) > NUMBER_CHARACTERS:
        raise ValueError("a number is too long")
    return int(text)


def _finite(text: str) -> float:
    if len(text) > NUMBER_CHARACTERS or not math.isfinite(number := float(text)):
        raise ValueError("a number is too long or too large")
    return number


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant, parse_int=_integer, parse_float=_finite)
