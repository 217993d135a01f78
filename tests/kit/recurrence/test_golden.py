"""Twenty-four changes of clocks in eighteen zones, against PostgreSQL's wall clock and a walk over every minute."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from kit.recurrence import Rule

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)

CHANGES = [
    ("Europe/Paris", "2024-03-31"),
    ("Europe/Paris", "2024-10-27"),
    ("America/New_York", "2024-03-10"),
    ("America/New_York", "2024-11-03"),
    ("Australia/Lord_Howe", "2024-04-06"),  # back by half an hour
    ("Australia/Lord_Howe", "2024-10-05"),
    ("Antarctica/Troll", "2024-03-31"),  # two hours
    ("Antarctica/Troll", "2024-10-27"),
    ("America/Sao_Paulo", "2018-11-04"),  # no midnight
    ("America/Sao_Paulo", "2018-02-18"),
    ("Asia/Beirut", "2022-03-27"),  # no midnight
    ("Asia/Beirut", "2022-10-30"),
    ("Africa/Cairo", "2024-04-26"),  # no midnight
    ("America/Santiago", "2024-09-08"),  # no midnight, southern
    ("America/Santiago", "2024-04-07"),
    ("America/Havana", "2024-03-10"),  # no midnight
    ("Pacific/Chatham", "2024-09-29"),  # southern, three quarters of an hour off
    ("Pacific/Chatham", "2024-04-07"),
    ("Pacific/Apia", "2011-12-30"),  # no such day
    ("Asia/Gaza", "2010-03-27"),  # at a minute past midnight
    ("America/St_Johns", "2010-03-14"),  # at a minute past midnight
    ("Africa/Casablanca", "2024-04-14"),  # back after Ramadan
    ("Asia/Kolkata", "2024-06-01"),  # never
    ("Asia/Kathmandu", "2024-06-01"),  # never
]


class Golden(NamedTuple):
    """A cron, whether it names times of day, and by hand what wall times it means."""

    cron: str
    fixed: bool
    means: Callable[[datetime], bool]


def _is_last_friday(wall: datetime) -> bool:
    return wall.weekday() == 4 and (wall + 7 * DAY).month != wall.month


RULES = [
    Golden("30 2 * * *", True, lambda wall: (wall.hour, wall.minute) == (2, 30)),
    Golden("0 0 * * *", True, lambda wall: (wall.hour, wall.minute) == (0, 0)),
    Golden("15,45 0,1,2 * * *", True, lambda wall: wall.hour in (0, 1, 2) and wall.minute in (15, 45)),
    Golden("0 * * * *", False, lambda wall: wall.minute == 0),
    Golden("30 * * * *", False, lambda wall: wall.minute == 30),
    Golden("*/15 * * * *", False, lambda wall: wall.minute % 15 == 0),
    Golden("15 */2 * * *", False, lambda wall: wall.minute == 15 and wall.hour % 2 == 0),
    Golden("*/7 1-3 * * *", False, lambda wall: wall.minute % 7 == 0 and wall.hour in (1, 2, 3)),
    Golden("30 2 31 * *", True, lambda wall: (wall.day, wall.hour, wall.minute) == (31, 2, 30)),
    Golden("0 0 1 * *", True, lambda wall: (wall.day, wall.hour, wall.minute) == (1, 0, 0)),
    Golden("0 2 * * 5L", True, lambda wall: _is_last_friday(wall) and (wall.hour, wall.minute) == (2, 0)),
    Golden("30 0 * * SUN", True, lambda wall: (wall.weekday(), wall.hour, wall.minute) == (6, 0, 30)),
]


def expected(golden: Golden, shown: dict[datetime, datetime]) -> list[datetime]:
    """By the rules of kit/recurrence, minute by minute: `shown` is what the wall shows at each real minute."""
    if not golden.fixed:
        return [at for at, wall in shown.items() if golden.means(wall)]
    first: dict[datetime, datetime] = {}
    for at, wall in shown.items():
        first.setdefault(wall, at)
    found = {
        first.get(wall) or min(at for at, then in shown.items() if then > wall)
        for wall in _minutes(min(first), max(first))
        if golden.means(wall)
    }
    return sorted(found)


def _minutes(begin: datetime, end: datetime) -> Iterator[datetime]:
    while begin <= end:
        yield begin
        begin += MINUTE


@pytest.mark.parametrize(("zone", "day"), CHANGES, ids=[f"{zone} {day}" for zone, day in CHANGES])
async def test_as_postgresql_shows_the_wall(postgres_url: str, zone: str, day: str) -> None:
    begin = datetime.fromisoformat(day).replace(tzinfo=UTC) - 2 * DAY
    end = begin + 4 * DAY
    connection = await asyncpg.connect(postgres_url)
    try:
        rows = await connection.fetch(
            "select at, at at time zone $1 as wall from generate_series($2::timestamptz, $3, '1 minute') as at",
            zone,
            begin,
            end,
        )
    finally:
        await connection.close()
    shown = {row["at"].astimezone(UTC): row["wall"] for row in rows}
    for golden in RULES:
        rule = Rule(ZoneInfo(zone), golden.cron)
        rule.check()
        found: list[datetime] = []
        at = rule.after(begin - MINUTE)
        while at is not None and at <= end:
            found.append(at)
            at = rule.after(at)
        assert found == expected(golden, shown), golden.cron
