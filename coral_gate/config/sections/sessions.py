"""`[sessions]`: how long a sign-in lasts."""

from __future__ import annotations

from typing import ClassVar

from attrs import field, frozen

from coral_gate.config.definitions import Rule, key, rule
from coral_gate.config.kinds import Whole, duration
from coral_gate.config.places import Place


def _idle_within_absolute(place: Place, idle_s: float, absolute_s: float) -> None:
    if idle_s > absolute_s:
        place.at("idle").record("A session would end before it can be idle for so long; expected at most absolute.")


def _cache_within_idle(place: Place, cache_s: float, idle_s: float) -> None:
    if cache_s * 2 > idle_s:
        place.at("cache").record("A session would be trusted after it has run idle; expected at most half of idle.")


@frozen(kw_only=True)
class SessionsConfig:
    """
    How long a sign-in lasts, and how many a person may have.

    A session ends when its person signs out, when it is ended by them or an administrator, when its user is disabled, and
    at the latest when one of these times has passed; the sandbox origins that it opened end with it. The issuer's own
    session is not asked again meanwhile.
    """

    absolute_s: float = field(
        default=12 * 3600.0,
        metadata=key("absolute", duration("1m", "7d"), "The longest that a session lasts, whatever happens on it.", since="0.1"),
    )
    idle_s: float = field(
        default=3600.0,
        metadata=key(
            "idle",
            duration("1m", "7d"),
            "Without a request for so long, a session ends. A stream that is merely open is no request.",
            since="0.1",
        ),
    )
    most_per_user: int = field(
        default=10,
        metadata=key(
            "most_per_user",
            Whole(1, 1000),
            "Sessions of one person at one time; one more ends the one that was used least recently.",
            since="0.1",
        ),
    )
    cache_s: float = field(
        default=10.0,
        metadata=key(
            "cache",
            duration("0s", "1m"),
            """
            How long an answer about a session is kept in memory. What is revoked on this machine takes effect within a
            second all the same.
            """,
            since="0.1",
        ),
    )
    handoff_s: float = field(
        default=30.0,
        metadata=key(
            "handoff", duration("5s", "2m"), "How long the one-time code lives that takes a browser to a sandbox's origin.", since="0.1"
        ),
    )

    RULES: ClassVar[tuple[Rule, ...]] = (
        rule(_idle_within_absolute, "idle_s", "absolute_s"),
        rule(_cache_within_idle, "cache_s", "idle_s"),
    )
