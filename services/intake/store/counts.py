"""Notifications per hour of acceptance, for the reconciliation with what the gateway shows (P9)."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from kit.postgres import Connection
from services.intake.rules.hearing import Known
from services.intake.rules.row import Row, State

MOST_ROWS: Final = 20_000
"""Open notifications are counted row by row up to so many, every few seconds."""


class Tally:
    """What a batch changes about the counts."""

    def __init__(self, before: Mapping[UUID, Row | Known], after: Iterable[Row | Known]) -> None:
        self.accepted: Counter[datetime] = Counter()
        self.final: Counter[datetime] = Counter()
        for row in after:
            if (was := before.get(row.id)) is not row:
                self._count(was, -1)
                self._count(row, 1)

    def _count(self, row: Row | Known | None, n: int) -> None:
        if row is None or row.state in (State.SPLIT, State.EXPECTED):
            return
        hour = row.accepted_at.replace(minute=0, second=0, microsecond=0)
        self.accepted[hour] += n
        if row.state is State.ENDED:
            self.final[hour] += n


async def add(connection: Connection, stage: str, tally: Tally) -> None:
    """Add to the counts; the last statement of a transaction, because everybody wants this hour's row."""
    hours = sorted({*tally.accepted, *tally.final})
    values = [(hour, tally.accepted[hour], tally.final[hour]) for hour in hours]
    changes = [value for value in values if value[1] or value[2]]
    if changes:
        await connection.execute(_ADD, stage, *zip(*changes, strict=True))


_ADD: Final = """
insert into hours as h (stage, hour, accepted, final)
select $1, * from unnest($2::timestamptz[], $3::bigint[], $4::bigint[])
on conflict (hour, stage) do update set accepted = h.accepted + excluded.accepted, final = h.final + excluded.final
"""


class Open(NamedTuple):
    """How many are open, by the counts, and by the rows: as many as there are, or None where they are too many."""

    counted: int
    rows: int | None

    @property
    def missing(self) -> int:
        """Open ones without a row: lost."""
        return max(self.counted - self.rows, 0) if self.rows is not None else 0

    @property
    def best(self) -> int:
        """What is surely there, as far as somebody has looked."""
        return self.counted if self.rows is None else self.rows


async def open_now(connection: Connection, most: int = MOST_ROWS) -> Open:
    """Both of one moment, so that they differ only by what is lost."""
    row = await connection.fetchrow(_OPEN_NOW, most + 1)
    assert row is not None
    return Open(row["counted"], row["rows"] if row["rows"] <= most else None)


_OPEN_NOW: Final = """
select (select coalesce(sum(accepted - final), 0)::bigint from hours) as counted,
       (select count(*) from (select from notifications where look_at is not null limit $1) as o) as rows
"""


async def hours(connection: Connection, since: datetime) -> list[tuple[datetime, int, int]]:
    """(hour, accepted, final) of every hour since then."""
    found = await connection.fetch(_HOURS, since)
    return [(row["hour"], row["accepted"], row["final"]) for row in found]


_HOURS: Final = """
select hour, sum(accepted)::bigint as accepted, sum(final)::bigint as final from hours
where hour >= $1 group by hour order by hour
"""
