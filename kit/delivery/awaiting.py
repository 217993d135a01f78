"""Whom to ask what became of a message, and when: kept apart, as an index on claims would cost every hand-over."""

import json
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg

from kit.delivery.pace import store
from kit.delivery.pace.rules import Entry, Limit, left, settled
from kit.delivery.provider import Askable
from kit.delivery.rules import Result
from kit.postgres import Connection, Database

AGE: Final = timedelta(days=30)


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


async def is_anybody_due(connection: Connection, provider: Askable) -> bool:
    """Whether there is anything to ask this provider now: one short look, where there mostly is nothing."""
    return bool(await connection.fetchval(_ANYBODY, provider.name))


async def due_to_be_asked(connection: Connection, provider: Askable) -> list[Awaited]:
    """Those of this provider whose time has come, at most so many as it takes in a second, whoever of us asks (P5.4).
    Each is put off to its next time: a provider that hangs is not asked again at once.

    Who was told of meanwhile, was not taken after all, or was asked for as often as there are times, goes. To be called
    in a transaction: nobody else gets the same ones meanwhile.
    """
    limit = Limit(f"{provider.name}, asked", "second", provider.asks_per_second)
    now, book = await store.opened(connection, [limit])
    entries = settled(limit, book[limit], {}, now)
    rows = await connection.fetch(_DUE, provider.name, left(limit, entries))
    asked, over = _sorted_out(rows, len(provider.ask_after))
    if asked:
        await connection.execute(_PUT_OFF, *_keys(asked), [_wait(one, provider.ask_after) for one in asked])
        await store.written(connection, {limit: [*entries, Entry(now, len(asked))]})
    if over:
        await connection.execute(_OVER, *_keys(over))
    return asked


async def forget_awaited(database: Database, *, age: timedelta = AGE) -> int:
    """Deletes those of providers that nobody asks any more; how many."""
    async with database.connection() as connection:
        return int(await connection.fetchval(_FORGET, age))


def _sorted_out(rows: Iterable[asyncpg.Record], times: int) -> tuple[list[Awaited], list[Awaited]]:
    """Whom to ask for, and who is over."""
    asked: list[Awaited] = []
    over: list[Awaited] = []
    for row in rows:
        tenant = json.loads(row["about"]).get("tenant", "default") if row["about"] else "default"
        one = Awaited(row["id"], row["try"], row["provider"], row["provider_id"], row["asked"], tenant)
        (asked if row["result"] == Result.SENT and one.asked < times else over).append(one)
    return asked, over


def _wait(one: Awaited, after: Sequence[float]) -> timedelta:
    """Until its next time; after the last one as long once more, and then it goes."""
    return timedelta(seconds=after[min(one.asked + 1, len(after) - 1)])


def _keys(messages: Iterable[Awaited]) -> tuple[list[UUID], list[int]]:
    return [one.id for one in messages], [one.try_ for one in messages]


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
