"""`[limits]`: how much the gate takes of each thing."""

from __future__ import annotations

from typing import ClassVar

from attrs import field, frozen

from coral_gate.config.definitions import Rule, key, rule
from coral_gate.config.kinds import Whole, duration, size
from coral_gate.config.places import Place
from coral_gate.config.units import size_text


def _target_in_head(place: Place, head_bytes: int, target_bytes: int) -> None:
    if target_bytes >= head_bytes:
        place.at("target").record(f"A target is a part of the head; expected less than head = {size_text(head_bytes)}.")


def _address_in_all(place: Place, connections: int, connections_per_address: int) -> None:
    if connections_per_address > connections:
        place.at("connections_per_address").record(f"One address could take all; expected at most connections = {connections}.")


@frozen(kw_only=True)
class LimitsConfig:
    """
    How much the gate takes, of each thing that somebody else sends or opens.

    What is beyond a limit is refused with 400, 413, 414, 429, 431 or 502, or is not accepted; memory stays bounded by
    the product of these numbers.
    """

    head_bytes: int = field(
        default=32 * 1024,
        metadata=key("head", size("1KiB", "1MiB"), "A request's head: request line and fields together.", since="0.1"),
    )
    fields: int = field(
        default=100,
        metadata=key("fields", Whole(10, 1000), "Fields in a request's head.", since="0.1"),
    )
    target_bytes: int = field(
        default=8 * 1024,
        metadata=key("target", size("256B", "512KiB"), "A request's target: its path and query.", since="0.1"),
    )
    body_bytes: int = field(
        default=1 << 30,
        metadata=key(
            "body",
            size("0B", "1TiB"),
            "A request's content, such as an uploaded file. It is passed on as it comes and never held whole.",
            since="0.1",
        ),
    )
    connections: int = field(
        default=10_000,
        metadata=key(
            "connections",
            Whole(1, 1_000_000),
            "Connections of browsers at one time. Each takes a file descriptor, and so does its sandbox's side.",
            since="0.1",
        ),
    )
    connections_per_address: int = field(
        default=256,
        metadata=key(
            "connections_per_address",
            Whole(1, 1_000_000),
            "Connections from one address at one time. Raise it where a whole office comes from one address.",
            since="0.1",
        ),
    )
    upstream_connections_per_sandbox: int = field(
        default=256,
        metadata=key("upstream_connections_per_sandbox", Whole(1, 100_000), "Connections to one sandbox at one time.", since="0.1"),
    )
    upstream_waiting: int = field(
        default=64,
        metadata=key(
            "upstream_waiting",
            Whole(0, 100_000),
            "Requests that may wait for a connection to one sandbox; the next is answered with 503.",
            since="0.1",
        ),
    )
    streams: int = field(
        default=5_000,
        metadata=key("streams", Whole(1, 1_000_000), "WebSockets at one time, in all.", since="0.1"),
    )
    streams_per_session: int = field(
        default=32,
        metadata=key(
            "streams_per_session", Whole(1, 10_000), "WebSockets of one sign-in at one time; the next is answered with 429.", since="0.1"
        ),
    )
    streams_per_sandbox: int = field(
        default=64,
        metadata=key("streams_per_sandbox", Whole(1, 10_000), "WebSockets to one sandbox at one time.", since="0.1"),
    )
    message_bytes: int = field(
        default=8 * 1024 * 1024,
        metadata=key(
            "message", size("64KiB", "64MiB"), "A message that a browser sends on a WebSocket; it is held whole to be judged.", since="0.1"
        ),
    )
    upstream_idle_s: float = field(
        default=4.0,
        metadata=key(
            "upstream_idle",
            duration("0s", "1h"),
            """
            How long an unused connection to a sandbox is kept for the next request. It is below the 5 seconds after
            which a Node.js server closes one, so that no request is sent into a connection that is being closed.
            """,
            since="0.1",
        ),
    )
    response_head_bytes: int = field(
        default=64 * 1024,
        metadata=key("response_head", size("1KiB", "1MiB"), "The head of a sandbox's answer.", since="0.1"),
    )
    response_fields: int = field(
        default=200,
        metadata=key("response_fields", Whole(10, 1000), "Fields in the head of a sandbox's answer.", since="0.1"),
    )

    RULES: ClassVar[tuple[Rule, ...]] = (
        rule(_target_in_head, "head_bytes", "target_bytes"),
        rule(_address_in_all, "connections", "connections_per_address"),
    )
