"""Newer zone data and changed settings take along the reminders and reports that are to come (P4.4)."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from kit.postgres import Database
from services.scheduler.reckoning import Reckoning
from services.scheduler.shelves.considering import Considering
from services.scheduler.shelves.deadlines import Deadlines
from tests.services.scheduler.support import Owner
from tests.services.scheduler.tracking import FEBRUARY, WEEK_BEFORE, ZONE, Desk, dossier, person

HOUR = timedelta(hours=1)


@pytest.fixture
async def desk(db: Database, owner: Owner) -> Desk:
    """Bob and Eve are told of something, computed by the zone data of 2025b."""
    await owner.set_clock(FEBRUARY)
    desk = Desk(db)
    await desk.hears(person(), person("eve"), dossier(assignees=["bob", "eve"]))
    await desk.fires()
    await Reckoning(db, "2025b", ZONE, "18:00").once()
    await desk.fires()
    return desk


async def to_come(owner: Owner, table: str) -> set[datetime]:
    return {row["next_at"] for row in await owner.connection.fetch(f"select next_at from scheduler.{table}")}


async def test_p4_4_newer_zone_data_move_what_is_to_come(desk: Desk, owner: Owner) -> None:
    """By those of before, the clocks of Paris were an hour behind."""
    for table in ("reminders", "reports"):
        await owner.connection.execute(f"update scheduler.{table} set next_at = next_at + interval '1 hour'")
    await owner.connection.execute("update scheduler.reports set planned = next_at")
    await Reckoning(desk.db, "2025c", ZONE, "18:00").once()
    assert await desk.fires() == []
    assert await to_come(owner, "reminders") == {WEEK_BEFORE}
    assert await to_come(owner, "reports") == {FEBRUARY + 5 * HOUR}


async def test_a_start_by_the_same_moves_nothing(desk: Desk, owner: Owner) -> None:
    """However many schedulers start."""
    for _ in range(2):
        await Reckoning(desk.db, "2025b", ZONE, "18:00").once()
    assert await owner.connection.fetchval("select count(*) from scheduler.replans") == 0


async def test_another_time_of_reports_counts_from_the_next_one_on(desk: Desk, owner: Owner) -> None:
    desk.shelf = Deadlines(Considering(ZONE, "16:30"))
    await Reckoning(desk.db, "2025b", ZONE, "16:30").once()
    assert await desk.fires() == []
    assert await to_come(owner, "reports") == {FEBRUARY + 3.5 * HOUR}
