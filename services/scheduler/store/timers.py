"""The SQL of the timers: a statement per batch, a sentence per statement."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

import asyncpg

from contracts.status import Lane
from kit.postgres import Connection
from services.scheduler.rules.timers import Timer, pause
from services.scheduler.store.looking import Look

FOR_EVER_AGO: Final = datetime(1, 1, 1, tzinfo=UTC)

BY_INDEX: Final = {"enable_seqscan": "off", "enable_bitmapscan": "off", "enable_sort": "off"}
"""For the sessions that run these statements: each of them goes by an index, in its order. A planner that has no
statistics yet (the table is young, or was empty an hour ago) would sort all that is due for every batch."""


async def insert(connection: Connection, timers: Collection[Timer]) -> set[UUID]:
    """Arms those whose id has no timer yet; their ids. Waits for a firing that holds the timer of one of them."""
    if not timers:
        return set()
    rows = await connection.fetch(_INSERT, *_columns(timers))
    return {row["id"] for row in rows}


async def lock(connection: Connection, ids: Collection[UUID]) -> dict[UUID, Timer]:
    """The timers of these ids, held until the end of the transaction; in the order of their ids, so that two who do
    this never wait for each other."""
    rows = await connection.fetch(_LOCK, sorted(ids))
    return {row["id"]: _timer(row) for row in rows}


async def rewrite(connection: Connection, timers: Collection[Timer]) -> None:
    """Puts these in the place of the ones that are there (and locked)."""
    if timers:
        await connection.execute(_REWRITE, *_columns(timers))


async def delete(connection: Connection, ids: Collection[UUID]) -> None:
    """Takes these timers away, and what they would have said."""
    if ids:
        await connection.execute("delete from timers where id = any($1::uuid[])", list(ids))
        await erase_bodies(connection, ids)


async def write_bodies(connection: Connection, timers: Iterable[Timer]) -> None:
    """Keeps what these timers will say, for those of them that bring it."""
    bodies = {timer.id: timer.body for timer in timers if timer.body is not None}
    if bodies:
        await connection.execute(_WRITE_BODIES, list(bodies), list(bodies.values()))


async def erase_bodies(connection: Connection, ids: Collection[UUID]) -> None:
    """Forgets what these timers would have said."""
    if ids:
        await connection.execute("delete from bodies where id = any($1::uuid[])", list(ids))


async def look(connection: Connection, since: datetime | None, *, put_back: bool = False) -> Look:
    """What time it is and what is to do; timers due before `since` are not looked for (None: all are).

    `put_back`: among those that Kafka has not acknowledged at their last firing, instead of among the others.
    """
    row = await connection.fetchrow(_LOOK[put_back], since or FOR_EVER_AGO)
    assert row is not None
    return Look(row["now"], row["due"], row["next"])


async def take(
    connection: Connection, since: datetime | None, now: datetime, limit: int, *, put_back: bool = False
) -> list[Timer]:
    """Deletes and returns the timers due between `since` and `now`, the oldest first, but for those that another
    firing holds; they are back if this transaction does not commit. `put_back` as in `look`."""
    rows = await connection.fetch(_TAKE[put_back], since or FOR_EVER_AGO, now, limit)
    timers = sorted((_timer(row) for row in rows), key=lambda timer: timer.fire_after)
    return await _with_bodies(connection, timers)


async def put_back(connection: Connection, timers: Sequence[Timer]) -> None:
    """Arms these again, with their bodies, each after its own pause from now on."""
    if timers:
        pauses: list[timedelta] = [pause(timer.failures) for timer in timers]
        await connection.execute(_PUT_BACK, *_columns(timers), pauses)
        await write_bodies(connection, timers)


async def _with_bodies(connection: Connection, timers: list[Timer]) -> list[Timer]:
    ids = [timer.id for timer in timers if timer.kind == "due"]
    if not ids:
        return timers
    rows = await connection.fetch("delete from bodies where id = any($1::uuid[]) returning id, retry", ids)
    bodies: Mapping[UUID, bytes] = {row["id"]: row["retry"] for row in rows}
    return [timer._replace(body=bodies.get(timer.id)) for timer in timers]


def _columns(timers: Iterable[Timer]) -> list[list[object]]:
    """One list per column of _ARRAYS, in the order of the ids."""
    rows = [timer[:_COLUMNS] for timer in sorted(timers, key=lambda timer: timer.id)]
    return [list(column) for column in zip(*rows, strict=True)]


def _timer(row: asyncpg.Record) -> Timer:
    values = list(row)
    values[_LANE] = _LANES[values[_LANE]]
    return Timer(*values)


_LANES: Final = {str(lane): lane for lane in Lane}
_LANE: Final = Timer._fields.index("lane")
_COLUMNS: Final = Timer._fields.index("body")
"""The fields up to here are the columns, in the order of _NAMES."""

_NAMES: Final = "id, tenant, kind, lane, round, try, planned_at, fire_after, ends, failures, trace"
_ARRAYS: Final = (
    "$1::uuid[], $2::text[], $3::text[], $4::text[], $5::int[], $6::smallint[], "
    "$7::timestamptz[], $8::timestamptz[], $9::boolean[], $10::smallint[], $11::text[]"
)

_INSERT: Final = f"""
insert into timers ({_NAMES})
select * from unnest({_ARRAYS})
on conflict (id) do nothing
returning id
"""

# An upsert that always meets its row: unlike UPDATE ... FROM unnest it has no plan to get wrong.
_REWRITE: Final = f"""
insert into timers as t ({_NAMES})
select * from unnest({_ARRAYS})
on conflict (id) do update set
    tenant = excluded.tenant, kind = excluded.kind, lane = excluded.lane, round = excluded.round, try = excluded.try,
    planned_at = excluded.planned_at, fire_after = excluded.fire_after, ends = excluded.ends,
    failures = excluded.failures, trace = excluded.trace
"""

_LOCK: Final = f"select {_NAMES} from timers where id = any($1::uuid[]) order by id for update"

_WRITE_BODIES: Final = """
insert into bodies (id, retry)
select * from unnest($1::uuid[], $2::bytea[])
on conflict (id) do update set retry = excluded.retry
"""

_AMONG: Final = {False: "failures = 0", True: "failures > 0"}
"""Each has an index of its own: who was put back stands in nobody's way, however many they are."""

_LOOK: Final = {
    put_back: f"""
select now,
       exists (select from timers where {among} and fire_after >= $1 and fire_after <= now) as due,
       (select fire_after from timers where {among} and fire_after > now order by fire_after limit 1) as next
from (select tocsin.clock() as now) as clock
"""
    for put_back, among in _AMONG.items()
}

# By ctid: the rows are locked, so that nobody can move them, and there is no join to plan.
_TAKE: Final = {
    put_back: f"""
delete from timers where ctid = any (array(
    select ctid from timers
    where {among} and fire_after >= $1 and fire_after <= $2
    order by fire_after limit $3
    for update skip locked
))
returning {_NAMES}
"""
    for put_back, among in _AMONG.items()
}

_PUT_BACK: Final = f"""
insert into timers ({_NAMES})
select id, tenant, kind, lane, round, try, planned_at, clock.now + pause, ends, failures, trace
from (select tocsin.clock() as now) as clock,
     unnest({_ARRAYS}, $12::interval[]) as put_back ({_NAMES}, pause)
"""
