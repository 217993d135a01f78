"""Rows that travel as columns are the same rows when they arrive."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from kit.postgres.columns import Columns

THINGS = Columns(id="integer", name="text", at="timestamptz", note="text")
EXACT = datetime(2027, 3, 1, 1, 2, 3, 999_998, tzinfo=UTC)
FAR = datetime(9999, 12, 31, 23, 59, 59, 999_998, tzinfo=UTC)
AT, LATER = datetime(2027, 3, 1, tzinfo=UTC), datetime(2027, 3, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    "rows",
    [
        [(1, "a", AT, None)],
        [(1, "a", AT, None), (2, "a", AT, None)],
        [(1, "a", AT, None), (2, "b", LATER, "x")],
        [(1, "a", AT, None), (2, "b", LATER, None), (3, "a", AT, None)],
        [(1, None, AT, "x"), (2, None, LATER, None), (3, None, AT, "x")],
        [(1, None, None, None)],
        [(7, "a", AT, "x"), (7, "a", AT, "x")],
        [(1, "a\x1eb", AT, "\x1f"), (2, "", AT, "y"), (3, "\x1f", AT, None)],
        [(1, "", AT, None), (2, "a", AT, ""), (3, "", AT, None)],
        [
            (1, "", EXACT, None),
            (2, "", EXACT + timedelta(microseconds=1), None),
            (3, "", FAR, None),
        ],
    ],
    ids=[
        "one",
        "the same but for the key",
        "all different",
        "equal ends",
        "some null",
        "nothing but a key",
        "twins",
        "marks in texts",
        "empty texts",
        "exact dates",
    ],
)
async def test_rows_arrive_as_they_were(postgres_url: str, rows: list[tuple[Any, ...]]) -> None:
    """Whatever is the same in all of them, or in none; another parameter may stand before theirs."""
    table, values = THINGS.of(rows, after=1)
    connection = await asyncpg.connect(postgres_url)
    try:
        found = await connection.fetch(f"select $1::text as before, g.* from {table} g", "before", *values)
    finally:
        await connection.close()
    assert sorted(map(repr, (tuple(row.values())[1:] for row in found))) == sorted(map(repr, rows))
    assert {row["before"] for row in found} == {"before"}
