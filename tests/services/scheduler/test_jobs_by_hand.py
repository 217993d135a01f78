"""What a job by hand does to the scheduler's rows, and what it tells of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contracts import events as e
from contracts.erasure import FORGET, hashed
from contracts.jobs import JOBS
from kit.bus.publisher import Publisher
from kit.metrics import Metrics
from kit.postgres import Database
from services.scheduler.alarm import Alarm
from services.scheduler.firing import Firing
from services.scheduler.handlers.jobs import CHECKS, Works
from services.scheduler.shelves.considering import Considering
from services.scheduler.shelves.deadlines import Deadlines
from services.scheduler.shelves.schedules import Schedules
from services.scheduler.shelves.timers import Timers
from services.scheduler.store import overview
from tests.services.scheduler.schedules import ZONES, Said, gone, run_now, schedule
from tests.services.scheduler.support import NOON, Listener, Owner, make, scheduled
from tests.services.scheduler.tracking import DAY_BEFORE, WEEK_BEFORE, ZONE, Desk, dossier, person

FEBRUARY = datetime(2027, 2, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture
async def desk(db: Database, owner: Owner) -> Desk:
    """Hears what the test says; looks at nothing by itself."""
    await owner.set_clock(FEBRUARY)
    return Desk(db)


@pytest.fixture
def works(db: Database, publisher: Publisher) -> Works:
    """All that fires, told by hand only."""
    shelves: list[Any] = [Deadlines(Considering(ZONE, "18:00")), Timers(), Schedules(ZONES)]
    firings = [Firing(one, db, publisher, Alarm(), Metrics(), batch_size=50, firings=2) for one in shelves]
    return Works(db, firings, firings[0], ZONE, Metrics())


async def test_a_check_says_what_is_due_and_how_things_stand(desk: Desk, owner: Owner, works: Works) -> None:
    """Whatever it is called: reminders of all kinds wait on one shelf."""
    await desk.hears(
        person(),
        dossier("coming"),
        dossier("late", due_date="2027-01-20"),
        dossier("past", due_date=None, due_at=FEBRUARY - SECOND),
        dossier("urgent", urgent=True, assignees=["eve"]),
        dossier("closed", due_date="2027-01-20", status="closed"),
    )
    await desk.fires()
    await owner.stop_clock(WEEK_BEFORE - SECOND)
    stands = {"open": 4, "urgent": 1, "late": 2, "estimated": False}
    told = await works.by_name()["check_deadlines"]({})
    assert {name: told[name] for name in stands} == stands and told["said"] > 0
    assert told["next_reminder"] == "2027-03-03T07:00:00.000Z"
    await owner.set_clock(WEEK_BEFORE)
    for job, said in zip(CHECKS, (3, 0, 0), strict=True):  # a week before: both; each hour: eve
        assert (await works.by_name()[job]({}))["said"] == said, job


async def test_the_daily_report_by_hand(desk: Desk, owner: Owner, works: Works) -> None:
    """Those whose time has come, and when the next one is."""
    await desk.hears(person(), person("eve", "America/New_York"))
    await desk.hears(dossier("late", due_date="2027-01-20", assignees=["bob", "eve"]))
    await desk.fires()
    report = works.by_name()["daily_report"]
    assert await report({}) == {"said": 0, "next_report": "2027-02-01T17:00:00.000Z"}
    await owner.set_clock(FEBRUARY.replace(hour=17))
    assert await report({}) == {"said": 1, "next_report": "2027-02-01T23:00:00.000Z"}


async def test_all_shelves_are_fired(desk: Desk, db: Database, owner: Owner, works: Works, listener: Listener) -> None:
    """A timer, a schedule, a reminder."""
    await owner.set_clock(NOON)
    await make(db, scheduled(at=NOON - SECOND))
    await Said(owner)(db, schedule())
    await desk.hears(person(), dossier())
    await desk.fires()
    await owner.set_clock(DAY_BEFORE)
    assert await works.by_name()["process_notifications"]({}) == {"fired": 3}
    assert len(await listener.hear_out()) == 3


async def test_switched_off_nothing_fires_and_all_is_told(db: Database, desk: Desk, owner: Owner) -> None:
    await desk.hears(person(), dossier())
    await desk.fires()
    await owner.set_clock(WEEK_BEFORE)
    works = Works(db, [], None, ZONE, Metrics()).by_name()
    assert works.keys() == {FORGET.id} | {job.id for job in JOBS.values() if "scheduler" in job.owners}
    told = await works["check_overdue"]({})
    assert (told["said"], told["open"]) == (0, 1) and "enabled is false" in told["detail"]
    assert (await works["process_notifications"]({}))["fired"] == 0


async def test_many_deadlines_are_estimated(db: Database, owner: Owner) -> None:
    """Nobody waits for a million to be counted."""
    await owner.connection.execute("""
        insert into scheduler.deadlines (tenant, id, title, due_date, assignees, is_open, epoch, as_of, "offset")
        select 'default', n, 'Dossier', date '2027-01-01' + n % 100, '{bob}', n % 2 = 0, 1, now(), n
        from generate_series(1, 200000) as n
    """)
    await owner.connection.execute("analyze scheduler.deadlines")
    async with db.connection() as connection:
        seen = await overview.deadlines(connection, FEBRUARY, FEBRUARY.date())
    assert seen.estimated
    assert seen.open == pytest.approx(100_000, rel=0.1) and seen.late == pytest.approx(32_000, rel=0.1)


async def test_what_waits_is_counted_on_each_shelf(db: Database, desk: Desk, owner: Owner) -> None:
    await owner.set_clock(NOON)
    await make(db, scheduled(at=NOON - 10 * SECOND), scheduled(at=NOON + timedelta(hours=1)))
    await Said(owner)(db, schedule(), schedule("off", enabled=False))
    await desk.hears(person(), dossier(), dossier("2", assignees=["bob", "eve"]))
    await desk.fires()
    await owner.set_clock(WEEK_BEFORE + 2 * SECOND)
    async with db.connection() as connection:
        found = await overview.shelves(connection)
    assert {kind: (one.pending, one.overdue) for kind, one in found.items()} == {
        "timer": (2, 2),
        "schedule": (1, 1),
        "reminder": (3, 3),
        "daily_report": (2, 2),
    }


@pytest.mark.parametrize("heard", [True, False])
async def test_p8_who_is_forgotten_gets_nothing_more_of_what_was_due_before(
    db: Database, owner: Owner, works: Works, listener: Listener, heard: bool
) -> None:
    """Noon was due, nobody was there, and then the person was forgotten; the gateway's new version may come later."""
    address, said = "Eve@example.org", Said(owner)
    mail = {"notification": {"channel": "email", "subject": "s", "body": "b"}}
    told = {"both": [{"to": address}, "bob"], "hers": ["eve"], "others": ["bob"]}
    first = [schedule(id, recipients=some, **mail) for id, some in told.items()]
    await said(db, *first, run_now("run", recipients=["eve"]))
    through = (NOON + timedelta(minutes=30)).isoformat()
    new = [schedule("both", recipients=["bob"], changed_at=through, **mail), gone("hers")]
    if heard:
        await said(db, *new)
    who = {"tenant": "default", "user_id": "eve", "address_hashes": [hashed(address)], "through": through}
    await owner.set_clock(NOON + timedelta(minutes=31))
    assert (await works.by_name()[FORGET.id](who))["schedules"] == (2 if heard else 3)
    if not heard:
        await said(db, *new)
    for _ in range(2):  # what was missed is decided first, and said then
        await works.by_name()["process_notifications"]({})
    events = [event for event in await listener.hear_out() if isinstance(event, e.Requested)]
    assert {(event.group, event.user_id or event.request.to) for event in events} == {
        ("schedule/both", "bob"),
        ("schedule/others", "bob"),
    }
    assert "eve" not in str(await owner.connection.fetch("select value from scheduler.schedules")).lower()


async def test_a_deleted_schedule_is_forgotten_when_nothing_older_can_come(
    db: Database, owner: Owner, works: Works
) -> None:
    """One that is there stays, however old; so does the trace of a deletion that Kafka still knows of."""
    said = Said(owner)
    now = datetime.now(UTC)
    ages = {"old": timedelta(days=61), "younger": timedelta(days=59)}
    for id, age in ages.items():
        await said(db, schedule(id), as_of=now - age - SECOND)
        await said(db, gone(id), as_of=now - age)
    await said(db, schedule("kept"), as_of=now - timedelta(days=400))
    clean_up = works.by_name()["cleanup"]
    assert [(await clean_up({}))["schedules"] for _ in range(2)] == [1, 0]
    left = await owner.connection.fetch("select id from scheduler.schedules order by id")
    assert [row["id"] for row in left] == ["kept", "younger"]
