"""The fates of a firing that recurs (P4.4), on a real Kafka and a real PostgreSQL."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from contracts import events as e
from contracts import local_time
from contracts.identity import firing_id, milliseconds
from contracts.status import Lane
from contracts.topics import REQUESTED
from kit import failpoints
from kit.bus.publisher import Publisher
from kit.metrics import Metrics
from kit.postgres import Database
from kit.recurrence.misfire import CAP
from services.scheduler.alarm import Alarm
from services.scheduler.firing import Firing
from services.scheduler.rules.schedules import Row
from services.scheduler.shelves import schedules as recurring
from services.scheduler.shelves.schedules import Schedules
from tests.kit.bus.support import until_true
from tests.services.scheduler.schedules import DAY, HOUR, MINUTE, ZONES, Said, gone, run_now, schedule
from tests.services.scheduler.support import NOON, Listener, Owner


@pytest.fixture
def said(owner: Owner) -> Said:
    return Said(owner)


@asynccontextmanager
async def firing(db: Database, publisher: Publisher, alarm: Alarm | None = None) -> AsyncIterator[Firing[Row]]:
    """One scheduler at work on its schedules."""
    one = Firing(Schedules(ZONES), db, publisher, alarm or Alarm(), Metrics(), batch_size=50, firings=2)
    await one.start()
    try:
        yield one
    finally:
        await one.stop()


def named(at: datetime, recipient: str = "user/bob", id: str = "plants") -> UUID:
    return firing_id("default", id, str(milliseconds(at)), recipient)


async def rows(owner: Owner) -> list[dict[str, Any]]:
    return [dict(row) for row in await owner.connection.fetch("select * from scheduler.schedules order by number")]


async def next_at(owner: Owner) -> list[datetime]:
    return [row["next_at"] for row in await rows(owner) if row["next_at"]]


async def settled(owner: Owner, until: datetime) -> bool:
    """Nothing is due any more."""
    return all(at > until for at in await next_at(owner))


# ------------------------------------------------------------------------------------------------ fired


async def test_p4_4_fired_for_each_recipient(
    db: Database, owner: Owner, publisher: Publisher, listener: Listener, said: Said
) -> None:
    """One request each, in its lane, owned by who made the schedule, named by schedule, instant and person."""
    await owner.set_clock(NOON)
    body = {"channel": "email", "subject": "s", "body": "b", "lane": "urgent"}
    await said(db, schedule(recipients=["bob", {"to": "delivered@simulator.test"}], notification=body))
    async with firing(db, publisher):
        await listener.hear(2)
    assert {received.topic for _, received in listener.heard} == {REQUESTED[Lane.URGENT].name}
    assert set(listener.ids) == {named(NOON), named(NOON, "to/delivered@simulator.test")}
    requests = [event for event in listener.events if isinstance(event, e.Requested)]
    assert {request.owner for request in requests} == {"user:alice"}
    assert {request.group for request in requests} == {request.request.group for request in requests}
    assert {request.group for request in requests} == {"schedule/plants"}
    assert await next_at(owner) == [NOON + HOUR]


async def test_never_early(db: Database, owner: Owner, publisher: Publisher, listener: Listener, said: Said) -> None:
    """By tocsin.clock(), in a scheduler that is at work already half a second before it."""
    alarm = Alarm()
    said.handler._alarm = alarm
    await owner.set_clock(NOON - timedelta(milliseconds=500))
    offset = await owner.connection.fetchval("select by from tocsin.clock_offset")
    async with firing(db, publisher, alarm):
        await said(db, schedule())
        await listener.hear(1)
    [(event, received)] = listener.heard
    assert event.subject == named(NOON)
    assert received.timestamp + offset - NOON > timedelta(milliseconds=-2)


async def test_it_goes_on_to_its_next_instant(
    db: Database, owner: Owner, publisher: Publisher, listener: Listener, said: Said
) -> None:
    await owner.set_clock(NOON)
    await said(db, schedule())
    async with firing(db, publisher):
        for n in range(3):
            await owner.set_clock(NOON + n * HOUR)
            await listener.hear(n + 1)
    assert listener.ids == [named(NOON + n * HOUR) for n in range(3)]


async def test_two_schedulers_fire_once(
    db: Database, owner: Owner, publisher: Publisher, listener: Listener, said: Said
) -> None:
    await owner.set_clock(NOON)
    await said(db, *(schedule(f"s{n}") for n in range(60)))
    async with firing(db, publisher), firing(db, publisher):
        await listener.hear(60)
        await until_true(lambda: settled(owner, NOON + MINUTE))
    await listener.hear_out()
    assert sorted(listener.ids) == sorted(named(NOON, id=f"s{n}") for n in range(60))


@pytest.mark.parametrize(("place", "copies"), [("firing_before_publish", 1), ("firing_after_publish", 2)])
async def test_p4_4_broken_inside_a_firing_it_says_the_same_id_again(
    db: Database, owner: Owner, publisher: Publisher, listener: Listener, said: Said, place: str, copies: int
) -> None:
    await owner.set_clock(NOON)
    await said(db, schedule())
    failpoints.arm(f"{place}:raise")
    async with firing(db, publisher):
        await until_true(lambda: settled(owner, NOON + MINUTE))
    await listener.hear_out()
    assert listener.ids == [named(NOON)] * copies


async def test_p4_4_what_is_made_up_for_is_decided_once(
    db: Database, owner: Owner, publisher: Publisher, listener: Listener, said: Said
) -> None:
    """Broken after it was said; an hour later one more instant is missed: it still says the same one again."""
    await said(db, schedule(misfire="fire_once"))
    await _fire(db, publisher, NOON + 3 * HOUR + 10 * MINUTE)
    with suppress(ZeroDivisionError):
        await _fire(db, publisher, NOON + 3 * HOUR + 10 * MINUTE, breaks=True)
    for _ in range(3):
        await _fire(db, publisher, NOON + 4 * HOUR + 10 * MINUTE)
    await listener.hear_out()
    assert Counter(listener.ids) == {named(NOON + 3 * HOUR): 2, named(NOON + 4 * HOUR): 1}


async def _fire(
    db: Database, publisher: Publisher, now: datetime, *, breaks: bool = False, answered: bool = True
) -> None:
    """One firing at this time; it breaks before its commit, or does not hear of Kafka's answer."""
    shelf = Schedules(ZONES)
    async with db.transaction() as connection:
        taken = await shelf.take(connection, None, now, 50)
        unheard = await shelf.say(publisher, taken, now)
        await shelf.settle(connection, taken, unheard if answered else taken, now)
        _ = 1 // (not breaks)


async def test_many_at_one_instant_fire_in_one_go(
    db: Database, owner: Owner, publisher: Publisher, listener: Listener, said: Said
) -> None:
    """More than one firing takes: by hand too, it goes on until nothing is due."""
    await owner.set_clock(NOON)
    await said(db, *(schedule(f"s{n}") for n in range(2 * recurring.AT_ONCE + 1)))
    one = Firing(Schedules(ZONES), db, publisher, Alarm(), Metrics(), batch_size=500, firings=2)
    assert (await one.fire_now()).total() == 2 * recurring.AT_ONCE + 1


async def test_a_shelf_of_schedules_says_whether_more_may_be_due(db: Database, owner: Owner, said: Said) -> None:
    """Not by the limit it was given, but by what it takes at most: schedules, and recipients."""
    shelf, crowd = Schedules(ZONES), [f"p{n}" for n in range(1000)]
    for schedules, full in (
        ([schedule("one")], False),
        ([schedule(f"s{n}") for n in range(recurring.AT_ONCE + 1)], True),
        ([schedule(f"c{n}", recipients=crowd) for n in range(6)], True),
    ):
        await owner.connection.execute("truncate scheduler.schedules")
        await said(db, *schedules)
        async with db.transaction() as connection:
            assert shelf.is_full(await shelf.take(connection, None, NOON, 500), 500) is full


# ------------------------------------------------------------------------------------------------ missed


@pytest.mark.parametrize(("misfire", "expected"), [("fire_once", [3]), ("skip", []), ("fire_all", [0, 1, 2, 3])])
async def test_missed_instants_fire_as_the_policy_says(
    db: Database, owner: Owner, publisher: Publisher, listener: Listener, said: Said, misfire: str, expected: list[int]
) -> None:
    """Four instants were missed; the next one fires whatever the policy."""
    await said(db, schedule(misfire=misfire))
    await owner.set_clock(NOON + 3 * HOUR + 10 * MINUTE)
    async with firing(db, publisher):
        await listener.hear(len(expected))
        await until_true(lambda: settled(owner, NOON + 3 * HOUR + 10 * MINUTE))
        await owner.set_clock(NOON + 4 * HOUR)
        await listener.hear(len(expected) + 1)
    await listener.hear_out()
    assert sorted(listener.ids) == sorted(named(NOON + n * HOUR) for n in [*expected, 4])


async def test_a_restart_is_no_misfire(
    db: Database, owner: Owner, publisher: Publisher, listener: Listener, said: Said
) -> None:
    """What is less than a minute late fires even where misfires are skipped."""
    await said(db, schedule(misfire="skip"))
    await owner.stop_clock(NOON + timedelta(seconds=50))
    async with firing(db, publisher):
        await listener.hear(1)
    assert listener.ids == [named(NOON)]


async def test_fire_all_has_a_cap(
    db: Database, owner: Owner, publisher: Publisher, listener: Listener, said: Said
) -> None:
    """The newest hundred of three days of minutes."""
    await said(db, schedule(cron="* * * * *", misfire="fire_all"))
    now = NOON + 3 * DAY + MINUTE / 2
    await owner.set_clock(now)
    async with firing(db, publisher):
        await listener.hear(CAP)
        await until_true(lambda: settled(owner, now))
    await listener.hear_out()
    assert set(listener.ids) == {named(NOON + 3 * DAY - n * MINUTE) for n in range(CAP)}


@pytest.mark.parametrize("misfire", ["skip", "fire_once", "fire_all"])
@pytest.mark.parametrize("later", [75 * timedelta(seconds=1), HOUR + MINUTE / 2])
async def test_p4_4_what_has_begun_to_be_said_is_no_misfire(
    db: Database, owner: Owner, publisher: Publisher, listener: Listener, said: Said, misfire: str, later: timedelta
) -> None:
    """Kafka did not acknowledge it for longer than a minute, or until the next instant had come: everybody gets it."""
    await owner.set_clock(NOON)
    await said(db, schedule(misfire=misfire))
    await _fire(db, publisher, NOON, answered=False)
    for _ in range(4):
        await _fire(db, publisher, NOON + later)
    await listener.hear_out()
    due = [NOON, NOON + HOUR] if later > HOUR else [NOON]
    assert Counter(listener.ids) == Counter(named(at) for at in [NOON, *due])


# ------------------------------------------------------------------------------------------------ changed


async def test_p4_4_an_edit_applies_to_instants_after_its_own_time(
    db: Database, owner: Owner, publisher: Publisher, listener: Listener, said: Said
) -> None:
    """Noon was due when it was edited ten minutes later: it fires as it was, under the id it had."""
    edited = NOON + 10 * MINUTE
    await said(db, schedule(misfire="fire_all", notification={"channel": "inapp", "body": "old"}))
    new = {"channel": "inapp", "body": "new"}
    await said(db, schedule(cron="30 * * * *", notification=new, changed_at=edited.isoformat()))
    await owner.set_clock(NOON + 31 * MINUTE)
    async with firing(db, publisher):
        await listener.hear(2)
        await until_true(lambda: settled(owner, NOON + 31 * MINUTE))
    await listener.hear_out()
    requests = [event for event in listener.events if isinstance(event, e.Requested)]
    assert {one.id: one.request.body for one in requests} == {named(NOON): "old", named(NOON + 30 * MINUTE): "new"}
    assert len(await rows(owner)) == 1


async def test_disabled_and_gone_fire_nothing_more(
    db: Database, owner: Owner, publisher: Publisher, listener: Listener, said: Said
) -> None:
    """Not even what was due already: whoever stops it wants it to stop."""
    await said(db, schedule("off"), schedule("gone"), schedule("kept"))
    later = (NOON + MINUTE).isoformat()
    await said(db, schedule("off", enabled=False, changed_at=later), gone("gone"))
    await owner.set_clock(NOON + HOUR / 2)
    async with firing(db, publisher):
        await listener.hear(1)
        await until_true(lambda: settled(owner, NOON + HOUR / 2))
    await listener.hear_out()
    assert listener.ids == [named(NOON, id="kept")]


async def test_switched_on_again_it_goes_on_from_then(db: Database, owner: Owner, said: Said) -> None:
    """What it would have said meanwhile is not made up for."""
    await said(db, schedule(misfire="fire_all"), schedule(enabled=False))
    await said(db, schedule(misfire="fire_all", changed_at=(NOON + 5 * HOUR).isoformat()))
    assert await next_at(owner) == [NOON + 6 * HOUR]


async def test_its_end_may_be_the_last_firing(
    db: Database, owner: Owner, publisher: Publisher, listener: Listener, said: Said
) -> None:
    """ends_at may be the last firing itself."""
    await said(db, schedule(ends_at=(NOON + HOUR).isoformat(), misfire="fire_all"))
    await owner.set_clock(NOON + 5 * HOUR)
    async with firing(db, publisher):
        await listener.hear(2)
        await until_true(lambda: settled(owner, NOON + 9 * HOUR))
    await listener.hear_out()
    assert set(listener.ids) == {named(NOON), named(NOON + HOUR)}


async def test_run_now_fires_once_and_moves_no_instant(
    db: Database, owner: Owner, publisher: Publisher, listener: Listener, said: Said
) -> None:
    """Once at once, under an id of its own; its recurrence is not touched, and the command heard again is one."""
    await owner.set_clock(NOON - 30 * timedelta(seconds=1))
    command = run_now()
    await said(db, schedule(), command, command)
    async with firing(db, publisher):
        await listener.hear(1)
        await said(db, command)
        await until_true(lambda: _only_recurs(owner))
    await listener.hear_out()
    assert set(listener.ids) == {firing_id("default", "plants", str(command.correlation_id), "user/bob")}
    assert await next_at(owner) == [NOON]


async def _only_recurs(owner: Owner) -> bool:
    return all(row["run"] is None for row in await rows(owner))


async def test_p1_only_a_newer_version_replaces(db: Database, owner: Owner, said: Said) -> None:
    """A projection that is published again days later carries the time it was first said."""
    await said(db, schedule(cron="15 * * * *"))
    await said(db, schedule(cron="45 * * * *"), as_of=NOON - 365 * DAY)
    assert await next_at(owner) == [NOON + 15 * MINUTE]


async def test_other_zone_data_compute_again(db: Database, owner: Owner, said: Said) -> None:
    """Instants to come do; one whose time has come may have been said already, and stays."""
    await owner.set_clock(NOON)
    await said(db, schedule("due"), schedule("to come", cron="30 * * * *"))
    stale = "update scheduler.schedules set tzdata = '2001a', next_at = next_at + interval '7 min' where id = 'to come'"
    await owner.connection.execute(stale)
    await owner.connection.execute("update scheduler.schedules set tzdata = '2001a'")
    assert await recurring.recompute(db, ZONES) == 1
    found = {row["id"]: (row["next_at"], row["tzdata"]) for row in await rows(owner)}
    assert found == {"due": (NOON, "2001a"), "to come": (NOON + 30 * MINUTE, ZONES)}


@pytest.mark.parametrize(
    ("moved_to", "cron", "then"),
    [
        ("UTC", "0 13 * * *", NOON + DAY + HOUR),
        ("UTC", "0 13,14 * * *", NOON + 2 * HOUR),
        ("UTC", "0 * * * *", NOON + HOUR),
        ("Africa/Cairo", "0 13 * * *", NOON + DAY - HOUR),
    ],
    ids=["west", "west of two", "by real time", "east"],
)
async def test_p4_4_a_time_of_day_that_has_fired_does_not_come_again(
    db: Database,
    owner: Owner,
    publisher: Publisher,
    listener: Listener,
    said: Said,
    moved_to: str,
    cron: str,
    then: datetime,
) -> None:
    """At 13:00 it fires; then newer zone data say that Paris is an hour further west, where it is noon again."""
    await owner.set_clock(NOON)
    await said(db, schedule(cron=cron))
    async with firing(db, publisher):
        await until_true(lambda: settled(owner, NOON))
    moved = "update scheduler.schedules set tzdata = '2001a', value = replace(value, 'Europe/Paris', $1)"
    await owner.connection.execute(moved, moved_to)
    assert await recurring.recompute(db, ZONES) == 1
    assert await next_at(owner) == [then]


async def test_p4_4_what_was_passed_over_stays_so_when_zone_data_change(
    db: Database, owner: Owner, publisher: Publisher, listener: Listener, said: Said
) -> None:
    """An upgrade after days without a scheduler brings both: what was skipped is not made up for after all."""
    now = NOON + 3 * DAY + 10 * MINUTE
    await owner.set_clock(now)
    ends = (NOON + DAY).isoformat()
    await said(db, schedule(misfire="skip"), schedule("over", misfire="skip", ends_at=ends))
    async with firing(db, publisher):
        await until_true(lambda: settled(owner, now))
    await owner.connection.execute("update scheduler.schedules set tzdata = '2001a'")
    assert await recurring.recompute(db, ZONES) == 2
    assert await next_at(owner) == [NOON + 3 * DAY + HOUR]
    assert await listener.hear_out() == []


async def test_a_zone_that_came_with_newer_zone_data_fires_once_they_are_here(
    db: Database, owner: Owner, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gateway's are newer than ours. What the version before had still due stays; one that is off stays off."""
    known = local_time._names()
    await said(db, schedule("edited", time_zone="UTC"))
    with monkeypatch.context() as older:
        older.setattr(local_time, "_names", lambda: known - {"Europe/Paris"})
        later = (NOON + 10 * MINUTE).isoformat()
        await said(db, schedule(), schedule("edited", changed_at=later), schedule("off", enabled=False))
        assert [(row["id"], row["next_at"]) for row in await rows(owner) if row["next_at"]] == [("edited", NOON)]
    assert await recurring.recompute(db, "2026z") == 4
    assert await recurring.recompute(db, "2026z") == 0
    found = [(row["id"], row["next_at"]) for row in await rows(owner) if row["next_at"]]
    assert sorted(found) == [("edited", NOON), ("edited", NOON + HOUR), ("plants", NOON)]


async def test_what_nobody_can_read_fires_nothing(db: Database, owner: Owner, said: Said) -> None:
    """A version from after our time: remembered as the newest, and quiet."""
    await said(db, schedule())
    await said(db, schedule(recipients="everybody"))
    assert [row["next_at"] for row in await rows(owner)] == [None]


async def test_one_that_cannot_be_read_holds_up_no_other(
    db: Database, owner: Owner, publisher: Publisher, listener: Listener, said: Said
) -> None:
    """Its zone is gone from the zone data, or it is gone from the contract: it waits, and we say so."""
    await owner.set_clock(NOON)
    await said(db, schedule("atlantis"), schedule("strange"), schedule("good"))
    moved = (
        "update scheduler.schedules set value = replace(value, 'Europe/Paris', 'Europe/Atlantis') where id = 'atlantis'"
    )
    await owner.connection.execute(moved)
    await owner.connection.execute("update scheduler.schedules set value = '{}' where id = 'strange'")
    async with firing(db, publisher):
        await listener.hear(1)
        await until_true(lambda: _waits_with_failures(owner))
    assert listener.ids == [named(NOON, id="good")]


async def _waits_with_failures(owner: Owner) -> bool:
    return {row["id"] for row in await rows(owner) if row["failures"]} == {"atlantis", "strange"}


async def test_a_firing_takes_no_more_than_kafka_can_hear(db: Database, owner: Owner, said: Said) -> None:
    """The first in any case, and what fits beside it."""
    crowd = [f"p{n}" for n in range(1000)]
    await said(db, *(schedule(f"s{n}", recipients=crowd) for n in range(7)))
    async with db.transaction() as connection:
        taken = await Schedules(ZONES).take(connection, None, NOON, 50)
    assert len(taken) == recurring.MOST_WORDS // len(crowd)
