"""Being one of a group, whatever happens to Kafka: joining it, losing our partitions, mending a dead connection."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Final

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError

from contracts.topics import Topic
from kit import logs
from kit.bus.admin import DEADLINE, administrator
from kit.bus.assignment import Assignment
from kit.bus.closing import close_consumer
from kit.bus.fetching import PROMPT_MS, ROUND_MS, ask_seldom
from kit.bus.reaching import reaching
from kit.clock import monotonic, utc_now
from kit.settings import KafkaSettings

SILENCE: Final = 10.0
"""Seconds without a word from Kafka after which we are not ready."""
PATIENCE: Final = 60.0
"""Seconds of silence after which the connection is made anew, if Kafka talks to others."""
STUMBLES: Final = 3
"""Errors in a row after which the connection is made anew."""
SLOWEST: Final = 2.0
"""Seconds between two tries, at most."""
REBALANCE_MS: Final = 30_000

log = logs.get(__name__)


class Membership:
    """One member of a group, and the partitions it holds (`held`; None between two generations).

    `generation` counts the times they were lost. `leaving` is awaited before that, while they are still ours.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        group: str,
        lanes: Sequence[Sequence[Topic]],
        leaving: Callable[[], Awaitable[None]],
        *,
        instance: str | None = None,
        fetch_wait_ms: int = PROMPT_MS,
        patience: float = PATIENCE,
    ) -> None:
        self.group = group
        self.held: Assignment | None = None
        self.kafka: AIOKafkaConsumer | None = None
        self.generation = 0
        self._leaving = leaving
        self._settings = kafka
        self._instance = instance
        self._fetch_wait_ms = fetch_wait_ms
        self._patience = patience
        self._lanes = [frozenset(kafka.topic_prefix + topic.name for topic in lane) for lane in lanes]
        self._max_bytes = max(topic.max_message_bytes for lane in lanes for topic in lane)
        self._paused: set[str] = set()
        self._stumbles = 0
        self._heard = monotonic()
        self._next_look = 0.0

    async def start(self) -> None:
        """Joins the group, or leaves that to later where Kafka is away."""
        try:
            async with asyncio.timeout(DEADLINE):
                await self.connected()
        except (KafkaError, TimeoutError) as error:
            log.warning("kafka_is_away", group=self.group, error=repr(error))

    async def stop(self) -> None:
        """Leaves the group; bounded."""
        await self._lose()
        await self._disconnect()

    async def connected(self) -> AIOKafkaConsumer:
        """The connection, made when there is none. Raises KafkaError where Kafka is away."""
        if self.kafka is None:
            kafka = self._new()
            try:
                await kafka.start()
            except BaseException:
                await close_consumer(kafka)
                raise
            ask_seldom(kafka, self._fetch_wait_ms)
            # Subscribed after the start, which would otherwise wait for topics and partners without a limit.
            kafka.subscribe(list(frozenset().union(*self._lanes)), listener=_Listener(self, kafka))
            self.kafka = kafka
            self._heard = monotonic()
        return self.kafka

    @property
    def ready(self) -> bool:
        """In the group, in our place, and Kafka answers."""
        return self.held is not None and self.held.placed and self._silence() < SILENCE

    def pause(self, topics: Collection[str]) -> None:
        """Through every rebalance, until `resume`."""
        self._paused |= set(topics)
        self._pause_again()

    def resume(self, topics: Collection[str]) -> None:
        self._paused -= set(topics)
        if self.kafka and self.held:
            self.kafka.resume(*self.held.of(topics))

    # ------------------------------------------------------------------------------------ what went well, and what not

    def heard(self) -> None:
        """Records came."""
        self._heard = monotonic()

    def steady(self) -> None:
        """A poll went without an error."""
        self._stumbles = 0

    async def stumbled(self, error: Exception) -> None:
        """It did not: try again, in growing steps, and with another connection when it goes on."""
        self._stumbles += 1
        log.warning("poll_failed", group=self.group, error=repr(error))
        if self._stumbles % STUMBLES == 0:
            await self._start_over()
        await asyncio.sleep(min(0.1 * 2**self._stumbles, SLOWEST) * random.uniform(0.5, 1))

    async def look_closer(self) -> None:
        """Silence: Kafka is away, which is waited for, or this connection is dead, which nothing else would end."""
        now = monotonic()
        if self._silence() < self._patience or now < self._next_look:
            return
        self._next_look = now + self._patience
        try:
            async with administrator(self._settings):
                pass
        except (KafkaError, TimeoutError):
            return
        await self._start_over()

    async def _start_over(self) -> None:
        if self.kafka:
            log.warning("connection_made_anew", group=self.group)
            await self._lose()
            await self._disconnect()

    def _silence(self) -> float:
        """Seconds since Kafka last said something."""
        now, kafka, held = monotonic(), self.kafka, self.held
        if kafka is None or held is None:
            return now - self._heard
        awake = [place for place in held.partitions if place.topic not in self._paused]
        if not awake:
            return 0.0
        fetched = max(kafka.last_poll_timestamp(place) or 0 for place in awake)
        return min(now - self._heard, now - held.since, utc_now().timestamp() - fetched / 1000)

    # ------------------------------------------------------------------------------------------------ the group's word

    async def revoked(self, kafka: AIOKafkaConsumer) -> None:
        if self.kafka is kafka:
            await self._lose()

    def assigned(self, kafka: AIOKafkaConsumer, partitions: Collection[TopicPartition]) -> None:
        if self.kafka is kafka:
            self.held = Assignment(frozenset(partitions), self._lanes)
            self._pause_again()

    async def _lose(self) -> None:
        if self.held is not None:
            await self._leaving()
            self.held = None
            self.generation += 1

    async def _disconnect(self) -> None:
        kafka, self.kafka = self.kafka, None
        if kafka:
            await close_consumer(kafka)

    def _pause_again(self) -> None:
        if self.kafka and self.held:
            self.kafka.pause(*self.held.of(self._paused))

    def _new(self) -> AIOKafkaConsumer:
        return AIOKafkaConsumer(
            **reaching(self._settings),
            client_id=f"tocsin.{self.group}",
            group_id=self._settings.topic_prefix + self.group,
            group_instance_id=self._instance,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            metadata_max_age_ms=5000,
            session_timeout_ms=self._settings.session_timeout_ms,
            heartbeat_interval_ms=min(3000, self._settings.session_timeout_ms // 3),
            rebalance_timeout_ms=REBALANCE_MS,
            fetch_max_wait_ms=self._fetch_wait_ms,
            consumer_timeout_ms=ROUND_MS,
            max_partition_fetch_bytes=self._max_bytes,
        )


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    """What the group tells one connection; one that was given up is not listened to any more."""

    def __init__(self, membership: Membership, kafka: AIOKafkaConsumer) -> None:
        self._membership = membership
        self._kafka = kafka

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        await self._membership.revoked(self._kafka)

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        self._membership.assigned(self._kafka, assigned)
