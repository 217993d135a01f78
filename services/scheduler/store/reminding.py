"""The SQL of what is due about deadlines: taken by a firing, and moved on when it was said."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from kit.postgres import Connection
from services.scheduler.rules.deadlines import Ended, Tracked, Watch
from services.scheduler.rules.reporting import Report
from services.scheduler.rules.timers import pause
from services.scheduler.store import deadlines
from services.scheduler.store.deadlines import Key
from services.scheduler.store.directory import Tenanted
from services.scheduler.store.looking import Look

AT_ONCE: Final = 500
"""Reminders that are looked at again in one transaction when a plan has changed."""


@dataclass(frozen=True, slots=True)
class DueEnd:
    """A group to be cancelled."""

    ended: Ended
    fire_after: datetime
    failures: int


@dataclass(frozen=True, slots=True)
class Replan:
    """All reminders that go by a person's zone, or by a plan, after the deadline and person in `done_to`."""

    tenant: str
    what: str
    name: str
    changed_at: datetime
    fire_after: datetime
    done_to: tuple[str, str]


async def look(connection: Connection) -> Look:
    """What time it is and what is to do."""
    row = await connection.fetchrow(_LOOK)
    assert row is not None
    return Look(row["now"], row["due"], row["next"])


# ------------------------------------------------------------------------------------------------ taking


async def take_ends(connection: Connection, now: datetime, limit: int) -> list[DueEnd]:
    """Groups to be cancelled, held."""
    rows = await connection.fetch(f"select * from ended_groups where {_DUE}", now, limit)
    return [
        DueEnd(Ended(row["tenant"], row["group_name"], row["reason"]), row["next_at"], row["failures"]) for row in rows
    ]


async def take_replans(connection: Connection, now: datetime, limit: int) -> list[Replan]:
    """Changes of zones and plans whose reminders have not all been looked at, held."""
    rows = await connection.fetch(f"select * from replans where {_DUE}", now, limit)
    return [
        Replan(r["tenant"], r["what"], r["name"], r["changed_at"], r["next_at"], (r["done_to"][0], r["done_to"][1]))
        for r in rows
    ]


async def take_watches(connection: Connection, now: datetime, limit: int) -> list[Watch]:
    """Reminders to be looked at, held."""
    rows = await connection.fetch(f"select * from reminders where {_DUE}", now, limit)
    return [deadlines.watch(row) for row in rows]


async def take_reports(connection: Connection, now: datetime, limit: int) -> list[Report]:
    """People whose report is due, or whose next one is to be found out; held."""
    rows = await connection.fetch(f"select * from reports where {_DUE}", now, limit)
    return [
        Report(r["tenant"], r["user_id"], r["next_at"], r["planned"], r["day"], r["last_day"], r["failures"])
        for r in rows
    ]


async def tracked(connection: Connection, keys: Iterable[Key]) -> dict[Key, Tracked]:
    """These deadlines as they are: whoever changes their reminders waits for the firing that holds these."""
    rows = await connection.fetch(_TRACKED, *zip(*sorted(keys), strict=True))
    return {(row["tenant"], row["id"]): deadlines.tracked(row) for row in rows}


async def concerning(
    connection: Connection, todays: Sequence[tuple[str, str, date, datetime]]
) -> dict[Tenanted, list[Tracked]]:
    """By person the open deadlines that are urgent, or due by the end of that person's day; nobody is left out who has
    any open deadline. `todays`: (tenant, person, today, end of today)."""
    found: dict[Tenanted, list[Tracked]] = {}
    for row in await connection.fetch(_CONCERNING, *zip(*todays, strict=True)):
        some = found.setdefault((row["report_tenant"], row["report_user"]), [])
        if row["id"] is not None:
            some.append(deadlines.tracked(row))
    return found


# ------------------------------------------------------------------------------------------------ moving on


async def forget_ends(connection: Connection, ends: Iterable[DueEnd]) -> None:
    """These cancels were heard."""
    keys = [(one.ended.tenant, one.ended.group) for one in ends]
    if keys:
        await connection.execute(_FORGET_ENDS, *zip(*keys, strict=True))


async def put_back_ends(connection: Connection, ends: Iterable[DueEnd], now: datetime) -> None:
    """These were not: each is said again after its own pause."""
    rows = [(*_ended(one), now + pause(one.failures + 1), one.failures + 1) for one in ends]
    if rows:
        await connection.execute(_PUT_BACK_ENDS, *zip(*rows, strict=True))


def _ended(one: DueEnd) -> tuple[str, str, str]:
    return one.ended.tenant, one.ended.group, one.ended.reason


async def write_reports(connection: Connection, reports: Iterable[Report]) -> None:
    """When each of these (locked) is next."""
    rows = [(r.tenant, r.user_id, r.next_at, r.planned, r.day, r.last_day, r.failures) for r in reports]
    if rows:
        await connection.execute(_WRITE_REPORTS, *zip(*rows, strict=True))


async def end_reports(connection: Connection, reports: Iterable[Report]) -> None:
    """These people have no open deadlines any more."""
    keys = [(report.tenant, report.user_id) for report in reports]
    if keys:
        await connection.execute(_END_REPORTS, *zip(*keys, strict=True))


async def go_on(connection: Connection, replan: Replan, now: datetime) -> bool:
    """Has the next reminders looked at again; whether there are more."""
    by = "user_id" if replan.what == "person" else "plan"
    rows = await connection.fetch(_NEXT.format(by=by), replan.tenant, replan.name, *replan.done_to, AT_ONCE)
    keys = [(row["deadline_id"], row["user_id"]) for row in rows]
    if keys:
        await connection.execute(_LOOK_AGAIN, replan.tenant, *zip(*keys, strict=True), replan.changed_at, now)
    if len(keys) == AT_ONCE:
        last = keys[-1]
        await connection.execute(_ADVANCE, replan.tenant, replan.what, replan.name, list(last), now)
        return True
    if replan.what == "person":
        await connection.execute(_REPORT_ANEW, replan.tenant, replan.name, now)
    await connection.execute(
        "delete from replans where tenant = $1 and what = $2 and name = $3", replan.tenant, replan.what, replan.name
    )
    return False


_DUE: Final = "next_at <= $1 order by next_at limit $2 for update skip locked"

_LOOK: Final = """
select now, coalesce(first <= now, false) as due, next
from (select tocsin.clock() as now) as clock,
lateral (select least(
    (select next_at from ended_groups order by next_at limit 1),
    (select next_at from replans order by next_at limit 1),
    (select next_at from reminders where next_at is not null order by next_at limit 1),
    (select next_at from reports order by next_at limit 1)
) as first) as nearest,
lateral (select case when first > now then first else least(
    (select next_at from ended_groups where next_at > now order by next_at limit 1),
    (select next_at from replans where next_at > now order by next_at limit 1),
    (select next_at from reminders where next_at > now order by next_at limit 1),
    (select next_at from reports where next_at > now order by next_at limit 1)
) end as next) as following
"""

# Key by key, everywhere: `offset 0` keeps the planner from making a join of it, which may read a whole index.
_TRACKED: Final = """
select d.* from unnest($1::text[], $2::text[]) as k(tenant, id)
cross join lateral (select * from deadlines d where d.tenant = k.tenant and d.id = k.id offset 0) as d
"""

_CONCERNING: Final = """
select p.tenant as report_tenant, p.user_id as report_user, d.*
from unnest($1::text[], $2::text[], $3::date[], $4::timestamptz[]) as p(tenant, user_id, today, over)
cross join lateral (
    select w.deadline_id from reminders w where w.tenant = p.tenant and w.user_id = p.user_id offset 0
) as w
left join lateral (
    select * from deadlines d
    where d.tenant = p.tenant and d.id = w.deadline_id
      and (d.urgent_since is not null or d.due_date <= p.today or d.due_at < p.over)
    offset 0
) as d on true
"""

_FORGET_ENDS: Final = """
delete from ended_groups where ctid = any (array(
    select g.ctid from unnest($1::text[], $2::text[]) as k(tenant, group_name)
    cross join lateral (
        select ctid from ended_groups g where g.tenant = k.tenant and g.group_name = k.group_name offset 0
    ) as g
))
"""

# Upserts that always meet their rows, which are locked.
_PUT_BACK_ENDS: Final = """
insert into ended_groups as g (tenant, group_name, reason, next_at, failures)
select * from unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::smallint[])
on conflict (tenant, group_name) do update set next_at = excluded.next_at, failures = excluded.failures
"""

_WRITE_REPORTS: Final = """
insert into reports as r (tenant, user_id, next_at, planned, day, last_day, failures)
select * from unnest($1::text[], $2::text[], $3::timestamptz[], $4::timestamptz[], $5::date[], $6::date[],
                     $7::smallint[])
on conflict (tenant, user_id) do update set
    next_at = excluded.next_at, planned = excluded.planned, day = excluded.day, last_day = excluded.last_day,
    failures = excluded.failures
"""

_END_REPORTS: Final = """
delete from reports where ctid = any (array(
    select r.ctid from unnest($1::text[], $2::text[]) as k(tenant, user_id)
    cross join lateral (
        select ctid from reports r where r.tenant = k.tenant and r.user_id = k.user_id offset 0
    ) as r
))
"""

# Locked by one statement and changed by the next: one alone would not see a row that it has waited for.
_NEXT: Final = """
select deadline_id, user_id from reminders
where tenant = $1 and {by} = $2 and (deadline_id, user_id) > ($3, $4)
order by deadline_id, user_id limit $5
for update
"""

# As the rules say of a change to one deadline (rules/deadlines.py, `changed`).
_LOOK_AGAIN: Final = """
update reminders set next_at = $5, changed_at = greatest(
    changed_at, case when failures > 0 or next_at <= $5 then least($4, through) else $4 end
)
where ctid = any (array(
    select r.ctid from unnest($2::text[], $3::text[]) as k(deadline_id, user_id)
    cross join lateral (
        select ctid from reminders r
        where r.tenant = $1 and r.deadline_id = k.deadline_id and r.user_id = k.user_id offset 0
    ) as r
))
"""

_ADVANCE: Final = "update replans set done_to = $4, next_at = $5 where tenant = $1 and what = $2 and name = $3"

# One that is due stays: it may have been said, and is about the day that it was planned for.
_REPORT_ANEW: Final = """
update reports set planned = null, next_at = $3
where tenant = $1 and user_id = $2 and (planned is null or planned > $3)
"""
