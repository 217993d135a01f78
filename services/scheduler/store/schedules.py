"""The SQL of the schedules: few rows, each with the instant at which it fires next."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import asyncpg

from kit.postgres import Connection
from services.scheduler.rules.schedules import NEVER, Row, Version
from services.scheduler.rules.timers import pause
from services.scheduler.store.looking import Look

Key = tuple[str, str]
"""Tenant and id."""

FORGOTTEN_AFTER: Final = timedelta(days=60)
"""Kafka keeps the word of a deletion for 30 days (delete.retention.ms): until then something older may come."""


async def in_force(connection: Connection, keys: Collection[Key]) -> dict[Key, Row]:
    """The versions in force of these schedules, held until the end of the transaction; waits for a firing that has one.
    In the order of their keys, so that two who do this never wait for each other."""
    tenants, ids = zip(*sorted(keys), strict=True)
    rows = await connection.fetch(_IN_FORCE, tenants, ids)
    return {(row["tenant"], row["id"]): _row(row) for row in rows}


async def write(connection: Connection, rows: Sequence[Row]) -> None:
    """Keeps new rows, and puts those that are there (and locked) in their own place."""
    there, new = [row for row in rows if row.number], [row for row in rows if not row.number]
    if there:
        await connection.execute(_REWRITE, *_changing(there))
    if new:
        await connection.executemany(_INSERT, [_whole(row) for row in new])


async def delete(connection: Connection, numbers: Collection[int]) -> None:
    """Takes these rows away."""
    if numbers:
        await connection.execute("delete from schedules where number = any($1::bigint[])", list(numbers))


async def delete_replaced(connection: Connection, keys: Collection[Key]) -> None:
    """Takes away what the versions before the one in force had still to say; runs stay."""
    tenants, ids = zip(*keys, strict=True)
    await connection.execute(_DELETE_REPLACED, tenants, ids)


async def run_now(connection: Connection, versions: Iterable[tuple[UUID, Version]]) -> None:
    """One firing each, at once, under the id of its command; a command that is heard again is one."""
    await connection.executemany(
        _RUN_NOW, [(run, one.tenant, one.id, one.as_of, one.place, one.value) for run, one in versions]
    )


async def forget(connection: Connection, most: int) -> int:
    """Deletes what is left of schedules that were deleted long ago, but for what somebody changes; how many rows."""
    return len(await connection.fetch(_FORGET, FORGOTTEN_AFTER, most))


async def look(connection: Connection) -> Look:
    """What time it is and what is to do."""
    row = await connection.fetchrow(_LOOK)
    assert row is not None
    return Look(row["now"], row["due"], row["next"])


async def take(connection: Connection, now: datetime, limit: int) -> list[Row]:
    """Locks what is due, the oldest first, but for what another firing holds."""
    return [_row(row) for row in await connection.fetch(_TAKE, now, limit)]


async def put_back(connection: Connection, rows: Collection[Row]) -> None:
    """Lets these fire again, each after its own pause from now on, up to where it is decided that they do."""
    if rows:
        pauses: list[timedelta] = [pause(row.failures + 1) for row in rows]
        decided = [row.caught_up_to for row in rows]
        await connection.execute(_PUT_BACK, [row.number for row in rows], pauses, decided)


async def stale(connection: Connection, tzdata: str, limit: int) -> list[Row]:
    """Locks rows of which the next instant was computed with other zone data, or of which they gave none, but for those
    whose time has come: that instant may have been said already."""
    return [_row(row) for row in await connection.fetch(_STALE, tzdata, limit)]


def _whole(row: Row) -> tuple[object, ...]:
    version = row.version
    return (
        version.tenant,
        version.id,
        version.as_of,
        version.place,
        version.value,
        row.after,
        row.next_at,
        row.caught_up_to,
        row.until,
        row.tzdata,
        row.wall,
    )


def _changing(rows: Sequence[Row]) -> list[list[object]]:
    each = [(r.number, r.after, r.next_at, r.caught_up_to, r.until, r.tzdata, r.wall) for r in rows]
    return [list(column) for column in zip(*each, strict=True)]


def _row(row: asyncpg.Record) -> Row:
    return Row(
        Version(row["tenant"], row["id"], row["as_of"], row["place"], row["value"]),
        row["tzdata"],
        row["after"],
        row["next_at"],
        row["caught_up_to"],
        row["until"],
        row["run"],
        row["failures"],
        row["number"],
        row["fire_after"] or NEVER,
        row["wall"],
    )


_NAMES: Final = (
    "number, tenant, id, as_of, place, value, after, next_at, fire_after, caught_up_to, until, run, failures, tzdata, "
    "wall"
)

_IN_FORCE: Final = f"""
select {_NAMES} from schedules
where until is null and (tenant, id) in (select * from unnest($1::text[], $2::text[]))
order by tenant, id
for update
"""

_INSERT: Final = """
insert into schedules
    (tenant, id, as_of, place, value, after, next_at, fire_after, caught_up_to, until, tzdata, wall)
values ($1, $2, $3, $4, $5, $6, $7::timestamptz, $7::timestamptz, $8, $9, $10, $11)
"""

_REWRITE: Final = """
update schedules s
set after = g.after, next_at = g.next_at, fire_after = g.next_at, caught_up_to = g.caught_up_to, until = g.until,
    tzdata = g.tzdata, wall = g.wall, failures = 0
from unnest(
    $1::bigint[], $2::timestamptz[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[], $6::text[],
    $7::timestamp[]
) as g (number, after, next_at, caught_up_to, until, tzdata, wall)
where s.number = g.number
"""

_DELETE_REPLACED: Final = """
delete from schedules
where until is not null and run is null and (tenant, id) in (select * from unnest($1::text[], $2::text[]))
"""

# As of Kafka's time, not tocsin.clock().
_FORGET: Final = """
delete from schedules where ctid = any (array(
    select ctid from schedules
    where until is null and value is null and as_of < clock_timestamp() - $1::interval
    limit $2
    for update skip locked
))
returning number
"""

_RUN_NOW: Final = """
insert into schedules (run, tenant, id, as_of, place, value, next_at, fire_after, until, tzdata)
select $1, $2, $3, $4, $5, $6, now, now, now, ''
from (select tocsin.clock() as now) as clock
on conflict (run) do nothing
"""

_LOOK: Final = """
select now,
       exists (select from schedules where fire_after <= now) as due,
       (select min(fire_after) from schedules where fire_after > now) as next
from (select tocsin.clock() as now) as clock
"""

_TAKE: Final = f"""
select {_NAMES} from schedules
where fire_after <= $1
order by fire_after, number
limit $2
for update skip locked
"""

_PUT_BACK: Final = """
update schedules s
set fire_after = tocsin.clock() + g.pause, failures = least(s.failures + 1, 10000), caught_up_to = g.caught_up_to
from unnest($1::bigint[], $2::interval[], $3::timestamptz[]) as g (number, pause, caught_up_to)
where s.number = g.number
"""

_STALE: Final = f"""
select {_NAMES} from schedules
where run is null and tzdata <> $1
  and (next_at > tocsin.clock() or (next_at is null and until is null and value is not null))
order by number
limit $2
for update skip locked
"""
