"""Rows that travel as columns are the same rows when they arrive."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.gateway.rules.places import place_of
from services.gateway.store.arrays import Columns
from tests.services.gateway.conftest import House

THINGS = Columns(id="integer", name="text", at="timestamptz", note="text")
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
    ],
    ids=["one", "the same but for the key", "all different", "equal ends", "some null", "nothing but a key", "twins"],
)
async def test_rows_arrive_as_they_were(house: House, rows: list[tuple[Any, ...]]) -> None:
    """Whatever is the same in all of them, or in none; another parameter may stand before theirs."""
    table, values = THINGS.of(rows, after=1)
    async with house.database.connection() as connection:
        found = await connection.fetch(f"select $1::text as before, g.* from {table} g", "before", *values)
    assert sorted(map(repr, (tuple(row.values())[1:] for row in found))) == sorted(map(repr, rows))
    assert {row["before"] for row in found} == {"before"}


@pytest.mark.parametrize(
    "at", [AT, datetime(2027, 3, 1, 1, 2, 3, 999_999, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC)]
)
async def test_a_place_is_the_same_here_and_in_the_database(house: House, at: datetime) -> None:
    """Rows are placed by the projector, and looked for by the schema's own function."""
    for id in (uuid4(), UUID(int=0), UUID(int=(1 << 128) - 1)):
        async with house.database.connection() as connection:
            assert await connection.fetchval("select place_of($1, $2)", at, id) == place_of(at, id)
