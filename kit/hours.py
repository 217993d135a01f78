"""When somebody may be disturbed: opening hours less quiet hours, as intervals in UTC. Pure: the time comes in."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

from contracts import local_time
from kit.deadline_plan import daily
from kit.retry import Window

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY: Final = timedelta(days=1)
AHEAD: Final = timedelta(days=7)
"""As far as anybody looks: a week holds every weekday."""

MINUTES: Final = 24 * 60
SECOND: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Span:
    """The same hours on some days of the week (0 = Monday), in minutes of the day; `end` may lie on the next day."""

    days: frozenset[int]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Calendar:
    """Spans by the clock on the wall of one zone: an instant is inside while that clock shows a time inside.

    So a span begins at the end of a gap that swallows its start, and what the clock shows twice is inside twice.
    """

    spans: tuple[Span, ...]
    time_zone: str


def span(start: str, end: str, days: Iterable[str] = DAYS) -> Span:
    """From `start` to `end` ("08:00", at most "24:00"); one that ends earlier than it starts ends on the day after.

    Raises ValueError where both are the same, which could mean all day or never.
    """
    begin, over = _minutes(start), _minutes(end)
    if begin == over:
        raise ValueError('from and to are the same: give "00:00" and "24:00" for the whole day')
    return Span(frozenset(DAYS.index(day) for day in days), begin, over if over > begin else over + MINUTES)


def allowed(opened: Calendar | None, quiet: Calendar | None, now: datetime) -> tuple[Window, ...] | None:
    """The intervals of the next seven days that lie in `opened` and outside of `quiet`; None: all the time.

    `kit.retry.moved_into` names the first allowed instant from them. None of them: there is none within seven days.
    """
    if opened is None and quiet is None:
        return None
    last = now + AHEAD
    known = _from_day_on(opened, quiet, now.astimezone(UTC).date())
    near = tuple((max(begin, now), min(end, last)) for begin, end in known if end > now and begin < last)
    return None if near == ((now, last),) else near


def allowed_until(
    opened: Calendar | None, quiet: Calendar | None, now: datetime, end: datetime
) -> tuple[Window, ...] | None:
    """The same, as far as `end`: for who looks through many instants, with `first_in`."""
    if opened is None and quiet is None:
        return None
    return _between(opened, quiet, datetime.combine(now.astimezone(UTC).date(), time(), UTC), end)


def first_in(windows: Sequence[Window] | None, at: datetime) -> datetime | None:
    """`at` itself where one of these holds it, else the beginning of the next; None when none is left. None: always.

    They are in their order and do not overlap: found by halves.
    """
    if windows is None:
        return at
    next_one = bisect_right(windows, at, key=lambda window: window[1])
    return max(at, windows[next_one][0]) if next_one < len(windows) else None


def hour_around(at: datetime) -> Window:
    """The clock hour of UTC that holds this instant."""
    begin = at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    return begin, begin + timedelta(hours=1)


def day_around(at: datetime, time_zone: str) -> Window:
    """The day that holds it there. Where midnight is skipped, the day begins at the end of the gap."""
    zone = local_time.zone(time_zone)
    midnight = datetime.combine(at.astimezone(zone).date(), time())
    begin, end = (each.replace(tzinfo=zone).astimezone(UTC) for each in (midnight, midnight + DAY))
    return begin, end


def next_time(after: datetime, time_of_day: str, time_zone: str) -> datetime:
    """The first instant behind `after` at which the clock there shows this time; of two the first, of none the gap's
    end, as for reminders and schedules.
    """
    _, at = daily(time_of_day, local_time.zone(time_zone), after)
    return at


@lru_cache(maxsize=4096)
def _from_day_on(opened: Calendar | None, quiet: Calendar | None, day: date) -> tuple[Window, ...]:
    """From the beginning of this day in UTC, for whoever has the same hours; long enough for all of its instants."""
    begin = datetime.combine(day, time(), UTC)
    return _between(opened, quiet, begin, begin + AHEAD + DAY)


def _between(opened: Calendar | None, quiet: Calendar | None, begin: datetime, end: datetime) -> tuple[Window, ...]:
    windows = [(begin, end)] if opened is None else _times(opened, begin, end)
    return tuple(windows if quiet is None else _less(windows, _times(quiet, begin, end)))


def _times(calendar: Calendar, begin: datetime, end: datetime) -> list[Window]:
    """When the clock of the calendar's zone shows a time inside. Between two changes of the clocks that is simple."""
    found = []
    for since, until, offset in _stretches(local_time.zone(calendar.time_zone), begin, end):
        for shown, over in _on_the_wall(calendar.spans, since + offset, until + offset):
            found.append((max(shown - offset, since), min(over - offset, until)))
    return _merged(found)


def _on_the_wall(spans: Iterable[Span], begin: datetime, end: datetime) -> Iterator[Window]:
    """The spans of each day that touch these times, all as the clock shows them (in UTC's clothes)."""
    day = datetime.combine(begin.date(), time(), UTC) - DAY
    while day < end:
        for one in spans:
            start, over = day + timedelta(minutes=one.start), day + timedelta(minutes=one.end)
            if day.weekday() in one.days and start < end and over > begin:
                yield start, over
        day += DAY


def _stretches(zone: ZoneInfo, begin: datetime, end: datetime) -> Iterator[tuple[datetime, datetime, timedelta]]:
    """The pieces of this time in each of which the zone keeps its offset."""
    changes = []
    day = begin
    while day < end:
        after = min(day + DAY, end)
        if _offset(zone, day) != _offset(zone, after):
            changes.append(_change(zone, day, after))
        day = after
    for since, until in pairwise([begin, *changes, end]):
        if since < until:
            yield since, until, _offset(zone, since)


def _change(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """The second at which the clocks change; they do so at most once a day."""
    offset = _offset(zone, before)
    while after - before > SECOND:
        middle = before + (after - before) // 2
        middle -= timedelta(microseconds=middle.microsecond)
        before, after = (middle, after) if _offset(zone, middle) == offset else (before, middle)
    return after


def _offset(zone: ZoneInfo, at: datetime) -> timedelta:
    return at.astimezone(zone).utcoffset() or timedelta()


def _merged(windows: Iterable[Window]) -> list[Window]:
    """In their order, those that touch as one."""
    whole: list[Window] = []
    for begin, end in sorted(windows):
        if whole and begin <= whole[-1][1]:
            whole[-1] = (whole[-1][0], max(end, whole[-1][1]))
        else:
            whole.append((begin, end))
    return whole


def _less(windows: Iterable[Window], without: Sequence[Window]) -> Iterator[Window]:
    """What is left of the windows. Both are in their order, and each by itself does not overlap."""
    for since, until in windows:
        for begin, end in without[bisect_right(without, since, key=lambda cut: cut[1]) :]:
            if begin >= until:
                break
            if since < begin:
                yield since, begin
            since = end
        if since < until:
            yield since, until


def _minutes(text: str) -> int:
    hours, _, minutes = text.partition(":")
    return int(hours) * 60 + int(minutes)
