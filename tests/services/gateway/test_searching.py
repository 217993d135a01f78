"""Searches walk along an index, in a table with many rows of other people: what PostgreSQL says that it would do."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from contracts.status import Status
from services.gateway.rules.replaying import FAILED
from services.gateway.store import searching
from services.gateway.store.searching import Filter, Reader
from tests.services.gateway.conftest import House
from tests.services.gateway.support import as_owner

MANY = """
insert into gateway.notifications (id, place, tenant, owner, channel, lane, user_id, group_name, accepted_at, rank)
select id, gateway.place_of(at, id), 'default', 'user:' || n % 500, 'email', 'normal', 'person' || n % 3000,
       'group' || n % 4000, at, case n % 400 when 0 then 6 when 1 then 1 else 7 end
from (
    select n, gen_random_uuid() as id, timestamptz '2026-11-01T00:00:00Z' + n * interval '20 seconds' as at
    from generate_series(1, 40000) n
) many;
insert into gateway.finds (value, key, tenant, place)
select 'person' || rank || '.' || right(user_id, 3) || '@example.com', 'to', tenant, place from gateway.notifications;
insert into gateway.finds (value, key, tenant, place)
select case rank when 6 then 'failed' else 'scheduled' end, 'status', tenant, place
from gateway.notifications where rank in (6, 1);
insert into gateway.finds (value, key, tenant, place)
select right(group_name, 3), 'metadata.order', tenant, place from gateway.notifications;
"""
"""One in 400 failed, one in 400 waits; all others were sent."""

ADMIN = Reader("default")
ALICE = Reader("default", "user:17", "person17")
WHEN = datetime(2026, 11, 5, tzinfo=UTC)

SEARCHES = {
    "everything": (ADMIN, Filter()),
    "one's own": (ALICE, Filter()),
    "recipient": (ADMIN, Filter(user_id="person1234")),
    "recipient and status": (ADMIN, Filter(user_id="person1234", statuses=FAILED)),
    "address": (ADMIN, Filter(words=(("to", "person6.123@example.com"),))),
    "address and metadata": (ADMIN, Filter(words=(("to", "person7.123@example.com"), ("metadata.order", "123")))),
    "metadata": (ADMIN, Filter(words=(("metadata.order", "123"),))),
    "one's own by metadata": (ALICE, Filter(words=(("metadata.order", "123"),))),
    "group": (ADMIN, Filter(group="group77")),
    "status": (ADMIN, Filter(statuses=(Status.SCHEDULED,))),
    "status that most have": (ADMIN, Filter(statuses=(Status.SENT,))),
    "failed": (ADMIN, Filter(statuses=FAILED)),
    "failed since": (ADMIN, Filter(statuses=FAILED, ended_since=WHEN)),
    "failed, next page": (ADMIN, Filter(statuses=FAILED, after=UUID("019a4c00-0000-0000-0000-000000000000"))),
    "time": (ADMIN, Filter(created_after=WHEN, created_before=WHEN)),
}


@pytest.fixture
async def crowded(house: House, database: str) -> House:
    for statement in (*MANY.split(";\n"), "vacuum analyze gateway.notifications", "vacuum analyze gateway.finds"):
        await as_owner(database, statement)
    return house


async def test_p6_6_searches_use_their_indexes(crowded: House) -> None:
    """No search reads a table from its beginning, or much more than the page it shows."""
    for name, (reader, narrowed) in SEARCHES.items():
        sql, values = searching.statement(reader, narrowed, 51)
        async with crowded.database.connection() as connection:
            told = await connection.fetchval(f"explain (analyze, format json) {sql}", *values)
        steps = list(walked(plan_of(told)))
        assert not [step for step in steps if step["Node Type"] == "Seq Scan"], (name, told)
        read = sum(
            step["Actual Rows"] * step["Actual Loops"] + skipped(step) for step in steps if "Scan" in step["Node Type"]
        )
        assert read < 4000, (name, read, told)


async def test_all_that_is_found_is_found(crowded: House) -> None:
    """The same rows, in the same order, as somebody would find who looks at all of them."""
    async with crowded.database.connection() as connection:
        for name, condition in (("failed", "rank = 6"), ("status", "rank = 1"), ("group", "group_name = 'group77'")):
            rows = await searching.page(connection, *SEARCHES[name], 51)
            all_ = await connection.fetch(
                f"select id from notifications where {condition} order by place desc limit 51"
            )
            assert [row.id for row in rows] == [row["id"] for row in all_] != [], name


def plan_of(told: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(told)[0]["Plan"]
    return found


def walked(plan: dict[str, Any]) -> Any:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from walked(inner)


def skipped(step: dict[str, Any]) -> float:
    """Rows that were read for nothing."""
    return float(step.get("Rows Removed by Filter", 0) * step["Actual Loops"])
