"""
A process that records as fast as it can, and says on stdout what was acknowledged, until it is killed.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from twisted.internet import reactor as _module
from twisted.internet.defer import Deferred

from coral_gate.audit.events import SessionOpened
from coral_gate.audit.file_sink import FileSink
from coral_gate.audit.segments import Segments
from coral_gate.audit.thread import OwnThread

reactor: Any = _module  # to the type checker it is a module
_AT_ONCE = 20
_SEGMENT_BYTES = 40_000


async def record_for_ever(sink: FileSink, name: str) -> None:
    number = 0
    while True:
        await sink.record(SessionOpened(session=f"{name}.{number}"))
        os.write(1, f"{name}.{number}\n".encode())
        number += 1


async def main(folder: str, name: str) -> None:
    thread = OwnThread(reactor)
    thread.start()
    sink = FileSink(Segments(folder, "gate-1", _SEGMENT_BYTES), thread, reactor)
    await sink.start()
    for number in range(_AT_ONCE):
        Deferred.fromCoroutine(record_for_ever(sink, f"{name}.{number}"))


reactor.callWhenRunning(lambda: Deferred.fromCoroutine(main(*sys.argv[1:])))
reactor.run()
