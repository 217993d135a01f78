"""Deadlines as they are found: a narrow row beside what the directory says of each."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from contracts import events as e
from contracts import topics
from kit.postgres import Connection
from services.gateway.store.directory import Version


@dataclass(frozen=True, slots=True)
class Stored:
    """A deadline, its place in lists, and when it was first and last heard of."""

    place: UUID
    created_at: datetime
    updated_at: datetime
    event: e.Deadline


@dataclass(frozen=True, slots=True)
class Filter:
    """What a list is narrowed to; `owner` and `user_id` of a reader: what is one's own, or assigned to one."""

    reader_owner: str | None = None
    reader: str | None = None
    user_id: str | None = None
    is_open: bool | None = None
    is_urgent: bool | None = None
    after: UUID | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None


async def write(connection: Connection, told: Sequence[tuple[e.Deadline, datetime]]) -> None:
    """Files these, in the version that has just become the newest; with the time at which it was published."""
    rows = [
        (d.tenant, d.id, d.subject, at, d.owner, "\n".join(d.assignees), d.status == "open", d.urgent)
        for d, at in sorted(told, key=lambda one: one[0].key)
    ]
    if rows:
        await connection.execute(_WRITE, *zip(*rows, strict=True))


async def forget(connection: Connection, keys: Collection[tuple[str, str]]) -> None:
    """(tenant, id) of those that are gone."""
    if keys:
        await connection.execute(_FORGET, *zip(*sorted(keys), strict=True))


async def one(connection: Connection, tenant: str, id: str) -> Stored | None:
    """The deadline as it is known here; None when there is none."""
    row = await connection.fetchrow(f"{_STORED} where l.tenant = $1 and l.id = $2", tenant, id)
    return _stored(row) if row else None


async def assigned(connection: Connection, tenant: str, user_id: str) -> list[e.Deadline]:
    """All that this person is told of."""
    rows = await connection.fetch(f"{_STORED} where l.tenant = $1 and l.assignees @> array[$2]", tenant, user_id)
    return [_stored(row).event for row in rows]


async def page(connection: Connection, tenant: str, by: Filter, limit: int) -> list[Stored]:
    """The newest first."""
    rows = await connection.fetch(
        _PAGE,
        *(tenant, by.reader_owner, by.reader, by.user_id, by.is_open, by.is_urgent),
        *(by.after, by.created_after, by.created_before, limit),
    )
    return [_stored(row) for row in rows]


def _stored(row: Any) -> Stored:
    event = e.Deadline.model_validate_json(row["value"])
    return Stored(row["place"], row["created_at"], row["as_of"], event)


def filed(versions: Sequence[Version]) -> tuple[list[tuple[e.Deadline, datetime]], list[tuple[str, str]]]:
    """Of these versions the deadlines that are there, and those that are gone."""
    there, gone = [], []
    for version in versions:
        if version.topic != topics.DEADLINES.name:
            continue
        if version.value is None:
            gone.append((version.tenant, version.key.removeprefix(f"{version.tenant}/")))
        else:
            there.append((e.Deadline.model_validate_json(version.value), version.as_of))
    return there, gone


_WRITE: Final = """
insert into deadlines as l (tenant, id, place, created_at, owner, assignees, is_open, is_urgent)
select tenant, id, place_of(at, subject), at, owner, string_to_array(assignees, E'\\n'), is_open, is_urgent
from unnest($1::text[], $2::text[], $3::uuid[], $4::timestamptz[], $5::text[], $6::text[], $7::boolean[], $8::boolean[])
    as g(tenant, id, subject, at, owner, assignees, is_open, is_urgent)
on conflict (tenant, id) do update set
    owner = excluded.owner, assignees = excluded.assignees, is_open = excluded.is_open, is_urgent = excluded.is_urgent
"""

_FORGET: Final = "delete from deadlines where (tenant, id) in (select * from unnest($1::text[], $2::text[]))"

_STORED: Final = f"""
select l.place, l.created_at, d.as_of, d.value
from deadlines l join directory d on d.topic = '{topics.DEADLINES.name}' and d.key = l.tenant || '/' || l.id
"""

_PAGE: Final = f"""
{_STORED}
where l.tenant = $1
  and ($3::text is null or l.owner = $2 or l.assignees @> array[$3])
  and ($4::text is null or l.assignees @> array[$4])
  and ($5::boolean is null or l.is_open = $5)
  and ($6::boolean is null or l.is_urgent = $6)
  and ($7::uuid is null or l.place < $7)
  and ($8::timestamptz is null or l.created_at > $8)
  and ($9::timestamptz is null or l.created_at < $9)
order by l.place desc limit $10
"""
