"""What people read: notifications with their timelines, and the figures."""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from contracts.status import Status
from kit.postgres import Connection
from services.gateway.rules.projection import CANCELLED
from services.gateway.rules.timeline import Entry


@dataclass(frozen=True, slots=True)
class Stored:
    """A notification as it is kept."""

    id: UUID
    place: UUID
    tenant: str
    owner: str
    channel: str | None
    lane: str
    user_id: str | None
    group: str | None
    accepted_at: datetime
    rank: int
    reason: str | None
    detail: str | None
    provider: str | None
    unknown: int
    attempts: int
    planned_at: datetime | None
    expires_at: datetime | None
    sent_at: datetime | None
    sms: str | None
    parent: UUID | None
    channels: tuple[str, ...]
    replay_of: UUID | None
    request: str | None


_STORED = """
select id, place, tenant, owner, channel, lane, user_id, group_name, accepted_at, rank, reason, detail, provider,
       unknown, attempts, planned_at, expires_at, sent_at, sms, parent, coalesce(channels, '{}'), replay_of, request
from notifications
"""


@dataclass(frozen=True, slots=True)
class Filter:
    """What a list is narrowed to. `words` are (key, value) pairs of `finds`; `after` is a place, as in `next`."""

    status: Status | None = None
    channel: str | None = None
    user_id: str | None = None
    group: str | None = None
    words: tuple[tuple[str, str], ...] = ()
    after: UUID | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Reader:
    """Whose list it is: all of a tenant, or what one made and what is addressed to one."""

    tenant: str
    owner: str | None = None
    user_id: str | None = None


async def one(connection: Connection, id: UUID) -> Stored | None:
    """The notification, whosever it is."""
    row = await connection.fetchrow(f"{_STORED} where id = $1", id)
    return Stored(*row.values()) if row else None


async def has_ended(connection: Connection, id: UUID) -> bool:
    """Whether nothing is left to wait for: it has ended, or all of its children have."""
    return bool(await connection.fetchval(_HAS_ENDED, id, CANCELLED))


_HAS_ENDED = """
select coalesce(min(n.rank) >= $2, false)
from notifications n
where n.id = $1 and n.channels is null
   or n.parent = $1 and exists (select from notifications p where p.id = $1 and p.channels is not null)
"""


async def children(connection: Connection, parents: Collection[UUID]) -> list[Stored]:
    """The notifications of these parents, one per channel (P6.3)."""
    rows = await connection.fetch(f"{_STORED} where parent = any($1::uuid[]) order by channel", parents)
    return [Stored(*row.values()) for row in rows]


async def page(connection: Connection, reader: Reader, narrowed: Filter, limit: int) -> list[Stored]:
    """The newest first. A person's list is what he made and what is addressed to him: two walks along an index."""
    query = _Query()
    query.where("tenant = {}", reader.tenant)
    query.where("channels is null")
    query.narrow(narrowed)
    walks = [query.walk(limit)]
    if reader.owner is not None:
        walks = [query.walk(limit, "owner", reader.owner), query.walk(limit, "user_id", reader.user_id)]
    union = " union ".join(f"({walk})" for walk in walks)
    sql = (
        f"{_STORED} where id in (select id from ({union}) walks order by place desc limit {limit}) order by place desc"
    )
    return [Stored(*row.values()) for row in await connection.fetch(sql, *query.values)]


@dataclass(slots=True)
class _Query:
    """Conditions with their values, in the order of $1, $2, ..."""

    conditions: list[str] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)

    def where(self, condition: str, *values: Any) -> None:
        self.conditions.append(condition.format(*(self._parameter(value) for value in values)))

    def narrow(self, by: Filter) -> None:
        simple = {"channel": by.channel, "user_id": by.user_id, "group_name": by.group}
        for column, value in simple.items():
            if value is not None:
                self.where(f"{column} = {{}}", value)
        if by.status is not None:
            self.where("rank = {}", by.status.rank)
        if by.after is not None:
            self.where("place < {}", by.after)
        if by.created_after is not None:
            self.where("place >= place_of({}, {})", by.created_after, UUID(int=0))
        if by.created_before is not None:
            self.where("place < place_of({}, {})", by.created_before, UUID(int=0))
        for key, value in by.words:
            self.where("place in (select place from finds where tenant = $1 and key = {} and value = {})", key, value)

    def walk(self, limit: int, column: str | None = None, value: str | None = None) -> str:
        conditions = [*self.conditions, f"{column} = {self._parameter(value)}"] if column else self.conditions
        return f"select id, place from notifications where {' and '.join(conditions)} order by place desc limit {limit}"

    def _parameter(self, value: Any) -> str:
        self.values.append(value)
        return f"${len(self.values)}"


async def timelines(connection: Connection, rows: Iterable[Stored]) -> dict[UUID, list[Entry]]:
    """What happened to these notifications, each in the order of time."""
    lines: dict[UUID, list[Entry]] = {row.place: [] for row in rows}
    for record in await connection.fetch(
        "select place, event, n, at, try, attempt, provider, detail from timeline where place = any($1::uuid[])",
        list(lines),
    ):
        place, *line = record.values()
        lines[place].append(Entry(*line))
    return lines


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
