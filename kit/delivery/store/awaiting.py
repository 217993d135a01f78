"""Whom to ask what became of a message: a table of its own, as an index on claims would cost every hand-over."""

import json
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg

from kit.postgres import Connection


class Awaited(NamedTuple):
    """A message that a provider has, and what it calls it; `asked`: so often already."""

    id: UUID
    try_: int
    provider: str
    provider_id: str
    asked: int = 0
    tenant: str = ""


async def await_receipts(connection: Connection, messages: Iterable[tuple[Awaited, float]]) -> None:
    """Writes down whom to ask, in so many seconds; of no effect where it is written already."""
    rows = [
        (one.id, one.try_, one.provider, one.provider_id, timedelta(seconds=after)) for one, after in sorted(messages)
    ]
    await connection.execute(_AWAIT, *(list(column) for column in zip(*rows, strict=True)))


async def is_anybody_due(connection: Connection, provider: str) -> bool:
    """Whether there is anything to ask this provider now: one short look, where there mostly is nothing."""
    return bool(await connection.fetchval(_ANYBODY, provider))


async def due(connection: Connection, provider: str, most: int) -> list[tuple[Awaited, str | None]]:
    """At most so many whose time has come, who waits longest first, locked, with what their claims say by now."""
    return [(_awaited(row), row["result"]) for row in await connection.fetch(_DUE, provider, most)]


async def put_off(connection: Connection, waits: Sequence[tuple[Awaited, timedelta]]) -> None:
    """They are asked for now, and may be again after so long."""
    await connection.execute(_PUT_OFF, *_keys(one for one, _ in waits), [wait for _, wait in waits])


async def ask_no_more(connection: Connection, over: Sequence[Awaited]) -> None:
    """Deletes these."""
    await connection.execute(_OVER, *_keys(over))


async def forget(connection: Connection, age: timedelta) -> int:
    """Deletes those whose time came so long ago; how many."""
    return int(await connection.fetchval(_FORGET, age))


def _awaited(row: asyncpg.Record) -> Awaited:
    tenant = json.loads(row["about"]).get("tenant", "default") if row["about"] else "default"
    return Awaited(row["id"], row["try"], row["provider"], row["provider_id"], row["asked"], tenant)


def _keys(messages: Iterable[Awaited]) -> tuple[list[UUID], list[int]]:
    keys = [(one.id, one.try_) for one in messages]
    return [id for id, _ in keys], [try_ for _, try_ in keys]


_AWAIT: Final = """
insert into awaited (id, try, provider, provider_id, ask_at)
select told.id, told.try, told.provider, told.provider_id, tocsin.clock() + told.after
from unnest($1::uuid[], $2::smallint[], $3::text[], $4::text[], $5::interval[])
    as told (id, try, provider, provider_id, after)
on conflict (id, try) do nothing
"""

_ANYBODY: Final = "select exists (select from awaited where provider = $1 and ask_at <= tocsin.clock())"

# Whose result is still to be written (in a moment, or never) is not looked at before the lease would be over.
_DUE: Final = """
select a.id, a.try, a.provider, a.provider_id, a.asked, c.result, c.about
from awaited as a
left join claims as c on c.id = a.id and c.try = a.try
where a.provider = $1 and a.ask_at <= tocsin.clock()
  and (c.id is null or c.result is not null or c.lease_until <= clock_timestamp())
order by a.ask_at
limit $2
for update of a skip locked
"""

_PUT_OFF: Final = """
update awaited as a
set ask_at = tocsin.clock() + asked.wait, asked = a.asked + 1
from unnest($1::uuid[], $2::smallint[], $3::interval[]) as asked (id, try, wait)
where a.id = asked.id and a.try = asked.try
"""

_OVER: Final = """
delete from awaited as a
using unnest($1::uuid[], $2::smallint[]) as over (id, try)
where a.id = over.id and a.try = over.try
"""

_FORGET: Final = """
with forgotten as (delete from awaited where ask_at < tocsin.clock() - $1::interval returning 1)
select count(*) from forgotten
"""
