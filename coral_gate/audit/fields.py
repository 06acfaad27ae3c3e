"""
What may stand in an audit event: short machine words of our own, bounded text of others, counts, and nothing else.

A word is ours, so a wrong one is a mistake and is refused. Text comes from outside, so it is cut and cleaned but never
refused: else whoever chooses it could keep an event about themselves from being written.
"""

from __future__ import annotations

import enum
import re

from coral_gate.model import ChannelKind, UserId

LABEL_CHARACTERS = 64
"""The longest label: an address, a request's id, the label of a session."""

TEXT_CHARACTERS = 200
"""The longest text of a person or a peer."""

LARGEST_NUMBER = 2**53 - 1
"""The largest number: the largest that every JSON reader holds exactly (RFC 8259 §6)."""

_IDENTITY_CHARACTERS = 255
_WORD = re.compile(r"[a-z][a-z0-9_.-]{0,47}\Z")
_SURROGATE = re.compile(r"[\ud800-\udfff]")


class Outcome(enum.Enum):
    """What came of it."""

    ALLOWED = "allowed"
    REFUSED = "refused"
    CHANGED = "changed"


def word(value: str) -> str:
    """
    A machine word: `a-z`, `0-9`, `_`, `-` and `.`, 1 to 48 characters, a letter first; or the empty string for none.

    :raises TypeError: it is no string (a `Secret`, bytes).
    :raises ValueError: it is another string.
    """
    value = _string(value)
    if value and not _WORD.match(value):
        raise ValueError(f"a word is a-z, 0-9, _, - and ., at most 48 characters: {value[:60]!r}")
    return value


def label(value: str) -> str:
    """
    A label of at most 64 characters; a longer one is cut and ends in an ellipsis.

    :raises TypeError: it is no string (a `Secret`, bytes).
    """
    return _cut(value, LABEL_CHARACTERS)


def text(value: str) -> str:
    """
    Text of at most 200 characters; a longer one is cut and ends in an ellipsis.

    :raises TypeError: it is no string (a `Secret`, bytes).
    """
    return _cut(value, TEXT_CHARACTERS)


def number(value: int) -> int:
    """
    A whole number from 0 to 2^53 - 1; what lies outside becomes the nearer end.

    :raises TypeError: it is no integer (a truth value is none).
    """
    if type(value) is not int:
        raise TypeError(f"an audit number is an int, not {type(value).__name__}")
    return min(max(value, 0), LARGEST_NUMBER)


def person(value: UserId | None) -> UserId | None:
    """
    A user's id, exactly: it is never cut, since two users could then look like one.

    :raises TypeError: it is no `UserId`.
    :raises ValueError: its parts are not 1 to 255 characters that UTF-8 can carry.
    """
    if value is None:
        return None
    if type(value) is not UserId:
        raise TypeError(f"who acted is a UserId, not {type(value).__name__}")
    for part in (value.iss, value.sub):
        if not 0 < len(_string(part)) <= _IDENTITY_CHARACTERS or _SURROGATE.search(part):
            raise ValueError("the parts of a user's id are 1 to 255 characters that UTF-8 can carry")
    return value


def channel(value: ChannelKind | None) -> ChannelKind | None:
    """
    A kind of channel, or None.

    :raises TypeError: it is neither.
    """
    if value is not None and type(value) is not ChannelKind:
        raise TypeError(f"a channel is a ChannelKind, not {type(value).__name__}")
    return value


def _cut(value: str, limit: int) -> str:
    value = _string(value)
    if len(value) > limit:
        value = value[: limit - 1] + "\N{HORIZONTAL ELLIPSIS}"
    return _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", value)


def _string(value: str) -> str:
    if type(value) is not str:
        raise TypeError(f"audit text is a str, not {type(value).__name__}")
    return value
