"""What is said from now on is heard by every process, also of a topic that was made anew."""

from __future__ import annotations

from contextlib import AsyncExitStack
from uuid import UUID, uuid4

from contracts.topics import SCHEDULED
from kit.bus.follower import Follower
from kit.bus.record import Received
from kit.settings import KafkaSettings
from tests.kit.bus.support import delete, ids_of, make, say, until_true


async def test_everybody_hears_it_and_nothing_of_before(kafka: KafkaSettings) -> None:
    await make(kafka, SCHEDULED)
    before = uuid4()
    await say(kafka, SCHEDULED, [before])
    heard: list[list[Received]] = [[], []]

    async def all_hear() -> bool:
        """Who joins hears nothing at first: so it is said until it is heard."""
        id = uuid4()
        await say(kafka, SCHEDULED, [id])
        return all(id in _ids(one) for one in heard)

    async with AsyncExitStack() as stack:
        for one in heard:
            follower = Follower(kafka, SCHEDULED, one.extend)
            await follower.start()
            stack.push_async_callback(follower.stop)
        await until_true(all_hear)
        await delete(kafka, SCHEDULED)
        await make(kafka, SCHEDULED)
        await until_true(all_hear)
    assert all(before not in _ids(one) for one in heard)


async def test_it_follows_a_kafka_that_is_away(kafka: KafkaSettings) -> None:
    """It begins all the same, and stops at once."""
    away = kafka.model_copy(update={"bootstrap_servers": "127.0.0.1:1"})
    follower = Follower(away, SCHEDULED, lambda _: None)
    await follower.start()
    await follower.stop()


def _ids(records: list[Received]) -> list[UUID]:
    return ids_of(records, SCHEDULED)
