"""
The word that lets a person in at the built-in issuer: printed on the daemon's terminal, good for one sign-in.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta

from attrs import define, field

WORD_BITS = 64
"""How much chance a word holds: four parts of 16 bits."""

_TRIES = 5
_WINDOW = timedelta(minutes=1)
_LONGEST = 64
_CONSONANTS = "bdfghjklmnprstvz"
_VOWELS = "aiou"
_BETWEEN = re.compile(r"[\s-]+")


class TooManyTries(Exception):
    """A minute's tries are used up; the right word does not help before the minute is over either."""


@define
class OneTimeWord:
    """
    The word that is good now. Only its digest is kept.

    :ivar _announce: shows a new word to whoever sits at the terminal.
    :ivar _entropy: gives so many random bytes.
    :ivar _now: gives the time, aware UTC.
    """

    _announce: Callable[[str], None]
    _entropy: Callable[[int], bytes]
    _now: Callable[[], datetime]
    _digest: bytes = field(init=False, repr=False)
    _tries: deque[datetime] = field(init=False, factory=deque)

    def __attrs_post_init__(self) -> None:
        self._renew()

    def spend(self, typed: str) -> bool:
        """
        Whether this is the word; if it is, it is spent, and a new one is announced.

        :raises TooManyTries: it was not even looked at.
        """
        self._count()
        if len(typed) > _LONGEST or not hmac.compare_digest(_digest(_normal(typed)), self._digest):
            return False
        self._renew()
        return True

    def _count(self) -> None:
        now = self._now()
        while self._tries and not timedelta(0) <= now - self._tries[0] < _WINDOW:
            self._tries.popleft()
        if len(self._tries) >= _TRIES:
            raise TooManyTries
        self._tries.append(now)

    def _renew(self) -> None:
        word = pronounceable(self._entropy(WORD_BITS // 8))
        self._digest = _digest(word)
        self._announce(word)


def pronounceable(octets: bytes) -> str:
    """
    Bytes as words that can be read aloud and typed: each two bytes are five letters, consonants and vowels in turn, without
    two spellings for one sound (D. S. Wilkerson, "A Proposal for Proquints", arXiv:0901.4016).

    :param octets: an even number of bytes.
    """
    return "-".join(_five_letters(int.from_bytes(octets[at : at + 2], "big")) for at in range(0, len(octets), 2))


def _five_letters(number: int) -> str:
    first, second, third = (_CONSONANTS[number >> shift & 15] for shift in (12, 6, 0))
    return first + _VOWELS[number >> 10 & 3] + second + _VOWELS[number >> 4 & 3] + third


def _normal(typed: str) -> str:
    return _BETWEEN.sub("-", typed.strip().lower())


def _digest(word: str) -> bytes:
    return hashlib.sha256(word.encode("utf-8", "replace")).digest()
