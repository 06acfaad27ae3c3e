"""
A thread of its own for work that blocks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

_T = TypeVar("_T")


class RunInThread(Protocol):
    """Runs one piece of blocking work after the other, never two at once."""

    def __call__(self, work: Callable[[], _T]) -> Deferred[_T]:
        """The result of `work`, or its exception."""


@define
class OwnThread:
    """One thread that does nothing else, so that a slow disk holds up nobody but its own callers."""

    _reactor: IReactorFromThreads
    _pool: ThreadPool = field(factory=lambda: ThreadPool(minthreads=1, maxthreads=1, name="audit"), init=False)

    def start(self) -> None:
        """Start the thread."""
        self._pool.start()

    def stop(self) -> None:
        """End the thread when its work is done; blocks until then."""
        self._pool.stop()

    def __call__(self, work: Callable[[], _T]) -> Deferred[_T]:
        """Run `work` in the thread, after all that was handed in before."""
        return deferToThreadPool(self._reactor, self._pool, work)
