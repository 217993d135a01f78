"""What the gateway may never have heard: open notifications to ask about, and hours whose counts differ (P6.1, P9)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from contracts.status import Lane
from kit.postgres import Connection
from services.gateway.rules.projection import CANCELLED, SENT
from services.gateway.store.arrays import columns, given

Hour = tuple[datetime, str]
"""An hour of acceptance, and a tenant."""


async def open_hours(connection: Connection, before: datetime | None = None) -> list[Hour]:
    """The hours, up to `before`, whose notifications have not all ended."""
    rows = await connection.fetch(_OPEN_HOURS, CANCELLED, before)
    return [(row["hour"], row["tenant"]) for row in rows]


_OPEN_HOURS = """
select hour, tenant from hours
where rank < $1 and ($2::timestamptz is null or hour <= $2)
group by hour, tenant having sum(n) > 0
order by hour
"""


async def ask_open(connection: Connection, hour: Hour) -> None:
    """Ask about every notification of that hour that is open."""
    await connection.execute(_ASK_OPEN, *hour, CANCELLED)


_OF_HOUR = """
from notifications
where tenant = $2 and place >= place_of($1, '00000000-0000-0000-0000-000000000000')
  and place < place_of($1 + interval '1 hour', '00000000-0000-0000-0000-000000000000')
  and rank < $3 and channels is null
"""

_ASK_OPEN = f"""
insert into asks (id, next_at) select id, clock_timestamp() {_OF_HOUR}
on conflict (id) do update set next_at = least(asks.next_at, excluded.next_at)
"""


async def ask_late(connection: Connection, hour: Hour, lives: dict[Lane, float], late: float) -> None:
    """Ask about those of that hour that are open long past their expiry; `lives` are the lanes' defaults in seconds."""
    await connection.execute(_ASK_LATE, *hour, CANCELLED, list(lives), list(lives.values()), late)


_ASK_LATE = f"""
insert into asks (id, next_at) select id, clock_timestamp() {_OF_HOUR}
  and clock() > make_interval(secs => $6) + coalesce(expires_at, greatest(planned_at, accepted_at) + make_interval(
      secs => (select life from unnest($4::text[], $5::float8[]) as l(lane, life) where l.lane = notifications.lane)))
on conflict do nothing
"""


async def take(connection: Connection, most: int, pause: float) -> list[tuple[UUID, str]]:
    """The (id, tenant) of open notifications to ask about now; each again after a pause that doubles."""
    rows = await connection.fetch(_TAKE, most, pause)
    found = await connection.fetch(
        "select id, tenant from notifications where id = any($1::uuid[]) and rank < $2",
        [row["id"] for row in rows],
        CANCELLED,
    )
    open_ = {row["id"]: row["tenant"] for row in found}
    ended = [row["id"] for row in rows if row["id"] not in open_]
    if ended:
        await connection.execute("delete from asks where id = any($1::uuid[])", ended)
    return list(open_.items())


_TAKE = """
update asks a
set repeats = a.repeats + 1, next_at = clock_timestamp() + make_interval(secs => $2 * power(2, least(a.repeats, 12)))
where a.id = any(array(
    select id from asks where next_at <= clock_timestamp() order by next_at limit $1 for update skip locked
))
returning a.id
"""


async def has_heard(connection: Connection) -> tuple[bool, bool]:
    """Whether we know of any that ended without a sending, and of any that a provider took."""
    row = await connection.fetchrow(
        "select exists (select from hours where rank >= $1 and rank < $2), exists (select from hours where rank >= $2)",
        CANCELLED,
        SENT,
    )
    assert row is not None
    return row[0], row[1]


@dataclass(frozen=True, slots=True)
class Judged:
    """What intake says of one hour of acceptance: how many it has, and how many of them have ended."""

    hour: datetime
    accepted: int
    final: int


async def note_judged(connection: Connection, hours: Iterable[Judged], at: datetime) -> None:
    """Keep intake's counts as of `at`; older ones than those that are here say nothing."""
    rows = sorted((x.hour, x.accepted, x.final, at) for x in hours)
    await connection.execute(_NOTE_JUDGED, *columns(rows, 4))


_NOTE_JUDGED = f"""
insert into judged_hours as j (hour, accepted, final, at)
select * from {given(hour="timestamptz", accepted="bigint", final="bigint", at="timestamptz")} g
on conflict (hour) do update set accepted = excluded.accepted, final = excluded.final, at = excluded.at
where excluded.at > j.at
  and (j.difference is not null or (excluded.accepted, excluded.final) is distinct from (j.accepted, j.final))
"""


async def compare(connection: Connection) -> None:
    """Set each hour of intake's beside our own, and remember since when they differ in the same way."""
    await connection.execute(_COMPARE, CANCELLED)


_COMPARE = """
with ours as (
    select j.hour, coalesce(sum(h.n), 0) as accepted, coalesce(sum(h.n) filter (where h.rank >= $1), 0) as final
    from judged_hours j left join hours h using (hour) group by j.hour
), differing as (
    select j.hour, case when o.accepted = j.accepted and o.final = j.final then null
        else concat_ws('/', j.accepted, j.final, o.accepted, o.final) end as difference
    from judged_hours j join ours o using (hour)
)
update judged_hours j
set difference = d.difference, since = clock_timestamp(),
    repeats = case when d.difference is null then 0 else j.repeats end,
    next_at = case when d.difference is null then clock_timestamp() else j.next_at end
from differing d
where d.hour = j.hour and d.difference is distinct from j.difference
"""


async def differs(connection: Connection) -> bool:
    """Whether any hour differs from intake's."""
    return bool(await connection.fetchval("select exists (select from judged_hours where difference is not null)"))


async def differing_since(connection: Connection, before: datetime, pause: float) -> Sequence[datetime]:
    """Hours that have differed in the same way since before that time, and of which intake has spoken meanwhile; each
    again after a pause that doubles."""
    rows = await connection.fetch(_DIFFERING_SINCE, before, pause)
    return [row["hour"] for row in rows]


_DIFFERING_SINCE = """
update judged_hours j
set repeats = j.repeats + 1, next_at = clock_timestamp() + make_interval(secs => $2 * power(2, least(j.repeats, 12)))
where j.hour = any(array(
    select hour from judged_hours
    where difference is not null and since < $1 and since < at and next_at <= clock_timestamp()
    for update skip locked
))
returning j.hour
"""
