"""Who was away hears first what was said meanwhile, and fires then: what is overdue may be over (P4.5)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiokafka.errors import KafkaError

from contracts import events as e
from contracts.topics import CONTROL, DEADLINES, SCHEDULER_SCHEDULES, SETTINGS, Topic
from kit.bus.publisher import Publisher
from kit.bus.record import Outgoing
from kit.postgres import Database
from kit.settings import KafkaSettings
from services.scheduler.hearing import AWAY, Hearing
from tests import servers as real
from tests.journeys.stack import Stack
from tests.kit.bus.support import IDS, answered, make, set_commits
from tests.kit.bus.support import say as write
from tests.services.scheduler.schedules import HOUR, Said, gone, schedule
from tests.services.scheduler.support import NOON, Listener, Owner
from tests.services.scheduler.tracking import Desk, dossier, person

Running = Callable[..., Any]
NOON_PLAN = {"reminders": [{"rule": "noon", "at": "13:00"}]}
"""At NOON, for who lives in Paris."""


@pytest.fixture
async def running(session: real.Session, kafka: KafkaSettings, database: str, folder: Path) -> Running:
    """`async with running()`: scheduler processes on this test's corner."""

    @asynccontextmanager
    async def running(count: int = 1, failpoints: str = "") -> AsyncIterator[Stack]:
        async with Stack(
            kafka,
            database,
            folder,
            session.look_after,
            counts={"scheduler": count},
            failpoints={"scheduler": failpoints},
            services=("scheduler",),
        ) as stack:
            yield stack

    return running


@pytest.fixture
async def heard(db: Database, owner: Owner) -> Desk:
    """A scheduler heard of two schedules and two deadlines, all for noon, and died in the morning."""
    await owner.set_clock(NOON - HOUR)
    await Said(owner)(db, schedule("kept"), schedule("stopped"), schedule("edited"))
    desk = Desk(db)
    due = NOON.date().isoformat()
    told = [dossier(id, due_date=due, plan=NOON_PLAN) for id in ("kept", "closed", "moved")]
    await desk.hears(person(), *told)
    await desk.fires()
    return desk


async def say(publisher: Publisher, topic: Topic, *events: e.Event) -> None:
    await publisher.publish([Outgoing(topic, event) for event in events])


def groups(listener: Listener) -> set[str]:
    """Of whom is spoken."""
    words = [event for event in listener.events if isinstance(event, e.Requested)]
    return {"/".join((word.group or "").split("/")[:2]) for word in words}


async def test_p4_5_what_was_stopped_while_nobody_was_there_does_not_fire(
    running: Running, heard: Desk, owner: Owner, publisher: Publisher, listener: Listener, kafka: KafkaSettings
) -> None:
    """Each before its time, and heard after it."""
    await make(kafka, SETTINGS, DEADLINES)
    edited = schedule("edited", cron="0 5 * * *", changed_at=(NOON - HOUR / 2).isoformat())
    await say(publisher, SETTINGS, gone("stopped"), edited)
    due = NOON.date()
    closed = dossier("closed", due_date=due.isoformat(), plan=NOON_PLAN, status="closed")
    moved = dossier("moved", due_date=(due + timedelta(days=9)).isoformat(), plan=NOON_PLAN)
    await say(publisher, DEADLINES, closed, moved)
    await owner.set_clock(NOON + timedelta(seconds=30))
    async with running():
        await listener.hear(2)
    await listener.hear_out()
    assert groups(listener) == {"schedule/kept", "deadline/kept"}


class Clock:
    """Seconds that pass when the test says so."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


async def come_to(kafka: KafkaSettings, end: int) -> None:
    """The group has done with so many records."""
    await set_commits(kafka, SCHEDULER_SCHEDULES.name, SETTINGS, {0: (end, "1700000000000")})


async def test_p4_5_heard_is_what_kafka_held_when_somebody_was_back(kafka: KafkaSettings) -> None:
    """What is said later is said in time; who has looked just now was not away."""
    await make(kafka, SETTINGS, CONTROL)
    await write(kafka, SETTINGS, IDS[:1])
    await come_to(kafka, 0)
    clock = Clock()
    hearing = Hearing(kafka, SCHEDULER_SCHEDULES, clock)
    assert not hearing.may_fire()
    await answered(hearing.once)
    await write(kafka, SETTINGS, IDS[:1])
    assert not hearing.may_fire()
    await come_to(kafka, 1)
    await answered(hearing.once)
    assert hearing.may_fire()
    clock.now += AWAY - 1
    assert hearing.may_fire()
    clock.now += AWAY
    assert not hearing.may_fire(), "suspended, or without a database"
    await answered(hearing.once)
    assert not hearing.may_fire()
    await come_to(kafka, 2)
    await answered(hearing.once)
    assert hearing.may_fire()


async def test_p4_5_without_kafka_nobody_knows(kafka: KafkaSettings) -> None:
    hearing = Hearing(kafka.model_copy(update={"bootstrap_servers": "127.0.0.1:1"}), SCHEDULER_SCHEDULES, Clock())
    with pytest.raises(KafkaError):
        await hearing.once()
    assert not hearing.may_fire()
