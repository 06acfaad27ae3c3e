"""
The whole corpus of answers, class by class.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from . import response_fields, response_floods, response_framing, response_heads
from .response import Response

FAMILIES: dict[str, Callable[[], Iterator[Response]]] = {
    "framing": response_framing.responses,
    "heads": response_heads.responses,
    "fields": response_fields.responses,
    "floods": response_floods.responses,
}
"""The classes of attack, by name."""


def responses() -> Iterator[Response]:
    """Every answer; of those that send the same bytes in the same way, the first."""
    sent = set()
    for family in FAMILIES.values():
        for one in family():
            wire = (one.pieces, one.endless, one.ends, one.method)
            if wire not in sent:
                sent.add(wire)
                yield one
