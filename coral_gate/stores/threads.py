"""
Where the database's work is done: one thread of its own for each connection, never the reactor's.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, Generic, Protocol, TypeVar

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred, execute
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from coral_gate.errors import Unavailable

T = TypeVar("T")

MOST_WAITING: Final = 1000


class InThread(Protocol):
    """Does work that blocks away from the reactor's thread, one piece after the other."""

    def __call__(self, work: Callable[[], T]) -> Awaitable[T]:
        """Start the work; wait for what it gives or raises."""


def at_once(work: Callable[[], T]) -> Deferred[T]:
    """Work done here and now: in a command that has nothing else to do, and in tests."""
    return execute(work)


@define(eq=False)
class OneThread:
    """
    A thread that does one piece of work after the other.

    :ivar name: what the thread is called.
    :ivar most_waiting: how many pieces of work may be waiting; one more is refused.
    """

    _reactor: IReactorFromThreads
    name: str
    most_waiting: int = MOST_WAITING
    _pool: ThreadPool | None = None
    _waiting: int = field(default=0, init=False)

    def start(self) -> None:
        """Start the thread."""
        self._pool = ThreadPool(minthreads=1, maxthreads=1, name=self.name)
        self._pool.start()

    def stop(self) -> None:
        """Finish what has begun and what waits, and end the thread; blocks until then."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.stop()

    def __call__(self, work: Callable[[], T]) -> Deferred[T]:
        """
        Do the work in the thread; work that is cancelled while it waits is not begun.

        :raises Unavailable: too much is waiting, or the thread does not run.
        """
        if self._pool is None or self._waiting >= self.most_waiting:
            raise Unavailable
        self._waiting += 1
        piece = _Piece(work)
        answer: Deferred[T] = Deferred(lambda _: piece.give_up())
        doing = deferToThreadPool(self._reactor, self._pool, piece.do)
        doing.addCallbacks(answer.callback, answer.errback)
        doing.addBoth(self._done)
        return answer

    def _done(self, _: object) -> None:
        self._waiting -= 1


@define(eq=False)
class _Piece(Generic[T]):
    _work: Callable[[], T]
    _given_up: bool = False

    def give_up(self) -> None:
        self._given_up = True

    def do(self) -> T:
        if self._given_up:
            raise CancelledError
        return self._work()
