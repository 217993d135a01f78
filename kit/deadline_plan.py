"""A plan becomes instants: for one person, in the person's own zone, and nothing else is asked."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from contracts.plan import Plan, Reminder
from kit.recurrence.clocks import next_change

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MIDNIGHT: Final = time()


@dataclass(frozen=True, slots=True)
class DueDate:
    """When something is due for somebody: an instant, or a whole day in the person's zone; perhaps neither."""

    at: datetime | None
    day: date | None
    zone: ZoneInfo
    urgent: bool = False

    @property
    def instant(self) -> datetime | None:
        """From here on it is late: a day is over at its end."""
        if self.at is not None or self.day is None:
            return self.at
        return instant_of(datetime.combine(self.day + timedelta(days=1), MIDNIGHT), self.zone)

    @property
    def local_day(self) -> date | None:
        """The due day on the person's calendar."""
        return self.at.astimezone(self.zone).date() if self.at is not None else self.day


@dataclass(frozen=True, slots=True)
class Coming:
    """A reminder and its instant (UTC)."""

    reminder: Reminder
    at: datetime


def applies(reminder: Reminder, due: DueDate) -> bool:
    """Whether it is said of what is open, and as urgent as this is."""
    return due.urgent or reminder.while_ == "open"


def first(reminder: Reminder, due: DueDate) -> datetime | None:
    """The instant of a rule, the first of one that repeats; None without a date to go by."""
    if reminder.is_by_the_clock:
        return EPOCH
    if reminder.at is not None:
        return _on_the_day(reminder, due)
    late = due.instant
    if late is None:
        return None
    return _days_later(late, reminder.days, due) + timedelta(seconds=reminder.after_seconds or 0)


def next_after(reminder: Reminder, due: DueDate, after: datetime) -> datetime | None:
    """The first instant of this rule that lies after `after`; None: there is none any more."""
    begin = first(reminder, due)
    if begin is None or begin > after:
        return begin
    if reminder.every_seconds is None:
        return None
    every = timedelta(seconds=reminder.every_seconds)
    return begin + ((after - begin) // every + 1) * every


def last_until(reminder: Reminder, due: DueDate, after: datetime, until: datetime) -> datetime | None:
    """The last instant of a rule that repeats, after `after` and not after `until`; None: there is none."""
    begin = first(reminder, due)
    if begin is None or begin > until or reminder.every_seconds is None:
        return None
    every = timedelta(seconds=reminder.every_seconds)
    last = begin + ((until - begin) // every) * every
    return last if last > after else None


def coming(plan: Plan, due: DueDate, after: datetime) -> list[Coming]:
    """The next instant of every rule that still has one, the nearest first."""
    found = [
        Coming(reminder, at)
        for reminder in plan.reminders
        if applies(reminder, due) and (at := next_after(reminder, due, after)) is not None
    ]
    return sorted(found, key=lambda one: one.at)


def daily(at: str, zone: ZoneInfo, after: datetime, past: date | None = None) -> tuple[date, datetime]:
    """The first day after the day `past` on which the wall time `at` ("18:00") lies after `after`, and that instant."""
    day = after.astimezone(zone).date() - timedelta(days=1)
    day = day if past is None else max(day, past + timedelta(days=1))
    while (instant := instant_of(_wall(day, at), zone)) <= after:
        day += timedelta(days=1)
    return day, instant


def instant_of(wall: datetime, zone: ZoneInfo) -> datetime:
    """Wall time as an instant: one that the clocks skip is at the end of the gap, one they show twice is the first.

    The same rule as for recurring schedules (cronsim's and java.time's).
    """
    by_before, by_after = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if by_before <= by_after:
        return by_before
    return next_change(by_after, zone, until=by_before) or by_before


def _on_the_day(reminder: Reminder, due: DueDate) -> datetime | None:
    day = due.local_day
    if day is None or reminder.at is None:
        return None
    return instant_of(_wall(day + timedelta(days=reminder.days), reminder.at), due.zone)


def _days_later(instant: datetime, days: int, due: DueDate) -> datetime:
    """Days of the calendar: the same wall time, whatever the clocks did in between."""
    if not days:
        return instant
    wall = instant.astimezone(due.zone).replace(tzinfo=None, fold=0)
    return instant_of(wall + timedelta(days=days), due.zone)


def _wall(day: date, at: str) -> datetime:
    hour, minute = at.split(":")
    return datetime.combine(day + timedelta(days=int(hour) // 24), time(int(hour) % 24, int(minute)))


def earliest(instants: Iterable[datetime | None]) -> datetime | None:
    """The first of those that there are."""
    return min((one for one in instants if one is not None), default=None)
