"""Short words for what tests say to a real Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar
from uuid import UUID, uuid4

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import RecordsToDelete
from aiokafka.errors import KafkaError

from contracts.events import TakeBack
from contracts.topics import Topic
from kit.bus.admin import administrator, committed, partitions
from kit.bus.closing import close_consumer
from kit.bus.consumer import Consumer
from kit.bus.placement import Committed
from kit.bus.publisher import Publisher
from kit.bus.record import Outgoing, Received, reached
from kit.bus.topics import TopicKeeper
from kit.clock import monotonic
from kit.settings import KafkaSettings
from tests.waiting import PATIENCE

IDS = [uuid4() for _ in range(100)]

T = TypeVar("T")


async def answered(ask: Callable[[], Awaitable[T]]) -> T:
    """What Kafka answers, however often it is asked: a service gives it five seconds, which a busy machine may take."""
    deadline = monotonic() + PATIENCE
    while True:
        try:
            return await ask()
        except (KafkaError, TimeoutError):
            if monotonic() > deadline:
                raise
        await asyncio.sleep(0.1)


async def make(kafka: KafkaSettings, *topics: Topic) -> None:
    """These topics exist and take records."""
    keeper = TopicKeeper(kafka, topics)

    async def made() -> bool:
        await keeper.look()
        return await led(kafka, topics)

    await until_true(made)


async def led(kafka: KafkaSettings, topics: Sequence[Topic]) -> bool:
    """Whether all of them take records: what was made is there, and led a moment later."""
    names = {kafka.topic_prefix + topic.name for topic in topics}
    return set(await answered(lambda: _partitions(kafka, *names))) == names


async def delete(kafka: KafkaSettings, topic: Topic) -> None:
    """The topic is gone, and its name is free."""
    name = kafka.topic_prefix + topic.name

    async def ask() -> None:
        async with administrator(kafka) as client:
            await client.delete_topics([name])

    async def gone() -> bool:
        return not await answered(lambda: _partitions(kafka, name))

    await answered(ask)
    await until_true(gone)


async def _partitions(kafka: KafkaSettings, *names: str) -> dict[str, list[TopicPartition]]:
    async with administrator(kafka) as client:
        return await partitions(client, names)


async def say(kafka: KafkaSettings, topic: Topic, ids: Sequence[UUID]) -> None:
    """One event about each of `ids`, in this order."""
    async with publisher(kafka, deadline=30) as out:
        await out.publish([Outgoing(topic, TakeBack(id=one, round=1)) for one in ids])


async def say_in_a_transaction(kafka: KafkaSettings, topic: Topic) -> None:
    """One record as programs write it that use transactions: the mark of its end takes an offset, too."""
    writer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers, transactional_id=kafka.topic_prefix)
    await writer.start()
    try:
        async with writer.transaction():
            await writer.send_and_wait(kafka.topic_prefix + topic.name, b"{}", partition=0)
    finally:
        await writer.stop()


@asynccontextmanager
async def publisher(
    kafka: KafkaSettings, source: str = "intake", *, deadline: float = PATIENCE
) -> AsyncIterator[Publisher]:
    publisher = Publisher(kafka, source, deadline=deadline)
    await publisher.start()
    yield publisher
    await publisher.stop()


@asynccontextmanager
async def joined(consumer: Consumer) -> AsyncIterator[Consumer]:
    """Started, and stopped at the end."""
    await consumer.start()
    yield consumer
    await consumer.stop()


async def read(consumer: Consumer, count: int, limit: int = 500, seconds: float = PATIENCE) -> list[Received]:
    """At least `count` records; AssertionError at the deadline."""
    got: list[Received] = []
    deadline = monotonic() + seconds
    while len(got) < count:
        assert monotonic() < deadline, f"only {len(got)} of {count} records came"
        got += await consumer.poll(limit, 0.1)
    return got


async def poll_until(consumer: Consumer, true: Callable[[], bool], seconds: float = PATIENCE) -> list[Received]:
    """Polls until the condition holds; what came meanwhile."""
    got: list[Received] = []
    deadline = monotonic() + seconds
    while not true():
        assert monotonic() < deadline, "waited in vain"
        got += await consumer.poll(500, 0.05)
    return got


async def until_true(true: Callable[[], Awaitable[bool]], seconds: float = PATIENCE) -> None:
    deadline = monotonic() + seconds
    while not await true():
        assert monotonic() < deadline, "waited in vain"
        await asyncio.sleep(0.02)


def ids_of(records: Sequence[Received], topic: Topic) -> list[UUID]:
    """What the records are about."""
    return [event.subject for record in records if (event := record.event(topic))]


async def crash(consumer: Consumer) -> None:
    """It is gone without a word about what it finished; only its seat in the group is given back, to save time."""
    consumer._membership.held = None
    await consumer.stop()


async def commits(kafka: KafkaSettings, group: str, topic: Topic) -> dict[int, Committed | None]:
    """What the group has committed, by partition."""

    async def ask() -> dict[TopicPartition, Committed | None]:
        async with administrator(kafka) as client:
            places = (await partitions(client, [kafka.topic_prefix + topic.name]))[kafka.topic_prefix + topic.name]
            return await committed(client, kafka.topic_prefix + group, places)

    return {place.partition: position for place, position in (await answered(ask)).items()}


async def set_commits(kafka: KafkaSettings, group: str, topic: Topic, positions: Mapping[int, tuple[int, str]]) -> None:
    """The group has committed this, as if it had survived what befell the topic. Nobody is in it, or soon: whoever was
    cut off at his goodbye is a member until Kafka misses him."""
    name = kafka.topic_prefix + topic.name

    async def commit() -> None:
        client = AIOKafkaConsumer(
            bootstrap_servers=kafka.bootstrap_servers, group_id=kafka.topic_prefix + group, enable_auto_commit=False
        )
        try:
            await client.start()
            client.assign([TopicPartition(name, number) for number in positions])
            await client.commit({TopicPartition(name, number): position for number, position in positions.items()})
        finally:
            await close_consumer(client)

    await answered(commit)


async def cut(kafka: KafkaSettings, topic: Topic, before: Mapping[int, int]) -> None:
    """Retention: everything before these offsets is gone."""
    name = kafka.topic_prefix + topic.name

    async def ask() -> None:
        async with administrator(kafka) as client:
            places = {TopicPartition(name, n): RecordsToDelete(offset) for n, offset in before.items()}
            await client.delete_records(places)

    await answered(ask)


async def finished(consumer: Consumer, records: list[Received]) -> None:
    """They are committed: a commit that Kafka did not answer in time is made again, as it is with the next one."""
    await consumer.commit(reached(records))
    deadline = monotonic() + PATIENCE
    while (held := consumer._membership.held) and held.finished:
        assert monotonic() < deadline, "not committed"
        await consumer.commit()


class Heard:
    """What `on_anew` was told; it fails as often as asked."""

    def __init__(self, failures: int = 0) -> None:
        self.topics: list[set[str]] = []
        self.failures = failures

    async def __call__(self, topics: set[str]) -> None:
        if self.failures:
            self.failures -= 1
            raise OSError("the database is away")
        self.topics.append(topics)
