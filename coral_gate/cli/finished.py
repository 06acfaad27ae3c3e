"""Work of the daemon's own kind in a command, where nothing has to be waited for."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

T = TypeVar("T")


def finished(work: Coroutine[Any, Any, T]) -> T:  # Any: what Deferred.fromCoroutine takes
    """
    What a coroutine gives or raises, when all that it calls is done at once.

    :raises RuntimeError: it would have to wait.
    """
    outcomes: list[T | Failure] = []
    Deferred.fromCoroutine(work).addBoth(outcomes.append)
    if not outcomes:
        raise RuntimeError("a command has no reactor to wait with")
    if isinstance(outcomes[0], Failure):
        outcomes[0].raiseException()
    return outcomes[0]
