"""
Credentials that were opened, for at most a minute.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from attrs import define, field, frozen
from twisted.internet.defer import DeferredLock
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from coral_gate.errors import Unavailable
from coral_gate.model import SandboxId, Secret, ServiceName, UserId

KEPT_S: Final = 60.0
_TRIES: Final = 3

Place: TypeAlias = tuple[UserId, SandboxId, ServiceName]


@frozen
class _Kept:
    secret: Secret
    until_s: float
    end: IDelayedCall


@define
class OpenedSecrets:
    """
    What was opened, each for its place alone, until its time is over or it is dropped; then nothing here refers to it.

    :param clock: monotonic, as a reactor's.
    """

    _clock: IReactorTime
    _kept_s: float = KEPT_S
    _kept: dict[Place, _Kept] = field(factory=dict, init=False, repr=False)
    _opening: dict[Place, object] = field(factory=dict, init=False, repr=False)
    _locks: dict[Place, DeferredLock] = field(factory=dict, init=False, repr=False)

    async def get(self, place: Place, opening: Callable[[], Awaitable[Secret | None]]) -> Secret | None:
        """
        What is kept for a place, or what `opening` gives; however many ask at once, it opens once.

        What was dropped while it was being opened is opened again, so that nobody gets what a rotation has replaced.

        :raises Unavailable: it was dropped again and again.
        """
        lock = self._locks.setdefault(place, DeferredLock())
        await lock.acquire()
        try:
            kept = self._fresh(place)
            return kept if kept is not None else await self._open(place, opening)
        finally:
            lock.release()
            if not lock.locked:
                self._locks.pop(place, None)

    def kept(self, place: Place) -> Secret | None:
        """What is kept for a place and still fresh, or None."""
        return self._fresh(place)

    def drop(self, sandbox: SandboxId) -> None:
        """Forget what was opened, or is being opened, for a sandbox."""
        for place in [place for place in {*self._kept, *self._opening} if place[1] == sandbox]:
            self._forget(place)

    def drop_all(self) -> None:
        """Forget everything that was opened or is being opened."""
        for place in {*self._kept, *self._opening}:
            self._forget(place)

    def _fresh(self, place: Place) -> Secret | None:
        kept = self._kept.get(place)
        return None if kept is None or self._clock.seconds() >= kept.until_s else kept.secret

    async def _open(self, place: Place, opening: Callable[[], Awaitable[Secret | None]]) -> Secret | None:
        for _ in range(_TRIES):
            mark = self._opening[place] = object()
            try:
                secret = await opening()
                undisturbed = self._opening.get(place) is mark
            finally:
                self._opening.pop(place, None)
            if undisturbed:
                if secret is not None:
                    self._keep(place, secret)
                return secret
        raise Unavailable

    def _keep(self, place: Place, secret: Secret) -> None:
        self._forget(place)
        end = self._clock.callLater(self._kept_s, self._forget, place)
        self._kept[place] = _Kept(secret, self._clock.seconds() + self._kept_s, end)

    def _forget(self, place: Place) -> None:
        self._opening.pop(place, None)
        kept = self._kept.pop(place, None)
        if kept is not None and kept.end.active():
            kept.end.cancel()
