"""A history: notifications that were sent long ago, made by copying those that were sent just now, in every table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import asyncpg

AT_ONCE: Final = 20
"""Copies of each original in one statement."""
PATIENCE: Final = 900.0

ID: Final = "md5(m.id::text || back.hours)::uuid"
ACCEPTED: Final = "m.accepted_at - back.hours * interval '1 hour'"
"""Copies lie on the days before, an hour apart: younger than what cleaning takes away."""
PLACE: Final = f"gateway.place_of({ACCEPTED}, {ID})"


@dataclass(frozen=True, slots=True)
class Table:
    """Where notifications leave rows `o`; `source` joins each with `m`, its notification; `own` is what a copy has of
    its own instead of the original's."""

    name: str
    source: str
    own: Mapping[str, str]


OF_PLACE: Final = "{0} o join gateway.notifications m on m.place = o.place"
TABLES: Final = (
    Table("gateway.timeline", OF_PLACE.format("gateway.timeline"), {"place": PLACE}),
    Table("gateway.finds", OF_PLACE.format("gateway.finds"), {"place": PLACE}),
    Table("email_sender.claims", "email_sender.claims o join gateway.notifications m on m.id = o.id", {"id": ID}),
    Table(
        "intake.notifications",
        "intake.notifications o join gateway.notifications m on m.id = o.id",
        {"id": ID, "accepted_at": ACCEPTED},
    ),
    Table(
        "gateway.notifications",
        "gateway.notifications o join gateway.notifications m on m.id = o.id",
        {"id": ID, "accepted_at": ACCEPTED, "place": PLACE},
    ),
)


async def store(url: str, copies: int, since: datetime) -> int:
    """So many copies of each notification accepted since then, the oldest first; how many are stored afterwards."""
    connection = await asyncpg.connect(url, command_timeout=PATIENCE)
    try:
        for table in TABLES:
            statement = await _copying(connection, table)
            for last in range(copies, 0, -AT_ONCE):
                await connection.execute(statement, max(1, last - AT_ONCE + 1), last, since)
            await connection.execute(f"vacuum analyze {table.name}")
        await connection.execute("checkpoint")
        return int(await connection.fetchval("select count(*) from gateway.notifications"))
    finally:
        await connection.close()


async def _copying(connection: asyncpg.Connection[asyncpg.Record], table: Table) -> str:
    columns = [row["attname"] for row in await connection.fetch(_COLUMNS, table.name)]
    values = [table.own.get(name, f'o."{name}"') for name in columns]
    names = ", ".join(f'"{name}"' for name in columns)
    return (
        f"insert into {table.name} ({names}) select {', '.join(values)} "
        f"from {table.source}, generate_series($1::int, $2::int) back (hours) where m.accepted_at >= $3"
    )


_COLUMNS: Final = """
select attname from pg_attribute
where attrelid = $1::text::regclass and attnum > 0 and not attisdropped and attgenerated = ''
order by attnum
"""
