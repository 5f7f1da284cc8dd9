"""A clock that tests move by hand."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

NOON = datetime(2025, 8, 14, 12, tzinfo=UTC)


@dataclass
class HandClock:
    """Stands still until `advance`; aware UTC."""

    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **by: float) -> None:
        """Move on, e.g. `advance(minutes=5)`; negative goes back."""
        self.now += timedelta(**by)
