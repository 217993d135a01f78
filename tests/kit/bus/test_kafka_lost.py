"""Kafka goes, comes back, loses all it had: services that run need nobody's help."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from uuid import UUID

import pytest

from contracts.topics import SCHEDULED
from deploy.local.kafka import Kafka
from kit.bus.consumer import Consumer
from kit.bus.publisher import Publisher, PublishFailed
from kit.bus.record import Received, reached
from kit.bus.topics import TopicKeeper
from kit.settings import KafkaSettings
from tests.kit.bus.support import IDS, commits, ids_of, joined, make, poll_until, publisher, read, until_true
from tests.kit.bus.test_consumer import Heard
from tests.kit.bus.test_publisher import take_back
from tests.servers import Session, kafka_settings

TOPIC = SCHEDULED


@pytest.fixture(scope="module")
def own_kafka(session: Session) -> Iterator[Kafka]:
    """One for all of them, one after the other: a broker's start takes longer than what they see."""
    with session.own_kafka() as kafka:
        yield kafka


@pytest.fixture
def settings(own_kafka: Kafka) -> KafkaSettings:
    return kafka_settings(own_kafka.address)


@pytest.fixture
async def out(settings: KafkaSettings) -> AsyncIterator[Publisher]:
    async with publisher(settings, deadline=2.0) as out:
        yield out


async def said(out: Publisher, *numbers: int) -> bool:
    """Published; as often as it takes."""
    try:
        await out.publish([take_back(number) for number in numbers])
    except PublishFailed:
        return False
    return True


async def having(reader: Consumer, got: list[Received], *ids: UUID) -> list[Received]:
    """`got`, and all that comes until these are among it: what was said as often as it took may be there twice."""
    while not set(ids) <= set(ids_of(got, TOPIC)):
        got += await read(reader, 1)
    return got


async def test_kafka_away_and_back(own_kafka: Kafka, settings: KafkaSettings, out: Publisher) -> None:
    """Empty polls, failed publishing, no readiness; a commit that failed is made with the next one."""
    await make(settings, TOPIC)
    async with joined(Consumer(settings, "readers", [[TOPIC]])) as reader:
        await until_true(lambda: said(out, *range(30)))
        records = await read(reader, 30)
        assert reader.ready
        await asyncio.to_thread(own_kafka.kill)
        await reader.commit(reached(records))
        await poll_until(reader, lambda: not reader.ready)
        async with asyncio.timeout(20):
            assert not await said(out, 0)
        assert not out.ready
        await asyncio.to_thread(own_kafka.start)
        await until_true(lambda: said(out, 40), seconds=60)
        got = await poll_until(reader, lambda: reader.ready, seconds=60)
        got = await having(reader, got, IDS[40])
        await reader.commit(reached(got))
        told = await commits(settings, "readers", TOPIC)
        assert sum(position.offset for position in told.values() if position) >= 31
        assert out.ready


async def test_p9_the_whole_data_folder_wiped(own_kafka: Kafka, settings: KafkaSettings, out: Publisher) -> None:
    """Topics and groups are gone and made anew; nothing but Kafka is touched, and old offsets hide no new message."""
    heard = Heard()
    keeper = TopicKeeper(settings, [TOPIC])
    await keeper.start()
    async with joined(Consumer(settings, "readers", [[TOPIC]], on_anew=heard)) as reader:
        await until_true(lambda: said(out, *range(50)))
        await reader.commit(reached(await read(reader, 50)))
        await asyncio.to_thread(own_kafka.kill)
        own_kafka.wipe()
        await asyncio.to_thread(own_kafka.start)
        await until_true(lambda: said(out, 60, 61, 62, 63, 64, 65), seconds=60)
        await having(reader, [], *IDS[60:66])
        assert {TOPIC.name} in heard.topics
    await keeper.stop()


async def test_started_before_kafka(own_kafka: Kafka, settings: KafkaSettings) -> None:
    """A service that was first waits for it."""
    await asyncio.to_thread(own_kafka.kill)
    keeper = TopicKeeper(settings, [TOPIC])
    await keeper.start()
    async with publisher(settings, deadline=2.0) as out, joined(Consumer(settings, "readers", [[TOPIC]])) as reader:
        assert await reader.poll(10, 0.1) == []
        assert not await said(out, 1)
        assert not reader.ready
        await asyncio.to_thread(own_kafka.start)
        await until_true(lambda: said(out, 1), seconds=60)
        assert ids_of(await read(reader, 1, seconds=60), TOPIC)[0] == IDS[1]
    await keeper.stop()
