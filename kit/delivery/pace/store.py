"""The SQL of the book of paces: read under its lock, written, done."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from pydantic_core import from_json, to_json

from kit.delivery.pace.rules import Entry, Limit
from kit.postgres import Connection

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)


async def opened(connection: Connection, limits: Collection[Limit]) -> tuple[datetime, dict[Limit, list[Entry]]]:
    """What time it is by clock(), and the entries of these limits, ours until the end of the transaction.

    The shared ones come last, always: two senders never wait for each other.
    """
    now, found = EPOCH, dict[Limit, list[Entry]]()
    for table, some in _by_table(limits):
        names, units = [limit.name for limit in some], [limit.unit for limit in some]
        rows = await connection.fetch(_OPEN.format(table=table), names, units)
        if len(rows) < len(some):
            await connection.execute(_MAKE.format(table=table), names, units)
            rows = await connection.fetch(_OPEN.format(table=table), names, units)
        entries = {(row["name"], row["unit"]): row["entries"] for row in rows}
        found |= {limit: _read(entries[limit.name, limit.unit]) for limit in some}
        now = rows[0]["now"]
    return now, found


async def written(connection: Connection, entries: Mapping[Limit, Sequence[Entry]]) -> None:
    """Writes these in the place of what was there."""
    for table, some in _by_table(entries):
        rows = [(limit.name, limit.unit, _text(entries[limit])) for limit in some]
        await connection.execute(_WRITE.format(table=table), *(list(column) for column in zip(*rows, strict=True)))


def _by_table(limits: Collection[Limit]) -> list[tuple[str, list[Limit]]]:
    tables = {
        "paces": sorted(limit for limit in limits if not limit.shared),
        "tocsin.shared_paces": sorted(limit for limit in limits if limit.shared),
    }
    return [(table, some) for table, some in tables.items() if some]


def _read(text: str) -> list[Entry]:
    return [
        Entry(EPOCH + at * MICROSECOND, amount, UUID(allowance) if allowance else None)
        for at, amount, allowance in from_json(text)
    ]


def _text(entries: Sequence[Entry]) -> str:
    return to_json([((entry.at - EPOCH) // MICROSECOND, entry.amount, entry.allowance) for entry in entries]).decode()


_OPEN: Final = """
select tocsin.clock() as now, name, unit, entries from {table} as book
where (name, unit) in (select * from unnest($1::text[], $2::text[]))
order by name, unit for update of book
"""

_MAKE: Final = """
insert into {table} (name, unit) select * from unnest($1::text[], $2::text[]) on conflict do nothing
"""

_WRITE: Final = """
update {table} as p set entries = written.entries
from unnest($1::text[], $2::text[], $3::text[]) as written (name, unit, entries)
where p.name = written.name and p.unit = written.unit
"""
