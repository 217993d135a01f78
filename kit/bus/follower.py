"""Everything that is said from now on, heard by every process: in no group, and nobody's place is kept."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from contracts.topics import Topic
from kit import logs
from kit.bus.admin import DEADLINE
from kit.bus.closing import close_consumer
from kit.bus.fetching import FOLLOWING_MS, ask_seldom
from kit.bus.reaching import reaching
from kit.bus.record import Received
from kit.clock import utc_now
from kit.service import Loop
from kit.settings import KafkaSettings

FETCH_BYTES: Final = 64 * 1024
"""So much comes at once."""
SILENCE: Final = 30.0
"""Seconds without a word from Kafka after which the connection is made anew."""
TRY_AGAIN: Final = 1.0

log = logs.get(__name__)


class Follower(Loop):
    """A Part. `heard` is called with what came, batch by batch. What is said while Kafka is away, or between two
    connections, is not heard: who needs to know it looks elsewhere, too."""

    def __init__(self, kafka: KafkaSettings, topic: Topic, heard: Callable[[Sequence[Received]], None]) -> None:
        super().__init__(self._follow_on)
        self._settings = kafka
        self._topic = topic
        self._heard = heard

    async def _follow_on(self) -> None:
        while True:
            try:
                await self._follow()
            except (KafkaError, TimeoutError, OSError) as error:
                log.warning("following_failed", topic=self._topic.name, error=repr(error))
            await asyncio.sleep(TRY_AGAIN)

    async def _follow(self) -> None:
        """One connection; returns when it seems dead."""
        kafka = self._new()
        try:
            async with asyncio.timeout(DEADLINE):
                await kafka.start()
            ask_seldom(kafka, FOLLOWING_MS)
            kafka.subscribe([self._settings.topic_prefix + self._topic.name])
            begun = utc_now().timestamp()
            while self._silence(kafka, begun) < SILENCE:
                for records in (await kafka.getmany(timeout_ms=1000)).values():
                    self._heard([Received.of(self._topic.name, record) for record in records])
        finally:
            await close_consumer(kafka)

    def _silence(self, kafka: AIOKafkaConsumer, begun: float) -> float:
        polled = [kafka.last_poll_timestamp(place) or 0 for place in kafka.assignment()]
        return utc_now().timestamp() - max([begun, *(at / 1000 for at in polled)])

    def _new(self) -> AIOKafkaConsumer:
        return AIOKafkaConsumer(
            **reaching(self._settings),
            client_id="tocsin.follower",
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="latest",
            metadata_max_age_ms=5000,
            fetch_max_wait_ms=FOLLOWING_MS,
            fetch_min_bytes=FETCH_BYTES,
            max_partition_fetch_bytes=self._topic.max_message_bytes,
        )
