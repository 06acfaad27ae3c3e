"""
SIGHUP asks for a reload, however the daemon was started.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType
from typing import Any

from attrs import define, field


@define(eq=False)
class HangupSignal:
    """
    Calls something on the reactor's thread at each SIGHUP, while it is watched. Twisted leaves this signal alone.

    :param reactor: provides `callFromThread`, which a signal may interrupt anything to call.
    """

    _reactor: Any
    _ask: Callable[[], object]
    _before: Any = field(default=None, init=False)

    def watch(self) -> None:
        """Begin. Called on the main thread, as Python's signals ask for."""
        self._before = signal.signal(signal.SIGHUP, self._came)

    def leave(self) -> None:
        """End; whatever SIGHUP meant before, it means again."""
        if self._before is not None:
            signal.signal(signal.SIGHUP, self._before)
            self._before = None

    def _came(self, number: int, frame: FrameType | None) -> None:
        self._reactor.callFromThread(self._ask)
