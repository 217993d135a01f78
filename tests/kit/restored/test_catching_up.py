"""P9, after a restore: what waits goes on when Kafka was read again, through kills, whoever looked first."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

import asyncpg
import pytest

from contracts.topics import SCHEDULED, Topic
from kit.bus.record import Received
from kit.clock import utc_now
from kit.metrics import Metrics
from kit.postgres import Database
from kit.restored import CatchingUp, store
from kit.restored.rules import Mark
from kit.settings import KafkaSettings
from tests.kit.bus.support import IDS, answered, delete, make, say, set_commits

GROUP = "scheduler"
RECORDS = 60


@pytest.fixture
async def db(database: str) -> AsyncIterator[Database]:
    db = await Database.open(database, "scheduler", size=4)
    yield db
    await db.close()


async def restored(database: str, through: Mapping[int, int], topic: Topic = SCHEDULED) -> None:
    """As `tocsin restore` leaves it."""
    owner = await asyncpg.connect(database)
    try:
        marks = [Mark(GROUP, topic.name, n, end, None, utc_now()) for n, end in through.items()]
        await store.begin(owner, "scheduler", marks)
    finally:
        await owner.close()


async def looking(db: Database, kafka: KafkaSettings, metrics: Metrics | None = None) -> CatchingUp:
    """One that looks when the test says so."""
    one = CatchingUp(db, kafka, metrics or Metrics())
    await one.start()
    await one.stop()
    return one


def record(offset: int, partition: int = 0) -> Received:
    return Received(SCHEDULED.name, partition, offset, utc_now(), None, None)


def left(metrics: Metrics) -> float | None:
    """What is shown of it."""
    return metrics.registry.get_sample_value("tocsin_catching_up_partitions", {"group": GROUP})


async def read(kafka: KafkaSettings, offsets: Mapping[int, int]) -> None:
    """The group has come so far."""
    await set_commits(kafka, GROUP, SCHEDULED, {n: (offset, "1700000000000") for n, offset in offsets.items()})


async def test_p9_nothing_waits_where_nothing_was_restored(db: Database, kafka: KafkaSettings) -> None:
    """Nor is Kafka asked: there is none at this address."""
    one = await looking(db, kafka.model_copy(update={"bootstrap_servers": "127.0.0.1:1"}))
    assert one.over and not one.reads_again([record(0)]) and not await one.once()


async def test_p9_time_goes_on_when_all_of_it_was_read_again(db: Database, database: str, kafka: KafkaSettings) -> None:
    """Each partition is read once: what has been passed is not asked for by whoever comes after a kill."""
    await make(kafka, SCHEDULED)
    await say(kafka, SCHEDULED, IDS[:RECORDS])
    await restored(database, dict.fromkeys(range(3), 1))
    metrics = Metrics()
    first, second = await looking(db, kafka, metrics), await looking(db, kafka)
    assert left(metrics) == 3
    await read(kafka, {0: 1, 1: 1})
    await answered(first.once)
    assert not first.over and not second.over and left(metrics) == 1

    await read(kafka, {0: 0, 1: 0, 2: 1})
    killed_and_back = await looking(db, kafka)
    await answered(killed_and_back.once)
    await answered(first.once)
    assert killed_and_back.over and left(metrics) == 0
    await answered(second.once)
    assert second.over and (await looking(db, kafka)).over


async def test_p9_what_was_there_at_the_restore_is_held_and_what_came_later_is_not(
    db: Database, database: str, kafka: KafkaSettings
) -> None:
    await restored(database, {0: 3})
    one = await looking(db, kafka)
    assert one.reads_again([record(9), record(2)])
    assert not one.reads_again([record(3), record(2, partition=1)])


async def test_p9_a_topic_that_is_lost_meanwhile_ends_the_wait_when_it_is_there_again(
    db: Database, database: str, kafka: KafkaSettings
) -> None:
    await make(kafka, SCHEDULED)
    await say(kafka, SCHEDULED, IDS[:RECORDS])
    await restored(database, {0: 1})
    await delete(kafka, SCHEDULED)
    one = await looking(db, kafka)
    await answered(one.once)
    assert not one.over
    await make(kafka, SCHEDULED)
    await answered(one.once)
    assert one.over
