"""A person who moves while the daily report is said: each day has one, in the evening, and none is left out (P4.4)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from contracts import events as e
from kit.postgres import Database
from tests.services.scheduler.support import Owner
from tests.services.scheduler.tracking import SECOND, Desk, dossier, person

EVENING = datetime(2027, 2, 1, 17, tzinfo=UTC)
"""18:00 on the first of February in Paris; in Tokyo it is the second, at two in the morning."""
NEXT_IN_TOKYO = datetime(2027, 2, 2, 9, tzinfo=UTC)


@pytest.fixture
async def desk(db: Database, owner: Owner) -> Desk:
    await owner.set_clock(EVENING - timedelta(hours=5))
    desk = Desk(db)
    await desk.hears(person(), dossier(due_date="2027-01-20"))
    await desk.fires()
    return desk


def days(words: list[e.Event]) -> list[str]:
    """The days that reports are about."""
    requests = [word.request for word in words if isinstance(word, e.Requested)]
    return [(asked.data or {})["day"] for asked in requests if asked.kind == "daily_report"]


@pytest.mark.parametrize("dies", [True, False])
async def test_p4_4_who_moves_while_it_is_said_has_it_once(desk: Desk, owner: Owner, dies: bool) -> None:
    """Kafka has it, and we do not know: it is said again as the same one, though the day is another there."""
    await owner.set_clock(EVENING)
    first = await desk.is_not_answered(dies=dies)
    await desk.hears(person(time_zone="Asia/Tokyo"))
    await owner.set_clock(EVENING + timedelta(minutes=1))
    again = await desk.fires()
    assert [word.subject for word in again] == [word.subject for word in first] and len(first) == 1
    await owner.stop_clock(NEXT_IN_TOKYO - SECOND)
    assert await desk.fires() == []
    await owner.set_clock(NEXT_IN_TOKYO)
    assert days(await desk.fires()) == ["2027-02-02"]


async def test_p4_4_who_moves_while_nobody_is_there_misses_no_day(desk: Desk, owner: Owner) -> None:
    """The evening came and passed before anybody looked: it is reported as the day that it was."""
    await desk.hears(person(time_zone="Asia/Tokyo"))
    await owner.set_clock(EVENING + timedelta(hours=1))
    assert days(await desk.fires()) == ["2027-02-01"]
    await owner.set_clock(NEXT_IN_TOKYO)
    assert days(await desk.fires()) == ["2027-02-02"]


async def test_who_moves_before_the_evening_has_it_in_the_evening_there(desk: Desk, owner: Owner) -> None:
    await desk.hears(person(time_zone="America/New_York"))
    await desk.fires()
    await owner.stop_clock(EVENING + timedelta(hours=6) - SECOND)
    assert await desk.fires() == []
    await owner.set_clock(EVENING + timedelta(hours=6))
    assert days(await desk.fires()) == ["2027-02-01"]


async def test_a_report_that_a_scheduler_of_the_version_before_planned(desk: Desk, owner: Owner) -> None:
    """It writes down no day: neither one that there is not, nor one that was reported, is taken for it."""
    await owner.connection.execute("update scheduler.reports set day = null")
    await owner.set_clock(EVENING)
    assert days(await desk.fires()) == ["2027-02-01"]
    await owner.connection.execute("update scheduler.reports set day = last_day")
    await owner.set_clock(EVENING + timedelta(days=1))
    assert days(await desk.fires()) == ["2027-02-02"]
