"""
The codes that the built-in issuer has given out.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta

from attrs import define, field, frozen

CODE_LIFE = timedelta(seconds=60)
"""How long a code is good."""

_MOST = 64


@frozen
class Grant:
    """What a code stands for."""

    subject: str
    nonce: str
    challenge: str
    redirect_uri: str
    granted_at: datetime


@define
class Grants:
    """
    Codes by their digest, each good once.

    :ivar _now: gives the time, aware UTC.
    :ivar _code: gives a fresh unguessable code.
    """

    _now: Callable[[], datetime]
    _code: Callable[[], str]
    _kept: OrderedDict[bytes, Grant] = field(init=False, factory=OrderedDict, repr=False)

    def give(self, grant: Grant) -> str:
        """A new code; the oldest goes where there are too many."""
        code = self._code()
        self._kept[_digest(code)] = grant
        if len(self._kept) > _MOST:
            self._kept.popitem(last=False)
        return code

    def take(self, code: str) -> Grant | None:
        """What a code stands for, if it is good; it is not good any more then."""
        grant = self._kept.pop(_digest(code), None)
        return grant if grant is not None and timedelta(0) <= self._now() - grant.granted_at < CODE_LIFE else None


def _digest(code: str) -> bytes:
    return hashlib.sha256(code.encode("utf-8", "replace")).digest()
