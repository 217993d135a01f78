"""Groups and collapse keys: locked before any row, in one order (P3.4, P3.5)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from contracts.status import Channel
from kit.postgres import Connection
from services.intake.rules.asking import family
from services.intake.rules.facts import CollapseKey, GroupEnd, Newest, Tenanted

EVERYBODY: Final = "*"


async def lock(connection: Connection, joined: Collection[Tenanted], ended: Collection[Tenanted]) -> None:
    """Members lock the row of their group together, a cancel alone; a group is made by being named.

    A batch with a cancel in it locks all its groups alone: with one kind of lock in one order nobody waits in a ring.
    """
    names = tuple(zip(*(groups := sorted({*joined, *ended})), strict=True))
    while True:
        await connection.execute(_NAME, *names)
        found = await connection.fetch(f"{_LOCK} for {'update' if ended else 'share'}", *names)
        if len(found) == len(groups):
            return  # else one was forgotten between the two statements


_NAME: Final = "insert into groups (tenant, name) select * from unnest($1::text[], $2::text[]) on conflict do nothing"

_LOCK: Final = """
select from groups where (tenant, name) in (select * from unnest($1::text[], $2::text[])) order by tenant, name
"""


async def ends(connection: Connection, groups: Collection[Tenanted]) -> dict[Tenanted, list[GroupEnd]]:
    """The cancels that these groups have met."""
    found = await connection.fetch(_ENDS, *zip(*groups, strict=True))
    known: dict[Tenanted, list[GroupEnd]] = {}
    for row in found:
        owner = None if row["owner"] == EVERYBODY else row["owner"]
        known.setdefault((row["tenant"], row["name"]), []).append(GroupEnd(owner, row["through"], row["reason"]))
    return known


_ENDS: Final = """
select tenant, name, owner, through, reason from group_ends
where (tenant, name) in (select * from unnest($1::text[], $2::text[]))
"""


async def raise_end(connection: Connection, tenant: str, name: str, end: GroupEnd) -> datetime:
    """Raise the time through which members end, never lower it; they are told again from the first. The time then."""
    through: datetime = await connection.fetchval(_RAISE, tenant, name, end.owner or EVERYBODY, end.through, end.reason)
    return through


_RAISE: Final = """
insert into group_ends as g (tenant, name, owner, through, reason) values ($1, $2, $3, $4, $5)
on conflict (tenant, name, owner) do update
set through = greatest(g.through, excluded.through), reason = coalesce(excluded.reason, g.reason),
    done = false, done_to = null, ended_at = clock_timestamp()
returning through
"""


@dataclass(frozen=True, slots=True)
class OpenEnd:
    """A cancel of a group whose members have not all been told."""

    tenant: str
    name: str
    owner: str
    through: datetime
    reason: str | None
    done_to: UUID | None


async def open_end(connection: Connection) -> OpenEnd | None:
    """One that no other instance is at work on; it stays locked until the transaction's end."""
    row = await connection.fetchrow(_OPEN_END)
    return OpenEnd(*row) if row else None


_OPEN_END: Final = """
select tenant, name, owner, through, reason, done_to from group_ends
where not done order by tenant, name, owner limit 1 for update skip locked
"""


async def members(connection: Connection, end: OpenEnd, most: int) -> list[UUID]:
    """The next members that it concerns: open ones, and those that a cancel has ended, who say so again (P3.1)."""
    found = await connection.fetch(_MEMBERS, end.tenant, end.name, end.owner, end.through, end.done_to, most)
    return [row["id"] for row in found]


_CONCERNED: Final = """
  and ($3 = '*' or owner = $3) and accepted_at <= $4 and (look_at is not null or outcome = 'cancelled')
"""

_MEMBERS: Final = f"""
select id from notifications
where tenant = $1 and group_name = $2 and ($5::uuid is null or id > $5) {_CONCERNED}
order by id limit $6
"""


async def parts(connection: Connection, end: OpenEnd) -> list[UUID]:
    """A request for several channels is a group by its id, whatever group it names itself (P6.3)."""
    try:
        ids = family(UUID(end.name))
    except ValueError:
        return []
    found = await connection.fetch(_PARTS, end.tenant, ids, end.owner, end.through)
    return [row["id"] for row in found]


_PARTS: Final = f"select id from notifications where tenant = $1 and id = any($2::uuid[]) {_CONCERNED}"


async def advance(connection: Connection, end: OpenEnd, done_to: UUID | None) -> None:
    """The members up to `done_to` have been told; None: all. Nothing changes where a new cancel came meanwhile."""
    await connection.execute(_ADVANCE, end.tenant, end.name, end.owner, end.through, end.done_to, done_to)


_ADVANCE: Final = """
update group_ends set done = $6::uuid is null, done_to = $6
where tenant = $1 and name = $2 and owner = $3 and through = $4 and done_to is not distinct from $5
"""


# ------------------------------------------------------------------------------------------------ collapse keys


async def lock_newest(connection: Connection, keys: Collection[CollapseKey]) -> dict[CollapseKey, Newest]:
    """The newest notification under each key, locked; a key is made by being named."""
    columns = _columns(sorted(keys, key=_order))
    while True:
        await connection.execute(_NAME_KEY, *columns)
        found = await connection.fetch(f"{_NEWEST} for update", *columns)
        if len(found) == len(keys):
            return _named(found)  # else one was forgotten between the two statements


async def newest(connection: Connection, keys: Collection[CollapseKey]) -> dict[CollapseKey, Newest]:
    """The same as it is, without a lock."""
    return _named(await connection.fetch(_NEWEST, *_columns(sorted(keys, key=_order))))


def _named(found: Sequence[asyncpg.Record]) -> dict[CollapseKey, Newest]:
    return {CollapseKey(r[0], r[1], Channel(r[2]), r[3]): Newest(r[4], r[5]) for r in found if r[5]}


_NAME_KEY: Final = """
insert into collapse_keys (tenant, person, channel, key)
select * from unnest($1::text[], $2::text[], $3::text[], $4::text[]) on conflict do nothing
"""

_NEWEST: Final = """
select tenant, person, channel, key, accepted_at, id from collapse_keys
where (tenant, person, channel, key) in (select * from unnest($1::text[], $2::text[], $3::text[], $4::text[]))
order by tenant, person, channel, key
"""


async def write_newest(connection: Connection, newest: Mapping[CollapseKey, Newest]) -> None:
    """Write the newest under keys that this transaction has locked."""
    keys = sorted(newest, key=_order)
    times, ids = zip(*((newest[key].accepted_at, newest[key].id) for key in keys), strict=True)
    await connection.execute(_WRITE_NEWEST, *_columns(keys), times, ids)


_WRITE_NEWEST: Final = """
update collapse_keys c set accepted_at = u.accepted_at, id = u.id
from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::uuid[])
    as u(tenant, person, channel, key, accepted_at, id)
where (c.tenant, c.person, c.channel, c.key) = (u.tenant, u.person, u.channel, u.key)
"""


def _order(key: CollapseKey) -> tuple[str, ...]:
    return (key.tenant, key.person, key.channel, key.key)


def _columns(keys: Sequence[CollapseKey]) -> tuple[tuple[str, ...], ...]:
    return tuple(zip(*map(_order, keys), strict=True))
