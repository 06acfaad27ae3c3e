"""`[deadlines]`: how long the gate waits for each thing."""

from __future__ import annotations

from attrs import field, frozen

from coral_gate.config.definitions import key
from coral_gate.config.kinds import duration, size

_SHORT = duration("100ms", "10m")
_LONG = duration("1s", "7d")


@frozen(kw_only=True)
class DeadlinesConfig:
    """
    How long the gate waits, for each thing that it waits for.

    Nothing is waited for without end: who is slow on purpose holds a connection only as long as this section says.
    """

    handshake_s: float = field(
        default=10.0,
        metadata=key("handshake", _SHORT, "A browser's TLS handshake, from the first byte to the last.", since="0.1"),
    )
    head_s: float = field(
        default=10.0,
        metadata=key("head", _SHORT, "A request's head, from its first byte to its last, however evenly the bytes trickle.", since="0.1"),
    )
    idle_s: float = field(
        default=75.0,
        metadata=key("idle", _LONG, "A kept connection on which no request is under way.", since="0.1"),
    )
    body_stall_s: float = field(
        default=30.0,
        metadata=key("body_stall", _SHORT, "The next byte of a request's content.", since="0.1"),
    )
    body_minimum_bytes_per_s: int = field(
        default=256,
        metadata=key(
            "body_minimum_rate",
            size("0B", "1GiB"),
            "The least that a request's content must bring in a second, on average; `0B` asks for nothing.",
            since="0.1",
        ),
    )
    decide_s: float = field(
        default=10.0,
        metadata=key("decide", _SHORT, "Who is asking and whether they may: sessions, locks and the audit's record.", since="0.1"),
    )
    upstream_connect_s: float = field(
        default=5.0,
        metadata=key("upstream_connect", _SHORT, "A connection to a sandbox, with its TLS handshake.", since="0.1"),
    )
    upstream_head_s: float = field(
        default=60.0,
        metadata=key("upstream_head", _LONG, "The head of a sandbox's answer, after the request has been passed on whole.", since="0.1"),
    )
    upstream_stall_s: float = field(
        default=3600.0,
        metadata=key(
            "upstream_stall",
            _LONG,
            "The next byte of a sandbox's answer. It is long since a stream of events may be silent.",
            since="0.1",
        ),
    )
    reader_stall_s: float = field(
        default=60.0,
        metadata=key("reader_stall", _LONG, "A browser that reads nothing of what waits for it, as when a laptop is asleep.", since="0.1"),
    )
    linger_s: float = field(
        default=2.0,
        metadata=key(
            "linger",
            _SHORT,
            "How long a refused request is still read, so that the browser sees the answer and not a reset (RFC 9112 §9.6).",
            since="0.1",
        ),
    )
    stop_s: float = field(
        default=10.0,
        metadata=key("stop", _SHORT, "When the daemon stops: how long requests under way may still take.", since="0.1"),
    )
