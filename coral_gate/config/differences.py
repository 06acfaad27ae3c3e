"""
What differs between two configurations, and which of it can take effect while the daemon runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import attrs

from coral_gate.config.definitions import definitions_of
from coral_gate.config.root import Config

LIVE: Final[Mapping[str, tuple[str, ...]]] = {
    "log": ("level",),
    "tls": ("certificates", "minimum"),
    "sign_in": ("allow_hd", "allow_email", "allow_subject", "administrators"),
    "deadlines": (
        *("handshake_s", "head_s", "idle_s", "body_stall_s", "body_minimum_bytes_per_s", "decide_s", "upstream_connect_s"),
        *("upstream_head_s", "upstream_stall_s", "reader_stall_s", "linger_s", "stop_s"),
    ),
    "limits": ("head_bytes", "target_bytes", "fields", "connections", "connections_per_address"),
}
"""By section: the attributes that take effect at a reload. Every other one needs a restart."""


def in_force(running: Config, wanted: Config) -> Config:
    """What a running daemon can make of a configuration: its own, with all that can change."""
    sections = {}
    for name, attributes in LIVE.items():
        new = getattr(wanted, name)
        sections[name] = attrs.evolve(getattr(running, name), **{each: getattr(new, each) for each in attributes})
    return attrs.evolve(running, **sections)


def differing(one: Config, other: Config) -> tuple[str, ...]:
    """The dotted keys, as in the file, whose values differ; a list of tables is one key."""
    return tuple(_differing(one, other, ""))


def _differing(one: Any, other: Any, before: str) -> Iterator[str]:  # Any: sections of whatever class
    for definition in definitions_of(type(one)):
        mine, theirs, key = getattr(one, definition.attribute), getattr(other, definition.attribute), before + definition.key
        if mine == theirs:
            continue
        if before == "" and attrs.has(type(mine)) and type(mine) is type(theirs):
            yield from _differing(mine, theirs, key + ".")
        else:
            yield key
