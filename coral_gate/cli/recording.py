"""What an operator's command changes is recorded too: in an audit folder of its own, since the daemon holds its."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from attrs import define, field
from zope.interface import implementer

from coral_gate.audit.chain import canonical
from coral_gate.audit.event import Event, Refusal, as_json
from coral_gate.audit.segments import Segments
from coral_gate.errors import AuditUnavailable
from coral_gate.interfaces import IAuditSink
from coral_gate.model import SandboxId, UserId

FOLDER_NAME: Final = "audit-commands"
"""The folder's name in the daemon's state directory; read it with `coral-gate audit --folder`."""


@implementer(IAuditSink)
@define
class CommandSink:
    """
    Records events at once, each on disk when `record` returns. The folder is opened with the first event.

    :param state_directory: the daemon's.
    """

    _state_directory: Path
    _segments: Segments | None = field(default=None, init=False)

    async def record(self, event: Event) -> None:
        """
        See `IAuditSink.record`.

        :raises ConfigError: the folder cannot be used, or another command is writing it.
        """
        if self._segments is None:
            segments = Segments(str(self._state_directory / FOLDER_NAME), "command")
            self._at_once(segments.open)
            self._segments = segments
        opened = self._segments
        self._at_once(lambda: opened.append([(datetime.now(UTC), canonical(as_json(event)))]))

    def count_allowed(self, session: str, sandbox: SandboxId, who: UserId, address: str) -> None:
        """A command serves no requests."""

    def count_refused(self, kind: type[Refusal], address: str, reason: str) -> None:
        """A command serves no requests."""

    def ready(self) -> str | None:
        """Whether it can record shows when it does."""
        return None

    def close(self) -> None:
        """Let go of the folder."""
        if self._segments is not None:
            self._segments.close()
            self._segments = None

    def _at_once(self, work: Callable[[], object]) -> None:
        try:
            work()
        except OSError as error:
            raise AuditUnavailable(error.strerror) from error
