"""What people read: notifications with their timelines, and the figures."""

from collections import Counter
from collections.abc import Collection, Iterable
from typing import Any
from uuid import UUID

from kit.postgres import Connection
from services.gateway.rules.projection import CANCELLED
from services.gateway.rules.stored import Stored as Stored
from services.gateway.rules.timeline import Entry

STORED = """
select id, place, tenant, owner, channel, lane, user_id, group_name, accepted_at, rank, reason, detail, provider,
       unknown, attempts, planned_at, expires_at, sent_at, sms, parent, coalesce(channels, '{}'), replay_of, request,
       trace
from notifications
"""


async def one(connection: Connection, id: UUID) -> Stored | None:
    """The notification, whosever it is."""
    row = await connection.fetchrow(f"{STORED} where id = $1", id)
    return Stored(*row.values()) if row else None


async def files(connection: Connection, ids: Collection[UUID]) -> dict[UUID, str]:
    """The contents of attachments, base64 in a JSON list, where they are kept: of what REST accepted."""
    rows = await connection.fetch(
        "select id, files from notifications where id = any($1::uuid[]) and files is not null", ids
    )
    return {row["id"]: row["files"] for row in rows}


async def replays(connection: Connection, ids: Collection[UUID]) -> dict[UUID, list[Stored]]:
    """The replays of these notifications (P6.5)."""
    found: dict[UUID, list[Stored]] = {}
    for row in await connection.fetch(f"{STORED} where replay_of = any($1::uuid[])", ids):
        one = Stored(*row.values())
        assert one.replay_of is not None
        found.setdefault(one.replay_of, []).append(one)
    return found


async def several(connection: Connection, ids: Collection[UUID]) -> dict[UUID, Stored]:
    """Those of these notifications that there are, by id."""
    rows = await connection.fetch(f"{STORED} where id = any($1::uuid[])", ids)
    return {row["id"]: Stored(*row.values()) for row in rows}


async def at(connection: Connection, tenant: str, places: Collection[UUID]) -> list[Stored]:
    """The notifications at these places, the newest first."""
    rows = await connection.fetch(
        f"{STORED} where tenant = $1 and place = any($2::uuid[]) order by place desc", tenant, places
    )
    return [Stored(*row.values()) for row in rows]


async def ended(connection: Connection, ids: Collection[UUID]) -> set[UUID]:
    """Those of these for which there is nothing left to wait: they have ended, or all of their children have."""
    return {row["id"] for row in await connection.fetch(_ENDED, ids, CANCELLED)}


_ENDED = """
select id from notifications where id = any($1::uuid[]) and channels is null and rank >= $2
union all
select p.id from notifications p join notifications c on c.parent = p.id
where p.id = any($1::uuid[]) and p.channels is not null group by p.id having min(c.rank) >= $2
"""


async def children(connection: Connection, parents: Collection[UUID]) -> list[Stored]:
    """The notifications of these parents, one per channel (P6.3)."""
    rows = await connection.fetch(f"{STORED} where parent = any($1::uuid[]) order by channel", parents)
    return [Stored(*row.values()) for row in rows]


async def timelines(connection: Connection, rows: Iterable[Stored]) -> dict[UUID, list[Entry]]:
    """What happened to these notifications, each in the order of time."""
    lines: dict[UUID, list[Entry]] = {row.place: [] for row in rows}
    for record in await connection.fetch(_LINES, list(lines)):
        place, *line = record.values()
        lines[place].append(Entry(*line))
    return lines


_LINES = """
select place, event, n, at, try, attempt, provider, detail, provider_id from timeline where place = any($1::uuid[])
"""


async def refusals(connection: Connection, ids: Collection[UUID]) -> dict[UUID, list[Entry]]:
    """What came under the same keys with another body (P1)."""
    found: dict[UUID, list[Entry]] = {}
    for row in await connection.fetch("select * from refusals where id = any($1::uuid[])", ids):
        entry = Entry("refused", str(row["refusal"]), row["at"], detail=row["detail"])
        found.setdefault(row["id"], []).append(entry)
    return found


Figures = Counter[tuple[str, int]]
"""Notifications by (channel, rank)."""


async def figures_of_owner(connection: Connection, tenant: str, owner: str) -> Figures:
    """What one has asked for."""
    rows = await connection.fetch(
        "select channel, rank, n from tallies where tenant = $1 and owner = $2", tenant, owner
    )
    return _figures(rows) + await _not_counted_yet(connection, tenant, owner)


async def figures_of_tenant(connection: Connection, tenant: str) -> Figures:
    """What everybody of a tenant has asked for."""
    rows = await connection.fetch(
        "select channel, rank, sum(n)::bigint as n from hours where tenant = $1 group by channel, rank", tenant
    )
    return _figures(rows) + await _not_counted_yet(connection, tenant, None)


async def is_the_only_tenant(connection: Connection, tenant: str) -> bool:
    """Whether its figures are those of the whole house."""
    return not await connection.fetchval("select exists (select from hours where tenant <> $1)", tenant)


async def _not_counted_yet(connection: Connection, tenant: str, owner: str | None) -> Figures:
    """The projector counts; what was accepted a moment ago, or while Kafka is away, waits for it in the outbox."""
    return _figures(await connection.fetch(_NOT_COUNTED_YET, tenant, owner))


_NOT_COUNTED_YET = """
select coalesce(n.channel, '') as channel, n.rank, count(*) as n
from outbox o join notifications n on n.id = o.id
where o.kind = 'request' and n.counted is null and n.channels is null
  and n.tenant = $1 and ($2::text is null or n.owner = $2)
group by 1, 2
"""


def _figures(rows: Iterable[Any]) -> Figures:
    return Counter({(row["channel"], row["rank"]): row["n"] for row in rows})
