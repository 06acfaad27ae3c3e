"""
Deadlines of very many connections, for the price of an attribute: one timer sweeps them all.

Setting a deadline costs no timer and no look at a clock, and a step of the wall clock moves none of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

_log = Logger()

TICK_S = 0.25
"""How often the sweep runs; a deadline is met up to two ticks late, never early."""

NEVER = 1 << 62
"""A deadline that does not come, in ticks."""


class Watched(Protocol):
    """
    Something with a deadline.

    :ivar due: the tick at which `expired` is called; `NEVER` for none.
    """

    due: int

    def expired(self) -> None:
        """The deadline has passed; set another or end."""


class Deadlines:
    """
    The sweep.

    :ivar tick: ticks since the start.
    """

    def __init__(self, reactor: IReactorTime) -> None:
        self._reactor = reactor
        self._watched: set[Watched] = set()
        self._timer: IDelayedCall | None = None
        self.tick = 0

    def watch(self, one: Watched) -> None:
        """Look after `one` until `forget`."""
        self._watched.add(one)
        if self._timer is None:
            self._timer = self._reactor.callLater(TICK_S, self._sweep)

    def forget(self, one: Watched) -> None:
        """Do not look after `one` any more; nothing happens if nobody did."""
        self._watched.discard(one)

    def stop(self) -> None:
        """End the sweep."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _sweep(self) -> None:
        self.tick += 1
        tick = self.tick
        for one in [one for one in self._watched if one.due <= tick]:
            if one in self._watched:
                one.due = NEVER
                with _log.failuresHandled("a deadline's action failed"):
                    one.expired()
        self._timer = self._reactor.callLater(TICK_S, self._sweep) if self._watched else None


class SeeingOff:
    """
    Ends once what may not last longer.

    :ivar due: see `Watched`.
    """

    __slots__ = ("_abort", "_deadlines", "due")

    def __init__(self, deadlines: Deadlines, due: int, abort: Callable[[], None]) -> None:
        self._deadlines = deadlines
        self._abort = abort
        self.due = due

    def expired(self) -> None:
        """It is time."""
        self._deadlines.forget(self)
        self._abort()


def ticks(seconds: float) -> int:
    """How many ticks make at least `seconds`, counted from anywhere within a tick."""
    return int(-(-seconds // TICK_S)) + 1
