"""A clock on which the turns of a reactor can be told apart."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import Clock

_TURN_S = 2.0**-20


class Turns(Clock):
    """A clock where `callLater(0, ...)` means the next turn, even from within a turn."""

    def callLater(self, delay: float, callable: Callable[..., object], *args: object, **kw: object) -> IDelayedCall:  # noqa: A002  # its name in Twisted
        return super().callLater(delay or _TURN_S, callable, *args, **kw)

    def turn(self) -> None:
        """Run what is due in the next turn, and nothing that it schedules."""
        self.advance(_TURN_S)

    def settle(self) -> None:
        """Run turns until nothing is due soon."""
        while any(call.getTime() <= self.seconds() + _TURN_S for call in self.getDelayedCalls()):
            self.turn()
