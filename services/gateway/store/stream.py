"""A person's stream: what was shown and what became of it, in the order of its offsets."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from kit.postgres import Connection
from services.gateway.rules.resuming import Place
from services.gateway.store.inbox import Person


@dataclass(frozen=True, slots=True)
class Step:
    """One place of a stream: an entry (`what` is notification) or a change of one. `data` is JSON, `{"data": ...}`."""

    offset: int
    what: str
    id: UUID
    at: datetime
    kind: str | None = None
    category: str | None = None
    title: str | None = None
    body: str | None = None
    data: str | None = None
    read_at: datetime | None = None
    archived_at: datetime | None = None


@dataclass(slots=True)
class Missed:
    """What a person's stream holds behind an offset, and how much of the inbox is unread."""

    steps: list[Step] = field(default_factory=list)
    unread: int = 0


async def missed(connection: Connection, after: Mapping[Person, int], limit: int) -> dict[Person, Missed]:
    """The next steps behind these offsets, at most `limit` each; nothing of those who have seen all."""
    people = list(after)
    found: dict[Person, Missed] = {}
    for n, unread, *step in await connection.fetch(_MISSED, *_places(after), limit):
        found.setdefault(people[n - 1], Missed(unread=unread)).steps.append(Step(*step))
    return found


# An entry that is changed later shows what it says now; the change has a step of its own.
_MISSED = """
with steps as materialized (
    select g.n, g.tenant, g.user_id, s.*
    from unnest($1::text[], $2::text[], $3::bigint[]) with ordinality as g(tenant, user_id, after, n)
    cross join lateral (
        (select i."offset", 'notification' as what, i.id, i.created_at, i.kind, i.category, i.title, i.body, i.data,
            i.read_at, i.archived_at
         from inbox i
         where i.tenant = g.tenant and i.user_id = g.user_id and i."offset" > g.after
           and i.recalled_at is null
         order by i."offset" limit $4)
        union all
        (select c."offset", c.change, c.id, c.at, i.kind, i.category, i.title, i.body, i.data,
            i.read_at, i.archived_at
         from inbox_changes c left join inbox i on i.id = c.id and c.change = 'updated'
         where c.tenant = g.tenant and c.user_id = g.user_id and c."offset" > g.after
           and i.recalled_at is null
         order by c."offset" limit $4)
        order by "offset" limit $4
    ) s
), counted as (
    select p.n, u.unread
    from (select distinct n, tenant, user_id from steps) p
    cross join lateral (
        select count(*) as unread from inbox i
        where i.tenant = p.tenant and i.user_id = p.user_id and i."offset" is not null
          and i.read_at is null and i.archived_at is null and i.recalled_at is null
    ) u
)
select n, c.unread, s."offset", what, id, created_at, kind, category, title, body, data, read_at, archived_at
from steps s join counted c using (n) order by n, s."offset"
"""


async def place(connection: Connection, person: Person) -> Place:
    """The place of a client that has seen all there is now."""
    [row] = await connection.fetch(_PLACE, *person)
    return Place(*row)


_PLACE = """
select epoch, coalesce((select last_offset from people where tenant = $1 and user_id = $2), 0)
from stream_epoch
"""


async def ahead(connection: Connection, seen: Mapping[Person, int]) -> list[Person]:
    """Those whose streams have gone on since these offsets."""
    people = list(seen)
    return [people[row["n"] - 1] for row in await connection.fetch(_AHEAD, *_places(seen))]


_AHEAD = """
select g.n
from unnest($1::text[], $2::text[], $3::bigint[]) with ordinality as g(tenant, user_id, seen, n)
join people p on p.tenant = g.tenant and p.user_id = g.user_id and p.last_offset > g.seen
"""


def _places(offsets: Mapping[Person, int]) -> tuple[list[str], list[str], list[int]]:
    return [tenant for tenant, _ in offsets], [user for _, user in offsets], list(offsets.values())


async def trim(connection: Connection, days: float, limit: int) -> int:
    """Drops changes that are older than this, at most `limit`, and remembers how far; how many."""
    n: int = await connection.fetchval(_TRIM, timedelta(days=days), limit)
    return n


# The counters are locked first and in order, as everybody locks them: no deadlock with who adds to a stream.
TRIMMED = """
reached as (
    select tenant, user_id, max("offset") as upto from old where "offset" is not null group by tenant, user_id
), locked as (
    select p.tenant, p.user_id, r.upto from people p join reached r using (tenant, user_id)
    order by p.tenant collate "C", p.user_id collate "C" for update of p
), told as (
    update people p set trimmed = greatest(p.trimmed, l.upto) from locked l
    where p.tenant = l.tenant and p.user_id = l.user_id
)
"""
"""In a statement that drops `old`: each person's stream remembers that who comes back from before it loads anew."""

_TRIM = f"""
with old as (
    select ctid, tenant, user_id, "offset" from inbox_changes
    where at < clock_timestamp() - $1::interval limit $2
), {TRIMMED}, gone as (
    delete from inbox_changes c using old where c.ctid = old.ctid returning 1
)
select count(*) from gone
"""
