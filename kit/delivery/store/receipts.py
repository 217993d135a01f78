"""What was called back, until it is said: written into the claims, in whatever order it came (P5.9)."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg

from kit.delivery.called_back import Callbacks
from kit.delivery.rules import PERHAPS_SENT, TAKEN_RESULTS, Result
from kit.delivery.store.results import ATTEMPTS, IS_TAKEN, Unsaid, columns, unsaid_of
from kit.postgres import Connection

PROVEN: Final = "its answer was lost: what was called back shows that it was taken"
ORDER: Final = ", ".join(f"'{result}'" for result in sorted(TAKEN_RESULTS, key=lambda result: result.rank))
"""Of what can be called back, the furthest last: as `Callbacks.and_then` has it."""

Place = tuple[UUID, int]
"""A notification, and a try of it."""


class Arrival(NamedTuple):
    """A claim that holds what its receipt said (`heard`; the claim may be further), and is to be said."""

    unsaid: Unsaid
    heard: Result

    @property
    def suppress(self) -> str | None:
        """Why nothing is to go to its address any more."""
        return self.unsaid.conclusion.suppress


async def keep(connection: Connection, heard: Mapping[Place, Callbacks]) -> None:
    """Puts these to what was called back before; what is no news is not kept."""
    rows = [(*place, one.result.value, *one[1:]) for place, one in sorted(heard.items())]
    await connection.execute(_KEEP, *columns(rows, 7))


async def is_any(connection: Connection) -> bool:
    """Whether there is anything to be said, or to wait for."""
    return bool(await connection.fetchval("select exists (select from receipts)"))


async def prove(connection: Connection, limit: int, asked: Mapping[str, float]) -> None:
    """Nobody knew whether it was taken, and then its provider speaks of it: so it was. Hand-overs of unknown fate of
    which there is a receipt become late acceptances, to be announced (P5.6). Where it says what the provider calls the
    message, and that is one of `asked` (seconds), it is asked for like any other. What only says that the provider has
    it, and is no news any more, goes."""
    after = [timedelta(seconds=seconds) for seconds in asked.values()]
    await connection.execute(_PROVE, limit, PROVEN, PERHAPS_SENT, list(asked), after)
    await connection.execute(_SPENT)


async def apply(connection: Connection, limit: int) -> None:
    """Writes what can be said into the claims."""
    await connection.execute(_APPLY, limit)


async def arrivals(connection: Connection, limit: int) -> list[Arrival]:
    """What stands in the claims, and is to be said."""
    return [_arrival(row) for row in await connection.fetch(_ARRIVALS, limit)]


def _arrival(row: asyncpg.Record) -> Arrival:
    one = unsaid_of(row)
    return Arrival(one._replace(conclusion=one.conclusion._replace(suppress=row["why"])), Result(row["heard"]))


async def said(connection: Connection, acknowledged: Iterable[Arrival]) -> None:
    """Their events are acknowledged: nothing is left to say of them."""
    rows = [(one.unsaid.id, one.unsaid.try_, one.heard.value, one.suppress) for one in acknowledged]
    await connection.execute(_SAID, *columns(rows, 4))


async def forget(connection: Connection, age: timedelta) -> int:
    """Deletes those whose message was never recorded as sent, such as of a claim that is gone; how many."""
    return int(await connection.fetchval(_FORGET, age))


# The first of a kind stays: what was said with its time is said with the same again. That the provider has it is no
# news where the claim says so.
_FURTHER: Final = f"""
(array_position(array[{ORDER}], excluded.result), excluded.suppress is not null)
  > (array_position(array[{ORDER}], r.result), r.suppress is not null)
"""

_KEEP: Final = f"""
insert into receipts as r (id, try, result, received_at, detail, suppress, provider_id)
select * from unnest($1::uuid[], $2::smallint[], $3::text[], $4::timestamptz[], $5::text[], $6::text[], $7::text[])
    as told (id, try, result, received_at, detail, suppress, provider_id)
where result <> 'sent'
   or not exists (select from claims as c where c.id = told.id and c.try = told.try and c.result in ({IS_TAKEN}))
on conflict (id, try) do update
set result = case when {_FURTHER} then excluded.result else r.result end,
    received_at = case when {_FURTHER} then excluded.received_at else r.received_at end,
    detail = case when {_FURTHER} then excluded.detail else r.detail end,
    suppress = greatest(r.suppress, excluded.suppress),
    provider_id = coalesce(r.provider_id, excluded.provider_id)
where {_FURTHER} or excluded.suppress > coalesce(r.suppress, '') or excluded.provider_id > coalesce(r.provider_id, '')
"""

# A late acceptance is said as `sent` first (P5.6). In the order of all who lock claims.
_APPLY: Final = """
with ready as (
    select c.id, c.try, r.result, r.received_at, r.detail
    from receipts as r
    join claims as c on c.id = r.id and c.try = r.try
    where r.result <> 'sent'
      and ((c.result = 'sent' and not c.unannounced) or (c.result = 'undelivered' and r.result = 'delivered'))
    order by c.id, c.try
    limit $1
    for update of c
)
update claims as c
set result = ready.result, at = ready.received_at, detail = ready.detail, result_at = clock_timestamp()
from ready
where c.id = ready.id and c.try = ready.try
"""

_ARRIVALS: Final = f"""
select c.*, r.result as heard, r.suppress as why, {ATTEMPTS}
from receipts as r
join claims as c on c.id = r.id and c.try = r.try
where r.result <> 'sent' and (c.result = 'delivered' or (c.result = 'undelivered' and r.result = 'undelivered'))
limit $1
"""

# One that has grown meanwhile stays, to be said itself.
_SAID: Final = """
delete from receipts as r
using unnest($1::uuid[], $2::smallint[], $3::text[], $4::text[]) as said (id, try, result, suppress)
where r.id = said.id and r.try = said.try and r.result = said.result and r.suppress is not distinct from said.suppress
"""

# An end that is `perhaps_sent` for what came before it says nothing about its own hand-over: that one was refused. In
# the order of all who lock claims.
_PROVE: Final = """
with proven as (
    select c.id, c.try, r.received_at, r.provider_id, past.unknown
    from receipts as r
    join claims as c on c.id = r.id and c.try = r.try
    cross join lateral (
        select coalesce(max(unknown), 0) as unknown
        from claims as other where other.id = c.id and other.try < c.try and other.hand_overs = 1
    ) as past
    where c.hand_overs = 1 and c.unknown > past.unknown
      and (c.result = 'unknown' or (c.result = 'failed' and c.reason = $3))
    order by c.id, c.try
    limit $1
    for update of c
),
taken as (
    update claims as c
    set token = null, result = 'sent', at = proven.received_at, unknown = proven.unknown, reason = null, detail = $2,
        provider_id = coalesce(c.provider_id, proven.provider_id), unannounced = true, result_at = clock_timestamp()
    from proven
    where c.id = proven.id and c.try = proven.try
    returning c.id, c.try, c.provider, c.provider_id
)
insert into awaited (id, try, provider, provider_id, ask_at)
select taken.id, taken.try, taken.provider, taken.provider_id, tocsin.clock() + asked.after
from taken
join unnest($4::text[], $5::interval[]) as asked (provider, after) on asked.provider = taken.provider
where taken.provider_id is not null
on conflict (id, try) do nothing
"""

_SPENT: Final = f"""
delete from receipts as r
using claims as c
where r.result = 'sent' and c.id = r.id and c.try = r.try and c.result in ({IS_TAKEN})
"""

_FORGET: Final = """
with forgotten as (delete from receipts where received_at < clock_timestamp() - $1::interval returning 1)
select count(*) from forgotten
"""
