"""A rule of recurrence, and the one question to it: what comes after this instant?"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from kit.recurrence import cron

LONGEST_SECONDS: Final = 366 * 86400
_LEAST: Final = timedelta(microseconds=1)


class BadRule(ValueError):
    """No firing can be made of this; `field` is to blame."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(text)
        self.field = field


@dataclass(frozen=True, slots=True)
class Rule:
    """`cron` in `zone`, or `every_seconds` counted from `anchor` (starts_at itself where that is given, and then the
    first firing). Nothing before `starts_at` or after `ends_at`; both may be firings themselves. Instants are UTC."""

    zone: ZoneInfo
    cron: str | None = None
    every_seconds: int | None = None
    anchor: datetime | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None

    def check(self) -> None:
        """Raises BadRule, with a sentence, for what could never fire."""
        if (self.cron is None) == (self.every_seconds is None):
            raise BadRule("cron", "give either cron or every_seconds")
        if self.cron is not None:
            try:
                cron.check(self.cron)
            except cron.BadCron as error:
                raise BadRule("cron", str(error)) from None
        elif not 1 <= (self.every_seconds or 0) <= LONGEST_SECONDS:
            raise BadRule("every_seconds", f"is a whole number from 1 to {LONGEST_SECONDS} (a year)")
        if self.starts_at and self.ends_at and self.ends_at < self.starts_at:
            raise BadRule("ends_at", "lies before starts_at: it would never fire")

    def after(self, then: datetime) -> datetime | None:
        """The first firing after `then`, never `then` itself; None: there is none (or none before the year 10000, on
        the clock of its zone too)."""
        if self.starts_at is not None and self.starts_at > then:
            then = self.starts_at - _LEAST
        try:
            at = self._by_cron(then) if self.cron is not None else self._by_interval(then)
            if at is not None:
                at.astimezone(self.zone)
        except OverflowError:
            return None
        return at if at is not None and (self.ends_at is None or at <= self.ends_at) else None

    def firings(self, then: datetime) -> Iterator[datetime]:
        """All that come after `then`, one by one; perhaps without end."""
        at = self.after(then)
        while at is not None:
            yield at
            at = self.after(at)

    def _by_cron(self, then: datetime) -> datetime | None:
        assert self.cron is not None
        return cron.following(self.cron, self.zone, then)

    def _by_interval(self, then: datetime) -> datetime:
        """A multiple of the interval after the anchor; the anchor itself fires only as starts_at."""
        anchor, interval = self.starts_at or self.anchor, timedelta(seconds=self.every_seconds or 0)
        assert anchor is not None
        times = max((then - anchor) // interval + 1, 0 if self.starts_at else 1)
        return (anchor + times * interval).astimezone(UTC)
