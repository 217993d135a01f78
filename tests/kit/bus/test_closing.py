"""Whoever is told to end does so, also in the moment in which a client of Kafka ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from kit.bus.admin import administrator
from kit.bus.closing import close_consumer, close_producer
from kit.settings import KafkaSettings
from tests.waiting import PATIENCE


class Slow:
    """In place of a client's own task, for whose end it waits: it ends when the test wants it to."""

    def __init__(self, client: Any) -> None:
        self.waited_for = asyncio.Event()
        self._own, client._sync_task = client._sync_task, asyncio.create_task(self._live())

    async def _live(self) -> None:
        self._own.cancel()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.waited_for.set()
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()


Goodbye = Callable[[KafkaSettings, Callable[[Any], Awaitable[None]]], Awaitable[None]]


async def _administrator(kafka: KafkaSettings, there: Callable[[Any], Awaitable[None]]) -> None:
    async with administrator(kafka) as client:
        await there(client._client)


async def _consumer(kafka: KafkaSettings, there: Callable[[Any], Awaitable[None]]) -> None:
    client = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap_servers)
    await client.start()
    await there(client._client)
    await close_consumer(client, PATIENCE)


async def _producer(kafka: KafkaSettings, there: Callable[[Any], Awaitable[None]]) -> None:
    client = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers)
    await client.start()
    await there(client.client)
    await close_producer(client, PATIENCE)


@pytest.mark.parametrize("goodbye", [_administrator, _consumer, _producer])
async def test_who_is_cancelled_while_a_client_ends_goes_no_further(kafka: KafkaSettings, goodbye: Goodbye) -> None:
    """The client cannot tell the end of its own task from ours, and suppresses both."""
    closing: asyncio.Future[Slow] = asyncio.get_running_loop().create_future()
    went_on = False

    async def there(client: Any) -> None:
        closing.set_result(Slow(client))
        await asyncio.sleep(0)  # it lives, and can be cancelled

    async def work() -> None:
        nonlocal went_on
        await goodbye(kafka, there)
        went_on = True

    task = asyncio.create_task(work())
    async with asyncio.timeout(PATIENCE):
        await (await closing).waited_for.wait()
    task.cancel()
    await asyncio.wait({task}, timeout=PATIENCE)
    assert task.cancelled()
    assert not went_on


async def test_a_client_whose_own_task_was_cancelled_ends_nobody_else() -> None:
    """That is the client's business."""

    class Broken:
        async def stop(self) -> None:
            raise asyncio.CancelledError

    await close_consumer(Broken())  # type: ignore[arg-type]
    task = asyncio.current_task()
    assert task is not None and not task.cancelling()
