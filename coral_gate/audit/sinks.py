"""
Where events go: to memory, or nowhere at all. `file_sink.py` has the sink that keeps them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from time import monotonic

from attrs import define, field
from zope.interface import implementer

from coral_gate.audit.chain import GENESIS, Head, canonical, node_name, seal
from coral_gate.audit.event import Event, Refusal, as_json
from coral_gate.audit.granularity import Tally
from coral_gate.errors import AuditUnavailable
from coral_gate.interfaces import IAuditSink
from coral_gate.model import SandboxId, UserId


def _utc_now() -> datetime:
    return datetime.now(UTC)


@implementer(IAuditSink)
@define
class MemorySink:
    """
    Keeps events in memory, in a chain like the real one; for tests and for trying out.

    :ivar events: what was recorded, oldest first.
    :ivar lines: the records of those events.
    """

    _node: str = field(default="memory", converter=node_name)
    _now: Callable[[], datetime] = _utc_now
    _tally: Tally = field(factory=lambda: Tally(monotonic))
    events: list[Event] = field(factory=list, init=False)
    lines: list[bytes] = field(factory=list, init=False)
    _head: Head = field(default=GENESIS, init=False)

    async def record(self, event: Event) -> None:
        """Keep an event."""
        self._keep(event)

    def count_allowed(self, session: str, sandbox: SandboxId, who: UserId, address: str) -> None:
        """Count a request; `flush` makes the summary."""
        self._tally.allowed(session, sandbox, who, address)

    def count_refused(self, kind: type[Refusal], address: str, reason: str) -> None:
        """Count a refusal; `flush` makes the summary."""
        self._tally.refused(kind, address, reason)

    def ready(self) -> str | None:
        """Always ready."""
        return None

    def flush(self) -> None:
        """Keep the summaries of what was counted, as if a minute had passed."""
        for event in self._tally.take_second() + self._tally.take_minute():
            self._keep(event)

    def types(self) -> list[str]:
        """The dotted names of what was recorded, oldest first."""
        return [event.type for event in self.events]

    def written(self) -> list[dict[str, object]]:
        """What was recorded as a reader of the log sees it, oldest first."""
        return [json.loads(line)["event"] for line in self.lines]

    def _keep(self, event: Event) -> None:
        line, self._head = seal(self._head, canonical(as_json(event)), self._node, self._now())
        self.lines.append(line)
        self.events.append(event)


@implementer(IAuditSink)
@define
class RefusingSink:
    """
    Can record nothing, as a sink whose disk is full.

    :ivar counted: how often something was counted all the same.
    """

    _why: str = "the audit log is switched off for a test"
    counted: int = field(default=0, init=False)

    async def record(self, event: Event) -> None:
        """
        Refuse.

        :raises AuditUnavailable: always.
        """
        as_json(event)
        raise AuditUnavailable(self._why)

    def count_allowed(self, session: str, sandbox: SandboxId, who: UserId, address: str) -> None:
        """Count that something was counted."""
        self.counted += 1

    def count_refused(self, kind: type[Refusal], address: str, reason: str) -> None:
        """Count that something was counted."""
        self.counted += 1

    def ready(self) -> str | None:
        """Why nothing can be recorded."""
        return self._why
