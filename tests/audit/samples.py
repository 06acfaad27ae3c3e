"""
Events to test with: one of each kind, and any at all.
"""

from __future__ import annotations

from typing import Any

from attrs import NOTHING, fields
from hypothesis import strategies as st

from coral_gate.audit.event import Event
from coral_gate.audit.events import EVENT_TYPES, StreamOpened
from coral_gate.audit.fields import channel, label, number, person, text, word
from coral_gate.model import ChannelKind, SandboxId, UserId

USER = UserId("https://id.example", "248289761001")
SANDBOX = SandboxId("abcdefghijklmnopqrstuvwxyz")

INJECTIONS = [
    "a\r\nb",
    '\n{"seq":1}\n',
    '","outcome":"allowed","x":"',
    "\x1b]0;owned\x07\x1b[2J",
    "\x00\x7f\x80\x9b31m",
    "\u2028\u2029\u0085",
    "\u202egpj.exe",
    "\ud800 lone \udfff",
    "\\u000a\\",
    "\N{FACE WITH TEARS OF JOY}" * 300,
    "<script>alert(1)</script>",
    "%0d%0a${jndi:ldap://x}",
]

_users = st.builds(
    UserId,
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=255),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=255),
)
_anything = st.text(max_size=300) | st.sampled_from(INJECTIONS)
_words = st.from_regex(r"[a-z][a-z0-9_-]{0,47}", fullmatch=True) | st.just("")
_by_converter: dict[Any, st.SearchStrategy[Any]] = {
    label: _anything,
    text: _anything,
    word: _words,
    number: st.integers(-(2**70), 2**70),
    person: st.none() | _users,
    channel: st.none() | st.sampled_from(ChannelKind),
}


def _any_of(kind: type[Event]) -> st.SearchStrategy[Event]:
    return st.builds(kind, **{each.name: _by_converter[each.converter] for each in fields(kind)})


any_event: st.SearchStrategy[Event] = st.one_of([_any_of(kind) for kind in EVENT_TYPES.values()])
"""Any event that can be built."""


def least(kind: type[Event]) -> Event:
    """An event of a kind that says no more than it must."""
    values: dict[object, Any] = {label: "x", text: "x", word: "x", number: 1, person: USER}
    return kind(**{each.name: values[each.converter] for each in fields(kind) if each.default is NOTHING})


def opened(name: str = "s") -> StreamOpened:
    """An ordinary event."""
    return StreamOpened(who=USER, address="203.0.113.7", sandbox=SANDBOX, channel=ChannelKind.TERMINAL, session=name, request_id="r1")
