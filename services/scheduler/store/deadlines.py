"""The SQL of deadlines and of their reminders: what is heard of them, a statement per batch."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Final

import asyncpg

from kit.postgres import Connection
from services.scheduler.rules.deadlines import Ended, Tracked, Watch

Key = tuple[str, str]
"""Tenant and id of a deadline."""


async def lock(connection: Connection, keys: Collection[Key]) -> dict[Key, Tracked]:
    """These deadlines, as far as they are known, held until the end of the transaction."""
    rows = await connection.fetch(_LOCK, *zip(*sorted(keys), strict=True))
    return {(row["tenant"], row["id"]): tracked(row) for row in rows}


async def lock_watches(connection: Connection, keys: Collection[Key]) -> list[Watch]:
    """All reminders of these deadlines, held; waits for a firing that has one of them."""
    rows = await connection.fetch(_LOCK_WATCHES, *zip(*sorted(keys), strict=True))
    return [watch(row) for row in rows]


async def write(connection: Connection, deadlines: Iterable[Tracked]) -> set[Key]:
    """Takes over what is newer than what is there; the keys of those that were."""
    rows = [
        (
            *(d.tenant, d.id, d.owner, d.title, d.due_at, d.due_date, d.time_zone, "\n".join(d.assignees)),
            *(d.urgent_since, d.is_open, d.plan, d.own_plan, d.epoch, *d.at),
        )
        for d in sorted(deadlines, key=lambda d: (d.tenant, d.id))
    ]
    written = await connection.fetch(_WRITE, *zip(*rows, strict=True))
    return {(row["tenant"], row["id"]) for row in written}


async def write_watches(connection: Connection, watches: Iterable[Watch]) -> None:
    """Puts these reminders in the place of those that are there (and locked), or beside them."""
    rows = [_values(one) for one in sorted(watches, key=_order)]
    if rows:
        await connection.execute(_WRITE_WATCHES, *zip(*rows, strict=True))


async def delete_watches(connection: Connection, watches: Iterable[Watch]) -> None:
    """These people are not told of these deadlines any more."""
    keys = [_order(one) for one in watches]
    if keys:
        await connection.execute(_DELETE_WATCHES, *zip(*keys, strict=True))


async def end_groups(connection: Connection, ended: Iterable[Ended], now: datetime) -> None:
    """These groups are to be cancelled, as soon as somebody fires."""
    rows = sorted((one.tenant, one.group, one.reason) for one in ended)
    if rows:
        await connection.execute(_END_GROUPS, *zip(*rows, strict=True), now)


async def begin_reports(connection: Connection, people: Collection[Key], now: datetime) -> None:
    """These people have open deadlines, and get daily reports from now on. Waits for a firing that is about to end
    somebody's reports, which is why the rows that are there are touched."""
    if people:
        await connection.execute(_BEGIN_REPORTS, *zip(*sorted(people), strict=True), now)


def tracked(row: asyncpg.Record) -> Tracked:
    """A row of `deadlines`."""
    return Tracked(
        row["tenant"],
        row["id"],
        (row["as_of"], row["offset"]),
        owner=row["owner"],
        title=row["title"],
        due_at=row["due_at"],
        due_date=row["due_date"],
        time_zone=row["time_zone"],
        assignees=tuple(row["assignees"]),
        urgent_since=row["urgent_since"],
        is_open=row["is_open"],
        plan=row["plan"],
        own_plan=row["own_plan"],
        epoch=row["epoch"],
    )


def watch(row: asyncpg.Record) -> Watch:
    """A row of `reminders`."""
    return Watch(
        row["tenant"],
        row["deadline_id"],
        row["user_id"],
        row["plan"],
        row["epoch"],
        row["changed_at"],
        row["through"],
        row["next_at"],
        tuple(row["said"]),
        row["spoke"],
        row["failures"],
    )


def _order(one: Watch) -> tuple[str, str, str]:
    return one.tenant, one.deadline_id, one.user_id


def _values(one: Watch) -> Sequence[object]:
    said = "\n".join(one.said)
    return (*_order(one), one.plan, one.epoch, one.changed_at, one.through, one.next_at, said, one.spoke, one.failures)


# Names and rules hold no line breaks: a list of lists travels as a list of texts.
_WATCHES: Final = """
select tenant, deadline_id, user_id, plan, epoch, changed_at, through, next_at, string_to_array(said, E'\\n') as said,
       spoke, failures
from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::timestamptz[], $7::timestamptz[],
            $8::timestamptz[], $9::text[], $10::boolean[], $11::smallint[])
    as w(tenant, deadline_id, user_id, plan, epoch, changed_at, through, next_at, said, spoke, failures)
"""

# Key by key, in their order: a planner that may join as it likes reads a whole index where it must not sort.
_LOCK: Final = """
select d.* from unnest($1::text[], $2::text[]) as k(tenant, id)
cross join lateral (select * from deadlines d where d.tenant = k.tenant and d.id = k.id for update) as d
"""

_LOCK_WATCHES: Final = """
select r.* from unnest($1::text[], $2::text[]) as k(tenant, id)
cross join lateral (
    select * from reminders r where r.tenant = k.tenant and r.deadline_id = k.id order by r.user_id for update
) as r
"""

_WRITE: Final = """
insert into deadlines as d (tenant, id, owner, title, due_at, due_date, time_zone, assignees, urgent_since, is_open,
    plan, own_plan, epoch, as_of, "offset")
select tenant, id, owner, title, due_at, due_date, time_zone, string_to_array(assignees, E'\\n'), urgent_since, is_open,
    plan, own_plan, epoch, as_of, place
from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::date[], $7::text[], $8::text[],
            $9::timestamptz[], $10::boolean[], $11::text[], $12::text[], $13::bigint[], $14::timestamptz[],
            $15::bigint[])
    as g(tenant, id, owner, title, due_at, due_date, time_zone, assignees, urgent_since, is_open, plan, own_plan, epoch,
         as_of, place)
on conflict (tenant, id) do update set
    owner = excluded.owner, title = excluded.title, due_at = excluded.due_at, due_date = excluded.due_date,
    time_zone = excluded.time_zone, assignees = excluded.assignees, urgent_since = excluded.urgent_since,
    is_open = excluded.is_open, plan = excluded.plan, own_plan = excluded.own_plan, epoch = excluded.epoch,
    as_of = excluded.as_of, "offset" = excluded."offset"
where (d.as_of, d."offset") < (excluded.as_of, excluded."offset")
returning tenant, id
"""

_WRITE_WATCHES: Final = f"""
insert into reminders as r (tenant, deadline_id, user_id, plan, epoch, changed_at, through, next_at, said, spoke,
    failures)
{_WATCHES}
on conflict (tenant, deadline_id, user_id) do update set
    plan = excluded.plan, epoch = excluded.epoch, changed_at = excluded.changed_at, through = excluded.through,
    next_at = excluded.next_at, said = excluded.said, spoke = excluded.spoke, failures = excluded.failures
"""

_DELETE_WATCHES: Final = """
delete from reminders where ctid = any (array(
    select r.ctid from unnest($1::text[], $2::text[], $3::text[]) as k(tenant, deadline_id, user_id)
    cross join lateral (
        select ctid from reminders r
        where r.tenant = k.tenant and r.deadline_id = k.deadline_id and r.user_id = k.user_id for update
    ) as r
))
"""

_END_GROUPS: Final = """
insert into ended_groups (tenant, group_name, reason, next_at)
select *, $4 from unnest($1::text[], $2::text[], $3::text[])
on conflict do nothing
"""

_BEGIN_REPORTS: Final = """
insert into reports (tenant, user_id, next_at)
select *, $3 from unnest($1::text[], $2::text[])
on conflict (tenant, user_id) do update set tenant = excluded.tenant
"""
