"""Jobs by the clock: ordered once per instant, however many schedulers there are, and known by their answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from contracts import events as e
from contracts.jobs import JOBS
from contracts.topics import CONTROL, STATUS
from kit.bus.publisher import Publisher, PublishFailed
from kit.bus.record import Received
from kit.metrics import Metrics
from kit.postgres import Database
from kit.settings import KafkaSettings
from kit.stage import Message
from services.scheduler.counting import Counting
from services.scheduler.handlers import answers
from services.scheduler.rules import jobs as rules
from services.scheduler.rules.jobs import Plan, Row
from services.scheduler.store import jobs as store
from services.scheduler.timing import Timing
from tests.kit.bus.support import make, publisher
from tests.services.scheduler.support import NOON, Listener, Owner

PARIS = Plan("0 2 * * *", "Europe/Paris")
PLANS = {id: PARIS if id == "cleanup" else None for id in JOBS}
INSTANT = datetime(2027, 3, 2, 1, tzinfo=UTC)
"""The first one after NOON."""


@pytest.fixture
async def orders(kafka: KafkaSettings) -> AsyncIterator[Listener]:
    """Hears what is ordered."""
    small = kafka.model_copy(update={"partitions": 1})
    await make(kafka, CONTROL, STATUS)
    async with Listener(small, [CONTROL, STATUS]) as listener:
        yield listener


@pytest.fixture
async def voice(kafka: KafkaSettings, orders: Listener) -> AsyncIterator[Publisher]:
    async with publisher(kafka, "scheduler") as voice:
        yield voice


async def ordered(orders: Listener) -> list[UUID]:
    """The runs of cleanup that were ordered, in their order."""
    found = [event for event in await orders.hear_out() if isinstance(event, e.Control)]
    assert {event.command for event in found} <= {"cleanup"}
    return [event.correlation_id for event in found]


async def row(db: Database, id: str = "cleanup") -> Row:
    async with db.connection() as connection:
        return (await store.lock(connection, [id]))[id]


async def test_one_run_per_instant_by_three_schedulers(
    db: Database, owner: Owner, voice: Publisher, orders: Listener
) -> None:
    """Not before its instant; at it one run, whoever looks first; the day after, the next."""
    schedulers = [Timing(db, voice, PLANS) for _ in range(3)]
    for at in (NOON, INSTANT - timedelta(seconds=5), INSTANT, INSTANT + timedelta(days=1)):
        await owner.set_clock(at)
        await asyncio.gather(*(one.once() for one in schedulers))
    # Two may both say it before either knows that it was said: it is one order, by its id.
    runs = [rules.run_id("cleanup", INSTANT + timedelta(days=n)) for n in (0, 1)]
    assert list(dict.fromkeys(await ordered(orders))) == runs
    assert (await row(db)).next_run == INSTANT + timedelta(days=2)
    assert (await row(db, "sweep")).next_run is None


async def test_several_instants_missed_are_one_run(
    db: Database, owner: Owner, voice: Publisher, orders: Listener
) -> None:
    """Schedulers that were down for three nights clean up once, at once."""
    await owner.set_clock(NOON)
    await Timing(db, voice, PLANS).once()
    await owner.set_clock(INSTANT + timedelta(days=3, hours=5))
    for _ in range(2):
        await Timing(db, voice, PLANS).once()
    assert await ordered(orders) == [rules.run_id("cleanup", INSTANT)]
    assert (await row(db)).next_run == INSTANT + timedelta(days=4)


async def test_an_order_that_kafka_did_not_take_is_said_later(
    db: Database, owner: Owner, voice: Publisher, orders: Listener
) -> None:
    """By another scheduler, under the same id."""
    away = Publisher(KafkaSettings(bootstrap_servers="127.0.0.1:1"), "scheduler", deadline=0.2)
    await owner.set_clock(NOON)
    await Timing(db, voice, PLANS).once()
    await owner.set_clock(INSTANT)
    with pytest.raises(PublishFailed):
        await Timing(db, away, PLANS).once()
    assert await ordered(orders) == []
    await Timing(db, voice, PLANS).once()
    assert await ordered(orders) == [rules.run_id("cleanup", INSTANT)]


async def test_another_time_in_the_settings_counts_from_now_on(db: Database, owner: Owner, voice: Publisher) -> None:
    await owner.set_clock(NOON)
    await Timing(db, voice, PLANS).once()
    await Timing(db, voice, PLANS | {"cleanup": Plan("30 14 * * *", "UTC")}).once()
    assert (await row(db)).next_run == NOON + timedelta(hours=2, minutes=30)
    await Timing(db, voice, PLANS | {"cleanup": None}).once()
    assert (await row(db)).next_run is None


async def test_what_was_answered_is_told(db: Database, owner: Owner, voice: Publisher, orders: Listener) -> None:
    """All owners, then the row is done; and the gateway hears of it."""
    await owner.set_clock(NOON)
    timing = Timing(db, voice, PLANS)
    await timing.once()
    await owner.set_clock(INSTANT)
    await timing.once()
    run = (await row(db)).run_id
    assert run is not None
    for service in JOBS["cleanup"].owners:
        assert (await row(db)).status in ("waiting", "running")
        await hear(db, said(run, service, "running"), said(run, service, "done", seconds=2.5))
    await timing.once()
    told = [event for event in await orders.hear_out() if isinstance(event, e.ServiceStatus)]
    last = next(one for one in reversed(told) if one.command == "cleanup")
    assert (last.state, last.result["status"], last.result["duration_seconds"]) == ("job", "done", 2.5)
    assert last.result["next_run"] == "2027-03-03T01:00:00.000Z"
    assert last.result["last_result"].keys() == set(JOBS["cleanup"].owners)


async def hear(db: Database, *told: e.ServiceStatus) -> None:
    async with db.transaction() as connection:
        await answers.hear(connection, [Message(one, Received(STATUS.name, 0, 0, NOON, None, None)) for one in told])


def said(run: UUID, service: str, state: str, job: str = "cleanup", **result: Any) -> e.ServiceStatus:
    return e.ServiceStatus(
        correlation_id=run, command=job, service=service, instance="one", state=state, at=NOON, result=result
    )


# ------------------------------------------------------------------------------------------------ rules


@pytest.mark.parametrize(
    ("now", "next_"),
    [
        ("2027-03-01T12:00:00+00:00", "2027-03-02T01:00:00+00:00"),
        ("2027-03-02T00:59:59+00:00", "2027-03-02T01:00:00+00:00"),
        ("2027-03-02T01:00:00+00:00", "2027-03-03T01:00:00+00:00"),
        ("2027-03-27T12:00:00+00:00", "2027-03-28T01:00:00+00:00"),  # 02:00 is skipped: an hour later by the clock
        ("2027-10-30T12:00:00+00:00", "2027-10-31T00:00:00+00:00"),  # 02:00 comes twice: the first
        ("2027-10-31T00:00:00+00:00", "2027-11-01T01:00:00+00:00"),  # and not the second
    ],
)
def test_the_next_instant(now: str, next_: str) -> None:
    assert PARIS.after(datetime.fromisoformat(now)) == datetime.fromisoformat(next_)


@pytest.mark.parametrize(
    ("plan", "next_"),
    [
        (Plan("*/15 8-18 * * MON-FRI", "Europe/Paris"), "2027-03-01T12:15:00+00:00"),
        (Plan("0 2 1 * *", "Europe/Paris"), "2027-04-01T00:00:00+00:00"),
        (rules.daily("18:05", "America/New_York"), "2027-03-01T23:05:00+00:00"),
    ],
)
def test_any_cron_expression(plan: Plan, next_: str) -> None:
    assert plan.after(NOON) == datetime.fromisoformat(next_)


def test_a_run_by_hand_is_shown_unless_one_is_under_way() -> None:
    """`running` of another run takes the place; a late word about an older one does not."""
    first, second = uuid4(), uuid4()
    row = rules.heard(Row("check_urgent"), said(first, "scheduler", "running", "check_urgent"))
    assert (row.run_id, row.status, row.last_run) == (first, "running", NOON)
    assert rules.heard(row, said(second, "scheduler", "done", "check_urgent")) == row
    row = rules.heard(row, said(first, "scheduler", "done", "check_urgent"))
    assert rules.heard(row, said(first, "scheduler", "failed", "check_urgent")).status == "done"
    assert rules.heard(row, said(second, "scheduler", "failed", "check_urgent")).status == "failed"
    assert rules.heard(row, said(second, "scheduler", "alive", "check_urgent")) == row


@pytest.mark.parametrize(
    ("row", "hours"),
    [
        (Row("cleanup"), 0),
        (Row("cleanup", next_run=NOON + timedelta(hours=1)), 0),
        (Row("cleanup", next_run=NOON - timedelta(hours=1)), 1),
        (Row("cleanup", uuid4(), NOON - timedelta(hours=4), NOON + timedelta(hours=20)), 4),
        (
            Row(
                *("cleanup", uuid4(), NOON - timedelta(hours=4), NOON + timedelta(hours=20)),
                {service: {"state": "done", "result": {}} for service in JOBS["cleanup"].owners},
            ),
            0,
        ),
    ],
)
def test_a_job_is_late_that_nobody_begins_or_nobody_ends(row: Row, hours: int) -> None:
    assert rules.lateness(row, NOON) == timedelta(hours=hours)


async def test_how_jobs_did_is_shown(db: Database, owner: Owner) -> None:
    """One that an owner failed at, and one whose time has passed."""
    await owner.set_clock(NOON)
    async with db.transaction() as connection:
        await store.prepare(connection, PLANS, NOON)
        failed = {"gateway": {"state": "failed", "result": {"error": "disk"}}}
        answered = {service: {"state": "done", "result": {}} for service in JOBS["cleanup"].owners} | failed
        await store.note(connection, [Row("cleanup", uuid4(), NOON, None, answered)])
    await owner.set_clock(INSTANT + timedelta(hours=2))
    metrics = Metrics()
    await Counting(db, metrics).once()
    value = metrics.registry.get_sample_value
    assert value("tocsin_job_failed", {"kind": "cleanup"}) == 1 and value("tocsin_job_failed", {"kind": "sweep"}) == 0
    assert 7200 <= (value("tocsin_job_late_seconds", {"kind": "cleanup"}) or 0) < 7300
