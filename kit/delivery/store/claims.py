"""The claims: who may hand over what, and what became of it (P5)."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg

from kit.delivery.rules import Attempt, Claim, Result
from kit.delivery.store.results import (
    INSERT,
    IS_TAKEN,
    RESULT,
    WIDTH,
    WRITTEN,
    Written,
    by_id,
    columns,
    conclusion_of,
    keys,
    row_of,
)
from kit.postgres import Connection

BY_INDEX: Final = {"enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off"}
"""For the sessions that run these statements: each of them finds its rows by the primary key. A planner that has no
statistics yet (the table is young, or was empty an hour ago) would read all of it for every batch."""


@dataclass(frozen=True, slots=True)
class Look:
    """The time by tocsin.clock(), the claims of each notification that has any, and whether any address at all is
    suppressed."""

    now: datetime
    claims: dict[UUID, list[Claim]]
    suppressing: bool


class Wanted(NamedTuple):
    """A claim somebody would like to have; without one, nothing is handed over. Expired ones get none."""

    id: UUID
    token: UUID
    attempt: Attempt
    provider: str
    expires_at: datetime


class First(NamedTuple):
    """A claim of a first try, if there is no other yet. Expired ones get none."""

    id: UUID
    token: UUID
    provider: str
    expires_at: datetime


class Won(NamedTuple):
    """The time by tocsin.clock(), and whose claims were made."""

    now: datetime
    tokens: set[UUID]


async def look(connection: Connection, ids: Collection[UUID]) -> Look:
    """What time it is, and every claim of these notifications, whatever its try."""
    rows = await connection.fetch(_LOOK, list(ids))
    claims: dict[UUID, list[Claim]] = {}
    for row in rows:
        if row["id"] is not None:
            claims.setdefault(row["id"], []).append(_claim(row))
    return Look(rows[0]["now"], claims, rows[0]["suppressing"])


async def claim(connection: Connection, wanted: Iterable[Wanted], lease: timedelta) -> set[UUID]:
    """Claims each of them that has not expired by tocsin.clock() and that nobody else claimed; the tokens that won."""
    rows = [
        (one.id, one.attempt.try_, one.token, one.provider, one.attempt.unknown, one.expires_at)
        for one in sorted(wanted, key=by_id)
    ]
    won = await connection.fetch(_CLAIM, *columns(rows, 6), lease)
    return {row["token"] for row in won}


async def claim_first(connection: Connection, wanted: Iterable[First], lease: timedelta) -> Won | None:
    """Look and claim in one: claims the first try of each that has not expired and of which there is no claim, of
    whatever try. None: nobody won."""
    ordered = sorted(wanted, key=by_id)
    won = await connection.fetch(_CLAIM_FIRST, *columns(ordered, 4), lease)
    return Won(won[0]["made_at"], {row["token"] for row in won}) if won else None


async def finish(connection: Connection, final: Iterable[Written]) -> set[tuple[UUID, int]]:
    """Writes final claims that no hand-over stands behind; those that were not there yet."""
    return keys(await connection.fetch(_FINISH, *columns([row_of(one) for one in sorted(final, key=by_id)], WIDTH)))


async def mark_unknown(connection: Connection, marks: Iterable[Written]) -> None:
    """Says of claims that they are unknown, where their lease is over and neither result nor token has changed."""
    await connection.execute(_MARK_UNKNOWN, *columns([row_of(one) for one in sorted(marks, key=by_id)], WIDTH))


async def unclaim(connection: Connection, deliveries: Iterable[tuple[UUID, UUID]]) -> None:
    """Takes away what deliveries (id, token) claimed and did not begin; of no effect where nothing was claimed."""
    await connection.execute(_UNCLAIM, *columns(sorted(deliveries), 2))


async def turn_away(connection: Connection, deliveries: Iterable[tuple[UUID, int, UUID]]) -> None:
    """The same of claims (id, try, token) of unknown fate: a statement of theirs that is still on its way finds its
    token turned away, and claims nothing. One that has not committed yet is waited for (P5.1)."""
    await connection.execute(_TURN_AWAY, *columns(sorted(deliveries), 3))


async def record(connection: Connection, results: Iterable[Written]) -> set[tuple[UUID, int]]:
    """Writes results under the tokens of their claims; those whose claim was still ours (P5.6)."""
    ordered = sorted(results, key=by_id)
    recorded = set()
    if plain := [_plain_row(one) for one in ordered if _is_plain(one)]:
        recorded |= keys(await connection.fetch(_RECORD_PLAIN, *columns(plain, 7)))
    if rows := [row_of(one) for one in ordered if not _is_plain(one)]:
        recorded |= keys(await connection.fetch(_RECORD, *columns(rows, WIDTH)))
    return recorded


async def end(connection: Connection, ends: Iterable[Written]) -> set[tuple[UUID, int]]:
    """Writes final results where nothing but a next try was to come; those that it holds for."""
    rows = [row_of(one) for one in sorted(ends, key=by_id)]
    return keys(await connection.fetch(_END, *columns(rows, WIDTH)))


async def rebuild(connection: Connection, results: Iterable[Written]) -> int:
    """Writes results of hand-overs that the claims know nothing of, but never over what was taken; how many."""
    rows = [row_of(one) for one in sorted(results, key=by_id)]
    return len(await connection.fetch(_REBUILD, *columns(rows, WIDTH)))


async def claim_lost(connection: Connection, tries: Iterable[tuple[UUID, int, UUID]]) -> int:
    """Claims (id, try, token) whose lease is over already, where there is none of that try; how many."""
    return len(await connection.fetch(_CLAIM_LOST, *columns(sorted(tries), 3)))


def _claim(row: asyncpg.Record) -> Claim:
    return Claim(
        try_=row["try"],
        token=row["token"],
        live=row["lease_left"] > timedelta(0),
        lease_left=row["lease_left"].total_seconds(),
        held_until=row["held_until"],
        made_at=row["made_at"],
        provider=row["provider"],
        unknown=row["unknown"],
        hand_overs=row["hand_overs"],
        conclusion=conclusion_of(row) if row["result"] else None,
    )


def _is_plain(one: Written) -> bool:
    """An acceptance with nothing about it but what the provider said: nearly all results are."""
    conclusion = one.conclusion
    return conclusion.result is Result.SENT and not (one.token is None or conclusion.segments or conclusion.encoding)


def _plain_row(one: Written) -> tuple[object, ...]:
    return one.id, one.try_, one.token, one.conclusion.at, one.conclusion.detail, one.conclusion.provider_id, one.about


# The lease goes by clock_timestamp(); `held_until` is its end on the clock that timers go by. A row with neither token
# nor result is no claim: it is where somebody was turned away.
_LOOK: Final = """
select clock.now, clock.suppressing, id, try, token, made_at, provider, unknown, hand_overs, result, at, reason, detail,
       provider_id, segments, encoding, suppress,
       lease_until - clock_timestamp() as lease_left,
       lease_until + (clock.now - statement_timestamp()) as held_until
from (
    select tocsin.clock() as now, exists (select from suppressed where value is not null) as suppressing
) as clock
left join claims on id = any($1::uuid[]) and (token is not null or result is not null)
"""

_CLAIM: Final = """
insert into claims as c (id, try, token, lease_until, made_at, provider, unknown)
select id, try, token, clock_timestamp() + $7::interval, clock.now, provider, unknown
from (select tocsin.clock() as now) as clock,
     unnest($1::uuid[], $2::smallint[], $3::uuid[], $4::text[], $5::smallint[], $6::timestamptz[])
         as wanted (id, try, token, provider, unknown, expires_at)
where expires_at > clock.now
on conflict (id, try) do update
set token = excluded.token, lease_until = excluded.lease_until, made_at = excluded.made_at,
    provider = excluded.provider, unknown = excluded.unknown, hand_overs = 1
where c.token is null and c.result is null and excluded.token <> all(c.turned_away)
returning token
"""

# The key keeps out whoever claimed the same try since; who was turned away meets the row that says so.
_CLAIM_FIRST: Final = """
insert into claims as c (id, try, token, lease_until, made_at, provider)
select id, 1, token, clock_timestamp() + $5::interval, clock.now, provider
from (select tocsin.clock() as now) as clock,
     unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[]) as wanted (id, token, provider, expires_at)
where expires_at > clock.now and not exists (select from claims as other where other.id = wanted.id)
on conflict (id, try) do nothing
returning token, made_at
"""

_FINISH: Final = f"""
{INSERT.format(late="false")}
on conflict (id, try) do update set {RESULT}
where c.token is null and c.result is null
returning id, try
"""

_END: Final = f"""
{INSERT.format(late="false")}
on conflict (id, try) do update set {RESULT}, token = null
where c.result in ('retry', 'unknown', excluded.result) or (c.token is null and c.result is null)
returning id, try
"""

# An upsert that always meets its row: unlike UPDATE ... FROM unnest it has no plan to get wrong. A result of our own
# is met again when the acknowledgement of its commit was lost.
_RECORD: Final = f"""
{INSERT.format(late="false")}
on conflict (id, try) do update set {RESULT}
where c.token = excluded.token and (c.result is null or c.result = excluded.result)
returning id, try
"""

# What the claim says already is not written again: of the unknown hand-overs before it, and that it was one.
_RECORD_PLAIN: Final = """
update claims as c
set result = 'sent', at = written.at, detail = written.detail, provider_id = written.provider_id,
    about = written.about, result_at = clock_timestamp()
from unnest($1::uuid[], $2::smallint[], $3::uuid[], $4::timestamptz[], $5::text[], $6::text[], $7::text[])
    as written (id, try, token, at, detail, provider_id, about)
where c.id = written.id and c.try = written.try and c.token = written.token and (c.result is null or c.result = 'sent')
returning c.id, c.try
"""

_REBUILD: Final = f"""
{INSERT.format(late="false")}
on conflict (id, try) do update set {RESULT}, token = null
where c.result is null or c.result not in ({IS_TAKEN})
returning id
"""

_CLAIM_LOST: Final = """
insert into claims (id, try, token, lease_until, made_at)
select id, try, token, clock_timestamp(), tocsin.clock()
from unnest($1::uuid[], $2::smallint[], $3::uuid[]) as lost (id, try, token)
on conflict (id, try) do nothing
returning id
"""

_MARK_UNKNOWN: Final = f"""
update claims as c
set token = null, result = written.result, at = written.at, unknown = written.unknown,
    hand_overs = written.hand_overs, reason = written.reason, detail = written.detail, about = written.about,
    result_at = clock_timestamp()
from {WRITTEN}
where c.id = written.id and c.try = written.try and c.token = written.token
  and c.result is null and c.lease_until <= clock_timestamp()
"""

# Where somebody else was turned away from the row before, that must be remembered: the row stays, without a claim.
_UNCLAIM: Final = """
with given as (select * from unnest($1::uuid[], $2::uuid[]) as given (id, token)),
kept as (
    update claims as c set token = null, unknown = 0, hand_overs = 0
    from given
    where c.id = given.id and c.token = given.token and c.result is null and c.turned_away is not null
)
delete from claims as c
using given
where c.id = given.id and c.token = given.token and c.result is null and c.turned_away is null
"""

# An INSERT waits for one of the same key that has not ended, and one that comes later meets this row.
_TURN_AWAY: Final = """
insert into claims as c (id, try, lease_until, made_at, hand_overs, turned_away)
select id, try, clock_timestamp(), tocsin.clock(), 0, array[token]
from unnest($1::uuid[], $2::smallint[], $3::uuid[]) as given (id, try, token)
on conflict (id, try) do update
set turned_away = coalesce(c.turned_away, '{}') || excluded.turned_away,
    token = nullif(c.token, excluded.turned_away[1]),
    unknown = case when c.token is distinct from excluded.turned_away[1] then c.unknown else 0 end,
    hand_overs = case when c.token is distinct from excluded.turned_away[1] then c.hand_overs else 0 end
where c.result is null
"""
