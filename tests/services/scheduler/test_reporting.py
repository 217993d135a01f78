"""The daily report of a person: one a day, in the own zone, and none where there is nothing to say."""

from __future__ import annotations

from contracts import events as e
from tests.services.scheduler.support import Owner
from tests.services.scheduler.tracking import (
    FEBRUARY,
    Desk,
    dossier,
    person,
)

# ------------------------------------------------------------------------------------------------ reported


async def test_the_daily_report_is_one_for_each_person(desk: Desk, owner: Owner) -> None:
    """At 18:00 of the own zone; late, due today, urgent."""
    await desk.hears(
        person(),
        person("eve", "America/New_York"),
        dossier("late", due_date="2027-01-20", assignees=["bob", "eve"]),
        dossier("today", due_date="2027-02-01"),
        dossier("urgent", urgent=True),
        dossier("later"),
    )
    await desk.fires()
    await owner.stop_clock(FEBRUARY.replace(hour=16, minute=59, second=59))
    assert [word for word in await desk.says() if word[1] == "daily_report"] == []
    await owner.set_clock(FEBRUARY.replace(hour=17))
    words = [word for word in await desk.fires() if isinstance(word, e.Requested)]
    [report] = [word for word in words if word.request.kind == "daily_report"]
    assert report.user_id == "bob"
    data = report.request.data or {}
    assert {kind: [one["id"] for one in data[kind]] for kind in ("late", "today", "urgent")} == {
        "late": ["late"],
        "today": ["today"],
        "urgent": ["urgent"],
    }
    assert report.request.subject == "Daily report: 1 late, 1 due today, 1 urgent"
    await owner.stop_clock(FEBRUARY.replace(hour=22, minute=59))
    assert ("eve", "daily_report") not in await desk.says()
    await owner.set_clock(FEBRUARY.replace(hour=23))
    assert ("eve", "daily_report") in await desk.says()


async def test_nothing_to_say_nothing_sent(desk: Desk, owner: Owner) -> None:
    """And who has no open deadline any more has no row."""
    await desk.hears(person(), dossier())
    await desk.fires()
    await owner.set_clock(FEBRUARY.replace(hour=17))
    assert await desk.fires() == []
    assert await owner.connection.fetchval("select next_at from scheduler.reports") == FEBRUARY.replace(day=2, hour=17)
    await desk.hears(dossier(status="closed"))
    await owner.set_clock(FEBRUARY.replace(day=2, hour=17))
    assert await desk.fires() == []
    assert await owner.connection.fetchval("select count(*) from scheduler.reports") == 0


async def test_who_moves_gets_the_report_of_a_day_once(desk: Desk, owner: Owner) -> None:
    await desk.hears(person(), dossier(due_date="2027-01-20"))
    await desk.fires()
    await owner.set_clock(FEBRUARY.replace(hour=17))
    assert await desk.says() == [("bob", "daily_report")]
    await desk.hears(person(time_zone="America/New_York"))
    await desk.fires()
    assert await owner.connection.fetchval("select next_at from scheduler.reports") == FEBRUARY.replace(day=2, hour=23)
