"""
Times as the stores keep them.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.stores.times import microseconds, moment

TIMES = st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31, 23, 59, 59), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds it


class TimeTests(SynchronousTestCase):
    """Times as the stores keep them."""

    @given(TIMES)
    def test_round_trip(self, at: datetime) -> None:
        """A time comes back as it was, to the microsecond."""
        self.assertEqual(at, moment(microseconds(at)))
        self.assertEqual(UTC, moment(microseconds(at)).tzinfo)

    def test_other_zones(self) -> None:
        """A time without a zone, or in another one than UTC, is not kept."""
        for at in (datetime(2026, 1, 1), datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=1)))):  # noqa: DTZ001 - meant
            self.assertRaises(ValueError, microseconds, at)

    @given(st.one_of(st.integers(), st.text(), st.binary(), st.floats(), st.none(), st.booleans()))
    def test_nothing_else(self, stored: object) -> None:
        """Whatever is in the column, it is a time of ours or a ValueError."""
        try:
            at = moment(stored)
        except ValueError:
            return
        self.assertEqual(stored, microseconds(at))
