"""
Where work that blocks is done.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from twisted.internet.defer import Deferred, execute

T = TypeVar("T")


class InThread(Protocol):
    """Does work that blocks away from the reactor's thread: `twisted.internet.threads.deferToThread` in the daemon."""

    def __call__(self, work: Callable[[], T]) -> Awaitable[T]:
        """Start the work; wait for what it gives or raises."""


def at_once(work: Callable[[], T]) -> Deferred[T]:
    """Work done here and now: in a command that has nothing else to do, and in tests."""
    return execute(work)
