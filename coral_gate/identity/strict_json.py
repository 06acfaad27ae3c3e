"""
JSON objects from outside, without the liberties that two readers could take differently.
"""

from __future__ import annotations

import json
from typing import NoReturn


def json_object(text: bytes) -> dict[str, object]:
    """
    Read one JSON object in UTF-8 (RFC 8259), its member names unique at every depth, its numbers finite.

    :raises ValueError: it is anything else; the message holds none of the text.
    """
    try:
        found = json.loads(text.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise ValueError("not a JSON object that we take") from None  # the original would carry the text
    if not isinstance(found, dict):
        raise ValueError("not a JSON object")
    return found


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member's name is repeated")
    return members


def _no_constant(name: str) -> NoReturn:
    raise ValueError("NaN and infinities are not JSON")
