"""The SQL of how things stand: how much waits on each shelf and of deadlines, and what comes next; no long look."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from kit.postgres import Connection

EXACTLY: Final = 10_000
"""Rows of a shelf up to which they are counted, every few seconds; beyond that the planner's estimate."""
SAMPLE: Final = 100_000
"""Deadlines that are looked at, when somebody asks; beyond that a sample of so many."""
MOST_LATE: Final = 10_000
"""Nobody counts further what is late."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many wait on a shelf, and how many of them are more than a second late."""

    pending: int
    overdue: int


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How many are open, and of these how many urgent and late. `estimated`: by a sample, for there are many."""

    open: int
    urgent: int
    late: int
    estimated: bool


async def shelves(connection: Connection) -> dict[str, Waiting]:
    """By the kind of what waits there."""
    return {row["kind"]: Waiting(row["pending"], row["overdue"]) for row in await connection.fetch(_SHELVES)}


async def deadlines(connection: Connection, now: datetime, today: date) -> Deadlines:
    """`today`: the day by which one that has only a day is late."""
    rows: float = await connection.fetchval("select reltuples from pg_class where oid = 'deadlines'::regclass")
    share = min(SAMPLE / max(rows, 1), 1.0)
    row = await connection.fetchrow(_DEADLINES, share * 100, now, today)
    assert row is not None
    open_, urgent, late = (round(row[name] / share) for name in ("open", "urgent", "late"))
    return Deadlines(open_, urgent, late, share < 1)


async def next_reminder(connection: Connection, now: datetime) -> datetime | None:
    """When a reminder is looked at next that has not come yet."""
    at: datetime | None = await connection.fetchval(_NEXT_REMINDER, now)
    return at


async def next_report(connection: Connection, now: datetime) -> datetime | None:
    """When the next daily report is due, whosoever."""
    at: datetime | None = await connection.fetchval(_NEXT_REPORT, now)
    return at


def _shelf(kind: str, table: str, column: str, index: str) -> str:
    """An index knows how many rows it has since it was last looked after: the whole table, or those that wait."""
    return f"""
select '{kind}' as kind,
       case when about.estimate > {EXACTLY} then about.estimate
            else (select count(*) from (select from {table} where {column} is not null limit {EXACTLY + 1}) as counted)
       end as pending,
       (select count(*) from (
            select from {table} where {column} <= tocsin.clock() - interval '1 second' limit {MOST_LATE}
       ) as late) as overdue
from (select reltuples::bigint as estimate from pg_class where oid = '{index}'::regclass) as about
"""


# Timers that were put back have an index of their own: each look goes by one of the two.
_TIMERS: Final = f"""
select 'timer' as kind,
       case when about.estimate > {EXACTLY} then about.estimate
            else (select count(*) from (select from timers limit {EXACTLY + 1}) as counted) end as pending,
       (select count(*) from (
            (select from timers where failures = 0 and fire_after <= tocsin.clock() - interval '1 second'
             limit {MOST_LATE})
            union all
            (select from timers where failures > 0 and fire_after <= tocsin.clock() - interval '1 second'
             limit {MOST_LATE})
       ) as late) as overdue
from (select reltuples::bigint as estimate from pg_class where oid = 'timers'::regclass) as about
"""

_SHELVES: Final = " union all ".join(
    (
        _TIMERS,
        _shelf("schedule", "schedules", "fire_after", "schedules_fire_after"),
        _shelf("reminder", "reminders", "next_at", "reminders_next_at"),
        _shelf("daily_report", "reports", "next_at", "reports_next_at"),
    )
)

# Pages by chance, so that a million deadlines cost what a hundred thousand do; 100 = all of them.
_DEADLINES: Final = """
select count(*) filter (where is_open) as open,
       count(*) filter (where is_open and urgent_since is not null) as urgent,
       count(*) filter (where is_open and (due_at <= $2 or due_date < $3)) as late
from deadlines tablesample system ($1::float8)
"""

_NEXT_REMINDER: Final = "select next_at from reminders where next_at > $1 order by next_at limit 1"

_NEXT_REPORT: Final = """
select next_at from reports where next_at > $1 and planned is not null order by next_at limit 1
"""
