"""Closing a Kafka client ends it, even where Kafka is away and its own goodbye would wait."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from kit import logs
from kit.bus.admin import DEADLINE

log = logs.get(__name__)


async def close_consumer(kafka: AIOKafkaConsumer, deadline: float = DEADLINE) -> None:
    """Leaves the group and ends all tasks. Raises nothing.

    The client's own `stop` waits for a JoinGroup that is under way (up to 40 s), and when it is cut short it leaves its
    other tasks running for good: they are ended one by one then.
    """
    if await _ended(kafka.stop, deadline):
        return
    group, fetcher = kafka._coordinator, kafka._fetcher
    await _end_all(
        [
            *((group._stop_heartbeat_task, group._stop_commit_offsets_refresh_task, group._maybe_leave_group) if group else ()),
            *((fetcher.close,) if fetcher else ()),
            kafka._client.close,
        ]
    )


async def close_producer(kafka: AIOKafkaProducer, deadline: float = DEADLINE) -> None:
    """Sends what is left and ends all tasks. Raises nothing."""
    if not await _ended(kafka.stop, deadline):
        await _end_all([kafka._sender.close, kafka.client.close])


async def _end_all(steps: Iterable[Callable[[], Awaitable[Any]]]) -> None:
    for step in steps:
        await _ended(step, 1.0)


async def _ended(step: Callable[[], Awaitable[Any]], seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await step()
    except Exception as error:  # a goodbye that fails is over as well
        log.debug("goodbye_failed", error=repr(error))
        return False
    return True
