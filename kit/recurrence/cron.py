"""Five fields of cron in a zone: the instants at which they come true."""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from kit.recurrence import clocks

FIELDS: Final = ("minute", "hour", "day of month", "month", "day of week")
ALLOWED: Final = ("0-59", "0-23", "1-31, L or LW", "1-12 or JAN-DEC", "0-7 or SUN-SAT, 5L, 5#2")
LONGEST: Final = 200
_WRITTEN: Final = re.compile(r"[0-9A-Za-z*/,#\-]+( +[0-9A-Za-z*/,#\-]+)*")
_SOME_DAY: Final = datetime(2000, 1, 1, tzinfo=UTC)
_SECOND: Final = timedelta(seconds=1)


class BadCron(ValueError):
    """The text is no cron expression of ours; says which field, and what helps."""


def check(text: str) -> None:
    """Raises BadCron for what is not five fields that some day can meet."""
    if len(text) > LONGEST or not _WRITTEN.fullmatch(text.strip()):
        raise BadCron("is five fields like “0 8 * * MON-FRI”: minute, hour, day of month, month, day of week")
    fields = text.upper().split()
    if len(fields) == 6:
        raise BadCron("has six fields: seconds are not for cron, leave the first one out, or use every_seconds")
    if len(fields) != 5:
        raise BadCron(f"has {len(fields)} fields and needs five: {', '.join(FIELDS)}")
    for place, field in enumerate(fields):
        if not _reads(["*"] * place + [field] + ["*"] * (4 - place)):
            raise BadCron(_sentence(place, field))
    if not _reads(fields):
        raise BadCron(f"the months {fields[3]} have no day {fields[2]}: it would never fire")


def _reads(fields: list[str]) -> bool:
    """Whether cronsim takes them; it also trips over what it has not thought of (`5L/2`)."""
    try:
        CronSim(" ".join(fields), _SOME_DAY)
    except (CronSimError, ValueError, AssertionError, TypeError):
        return False
    return True


def _sentence(place: int, field: str) -> str:
    if place == 4 and "#L" in field:
        return f"day of week “{field}”: the last one of a month is written 5L (Friday), not FRI#L"
    return f"{FIELDS[place]} “{field}” cannot be read: it takes {ALLOWED[place]}, lists, ranges and steps of them"


def following(text: str, zone: ZoneInfo, then: datetime) -> datetime | None:
    """The first instant (UTC) after `then` at which it fires; None: none in fifty years, or none before year 10000."""
    try:
        return _at_a_time_of_day(text, zone, then) if is_fixed(text) else _by_real_time(text, zone, then)
    except (OverflowError, StopIteration):
        return None


@lru_cache(1024)
def is_fixed(text: str) -> bool:
    """Whether it names times of day, as Debian's cron sees it: neither minute nor hour begins with a star."""
    minute, hour = text.split()[:2]
    return not minute.startswith("*") and not hour.startswith("*")


def fills(text: str, gap: clocks.Gap) -> bool:
    """Whether a time of day that it names lies in this gap, so that it fires at its end instead."""
    return is_fixed(text) and next(CronSim(text, gap.begins - _SECOND)) < gap.ends


def _at_a_time_of_day(text: str, zone: ZoneInfo, then: datetime) -> datetime | None:
    """cronsim's way, passing over what lies before: in the second pass of an overlap it thinks itself in the first, and
    several times in one gap are all at its end."""
    for found in CronSim(text, then.astimezone(zone)):
        at = found.astimezone(UTC)
        if at > then:
            return at
    return None


def _by_real_time(text: str, zone: ZoneInfo, then: datetime) -> datetime:
    """Stretch by stretch of one offset, in which wall time and real time are the same thing. cronsim itself steps over
    some firings where the clocks change by half an hour, or not at a full hour."""
    begin, inclusive = then, False
    while True:
        wall, offset = clocks.wall(begin, zone)
        found = next(CronSim(text, wall - _SECOND if inclusive else wall))
        at = (found - offset).replace(tzinfo=UTC)
        change = clocks.next_change(begin, zone, until=at)
        if change is None:
            return at
        begin, inclusive = change, True
