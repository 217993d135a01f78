"""Questions to Kafka that need no group: what a group has committed, what topics there are."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError

from kit.bus.closing import close_administrator
from kit.bus.placement import Committed
from kit.bus.reaching import reaching
from kit.settings import KafkaSettings

DEADLINE = 5.0
"""Seconds that anything asked of Kafka may take. Nothing waits for ever (P9)."""


@asynccontextmanager
async def administrator(kafka: KafkaSettings) -> AsyncIterator[AIOKafkaAdminClient]:
    """A connection for a few questions. Raises KafkaError or TimeoutError where Kafka is away."""
    client = AIOKafkaAdminClient(**reaching(kafka), client_id="tocsin", request_timeout_ms=int(DEADLINE * 1000))
    try:
        async with asyncio.timeout(DEADLINE):
            await client.start()
        yield client
    finally:
        await close_administrator(client)


async def partitions(client: AIOKafkaAdminClient, topics: Collection[str]) -> dict[str, list[TopicPartition]]:
    """The partitions of those of `topics` that exist."""
    async with asyncio.timeout(DEADLINE):
        told = await client.describe_topics(list(topics))
    return {
        topic["topic"]: [TopicPartition(topic["topic"], one["partition"]) for one in topic["partitions"]]
        for topic in told
        if not topic["error_code"]
    }


async def committed(
    client: AIOKafkaAdminClient, group: str, partitions: Collection[TopicPartition]
) -> dict[TopicPartition, Committed | None]:
    """How far `group` has come in each of `partitions`; None where it never committed.

    Raises KafkaError when Kafka does not say. The client hides an error of the whole answer (a coordinator that is
    still loading, say) behind an empty one, and "nothing committed" would mean to read seven days again: so each
    partition is asked for by name, and one that is missing in the answer is an error.
    """
    if not partitions:
        return {}
    async with asyncio.timeout(DEADLINE):
        told = await client.list_consumer_group_offsets(group, partitions=list(partitions))
    if missing := set(partitions) - set(told):
        raise GroupCoordinatorNotAvailableError(f"no answer about {len(missing)} partitions of group {group}")
    return {place: Committed.read(position.offset, position.metadata) for place, position in told.items()}
