"""A clock that a test moves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from attrs import define

BEGIN = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)


@define
class WallClock:
    """Gives aware UTC times when it is called, and stands still in between."""

    at: datetime = BEGIN

    def __call__(self) -> datetime:
        return self.at

    def advance(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)
