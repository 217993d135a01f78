"""A topic that is missing is made, at the start and whenever Kafka has lost it; the broker itself never makes one."""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from contracts.topics import ALL, DAY_MS, Topic
from kit import logs
from kit.bus.admin import DEADLINE, administrator
from kit.settings import KafkaSettings

EVERY: Final = 2.0
"""Seconds between two looks."""
SAFE_REPLICATION: Final = 3
"""From this many copies on, a write counts only when two of them have it."""

log = logs.get(__name__)


class TopicKeeper:
    """Makes the topics of the list that are not there. Several services do so at once; the first one wins."""

    def __init__(self, kafka: KafkaSettings, topics: Sequence[Topic] = ALL, *, every: float = EVERY) -> None:
        self._kafka = kafka
        self._topics = {kafka.topic_prefix + topic.name: topic for topic in topics}
        self._every = every
        self.task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Makes what is missing, or goes on trying where Kafka is away."""
        await self.look()
        self.task = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        if self.task:
            self.task.cancel()
            with suppress(asyncio.CancelledError):
                await self.task

    async def look(self) -> list[str]:
        """Makes what is missing now; the names that were made. Raises nothing."""
        try:
            async with administrator(self._kafka) as client, asyncio.timeout(2 * DEADLINE):
                missing = self._topics.keys() - set(await client.list_topics())
                return await self._make(client, sorted(missing)) if missing else []
        except (KafkaError, TimeoutError, OSError) as error:
            log.debug("topics_not_seen", error=repr(error))
            return []

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(self._every)
            await self.look()

    async def _make(self, client: AIOKafkaAdminClient, names: Iterable[str]) -> list[str]:
        answer = await client.create_topics([self._new(name) for name in names], timeout_ms=int(DEADLINE * 1000))
        outcomes = {name: for_code(code) for name, code, *_ in answer.topic_errors}
        refused = {n: e.__name__ for n, e in outcomes.items() if e.errno and e is not TopicAlreadyExistsError}
        if refused:
            log.error("topics_refused", topics=refused)
        made = sorted(name for name, error in outcomes.items() if not error.errno)
        if made:
            log.info("topics_made", topics=made)
        return made

    def _new(self, name: str) -> NewTopic:
        topic, kafka = self._topics[name], self._kafka
        partitions = kafka.partitions if topic.busy else 1
        return NewTopic(name, partitions, kafka.replication, topic_configs=configuration(topic, kafka.replication))


def configuration(topic: Topic, replication: int) -> dict[str, str]:
    """What Kafka is told about a topic. https://kafka.apache.org/documentation/#topicconfigs"""
    keeping = (
        {"cleanup.policy": "compact", "delete.retention.ms": str(30 * DAY_MS), "max.compaction.lag.ms": str(DAY_MS)}
        if topic.compacted
        else {"cleanup.policy": "delete", "retention.ms": str(topic.retention_ms)}
    )
    return {
        "message.timestamp.type": "LogAppendTime",
        "max.message.bytes": str(topic.max_message_bytes),
        "min.insync.replicas": "2" if replication >= SAFE_REPLICATION else "1",
        **keeping,
    }
