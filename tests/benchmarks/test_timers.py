"""What is said about timers and lateness is what was measured, and falls short where it does."""

from __future__ import annotations

from dataclasses import replace

import asyncpg
import pytest

from benchmarks.lateness import Lateness
from benchmarks.lateness import Result as Late
from benchmarks.timer_table import TimerTable
from benchmarks.timers import Cost, Result
from tests.benchmarks.test_end_to_end import HERE

FIRED = Result(Cost(10_000, 10.0), Cost(10**7, 13.0), Cost(10**7, 19.0), 20_000, 40.0, HERE)
STEADY = Lateness("200/s", 3000, 0.05, 0.4, 0.6, 0.001, {"intake": 300.0, "kafka": 600.0})
LATE = Late(STEADY, replace(STEADY, p99=2.0), replace(STEADY, latest=2.9), HERE)


@pytest.mark.parametrize(
    ("result", "holds"),
    [
        (FIRED, True),
        (replace(FIRED, many=Cost(10**7, 13.1)), False),
        (replace(FIRED, with_snapshot=Cost(10**7, 19.6)), False),
        (replace(FIRED, few=Cost(10_000, 20.0), many=Cost(10**7, 20.1)), False),
    ],
    ids=["kept", "grows", "minds a snapshot", "too slow"],
)
def test_timers_fall_short(result: Result, holds: bool) -> None:
    assert result.holds == holds


@pytest.mark.parametrize(
    ("result", "holds"),
    [
        (LATE, True),
        (replace(LATE, steady=replace(STEADY, p50=0.11)), False),
        (replace(LATE, steady=replace(STEADY, p99=0.51)), False),
        (replace(LATE, at_once=replace(STEADY, latest=3.1)), False),
        (replace(LATE, dense=replace(STEADY, earliest=-0.001)), False),
    ],
    ids=["kept", "half too late", "some too late", "the last too late", "early"],
)
def test_lateness_falls_short(result: Late, holds: bool) -> None:
    assert result.holds == holds


def test_what_is_told() -> None:
    """Rates, ratios and where that was."""
    told = str(FIRED)
    assert "76,923/s" in told and "1.30 x" in told and "1.46 x" in told and "abcdef" in told
    assert "p99 0.400 s" in str(LATE) and "+1.0 ms" in str(LATE) and "900 us (kafka 600, intake 300)" in str(LATE)


async def test_a_round_fires_what_is_due_and_nothing_else(database: str) -> None:
    """On the real table, whose indexes are the same afterwards."""
    connection = await asyncpg.connect(database)
    before = await connection.fetch(INDEXES)
    async with TimerTable.opened(database, 1) as table:
        await table.fill_up(100)
        assert await table.cost(2) > 0
    assert await connection.fetchval("select count(*) from scheduler.timers") == 100
    assert await connection.fetch(INDEXES) == before
    await connection.close()


INDEXES = "select indexdef from pg_indexes where schemaname = 'scheduler' and tablename = 'timers' order by 1"
