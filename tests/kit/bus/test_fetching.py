"""A reader that has nothing to read asks seldom; one that leaves a partition out of its fetch asks again soon."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.protocol.fetch import FetchRequest

from contracts.topics import SCHEDULED
from kit.bus.closing import close_consumer
from kit.bus.fetching import LONGEST_MS, PROMPT_MS, ask_seldom
from kit.bus.reaching import reaching
from kit.settings import KafkaSettings
from tests.kit.bus.support import make, say, until_true
from tests.waiting import eventually


async def test_an_idle_reader_waits_longer_each_time_and_promptly_again_after_a_record(kafka: KafkaSettings) -> None:
    async with _reader(kafka) as (consumer, waits):
        await until_true(lambda: _reached(waits, LONGEST_MS))
        assert waits[: waits.index(LONGEST_MS)] == _doubled(waits[0], LONGEST_MS)
        waits.clear()
        await say(kafka, SCHEDULED, [uuid4()])
        assert await consumer.getmany(timeout_ms=30_000)
        await until_true(lambda: _reached(waits, PROMPT_MS))


async def test_a_fetch_that_leaves_a_partition_out_is_never_a_long_one(kafka: KafkaSettings) -> None:
    """A record of one partition is held, and not taken: what asks for the others meanwhile ends soon."""
    async with _reader(kafka) as (consumer, waits):
        await until_true(lambda: _reached(waits, LONGEST_MS))
        await say(kafka, SCHEDULED, [uuid4()])
        await eventually(lambda: bool(consumer._fetcher._records))  # until then it is idle, and its fetches are long
        waits.clear()
        # Of those that come, none is taken: the client asks for the others once its own patience with us is over.
        await until_true(lambda: _several(waits, 4))
        assert set(waits) == {PROMPT_MS}


@asynccontextmanager
async def _reader(kafka: KafkaSettings) -> AsyncIterator[tuple[AIOKafkaConsumer, list[int]]]:
    """One that reads all partitions of a topic, and how long each of its fetches was told to wait."""
    await make(kafka, SCHEDULED)
    topic = kafka.topic_prefix + SCHEDULED.name
    consumer = AIOKafkaConsumer(**reaching(kafka), enable_auto_commit=False, auto_offset_reset="earliest")
    await consumer.start()
    try:
        ask_seldom(consumer, PROMPT_MS)
        waits: list[int] = []
        send = consumer._client.send

        async def counted(node: int, request: object, **options: object) -> object:
            if isinstance(request, FetchRequest):
                waits.append(request._max_wait_ms)
            return await send(node, request, **options)

        consumer._client.send = counted
        consumer.assign([TopicPartition(topic, n) for n in range(kafka.partitions)])
        yield consumer, waits
    finally:
        await close_consumer(consumer)


def _doubled(first: int, last: int) -> list[int]:
    steps = [first]
    while steps[-1] * 2 < last:
        steps.append(steps[-1] * 2)
    return steps


async def _reached(waits: list[int], wait: int) -> bool:
    return wait in waits


async def _several(waits: list[int], number: int) -> bool:
    return len(waits) >= number
