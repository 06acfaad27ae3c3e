"""
What every audit event says, and how it is written.
"""

from __future__ import annotations

from typing import ClassVar

import attrs
from attrs import field, frozen

from coral_gate.audit import fields
from coral_gate.audit.fields import Outcome, label, number, person, word
from coral_gate.model import ChannelKind, SandboxId, UserId

Value = str | int | dict[str, str] | None
"""What a member of a written event holds."""

_RENAMED = {"address": "from"}


@frozen(kw_only=True)
class Event:
    """
    What every event says.

    :cvar type: the dotted name of the kind; at most 48 characters.
    :cvar outcome: what came of it.
    :ivar who: who acted; None is anonymous, or the daemon itself.
    :ivar address: the client's address, written as `from`; for summaries of anonymous refusals a network.
    :ivar sandbox: the sandbox it is about, or the empty string.
    :ivar channel: the channel it is about.
    :ivar reason: a short machine word, or the empty string.
    :ivar request_id: the request's id, as the client was told it.
    """

    type: ClassVar[str] = ""
    outcome: ClassVar[Outcome] = Outcome.ALLOWED

    who: UserId | None = field(default=None, converter=person)
    address: str = field(default="", converter=label)
    sandbox: SandboxId | str = field(default="", converter=label)
    channel: ChannelKind | None = field(default=None, converter=fields.channel)
    reason: str = field(default="", converter=word)
    request_id: str = field(default="", converter=label)


@frozen(kw_only=True)
class Change(Event):
    """Something is being changed."""

    outcome: ClassVar[Outcome] = Outcome.CHANGED


@frozen(kw_only=True)
class Refusal(Event):
    """
    Something was refused.

    :ivar count: how many alike this one event stands for.
    :ivar seconds: over how long those were counted; 0 for a single one.
    """

    outcome: ClassVar[Outcome] = Outcome.REFUSED
    count: int = field(default=1, converter=number)
    seconds: int = field(default=0, converter=number)


_MEMBERS: dict[type[Event], tuple[tuple[str, str], ...]] = {}


def as_json(event: Event) -> dict[str, Value]:
    """
    What is written of an event: `type`, `outcome`, `who` (null is nobody) always, every other member if it says something.

    The values hold no float, no list and no secret; their strings hold no lone surrogates.

    :raises TypeError: the event's class names no type of its own.
    """
    if "type" not in vars(type(event)) or not event.type:
        raise TypeError(f"{type(event).__name__} is no kind of audit event")
    written: dict[str, Value] = {"type": event.type, "outcome": event.outcome.value, "who": _identity(event.who)}
    for name, member in members(type(event)):
        value = getattr(event, name)
        if value != "" and value is not None and member != "who":
            written[member] = _plain(value)
    return written


def members(kind: type[Event]) -> tuple[tuple[str, str], ...]:
    """Each field of a kind with the name under which it is written."""
    if kind not in _MEMBERS:
        _MEMBERS[kind] = tuple((each.name, _RENAMED.get(each.name, each.name)) for each in attrs.fields(kind))
    return _MEMBERS[kind]


def _plain(value: object) -> Value:
    if isinstance(value, ChannelKind):
        return str(value.value)
    if isinstance(value, UserId):
        return _identity(value)
    if isinstance(value, (str, int)):
        return value
    raise TypeError(f"{type(value).__name__} has no place in an audit event")


def _identity(who: UserId | None) -> dict[str, str] | None:
    return None if who is None else {"iss": who.iss, "sub": who.sub}
