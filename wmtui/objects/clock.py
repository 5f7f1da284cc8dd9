"""The store's own clock: that of this host, corrected by what the store's answers say."""

from datetime import UTC, datetime, timedelta

from wmtui.model import Clock, utc_now

_NOISE = timedelta(seconds=5)
"""Answers name whole seconds and take a while to come: so little is no difference."""
WRONG = timedelta(minutes=5)
"""A host whose clock is off by more than this has a wrong clock."""


class StoreClock:
    """A Clock: aware UTC, by the store as soon as it has answered once, so that documents of all hosts have one time.

    off: how far the store's clock is ahead of the host's, negative where it is slow; None: it has not answered yet.
    """

    def __init__(self, host: Clock = utc_now) -> None:
        self._host = host
        self._correction = timedelta(0)
        self._complained = False
        self.off: timedelta | None = None

    def __call__(self) -> datetime:
        """Now, aware UTC."""
        return self._host() + self._correction

    def heard(self, date: str | None) -> None:
        """Note the Date header of an answer that has just come; a missing or garbled one says nothing."""
        from email.utils import parsedate_to_datetime

        try:
            now = parsedate_to_datetime(date or "").astimezone(UTC)
        except ValueError:
            return
        off = now - self._host()
        if abs(off - self._correction) > _NOISE:
            self._correction = off if abs(off) > _NOISE else timedelta(0)
        self.off = off

    def complaint(self) -> str | None:
        """In words, once, that this host's clock is wrong; None where it is right."""
        if self.off is None or abs(self.off) <= WRONG or self._complained:
            return None
        self._complained = True
        here = self._host().replace(microsecond=0, tzinfo=None)
        there = (self._host() + self.off).replace(microsecond=0, tzinfo=None)
        return (
            f"the clock of this host is wrong: it is {here} UTC here and {there} UTC at the store, "
            "whose clock is used; set the host's right"
        )
