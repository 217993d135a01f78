"""Closing a Kafka client ends it, even where Kafka is away and its own goodbye would wait."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from operator import attrgetter
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from kit import logs

# The client's own `stop` waits for a JoinGroup that is under way (up to 40 s), or for batches that nobody takes, and
# when it is cut short it leaves its other tasks running for good: they are ended one by one then. And it suppresses
# every CancelledError that comes while it waits for them, be it ours: then whoever is to stop would go on for ever.
REST_OF_CONSUMER: Final = (
    "_coordinator._stop_heartbeat_task",
    "_coordinator._stop_commit_offsets_refresh_task",
    "_coordinator._maybe_leave_group",
    "_fetcher.close",
    "_client.close",
)
GOODBYE: Final = 3.0
"""Seconds; a service has ten for all its parts."""
REST_OF_PRODUCER: Final = ("_sender.close", "client.close")

log = logs.get(__name__)


async def close_consumer(kafka: AIOKafkaConsumer, deadline: float = GOODBYE) -> None:
    """Leaves the group and ends all tasks. Raises nothing."""
    await _close(kafka, deadline, REST_OF_CONSUMER)


async def close_producer(kafka: AIOKafkaProducer, deadline: float = GOODBYE) -> None:
    """Sends what is left and ends all tasks. Raises nothing."""
    await _close(kafka, deadline, REST_OF_PRODUCER)


async def close_administrator(kafka: AIOKafkaAdminClient) -> None:
    """Ends all tasks. Raises nothing."""
    await _ended(kafka.close, GOODBYE)


async def _close(client: Any, deadline: float, rest: tuple[str, ...]) -> None:
    if not await _ended(client.stop, deadline):
        for step in rest:
            await _ended(partial(_take, client, step), 1.0)


async def _take(client: Any, step: str) -> None:
    await attrgetter(step)(client)()


async def _ended(step: Callable[[], Awaitable[Any]], seconds: float) -> bool:
    before = _cancellations()
    try:
        async with asyncio.timeout(seconds):
            await step()
    except asyncio.CancelledError:
        if _cancellations() > before:
            raise
        return False  # one of the client's own tasks was cancelled, not we
    except Exception as error:  # a goodbye that fails is over as well, and what was never begun needs none
        log.debug("goodbye_failed", error=repr(error))
        return False
    if _cancellations() > before:
        raise asyncio.CancelledError
    return True


def _cancellations() -> int:
    """How often it was asked that this task be cancelled."""
    task = asyncio.current_task()
    return task.cancelling() if task else 0
