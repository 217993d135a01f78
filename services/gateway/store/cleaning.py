"""What is over: found by walking along an index from the oldest on, and deleted where nothing has changed since."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from kit.postgres import Connection
from services.gateway.rules.cleaning import FAILED, Kept, Over, finds
from services.gateway.rules.projection import CANCELLED
from services.gateway.rules.search import MARKS, STATUS
from services.gateway.rules.stored import Stored
from services.gateway.store.arrays import columns, given
from services.gateway.store.stream import TRIMMED

Stray = Literal["commands", "refusals"]

LOWEST: Final = UUID(int=0)
FAILED_RANKS: Final = [status.rank for status in FAILED]
FAILED_MARKS: Final = [MARKS[rank] for rank in FAILED_RANKS]


async def tenants(connection: Connection) -> list[str]:
    """All that have notifications; as many steps along the index as there are tenants."""
    return [row["tenant"] for row in await connection.fetch(_TENANTS)]


_TENANTS: Final = """
with recursive known(tenant) as (
    select min(tenant) from notifications
    union all
    select (select min(n.tenant) from notifications n where n.tenant > known.tenant) from known where tenant is not null
)
select tenant from known where tenant is not null
"""


async def oldest(connection: Connection, tenant: str, after: UUID, before: datetime, most: int) -> list[UUID]:
    """The next places after this one, of what was accepted before then."""
    return [row["place"] for row in await connection.fetch(_OLDEST, tenant, after, before, LOWEST, most)]


_OLDEST: Final = """
select place from notifications
where tenant = $1 and place > $2 and place < place_of($3, $4) order by place limit $5
"""


async def failed(connection: Connection, tenant: str, after: UUID, before: datetime, most: int) -> list[UUID]:
    """The same of what has failed at some time: most have not, and are not walked over."""
    rows = await connection.fetch(_FAILED, tenant, after, before, LOWEST, most, STATUS, FAILED_MARKS)
    return sorted({row["place"] for row in rows}, key=lambda place: place.int)[:most]


_FAILED: Final = """
select f.place from unnest($7::text[]) as m(mark) cross join lateral (
    select place from finds
    where tenant = $1 and key = $6 and value = m.mark and place > $2 and place < place_of($3, $4)
    order by place limit $5
) f
"""


async def families(connection: Connection, tenant: str, places: Collection[UUID]) -> Mapping[UUID, UUID]:
    """Of these and of all that belong together with them: the place, and the id of what asked for them (P6.3)."""
    rows = await connection.fetch(_FAMILIES, tenant, places, timeout=60.0)
    return {row["place"]: row["head"] for row in rows}


_FAMILIES: Final = """
with heads as (
    select distinct coalesce(parent, id) as id from notifications where tenant = $1 and place = any($2::uuid[])
)
select n.place, h.id as head from heads h join notifications n on n.id = h.id
union all
select n.place, h.id from heads h join notifications n on n.parent = h.id
"""


async def over(connection: Connection, tenant: str, places: Collection[UUID], kept: Kept) -> list[Over]:
    """Those of these that are over. Not what the outbox or a webhook still has to say something about, nor what waits
    unread in an inbox. What asked for several channels has no end of its own: it is over when they are (P6.3)."""
    rows = await connection.fetch(
        _OVER, tenant, places, kept.sent, kept.failed, kept.shown, FAILED_RANKS, CANCELLED, timeout=60.0
    )
    return [Over(Stored(*list(row.values())[2:]), row["ended_at"], row["version"]) for row in rows]


_WAITS: Final = '(i."offset" is not null and i.read_at is null and i.archived_at is null and i.recalled_at is null)'

_OVER: Final = f"""
select n.xmin::text as version, l.ended_at, id, place, tenant, owner, channel, lane, user_id, group_name, accepted_at,
       rank, reason, detail, provider, unknown, attempts, planned_at, expires_at, sent_at, sms, parent,
       coalesce(channels, '{{}}'), replay_of, request, trace
from notifications n cross join lateral (
    select greatest(
        n.accepted_at, n.sent_at, (select max(t.at) from timeline t where t.place = n.place),
        (select max(t.at) from notifications c join timeline t on t.place = c.place
         where c.parent = n.id and n.channels is not null)
    ) as ended_at
) l
where n.tenant = $1 and n.place = any($2::uuid[])
  and (
    n.channels is null and n.rank >= $7
      and l.ended_at < case when n.channel = 'inapp' then $5::timestamptz
          when n.rank = any($6::smallint[]) then $4::timestamptz else $3::timestamptz end
      and not exists (select from inbox i where i.id = n.id and {_WAITS})
    or n.channels is not null
      and (n.accepted_at < $3 or exists (select from notifications c where c.parent = n.id))
  )
  and not exists (select from outbox o where o.id = n.id)
  and not exists (
    select from webhook_deliveries d where d.notification_id = n.id and d.body is not null and d.state = 'pending'
  )
order by n.place
"""


async def lock(connection: Connection, overs: Sequence[Over]) -> list[Over]:
    """Those of them that nobody has changed since they were read; they stay so until the transaction's end."""
    rows = await connection.fetch(_LOCK, *columns([(one.row.id, one.version) for one in overs], 2))
    ids = {row["id"] for row in rows}
    return [one for one in overs if one.row.id in ids]


async def delete(connection: Connection, gone: Sequence[Over]) -> None:
    """Deletes these with all that belongs to them, and remembers their ids."""
    ids, places = [one.row.id for one in gone], [one.row.place for one in gone]
    await connection.execute(_REMEMBER, *columns([(one.row.id, one.ended_at) for one in gone], 2))
    await connection.execute("delete from timeline where place = any($1::uuid[])", places)
    await connection.execute(_UNTELL, ids)
    await connection.execute(_DELETE_FINDS, *columns(finds(one.row for one in gone), 4))
    for table in ("commands", "refusals", "asks", "notifications"):
        await connection.execute(f"delete from {table} where id = any($1::uuid[])", ids)


_LOCK: Final = f"""
select n.id from notifications n join {given(id="uuid", version="text")} seen using (id)
where n.xmin::text = seen.version order by n.id for update of n
"""

_REMEMBER: Final = f"""
insert into cleaned (id, accepted_at, ended_at, rank, fingerprint, parent)
select n.id, n.accepted_at, seen.ended_at, n.rank, n.fingerprint, n.parent
from notifications n join {given(id="uuid", ended_at="timestamptz")} seen using (id)
on conflict do nothing
"""

# An erasure finds what webhooks were told by the rows of notifications: without those, nothing of it may stay.
_UNTELL: Final = """
update webhook_deliveries set body = null, answer = null
where notification_id = any($1::uuid[]) and body is not null and state <> 'pending'
"""

_DELETE_FINDS: Final = f"""
delete from finds f using {given(tenant="text", key="text", value="text", place="uuid")} g
where f.tenant = g.tenant and f.key = g.key and f.value = g.value and f.place = g.place
"""


async def delete_entries(connection: Connection, ids: Collection[UUID]) -> int:
    """Deletes the inbox's entries of these notifications, and notes in each person's stream that who comes back from
    before them has to load the inbox anew; how many."""
    n: int = await connection.fetchval(_DELETE_ENTRIES, ids)
    return n


_DELETE_ENTRIES: Final = f"""
with old as (
    select i.id, i.tenant, i.user_id, i."offset" from inbox i where i.id = any($1::uuid[]) and not {_WAITS}
), {TRIMMED}, gone as (
    delete from inbox i using old where i.id = old.id returning 1
)
select count(*) from gone
"""


async def forget_cleaned(connection: Connection, after: timedelta, most: int) -> int:
    """Forgets at most so many ids of what ended so long ago; how many."""
    return len(await connection.fetch(_FORGET_CLEANED, after, most))


_FORGET_CLEANED: Final = """
delete from cleaned where id = any (array(
    select id from cleaned where ended_at < clock_timestamp() - $1::interval order by ended_at limit $2
))
returning 1
"""


async def forget_poison(connection: Connection, days: int, most: int) -> int:
    """Deletes at most so many records that nobody could read and that were kept for so long; how many."""
    return len(await connection.fetch(_FORGET_POISON, days, most))


_FORGET_POISON: Final = """
delete from poison where id = any (array(
    select id from poison where seen_at < clock_timestamp() - make_interval(days => $1) limit $2
))
returning 1
"""


async def forget_strays(connection: Connection, table: Stray, days: int, most: int) -> int:
    """Deletes at most so many cancels and moves, or refusals, of ids that never came in so many days; how many. Those
    of a notification go with it."""
    return len(await connection.fetch(_FORGET_STRAYS.format(table=table), days, most))


_FORGET_STRAYS: Final = """
delete from {table} where ctid = any (array(
    select s.ctid from {table} s
    where s.at < clock_timestamp() - make_interval(days => $1)
      and not exists (select from notifications n where n.id = s.id)
    limit $2 for update skip locked
))
returning 1
"""


async def forget_hours(connection: Connection, days: int, most: int) -> int:
    """Deletes at most so many of the judge's hours that are so old and agree with ours; one that does not is a loss,
    and stays in sight. How many."""
    return len(await connection.fetch(_FORGET_HOURS, days, most))


_FORGET_HOURS: Final = """
delete from judged_hours where hour = any (array(
    select hour from judged_hours
    where hour < clock_timestamp() - make_interval(days => $1) and difference is null limit $2
))
returning 1
"""
