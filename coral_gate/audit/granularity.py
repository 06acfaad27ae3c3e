"""
What is counted instead of being recorded one by one, so that neither a busy session nor a scanner fills the disk.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network, ip_address
from math import ceil
from typing import TypeVar

from attrs import define, evolve, field, frozen

from coral_gate.audit.event import Refusal
from coral_gate.audit.events import RequestCounted
from coral_gate.model import SandboxId, UserId

_Key = TypeVar("_Key")
_TOO_MANY = "too_many_to_tell_apart"
_IPV6_PREFIX_BITS = 64


@frozen
class Bounds:
    """
    How much is told apart.

    :ivar allowed_keys: sessions with their sandbox and address, in a minute.
    :ivar refused_events: events about refusals to strangers, in a minute.
    """

    allowed_keys: int = 20_000
    refused_events: int = 1_200


@define
class _Count:
    """An event but for its numbers, since when it is counted, and how often it came."""

    event: RequestCounted | Refusal
    since: float
    times: int = 0

    def summary(self, now: float) -> RequestCounted | Refusal:
        return evolve(self.event, count=self.times, seconds=max(1, ceil(now - self.since)))


@define
class Tally:
    """
    Counts allowed requests and refusals to strangers, and makes summaries of them.

    What passes the bounds is counted still, without telling who or where from.

    :param seconds: the clock.
    """

    _seconds: Callable[[], float]
    _bounds: Bounds = field(factory=Bounds)
    _allowed: dict[tuple[str, str, str], _Count] = field(factory=dict, init=False)
    _refused: dict[tuple[type[Refusal], str, str], _Count] = field(factory=dict, init=False)
    _crowd: dict[type[Refusal], _Count] = field(factory=dict, init=False)
    _refused_events: int = field(default=0, init=False)

    def allowed(self, session: str, sandbox: SandboxId, who: UserId, address: str) -> None:
        """Count an allowed request."""
        try:
            self._allowed[session, sandbox, address].times += 1
        except KeyError:
            self._first_allowed(session, sandbox, who, address).times += 1

    def refused(self, kind: type[Refusal], address: str, reason: str) -> None:
        """Count a refusal."""
        key = (kind, network(address), reason)
        count = self._refused.get(key)
        if count is None:
            count = self._first_refused(*key)
        count.times += 1

    def take_second(self) -> list[RequestCounted | Refusal]:
        """The summaries that are due each second, which starts their counts anew."""
        return self._take(self._refused)

    def take_minute(self) -> list[RequestCounted | Refusal]:
        """The summaries that are due each minute, which starts their counts and the bound on refusals anew."""
        self._refused_events = len(self._refused)
        return self._take(self._allowed) + self._take(self._crowd)

    def _first_allowed(self, session: str, sandbox: SandboxId, who: UserId, address: str) -> _Count:
        if len(self._allowed) < self._bounds.allowed_keys:
            event = RequestCounted(session=session, sandbox=sandbox, who=who, address=address, count=0, seconds=0)
            return self._allowed.setdefault((session, sandbox, address), _Count(event, self._seconds()))
        event = RequestCounted(session="", reason=_TOO_MANY, count=0, seconds=0)
        return self._allowed.setdefault(("", "", ""), _Count(event, self._seconds()))

    def _first_refused(self, kind: type[Refusal], origin: str, reason: str) -> _Count:
        if self._refused_events < self._bounds.refused_events:
            self._refused_events += 1
            event = kind(address=origin, reason=reason, count=0)
            return self._refused.setdefault((kind, origin, reason), _Count(event, self._seconds()))
        return self._crowd.setdefault(kind, _Count(kind(reason=_TOO_MANY, count=0), self._seconds()))

    def _take(self, counts: dict[_Key, _Count]) -> list[RequestCounted | Refusal]:
        now = self._seconds()
        taken = [count.summary(now) for count in counts.values()]
        counts.clear()
        return taken


@lru_cache(maxsize=4096)
def network(address: str) -> str:
    """
    What one stranger can hold at little cost: an IPv4 address, an IPv6 /64; anything else stays as it is.

    An IPv4 address written as IPv6 (RFC 4291 §2.5.5.2) is the IPv4 address.
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(IPv6Network((parsed.packed, _IPV6_PREFIX_BITS), strict=False))
