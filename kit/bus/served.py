"""How far a group has come, as a time: everything that Kafka had before it is done (P3.9)."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from contracts.topics import Topic
from kit import logs
from kit.bus.admin import DEADLINE, administrator, committed, partitions
from kit.bus.closing import close_consumer
from kit.bus.placement import Committed
from kit.bus.reaching import reaching
from kit.bus.record import instant
from kit.clock import utc_now
from kit.settings import KafkaSettings

log = logs.get(__name__)


async def served(kafka: KafkaSettings, group: str, topics: Sequence[Topic]) -> datetime | None:
    """The time up to which `group` has served all of `topics`; None where that cannot be said.

    The minimum over all partitions of the LogAppendTime in the group's commit, or of now where it has nothing left to
    do. None while Kafka is away, a topic is missing, or a partition holds records of which the group has done none.
    """
    return earliest(await served_by_topic(kafka, group, topics))


async def served_by_topic(kafka: KafkaSettings, group: str, topics: Sequence[Topic]) -> Mapping[str, datetime | None]:
    """The same for each topic by itself, in one go. Raises nothing."""
    nothing: dict[str, datetime | None] = {topic.name: None for topic in topics}
    try:
        return nothing | await _ask(kafka, group, topics)
    except (KafkaError, TimeoutError, OSError) as error:
        log.debug("served_unknown", group=group, error=repr(error))
        return nothing


def earliest(times: Mapping[str, datetime | None]) -> datetime | None:
    """Served are several when each of them is."""
    known = [time for time in times.values() if time is not None]
    return min(known) if known and len(known) == len(times) else None


async def _ask(kafka: KafkaSettings, group: str, topics: Sequence[Topic]) -> dict[str, datetime | None]:
    now = utc_now()  # before the ends are read, and these before the commits: what is in the log by now is counted
    names = {kafka.topic_prefix + topic.name: topic.name for topic in topics}
    async with administrator(kafka) as client:
        reach = await spans(kafka, await partitions(client, names))
        positions = await committed(client, kafka.topic_prefix + group, reach.keys())
    times: dict[str, dict[str, datetime | None]] = {}
    for place, span in reach.items():
        times.setdefault(names[place.topic], {})[str(place.partition)] = _served(positions[place], *span, now)
    return {name: earliest(of_partitions) for name, of_partitions in times.items()}


def _served(position: Committed | None, beginning: int, end: int, now: datetime) -> datetime | None:
    """An offset behind the end is of an older topic of this name, of which nothing counts (P9)."""
    if beginning == end:
        return now
    if position is None or position.offset > end:
        return None
    if position.offset == end:
        return now
    return instant(position.timestamp) if position.timestamp is not None else None


async def spans(
    kafka: KafkaSettings, places: Mapping[str, Sequence[TopicPartition]]
) -> dict[TopicPartition, tuple[int, int]]:
    """The first offset that is there, and the next one to be written. Raises KafkaError, OSError or TimeoutError."""
    if not places:
        return {}
    reader = AIOKafkaConsumer(**reaching(kafka), client_id="tocsin", retry_backoff_ms=20)
    try:
        async with asyncio.timeout(DEADLINE):
            await reader.start()
            # By topic and at once: the client learns about topics one by one, with a pause after each.
            of_topics = await asyncio.gather(*(_span(reader, some) for some in places.values()))
    finally:
        await close_consumer(reader)
    return {place: span for spans in of_topics for place, span in spans.items()}


async def _span(reader: AIOKafkaConsumer, places: Sequence[TopicPartition]) -> dict[TopicPartition, tuple[int, int]]:
    beginnings, ends = await reader.beginning_offsets(places), await reader.end_offsets(places)
    return {place: (beginnings[place], ends[place]) for place in places}
