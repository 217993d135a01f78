"""The scheduler as a process: what it hears becomes timers, and timers fire, through kills and restarts."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from contracts import events as e
from contracts.status import Lane
from contracts.topics import REQUESTED, RETRY, SCHEDULED
from kit.bus.publisher import Publisher
from kit.bus.record import Outgoing
from kit.postgres import Database
from kit.settings import KafkaSettings
from tests import servers as real
from tests.journeys.stack import Stack
from tests.kit.bus.support import make, until_true
from tests.services.scheduler.support import Listener, Owner, retry, scheduled
from tests.services.scheduler.support import make as arm

DISABLED = "notifications: {scheduler: {enabled: false}}"
ENABLED = "notifications: {scheduler: {enabled: true}}"

Running = Callable[..., Any]


@pytest.fixture
async def running(session: real.Session, kafka: KafkaSettings, database: str, folder: Path) -> Running:
    """`async with running(...)`: scheduler processes on this test's corner."""

    @asynccontextmanager
    async def running(count: int = 1, config: str = ENABLED, failpoints: str = "") -> AsyncIterator[Stack]:
        async with Stack(
            kafka,
            database,
            folder,
            session.look_after,
            counts={"scheduler": count},
            failpoints={"scheduler": failpoints},
            services=("scheduler",),
            config=config,
        ) as stack:
            yield stack

    return running


async def say(publisher: Publisher, *events: e.Event) -> None:
    await publisher.publish([Outgoing.of(event) for event in events])


async def test_from_kafka_to_kafka(running: Running, owner: Owner, publisher: Publisher, listener: Listener) -> None:
    """A reminder in half a second and a retry at once: each where it belongs, none early, no trace left."""
    at = await owner.clock() + timedelta(seconds=0.5)
    reminder, again = scheduled(at=at, lane=Lane.URGENT), retry(at=at)
    async with running():
        await say(publisher, reminder, again)
        await listener.hear(2)
        await until_true(lambda: _no_timers(owner))  # heard is not committed yet
    assert {event.ce_id for event in listener.events} == {e.Ripe(id=reminder.id, round=1).ce_id, again.due.ce_id}
    assert min(received.timestamp for _, received in listener.heard) >= at - timedelta(milliseconds=2)
    assert not await owner.timers() and not await owner.bodies()


async def test_p4_3_what_was_taken_back_does_not_fire(
    running: Running, owner: Owner, publisher: Publisher, listener: Listener
) -> None:
    """Its neighbour does."""
    at = await owner.clock() + timedelta(seconds=1)
    gone, kept = scheduled(at=at), scheduled(at=at)
    await say(publisher, gone, kept, e.TakeBack(id=gone.id, round=1))
    async with running():
        await listener.hear(1)
    assert await listener.hear_out() == [e.Ripe(id=kept.id, round=1)]


async def test_p4_1_what_was_moved_fires_once(
    running: Running, owner: Owner, publisher: Publisher, listener: Listener
) -> None:
    """At the instant of its highest round, in whatever order they come."""
    now, id_ = await owner.clock(), uuid4()
    rounds = [scheduled(id_, round=n, at=now + timedelta(seconds=0.3 * n)) for n in (1, 2, 3)]
    await say(publisher, rounds[2], rounds[0], rounds[1])
    async with running():
        await listener.hear(1)
        await until_true(lambda: _no_timers(owner))
    assert await listener.hear_out() == [e.Ripe(id=id_, round=3)]


async def test_disabled_fires_nothing(running: Running, owner: Owner, publisher: Publisher, listener: Listener) -> None:
    """It remembers all the same, and fires when it is enabled again."""
    events = [scheduled(at=await owner.clock()) for _ in range(10)]
    async with running(config=DISABLED) as stack:
        await say(publisher, *events)
        await until_true(lambda: _timers(owner, 10))
        assert "counting" in _parts(stack) and "firing" not in _parts(stack)
    assert await listener.hear_out() == []
    async with running() as stack:
        await listener.hear(10)
        assert "firing" in _parts(stack)


@pytest.mark.parametrize(("place", "copies"), [("firing_before_publish", 1), ("firing_after_publish", 2)])
async def test_killed_inside_a_firing(
    running: Running, db: Database, owner: Owner, listener: Listener, place: str, copies: int
) -> None:
    """kill -9 with the rows in its hands: PostgreSQL gives them back, and the next life fires them."""
    events = [scheduled(at=await owner.clock()) for _ in range(10)]
    async with running(failpoints=f"{place}:kill") as stack:
        [instance] = stack.instances
        await arm(db, *events)
        await until_true(lambda: _dead(stack))
        assert len(await owner.timers()) == 10
        stack.start(instance)
        await until_true(lambda: _no_timers(owner))
    await listener.hear_out()
    assert len(listener.events) == 10 * copies
    assert {event.ce_id for event in listener.events} == {e.Ripe(id=event.id, round=1).ce_id for event in events}


async def test_sigterm_under_load(running: Running, owner: Owner, publisher: Publisher, listener: Listener) -> None:
    """It finishes what it has begun: 0 lost, 0 copies, exit code 0."""
    now = await owner.clock()
    events = [scheduled(at=now + timedelta(milliseconds=2 * n)) for n in range(1500)]
    await say(publisher, *events)
    async with running() as stack:
        for _ in range(2):
            [instance] = stack.instances
            assert await stack.terminate(instance) == 0
            stack.start(instance)
            await stack.ready()
        await until_true(lambda: _no_timers(owner))
    await listener.hear_out()
    assert sorted(listener.ids) == sorted(event.id for event in events)


async def test_two_processes_fire_once(
    running: Running, owner: Owner, publisher: Publisher, listener: Listener
) -> None:
    """Both arm, both fire, and nothing comes twice."""
    now = await owner.clock()
    events = [scheduled(at=now + timedelta(seconds=3, milliseconds=n)) for n in range(1000)]
    await say(publisher, *events)
    async with running(count=2):
        await listener.hear(1000)
    await listener.hear_out()
    assert sorted(listener.ids) == sorted(event.id for event in events)


async def test_poison_is_reported_and_stops_nobody(
    running: Running, owner: Owner, publisher: Publisher, listener: Listener, kafka: KafkaSettings
) -> None:
    """P7: a round that no column can hold is the data's fault; its neighbours are armed."""
    at = await owner.clock()
    good, bad = scheduled(at=at), scheduled(round=2**40, at=at)
    async with running():
        await say(publisher, bad, good)
        await listener.hear(2)
    poison = [event for event in listener.events if isinstance(event, e.Poison)]
    assert [one.topic for one in poison] == [SCHEDULED.name]
    assert e.Ripe(id=good.id, round=1) in listener.events


@pytest.fixture(autouse=True)
async def _inputs(kafka: KafkaSettings) -> None:
    await make(kafka, SCHEDULED, RETRY, *REQUESTED.values())


def _parts(stack: Stack) -> list[str]:
    """What the process said it consists of when it last started."""
    lines = [json.loads(line) for line in stack.instances[0].log.read_text().splitlines()]
    return [part for line in lines if line["event"] == "started" for part in line["parts"]]


async def _timers(owner: Owner, count: int) -> bool:
    return len(await owner.timers()) == count


async def _no_timers(owner: Owner) -> bool:
    return not await owner.timers()


async def _dead(stack: Stack) -> bool:
    return not any(instance.alive for instance in stack.instances)
