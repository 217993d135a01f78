"""The client that publishes: what is in Kafka after a call, and what is not left behind."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from client.errors import Unreachable
from client.kafka import KafkaTocsin
from kit.settings import KafkaSettings
from tests.services.gateway.support import Others, others

HELLO: Any = {"channel": "email", "to": "delivered@simulator.test", "subject": "Hello", "body": "It works."}


@pytest.fixture
async def intake(kafka: KafkaSettings) -> AsyncIterator[Others]:
    """Who reads what is asked for."""
    async with others(kafka) as intake:
        yield intake


def publishing(kafka: KafkaSettings) -> KafkaTocsin:
    return KafkaTocsin(kafka.bootstrap_servers, source="billing", prefix=kafka.topic_prefix)


async def heard(intake: Others, count: int) -> list[tuple[str, Any]]:
    """Topic and content of so many requests."""

    async def there() -> bool:
        return len(intake.heard) >= count

    await intake.listen_until(there)
    return [(record.topic, json.loads(record.value or b"")) for record in intake.heard]


def senders() -> set[str]:
    """The producers that are under way."""
    return {task.get_name() for task in asyncio.all_tasks() if "Sender." in repr(task.get_coro())}


async def test_each_of_a_batch_may_have_its_key(kafka: KafkaSettings, intake: Others) -> None:
    """Who does not know whether a batch arrived repeats it, and nobody gets anything twice."""
    async with publishing(kafka) as tocsin:
        first, other = await tocsin.batch([HELLO | {"idempotency_key": "k1"}, HELLO])
        again, another = await tocsin.batch([HELLO | {"idempotency_key": "k1"}, HELLO])
        assert first == again == (tocsin.id_of("k1"), "k1") and other.id != another.id
    said = [record for _, record in await heard(intake, 4)]
    assert [record["id"] for record in said].count("k1") == 2
    assert all(set(record) == {"type", "tenant", "source", "id", *HELLO} for record in said)


async def test_a_lane_that_there_is_not_is_for_intake_to_refuse(kafka: KafkaSettings, intake: Others) -> None:
    async with publishing(kafka) as tocsin:
        await tocsin.notify(**HELLO | {"lane": "fast"})
    [(topic, record)] = await heard(intake, 1)
    assert (topic, record["lane"]) == ("notifications.requested", "fast")


async def test_many_at_once_share_one_connection(kafka: KafkaSettings, intake: Others) -> None:
    """And nothing of it is left once it is closed."""
    before = senders()
    async with publishing(kafka) as tocsin:
        told = await asyncio.gather(*(tocsin.notify(**HELLO) for _ in range(5)))
    assert len({one.id for one in told}) == 5
    assert senders() == before


@pytest.mark.filterwarnings("error")
async def test_nobody_there_is_said_and_leaves_nothing_behind() -> None:
    before = asyncio.all_tasks()
    async with KafkaTocsin("127.0.0.1:1", source="billing") as tocsin:
        with pytest.raises(Unreachable, match=r"127\.0\.0\.1:1"):
            await tocsin.notify(**HELLO)
    assert asyncio.all_tasks() == before
