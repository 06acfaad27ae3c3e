"""`[log]`: what the daemon says about itself."""

from __future__ import annotations

from attrs import field, frozen

from coral_gate.config.definitions import key
from coral_gate.config.kinds import Choice


@frozen(kw_only=True)
class LogConfig:
    """What the daemon says about itself, on its standard error; the audit is another thing."""

    level: str = field(
        default="info",
        metadata=key(
            "level",
            Choice({word: word for word in ("debug", "info", "warn", "error")}),
            "The least grave event that is written.",
            since="0.1",
        ),
    )
    format: str = field(
        default="text",
        metadata=key(
            "format",
            Choice({word: word for word in ("text", "json")}),
            "`text` for people; `json`, one event a line, for programs.",
            since="0.1",
        ),
    )
