"""The SQL of the claims: a statement per batch, a sentence per statement."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

import asyncpg

from kit.delivery.rules import TAKEN_RESULTS, Attempt, Claim, Conclusion, Result
from kit.postgres import Connection

BY_INDEX: Final = {"enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off"}
"""For the sessions that run these statements: each of them finds its rows by the primary key. A planner that has no
statistics yet (the table is young, or was empty an hour ago) would read all of it for every batch."""
IS_TAKEN: Final = ", ".join(f"'{result}'" for result in sorted(TAKEN_RESULTS))
"""What a claim says whose message a provider has, as SQL lists it."""
WIDTH: Final = 15
"""Columns of a result as it is written."""


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


class Written(NamedTuple):
    """A conclusion for the claim (id, try) under `token`; `about` is JSON of the notification's common fields."""

    id: UUID
    try_: int
    token: UUID | None
    conclusion: Conclusion
    about: str
    provider: str | None = None


@dataclass(frozen=True, slots=True)
class Late:
    """An acceptance that is recorded, but of which no event was acknowledged."""

    id: UUID
    try_: int
    conclusion: Conclusion
    about: str
    provider: str | None
    attempt: int
    unknown: int


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
        for one in sorted(wanted, key=_by_id)
    ]
    won = await connection.fetch(_CLAIM, *_columns(rows, 6), lease)
    return {row["token"] for row in won}


async def claim_first(connection: Connection, wanted: Iterable[First], lease: timedelta) -> Won | None:
    """Look and claim in one: claims the first try of each that has not expired and of which there is no claim, of
    whatever try. None: nobody won."""
    ordered = sorted(wanted, key=_by_id)
    won = await connection.fetch(_CLAIM_FIRST, *_columns(ordered, 4), lease)
    return Won(won[0]["made_at"], {row["token"] for row in won}) if won else None


async def finish(connection: Connection, final: Iterable[Written]) -> set[tuple[UUID, int]]:
    """Writes final claims that no hand-over stands behind; those that were not there yet."""
    return _keys(await connection.fetch(_FINISH, *_columns([_row(one) for one in sorted(final, key=_by_id)], WIDTH)))


async def mark_unknown(connection: Connection, marks: Iterable[Written]) -> None:
    """Says of claims that they are unknown, where their lease is over and neither result nor token has changed."""
    await connection.execute(_MARK_UNKNOWN, *_columns([_row(one) for one in sorted(marks, key=_by_id)], WIDTH))


async def give_back(connection: Connection, deliveries: Iterable[tuple[UUID, UUID]]) -> None:
    """Takes away what deliveries (id, token) claimed and did not begin; of no effect where nothing was claimed."""
    await connection.execute(_GIVE_BACK, *_columns(sorted(deliveries), 2))


async def turn_away(connection: Connection, deliveries: Iterable[tuple[UUID, int, UUID]]) -> None:
    """The same of claims (id, try, token) of unknown fate: a statement of theirs that is still on its way finds its
    token turned away, and claims nothing. One that has not committed yet is waited for (P5.1)."""
    await connection.execute(_TURN_AWAY, *_columns(sorted(deliveries), 3))


async def record(connection: Connection, results: Iterable[Written]) -> set[tuple[UUID, int]]:
    """Writes results under the tokens of their claims; those whose claim was still ours (P5.6)."""
    ordered = sorted(results, key=_by_id)
    recorded = set()
    if plain := [_plain_row(one) for one in ordered if _is_plain(one)]:
        recorded |= _keys(await connection.fetch(_RECORD_PLAIN, *_columns(plain, 7)))
    if rows := [_row(one) for one in ordered if not _is_plain(one)]:
        recorded |= _keys(await connection.fetch(_RECORD, *_columns(rows, WIDTH)))
    return recorded


async def end(connection: Connection, ends: Iterable[Written]) -> set[tuple[UUID, int]]:
    """Writes final results where nothing but a next try was to come; those that it holds for."""
    rows = [_row(one) for one in sorted(ends, key=_by_id)]
    return _keys(await connection.fetch(_END, *_columns(rows, WIDTH)))


async def accept_late(connection: Connection, acceptances: Iterable[Written]) -> None:
    """Writes acceptances whatever the token, to be announced, unless the claim says that it was taken (P5.6)."""
    rows = [_row(one) for one in sorted(acceptances, key=_by_id)]
    await connection.execute(_ACCEPT_LATE, *_columns(rows, WIDTH))


async def unannounced(connection: Connection, limit: int) -> list[Late]:
    """Late acceptances whose event is not acknowledged yet."""
    rows = await connection.fetch(_UNANNOUNCED, limit)
    return [
        Late(row["id"], row["try"], _verdict(row), row["about"], row["provider"], row["attempt"], row["copies"])
        for row in rows
    ]


async def announced(connection: Connection, late: Iterable[Late]) -> set[tuple[UUID, int]]:
    """Their events are acknowledged; those of which nobody has written that before."""
    rows = await connection.fetch(_ANNOUNCED, *_columns(sorted((one.id, one.try_) for one in late), 2))
    return _keys(rows)


async def rebuild(connection: Connection, results: Iterable[Written]) -> int:
    """Writes results of hand-overs that the claims know nothing of, but never over what was taken; how many."""
    rows = [_row(one) for one in sorted(results, key=_by_id)]
    return len(await connection.fetch(_REBUILD, *_columns(rows, WIDTH)))


async def claim_lost(connection: Connection, tries: Iterable[tuple[UUID, int, UUID]]) -> int:
    """Claims (id, try, token) whose lease is over already, where there is none of that try; how many."""
    return len(await connection.fetch(_CLAIM_LOST, *_columns(sorted(tries), 3)))


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
        conclusion=_verdict(row) if row["result"] else None,
    )


def _verdict(row: asyncpg.Record) -> Conclusion:
    return Conclusion(
        result=Result(row["result"]),
        at=row["at"],
        unknown=row["unknown"],
        hand_overs=row["hand_overs"],
        reason=row["reason"],
        detail=row["detail"],
        provider_id=row["provider_id"],
        segments=row["segments"],
        encoding=row["encoding"],
        suppress=row["suppress"],
    )


def _row(one: Written) -> tuple[object, ...]:
    conclusion = one.conclusion
    return (
        one.id,
        one.try_,
        one.token,
        one.provider,
        conclusion.result.value,
        conclusion.at,
        conclusion.unknown,
        conclusion.hand_overs,
        conclusion.reason,
        conclusion.detail,
        conclusion.provider_id,
        conclusion.segments,
        conclusion.encoding,
        one.about,
        conclusion.suppress,
    )


def _is_plain(one: Written) -> bool:
    """An acceptance with nothing about it but what the provider said: nearly all results are."""
    conclusion = one.conclusion
    return conclusion.result is Result.SENT and not (one.token is None or conclusion.segments or conclusion.encoding)


def _plain_row(one: Written) -> tuple[object, ...]:
    return one.id, one.try_, one.token, one.conclusion.at, one.conclusion.detail, one.conclusion.provider_id, one.about


def _keys(rows: Iterable[asyncpg.Record]) -> set[tuple[UUID, int]]:
    return {(row["id"], row["try"]) for row in rows}


def _columns(rows: Sequence[tuple[object, ...]], width: int) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(width)]


def _by_id(one: First | Wanted | Written) -> int:
    # Always in the same order, so that two senders never wait for each other.
    return one.id.int


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

_WRITTEN: Final = """
unnest($1::uuid[], $2::smallint[], $3::uuid[], $4::text[], $5::text[], $6::timestamptz[], $7::smallint[],
       $8::smallint[], $9::text[], $10::text[], $11::text[], $12::smallint[], $13::text[], $14::text[],
       $15::text[])
    as written (id, try, token, provider, result, at, unknown, hand_overs, reason, detail, provider_id, segments,
                encoding, about, suppress)
"""

_INSERT: Final = f"""
insert into claims as c (id, try, token, provider, result, at, unknown, hand_overs, reason, detail, provider_id,
                         segments, encoding, about, suppress, lease_until, made_at, result_at, unannounced)
select written.*, clock_timestamp(), tocsin.clock(), clock_timestamp(), {{late}}
from {_WRITTEN}
"""

_RESULT: Final = """
    result = excluded.result, at = excluded.at, unknown = excluded.unknown, hand_overs = excluded.hand_overs,
    reason = excluded.reason, detail = excluded.detail, provider_id = excluded.provider_id,
    segments = excluded.segments, encoding = excluded.encoding, about = excluded.about, suppress = excluded.suppress,
    result_at = excluded.result_at
"""

_FINISH: Final = f"""
{_INSERT.format(late="false")}
on conflict (id, try) do update set {_RESULT}
where c.token is null and c.result is null
returning id, try
"""

_END: Final = f"""
{_INSERT.format(late="false")}
on conflict (id, try) do update set {_RESULT}, token = null
where c.result in ('retry', 'unknown', excluded.result) or (c.token is null and c.result is null)
returning id, try
"""

# An upsert that always meets its row: unlike UPDATE ... FROM unnest it has no plan to get wrong. A result of our own
# is met again when the acknowledgement of its commit was lost.
_RECORD: Final = f"""
{_INSERT.format(late="false")}
on conflict (id, try) do update set {_RESULT}
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

_ACCEPT_LATE: Final = f"""
{_INSERT.format(late="true")}
on conflict (id, try) do update set {_RESULT}, unannounced = true
where c.result is null or c.result not in ({IS_TAKEN})
"""

_REBUILD: Final = f"""
{_INSERT.format(late="false")}
on conflict (id, try) do update set {_RESULT}, token = null
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
from {_WRITTEN}
where c.id = written.id and c.try = written.try and c.token = written.token
  and c.result is null and c.lease_until <= clock_timestamp()
"""

# Where somebody else was turned away from the row before, that must be remembered: the row stays, without a claim.
_GIVE_BACK: Final = """
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

_UNANNOUNCED: Final = """
select c.*,
       (select max(unknown) from claims as other where other.id = c.id and other.hand_overs = 1) as copies,
       (select sum(hand_overs) from claims as other where other.id = c.id and other.try <= c.try) as attempt
from claims as c
where unannounced
limit $1
"""

_ANNOUNCED: Final = """
update claims as c
set unannounced = false
from unnest($1::uuid[], $2::smallint[]) as said (id, try)
where c.id = said.id and c.try = said.try and c.unannounced
returning c.id, c.try
"""
