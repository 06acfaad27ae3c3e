"""
An answer that is fetched once and kept for a while.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from attrs import Factory, define, field, frozen
from twisted.internet.defer import DeferredLock

from coral_gate.errors import IssuerUnavailable

T = TypeVar("T")


@frozen
class _Outcome(Generic[T]):
    """What the last fetch gave: an answer, or the word for why there is none."""

    at: datetime
    values: tuple[T, ...]
    reason: str

    def answer(self) -> T:
        if not self.values:
            raise IssuerUnavailable(self.reason)
        return self.values[0]


@define
class Remembered(Generic[T]):
    """
    The last answer of a fetch. However many ask, one fetch is under way at a time; a failure is kept too, shortly, so that
    a crowd at the door does not fall upon an issuer that is down.

    :ivar _now: gives the time, aware UTC.
    """

    _fetch: Callable[[], Awaitable[T]]
    _now: Callable[[], datetime]
    _keep: timedelta
    _keep_failure: timedelta = timedelta(seconds=5)
    _lock: DeferredLock = field(init=False, default=Factory(DeferredLock))
    _outcome: _Outcome[T] | None = field(init=False, default=None)

    async def get(self) -> T:
        """
        The kept answer, or a new one where it is too old.

        :raises IssuerUnavailable: there is none, or there was none a moment ago.
        """
        outcome = self._outcome
        if outcome is not None and self._is_fresh(outcome):
            return outcome.answer()
        return await self.renew()

    async def renew(self) -> T:
        """
        An answer of a fetch that ended after this call began.

        :raises IssuerUnavailable: there is none.
        """
        before = self._outcome
        await self._lock.acquire()
        try:
            if self._outcome is None or self._outcome is before:
                self._outcome = await self._fetched()
            return self._outcome.answer()
        finally:
            self._lock.release()

    async def _fetched(self) -> _Outcome[T]:
        try:
            value = await self._fetch()
        except IssuerUnavailable as fault:
            return _Outcome(self._now(), (), fault.reason)
        return _Outcome(self._now(), (value,), "")

    def _is_fresh(self, outcome: _Outcome[T]) -> bool:
        # A clock that was set back makes everything stale rather than eternal.
        age = self._now() - outcome.at
        return timedelta(0) <= age < (self._keep if outcome.values else self._keep_failure)
