"""What the statements of this folder share: results as they are written, and as they are read again."""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple, Protocol
from uuid import UUID

import asyncpg

from kit.delivery.rules import TAKEN_RESULTS, Conclusion, Result

IS_TAKEN: Final = ", ".join(f"'{result}'" for result in sorted(TAKEN_RESULTS))
"""What a claim says whose message a provider has, as SQL lists it."""
WIDTH: Final = 15
"""Columns of a result as it is written."""


class Written(NamedTuple):
    """A conclusion for the claim (id, try) under `token`; `about` is JSON of the notification's common fields."""

    id: UUID
    try_: int
    token: UUID | None
    conclusion: Conclusion
    about: str
    provider: str | None = None


class Unsaid(NamedTuple):
    """A conclusion that is recorded, but of which no event was acknowledged, with all that the event says."""

    id: UUID
    try_: int
    conclusion: Conclusion
    about: str
    provider: str | None
    attempt: int
    unknown: int


def row_of(one: Written) -> tuple[object, ...]:
    """As `WRITTEN` takes it."""
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


def conclusion_of(row: asyncpg.Record) -> Conclusion:
    """What a claim says; it has a result."""
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


def unsaid_of(row: asyncpg.Record) -> Unsaid:
    """A claim that was read with `ATTEMPTS`."""
    return Unsaid(
        row["id"], row["try"], conclusion_of(row), row["about"], row["provider"], row["attempt"], row["copies"]
    )


def keys(rows: Iterable[asyncpg.Record]) -> set[tuple[UUID, int]]:
    """(id, try) of each."""
    return {(row["id"], row["try"]) for row in rows}


def columns(rows: Sequence[tuple[object, ...]], width: int) -> list[list[Any]]:
    """As unnest() takes them."""
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(width)]


class OfId(Protocol):
    """A row of a notification."""

    @property
    def id(self) -> UUID: ...


def by_id(one: OfId) -> int:
    """Always in the same order, so that two senders never wait for each other."""
    return one.id.int


WRITTEN: Final = """
unnest($1::uuid[], $2::smallint[], $3::uuid[], $4::text[], $5::text[], $6::timestamptz[], $7::smallint[],
       $8::smallint[], $9::text[], $10::text[], $11::text[], $12::smallint[], $13::text[], $14::text[],
       $15::text[])
    as written (id, try, token, provider, result, at, unknown, hand_overs, reason, detail, provider_id, segments,
                encoding, about, suppress)
"""

INSERT: Final = f"""
insert into claims as c (id, try, token, provider, result, at, unknown, hand_overs, reason, detail, provider_id,
                         segments, encoding, about, suppress, lease_until, made_at, result_at, unannounced)
select written.*, clock_timestamp(), tocsin.clock(), clock_timestamp(), {{late}}
from {WRITTEN}
"""

RESULT: Final = """
    result = excluded.result, at = excluded.at, unknown = excluded.unknown, hand_overs = excluded.hand_overs,
    reason = excluded.reason, detail = excluded.detail, provider_id = excluded.provider_id,
    segments = excluded.segments, encoding = excluded.encoding, about = excluded.about, suppress = excluded.suppress,
    result_at = excluded.result_at
"""

ATTEMPTS: Final = """
(select max(unknown) from claims as other where other.id = c.id and other.hand_overs = 1) as copies,
(select sum(hand_overs) from claims as other where other.id = c.id and other.try <= c.try) as attempt
"""
"""Of a claim `c`: how many hand-overs of its notification are unknown, and which one its own was."""
