"""Servers and processes that stop while timers fire: 0 early, 0 lost."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from contracts import events as e
from deploy.local.kafka import Kafka
from deploy.local.postgres import Postgres
from kit.bus.publisher import Publisher
from kit.postgres import Database
from kit.settings import KafkaSettings
from services.scheduler.store.timers import BY_INDEX
from tests import servers as real
from tests.kit.bus.support import make as make_topics
from tests.kit.bus.support import until_true
from tests.services.scheduler.conftest import SPOKEN
from tests.services.scheduler.support import Listener, Owner, make, scheduled
from tests.services.scheduler.test_app import Running, running
from tests.services.scheduler.test_firing import firing
from tests.waiting import PATIENCE

__all__ = ["running"]

SECOND = timedelta(seconds=1)


async def planned(db: Database, owner: Owner, count: int, every: timedelta) -> dict[UUID, datetime]:
    """So many reminders from now on, one after the other."""
    begin = await owner.clock() + SECOND
    events = [scheduled(at=begin + every * n) for n in range(count)]
    await make(db, *events)
    return {event.id: begin + every * n for n, event in enumerate(events)}


async def judged(listener: Listener, plan: dict[UUID, datetime], offset: timedelta = timedelta()) -> None:
    """All were heard, none before its instant, and whatever came twice is the same event."""
    await listener.hear_out()
    assert set(listener.ids) == set(plan)
    assert {event.ce_id for event in listener.events} == {e.Ripe(id=id, round=1).ce_id for id in plan}
    early = [event for event, got in listener.heard if got.timestamp + offset < plan[event.subject] - SECOND / 500]
    assert early == []


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[tuple[Database, Owner]]:
    """A scheduler's way into a database, and its owner's."""
    db, connection = await Database.open(url, "scheduler", size=14, settings=BY_INDEX), await asyncpg.connect(url)
    yield db, Owner(connection)
    await connection.close()
    await db.close()


async def test_kafka_killed_while_timers_fire(own_kafka: Kafka, db: Database, owner: Owner) -> None:
    """What it did not take is put back, and fires when it is there again."""
    kafka = real.kafka_settings(own_kafka.address)
    await make_topics(kafka, *SPOKEN)
    publisher = Publisher(kafka, "scheduler", deadline=1.0)
    await publisher.start()
    async with firing(db, publisher):
        plan = await planned(db, owner, 600, timedelta(milliseconds=10))
        await until_true(lambda: _fewer(owner, 550))
        await asyncio.to_thread(own_kafka.kill)
        await until_true(lambda: _put_back(owner))
        await asyncio.to_thread(own_kafka.start)
        # What was put back several times waits for half a minute.
        await until_true(lambda: _fewer(owner, 1), seconds=2 * PATIENCE)
    await publisher.stop()
    async with Listener(kafka, SPOKEN) as listener:
        await judged(listener, plan)


async def test_the_database_killed_while_timers_fire(
    own_postgres: Postgres, kafka: KafkaSettings, publisher: Publisher, listener: Listener
) -> None:
    """What was under way is rolled back, and fires again under the same ids."""
    with real.migrated_template(own_postgres.address) as template:
        async with real.copied_database(own_postgres.address, template) as url:
            async with opened(url) as (db, owner):
                plan = await planned(db, owner, 600, timedelta(milliseconds=10))
                async with firing(db, publisher):
                    await listener.hear(50)
                    await asyncio.to_thread(own_postgres.kill)
                    await asyncio.to_thread(own_postgres.start)
                    await listener.hear(600)
                    async with opened(url) as (_, again):
                        await until_true(lambda: _fewer(again, 1))
            await judged(listener, plan)


async def test_suspended_while_ten_minutes_pass(
    running: Running, db: Database, owner: Owner, listener: Listener
) -> None:
    """SIGSTOP over ten due instants: when it goes on, all of them fire, each once."""
    begin = await owner.clock()
    plan = {(one := scheduled(at=begin + timedelta(minutes=n))).id: one for n in range(1, 11)}
    async with running() as stack:
        [instance] = stack.instances
        await make(db, *plan.values())
        os.kill(instance.process.pid, signal.SIGSTOP)
        await owner.set_clock(begin + timedelta(minutes=11))
        assert await listener.hear_out() == []
        os.kill(instance.process.pid, signal.SIGCONT)
        await listener.hear(10)
        await until_true(lambda: _fewer(owner, 1))
    await judged(listener, {id: one.at or begin for id, one in plan.items()}, timedelta(minutes=11))
    assert len(listener.ids) == 10


async def test_down_over_several_due_instants(running: Running, db: Database, owner: Owner, listener: Listener) -> None:
    """The one that waited longest first, each once, and what is not due stays."""
    begin = await owner.clock()
    plan = {(one := scheduled(at=begin + timedelta(minutes=n))).id: one for n in range(1, 6)}
    later = scheduled(at=begin + timedelta(hours=1))
    async with running() as stack:
        [instance] = stack.instances
        await stack.terminate(instance)
        await make(db, *plan.values(), later)
        await owner.set_clock(begin + timedelta(minutes=10))
        stack.start(instance)
        await listener.hear(5)
        await until_true(lambda: _fewer(owner, 2))
    await listener.hear_out()
    assert sorted(listener.ids) == sorted(plan)
    assert (await owner.timers()).keys() == {later.id}


async def _fewer(owner: Owner, count: int) -> bool:
    return len(await owner.timers()) < count


async def _put_back(owner: Owner) -> bool:
    return any(row["failures"] for row in (await owner.timers()).values())
