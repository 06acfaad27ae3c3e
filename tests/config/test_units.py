"""Durations and sizes are strict, and what is written is read back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.config.units import duration_s, duration_text, size_bytes, size_text


class DurationTests(SynchronousTestCase):
    """A duration is a whole number with its unit."""

    def test_units(self) -> None:
        """Each unit is worth what it says."""
        spelled = {"500ms": 0.5, "10s": 10.0, "5m": 300.0, "1h": 3600.0, "30d": 2_592_000.0, "0s": 0.0}
        self.assertEqual({text: duration_s(text) for text in spelled}, spelled)

    def test_refused(self) -> None:
        """No default unit, sign, fraction, blank, other case, other digits, second part or overlong number."""
        for text in ("", "10", "s", "-1s", "+1s", "1.5s", "1 s", " 1s", "1s ", "1s\n", "1S", "1sec", "1h30m", "1_0s", "١s", "1" * 13 + "s"):
            self.assertRaises(ValueError, duration_s, text)

    @given(st.integers(0, 10**11))
    def test_round_trip(self, milliseconds: int) -> None:
        """The spelling of a duration reads back as the same duration."""
        self.assertEqual(duration_s(duration_text(milliseconds / 1000)), milliseconds / 1000)

    def test_shortest_spelling(self) -> None:
        """A duration is spelled in the unit that makes it shortest."""
        self.assertEqual([duration_text(seconds) for seconds in (0.0, 0.5, 75.0, 60.0, 3600.0)], ["0s", "500ms", "75s", "1m", "1h"])

    @given(st.text())
    def test_nothing_but_value_error(self, text: str) -> None:
        """Whatever the text, it is a duration or a ValueError."""
        try:
            self.assertGreaterEqual(duration_s(text), 0)
        except ValueError:
            pass


class SizeTests(SynchronousTestCase):
    """A size is a whole number with its unit."""

    def test_units(self) -> None:
        """Units of 1024 have an i, units of 1000 have none."""
        spelled = {"0B": 0, "7B": 7, "64KiB": 65536, "8MiB": 8 << 20, "1GiB": 1 << 30, "2TiB": 2 << 40}
        spelled |= {"64kB": 64_000, "3MB": 3_000_000, "1GB": 10**9, "1TB": 10**12}
        self.assertEqual({text: size_bytes(text) for text in spelled}, spelled)

    def test_refused(self) -> None:
        """No default unit, sign, fraction, blank or unit that could mean two things."""
        for text in ("", "1", "KiB", "-1B", "1.5MiB", "1 MiB", "1K", "1M", "1KB", "1kb", "1kib", "1MiB\n", "1b", "1" * 16 + "B"):
            self.assertRaises(ValueError, size_bytes, text)

    @given(st.integers(0, 10**15 - 1))
    def test_round_trip(self, size: int) -> None:
        """The spelling of a size reads back as the same size."""
        self.assertEqual(size_bytes(size_text(size)), size)
