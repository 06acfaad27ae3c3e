"""
The daemon's log: as grave and in the form that `[log]` says, to where twistd was told.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import IO, Any

from twisted.logger import (
    FilteringLogObserver,
    ILogObserver,
    LogLevel,
    LogLevelFilterPredicate,
    eventAsText,
    jsonFileLogObserver,
    textFileLogObserver,
)
from twisted.python.logfile import LogFile
from zope.interface import implementer

from coral_gate.config.sections.log import LogConfig

_TWISTD_LOG = "twistd.log"


@implementer(ILogObserver)
class _Plain:
    """
    Writes JSON of what an event says: its time, level, namespace and text.

    Only the text is written, not the event's other values: a program that reads logs needs no more, and what is not written cannot leak.
    """

    def __init__(self, out: IO[Any]) -> None:
        self._observe = jsonFileLogObserver(out, recordSeparator="")

    def __call__(self, event: dict[str, Any]) -> None:
        text = eventAsText(event, includeTimestamp=False, includeSystem=False)
        level = event.get("log_level", LogLevel.info)
        self._observe({"time": event.get("log_time"), "level": level.name, "namespace": event.get("log_namespace", ""), "text": text})


def log_observer(config: LogConfig, twistd: Mapping[str, Any], threshold: LogLevelFilterPredicate | None = None) -> ILogObserver | None:
    """
    The observer that the configuration asks for.

    :param threshold: says what is grave enough; set to what the configuration says, and for the caller to change later.

    :param twistd: the options that twistd was started with; where they choose the log themselves (`--syslog`, `--logger`), they win.
    :return: None where twistd's own choice stands.
    """
    if twistd.get("syslog") or twistd.get("logger"):
        return None
    out = _out(twistd)
    observer = _Plain(out) if config.format == "json" else textFileLogObserver(out)
    threshold = threshold or LogLevelFilterPredicate()
    log_from(threshold, config)
    return FilteringLogObserver(observer, [threshold])


def log_from(threshold: LogLevelFilterPredicate, config: LogConfig) -> None:
    """Write what is as grave as the configuration says, and what is graver, from now on."""
    threshold.clearLogLevels()
    threshold.setLogLevelForNamespace("", LogLevel.levelWithName(config.level))


def _out(twistd: Mapping[str, Any]) -> IO[Any]:
    """Where twistd would write: its log file, or standard output in the foreground."""
    name = twistd.get("logfile")
    if name == "-" or (not name and twistd.get("nodaemon")):
        return sys.stdout
    return LogFile.fromFullPath(name or _TWISTD_LOG)  # type: ignore[no-any-return]  # untyped; it has write and flush
