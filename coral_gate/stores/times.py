"""
Times as the stores keep them: whole microseconds since 1970.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def microseconds(moment: datetime) -> int:
    """
    The moment as whole microseconds since 1970, as stores keep it.

    :raises ValueError: it is not aware and in UTC.
    """
    if moment.utcoffset() != timedelta(0):
        raise ValueError("a time is not an aware UTC datetime")
    return (moment - _EPOCH) // timedelta(microseconds=1)


def moment(at_us: object) -> datetime:
    """
    The moment that a store kept.

    :raises ValueError: it is not a whole number of microseconds within the years 1970 to 9999.
    """
    if type(at_us) is not int or not 0 <= at_us < 253402300800 * 10**6:
        raise ValueError("a stored time is not a number of microseconds since 1970")
    return _EPOCH + timedelta(microseconds=at_us)


def maybe_moment(at_us: object) -> datetime | None:
    """The moment that a store kept, or None where it kept none; raises as `moment` does."""
    return None if at_us is None else moment(at_us)


def maybe_microseconds(moment: datetime | None) -> int | None:
    """The moment as `microseconds`, or None for none; raises as that does."""
    return None if moment is None else microseconds(moment)
