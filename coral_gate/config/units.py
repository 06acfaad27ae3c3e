"""
Durations and sizes as an operator writes them: a whole number with its unit.

Strict on purpose: no sign, no fraction, no blank, no default unit, so that nobody wonders whether `10` is seconds.
"""

from __future__ import annotations

import re
from typing import Final

_DURATION: Final = re.compile(r"([0-9]{1,12})(ms|s|m|h|d)\Z")
_MILLISECONDS: Final = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}

_SIZE: Final = re.compile(r"([0-9]{1,15})(B|kB|MB|GB|TB|KiB|MiB|GiB|TiB)\Z")
_BYTES: Final = {
    "TiB": 1 << 40,
    "TB": 10**12,
    "GiB": 1 << 30,
    "GB": 10**9,
    "MiB": 1 << 20,
    "MB": 10**6,
    "KiB": 1 << 10,
    "kB": 1000,
    "B": 1,
}


def duration_s(text: str) -> float:
    """
    Read a duration: `500ms`, `10s`, `5m`, `1h`, `30d`.

    :returns: seconds.
    :raises ValueError: it is anything else; the sentence says what is wrong.
    """
    match = _DURATION.match(text)
    if match is None:
        raise ValueError("A duration is a whole number and one of ms, s, m, h, d, without a blank.")
    return int(match[1]) * _MILLISECONDS[match[2]] / 1000


def duration_text(seconds: float) -> str:
    """The shortest spelling of a duration that `duration_s` reads back; it is rounded to milliseconds."""
    milliseconds = round(seconds * 1000)
    return _shortest(milliseconds, _MILLISECONDS, zero="0s")


def size_bytes(text: str) -> int:
    """
    Read a size: `512B`, `64KiB`, `8MiB` (powers of 1024), `64kB`, `1GB` (powers of 1000).

    :returns: bytes.
    :raises ValueError: it is anything else; the sentence says what is wrong.
    """
    match = _SIZE.match(text)
    if match is None:
        raise ValueError("A size is a whole number and one of B, KiB, MiB, GiB, TiB, kB, MB, GB, TB, without a blank.")
    return int(match[1]) * _BYTES[match[2]]


def size_text(size: int) -> str:
    """The shortest spelling of a size that `size_bytes` reads back."""
    return _shortest(size, _BYTES, zero="0B")


def _shortest(amount: int, units: dict[str, int], *, zero: str) -> str:
    spellings = [f"{amount // worth}{unit}" for unit, worth in units.items() if amount % worth == 0]
    return min(spellings, key=len) if amount else zero
