"""A topic that is missing is made, at the start and whenever Kafka has lost it; the broker itself never makes one."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from aiokafka.admin import NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from contracts.topics import ALL, DAY_MS, Topic
from kit import logs
from kit.bus.admin import DEADLINE, administrator
from kit.settings import KafkaSettings

EVERY: Final = 5.0
"""Seconds between two looks of one process; in an installation there are five at least."""
SAFE_REPLICATION: Final = 3
"""From this many copies on, a write counts only when two of them have it."""

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Made:
    """Topics by their names on Kafka: those that were made just now, and why others could not be."""

    made: Sequence[str]
    refused: Mapping[str, str]


async def make_missing(kafka: KafkaSettings, topics: Sequence[Topic] = ALL) -> Made:
    """Makes those that are not there. Raises KafkaError, OSError or TimeoutError where Kafka does not answer."""
    wanted = {kafka.topic_prefix + topic.name: topic for topic in topics}
    async with administrator(kafka) as client, asyncio.timeout(2 * DEADLINE):
        missing = sorted(wanted.keys() - set(await client.list_topics()))
        if not missing:
            return Made((), {})
        new = [_new(name, wanted[name], kafka) for name in missing]
        answer = await client.create_topics(new, timeout_ms=int(DEADLINE * 1000))
    outcomes = {name: for_code(code) for name, code, *_ in answer.topic_errors}
    refused = {n: e.__name__ for n, e in outcomes.items() if e.errno and e is not TopicAlreadyExistsError}
    return Made(sorted(name for name, error in outcomes.items() if not error.errno), refused)


class TopicKeeper:
    """Makes the topics of the list that are not there. Several services do so at once; the first one wins."""

    def __init__(self, kafka: KafkaSettings, topics: Sequence[Topic] = ALL, *, every: float = EVERY) -> None:
        self._kafka = kafka
        self._topics = topics
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
            outcome = await make_missing(self._kafka, self._topics)
        except (KafkaError, TimeoutError, OSError) as error:
            log.debug("topics_not_seen", error=repr(error))
            return []
        if outcome.refused:
            log.error("topics_refused", topics=outcome.refused)
        if outcome.made:
            log.info("topics_made", topics=outcome.made)
        return list(outcome.made)

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(self._every)
            await self.look()


def _new(name: str, topic: Topic, kafka: KafkaSettings) -> NewTopic:
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
