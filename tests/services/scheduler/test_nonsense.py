"""What makes no sense about one deadline holds up nobody else, of whatever tenant, and does not vanish either."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from contracts import events as e
from contracts.status import Status
from kit.postgres import Database
from tests.services.scheduler.support import Owner
from tests.services.scheduler.tracking import DAY_BEFORE, SAME_DAY, SECOND, Desk, dossier, person

NONSENSE = ("due_date = date '9999-12-31'", "due_date = null, due_at = timestamptz '0001-01-01 00:30Z'")


@pytest.fixture
async def desk(db: Database, owner: Owner) -> Desk:
    await owner.set_clock(datetime(2027, 2, 1, 12, tzinfo=UTC))
    return Desk(db)


@pytest.mark.parametrize("nonsense", NONSENSE)
async def test_a_row_of_yesterday_that_nobody_can_reckon_with_holds_up_nobody(
    desk: Desk, owner: Owner, nonsense: str
) -> None:
    """Neither reminders, nor reports, nor the ends of groups: it waits, longer each time."""
    other = person("eve", "America/New_York")
    await desk.hears(person(), other, dossier(), dossier("far", assignees=["eve"], urgent=True), dossier("closed"))
    await owner.connection.execute(f"update scheduler.deadlines set {nonsense} where id = 'far'")
    await owner.set_clock(DAY_BEFORE)
    assert ("bob", "day_before") in await desk.says()
    await desk.hears(dossier("closed", status="closed"))
    assert [word.group.split("/")[1] for word in await desk.fires() if isinstance(word, e.Cancel) and word.group] == [
        "closed"
    ]
    await owner.set_clock(SAME_DAY.replace(hour=17))
    assert ("bob", "daily_report") in await desk.says()
    waiting = "select deadline_id, failures from scheduler.reminders where failures > 0"
    [(deadline, failures)] = await owner.connection.fetch(waiting)
    assert deadline == "far" and failures > 1
    assert await owner.connection.fetchval("select failures from scheduler.reports where user_id = 'eve'") > 0


@pytest.mark.parametrize("odd", [{"id": "i" * 190}, {"title": "a\nb"}])
async def test_a_reminder_that_cannot_be_said_ends_where_it_is_seen(
    desk: Desk, owner: Owner, odd: dict[str, str]
) -> None:
    """From a program of ours that checks nothing."""
    await desk.hears(person(), dossier(**odd))
    await desk.fires()
    await owner.stop_clock(DAY_BEFORE - SECOND)
    [end] = await desk.fires()
    assert isinstance(end, e.Failed)
    assert (end.outcome, end.reason, end.user_id, end.owner) == (Status.REJECTED, "invalid", "bob", "user:alice")
    assert end.detail


@pytest.mark.parametrize("due", [{"due_date": "9999-12-31"}, {"due_at": "0001-01-01T00:30:00Z", "due_date": None}])
def test_no_event_says_a_day_that_nobody_can_mean(due: dict[str, str]) -> None:
    """On Kafka it is poison, like any other that does not fit its schema."""
    with pytest.raises(ValueError, match="1970 to 2199"):
        dossier(**due)
