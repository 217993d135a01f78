"""A reminder whose firing broke off, and a change right after it: each rule still speaks once in an epoch (P4.4)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contracts import events as e
from kit.postgres import Database
from tests.services.scheduler.support import Owner
from tests.services.scheduler.tracking import DAY_BEFORE, SECOND, Desk, dossier, person, plan

RULE: dict[str, Any] = {"rule": "day_before", "days": -1, "at": "08:00"}
LATE: dict[str, Any] = {"rule": "late", "after_seconds": 0}
CHANGES: dict[str, e.Event] = {
    "the deadline's plan": dossier(plan={"reminders": [RULE, LATE]}),
    "the tenant's plan": plan("default", RULE, LATE),
    "the person's zone": person(time_zone="Africa/Lagos"),
    "nothing": person(),
}


@pytest.fixture
async def desk(db: Database, owner: Owner) -> Desk:
    await owner.set_clock(datetime(2027, 2, 1, 12, tzinfo=UTC))
    desk = Desk(db)
    await desk.hears(person(), plan("default", RULE), dossier())
    await desk.fires()
    return desk


@pytest.mark.parametrize("dies", [True, False])
@pytest.mark.parametrize("change", CHANGES)
async def test_p4_4_what_may_have_been_heard_is_repeated_after_a_change(
    desk: Desk, owner: Owner, change: str, dies: bool
) -> None:
    """The same notification, not `missed` under another id."""
    await owner.set_clock(DAY_BEFORE)
    first = await desk.is_not_answered(dies=dies)
    await desk.hears(CHANGES[change])
    again = await desk.fires()
    await owner.set_clock(DAY_BEFORE + timedelta(minutes=1))
    again += await desk.fires()
    assert _reminders(again) == _reminders(first) and len(_reminders(first)) == 1


@pytest.mark.parametrize("dies", [True, False])
async def test_p4_4_two_changes_in_a_row_forget_nothing(desk: Desk, owner: Owner, dies: bool) -> None:
    await owner.set_clock(DAY_BEFORE)
    first = await desk.is_not_answered(dies=dies)
    await desk.hears(CHANGES["the deadline's plan"])
    await owner.set_clock(DAY_BEFORE + SECOND)
    await desk.hears(CHANGES["the person's zone"], dossier(plan={"reminders": [RULE]}))
    await owner.set_clock(DAY_BEFORE + timedelta(minutes=1))
    assert _reminders(await desk.fires()) == _reminders(first)


@pytest.mark.parametrize("dies", [True, False])
async def test_p4_4_a_rule_that_comes_for_the_past_is_missed_all_the_same(desk: Desk, owner: Owner, dies: bool) -> None:
    """It had no word before: only what came true since the last look is repeated."""
    await owner.set_clock(DAY_BEFORE)
    first = await desk.is_not_answered(dies=dies)
    await desk.hears(dossier(plan={"reminders": [{"rule": "long_before", "days": -60, "at": "08:00"}, RULE]}))
    await owner.set_clock(DAY_BEFORE + timedelta(minutes=1))
    words = [word for word in await desk.fires() if isinstance(word, e.Requested) and word.group]
    missed, said = (word.request.data or {} for word in words)
    assert (missed["missed"], said["rule"]) == (["long_before"], "day_before")
    assert {word.id for word in words} > _reminders(first)


def _reminders(words: list[e.Event]) -> set[Any]:
    """The ids of those that are no daily report."""
    return {word.id for word in words if isinstance(word, e.Requested) and word.group}
