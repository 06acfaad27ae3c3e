"""
Attempts to sign in, kept in this process.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime

from attrs import Factory, define, field
from zope.interface import implementer

from coral_gate.interfaces import ISignInAttempts
from coral_gate.model import SignInAttempt


@implementer(ISignInAttempts)
@define
class MemorySignInAttempts:
    """
    At most so many attempts, by the digest of their state.

    When it is full the oldest goes: a flood of beginnings can then cut short only those who take longer than the flood
    needs to fill it, where refusing new ones would lock everybody out.

    :ivar _now: gives the time, aware UTC.
    """

    _now: Callable[[], datetime]
    _most: int = 10_000
    _kept: OrderedDict[bytes, SignInAttempt] = field(init=False, default=Factory(OrderedDict), repr=False)

    async def put(self, attempt: SignInAttempt) -> None:
        """Keep an attempt; those that have expired go first."""
        self._kept[attempt.state_digest] = attempt
        self._kept.move_to_end(attempt.state_digest)
        while len(self._kept) > self._most or next(iter(self._kept.values())).expires_at <= self._now():
            self._kept.popitem(last=False)
            if not self._kept:
                return

    async def take(self, state_digest: bytes) -> SignInAttempt | None:
        """Take an attempt out; one that has expired is as good as none."""
        attempt = self._kept.pop(state_digest, None)
        return attempt if attempt is not None and self._now() < attempt.expires_at else None
