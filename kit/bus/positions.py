"""Where all groups are, written down with a backup and set back to with its restore (P9)."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import CommitFailedError
from aiokafka.structs import OffsetAndMetadata

from contracts.topics import BY_NAME, GROUPS, Group, Topic
from kit.bus.admin import DEADLINE, administrator, committed, partitions
from kit.bus.closing import close_consumer
from kit.bus.placement import Committed
from kit.bus.reaching import reaching
from kit.bus.record import Partition, Received
from kit.bus.served import spans
from kit.clock import monotonic
from kit.settings import KafkaSettings

AT_ONCE: Final = 1000
LOOK_AGAIN: Final = 1.0


@dataclass(frozen=True, slots=True)
class Positions:
    """Of each group, how far it was in each partition; None where it had committed nothing."""

    of_groups: Mapping[str, Mapping[Partition, Committed | None]]

    def of(self, group: Group, topics: Collection[Topic], there: Collection[Partition]) -> dict[Partition, int]:
        """The offsets from which these topics are to be read again, as this group had not read on. `there`: the
        partitions that exist; one that was added since, from its beginning."""
        names, told = {topic.name for topic in topics}, self.of_groups.get(group.name, {})
        ours = [place for place in there if place[0] in names]
        return {place: one.offset if (one := told.get(place)) else 0 for place in ours}

    def as_json(self) -> dict[str, Any]:
        return {
            group: {
                f"{topic}/{number}": [one.offset, one.timestamp] if one else None for (topic, number), one in of.items()
            }
            for group, of in self.of_groups.items()
        }

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> Self:
        """From what `as_json` made. Raises KeyError, TypeError or ValueError for anything else."""
        return cls(
            {
                group: {_place(name): Committed(*one) if one else None for name, one in of.items()}
                for group, of in told.items()
            }
        )


def _place(name: str) -> Partition:
    topic, _, number = name.rpartition("/")
    return BY_NAME[topic].name, int(number)


async def look(kafka: KafkaSettings) -> Positions:
    """Where they are now. Raises KafkaError, OSError or TimeoutError."""
    prefix = kafka.topic_prefix
    async with administrator(kafka) as client:
        there = await partitions(client, {prefix + topic.name for group in GROUPS for topic in group.topics})
        found = {}
        for group in GROUPS:
            places = [place for topic in group.topics for place in there.get(prefix + topic.name, ())]
            told = await committed(client, prefix + group.name, places)
            found[group.name] = {
                (place.topic.removeprefix(prefix), place.partition): one for place, one in told.items()
            }
    return Positions(found)


async def ends(kafka: KafkaSettings) -> dict[Partition, int]:
    """Of all partitions that any group reads, the offset of the next record. Raises KafkaError, OSError or
    TimeoutError."""
    prefix = kafka.topic_prefix
    async with administrator(kafka) as client:
        there = await partitions(client, {prefix + topic.name for group in GROUPS for topic in group.topics})
    told = await spans(kafka, there)
    return {(place.topic.removeprefix(prefix), place.partition): end for place, (_, end) in told.items()}


async def set_back(kafka: KafkaSettings, positions: Positions, there: Collection[Partition]) -> None:
    """Every group goes on from there. Nobody may be in any of them. `there`: the partitions that exist, of which those
    that were added since, and those of which nothing was committed, are read from their beginning; a topic that was
    made anew since is found out by the time that stands beside the offset, as always (P9).

    Raises KafkaError (CommitFailedError: somebody is in a group, for longer than Kafka takes to miss who was killed),
    OSError or TimeoutError; done again, it does no harm.
    """
    for group in GROUPS:
        told, topics = positions.of_groups.get(group.name, {}), {topic.name for topic in group.topics}
        of = {place: told.get(place) for place in there if place[0] in topics}
        places = {
            TopicPartition(kafka.topic_prefix + topic, number): OffsetAndMetadata(
                one.offset if one else 0, str(one.timestamp) if one and one.timestamp is not None else ""
            )
            for (topic, number), one in of.items()
        }
        if places:
            await _once_alone(kafka, group.name, places)


async def _once_alone(kafka: KafkaSettings, group: str, places: Mapping[TopicPartition, OffsetAndMetadata]) -> None:
    """Who was killed is a member until Kafka misses him."""
    deadline = monotonic() + kafka.session_timeout_ms / 1000 + DEADLINE
    while True:
        try:
            return await _commit(kafka, group, places)
        except CommitFailedError:
            if monotonic() > deadline:
                raise
        await asyncio.sleep(LOOK_AGAIN)


async def _commit(kafka: KafkaSettings, group: str, places: Mapping[TopicPartition, OffsetAndMetadata]) -> None:
    member = _consumer(kafka, kafka.topic_prefix + group)
    try:
        async with asyncio.timeout(DEADLINE):
            await member.start()
            member.assign(list(places))
            await member.commit(dict(places))
    finally:
        await close_consumer(member)


async def read_from(
    kafka: KafkaSettings, offsets: Mapping[Partition, int], read: Callable[[int, int], None] = lambda done, total: None
) -> AsyncIterator[Received]:
    """All records from these offsets to where the logs end now; those of a partition in their order. `read` hears from
    time to time how many of how many offsets are behind us."""
    prefix = kafka.topic_prefix
    places: dict[str, list[TopicPartition]] = {}
    for topic, number in offsets:
        places.setdefault(topic, []).append(TopicPartition(prefix + topic, number))
    left: dict[TopicPartition, int] = {}
    starts = {TopicPartition(prefix + topic, number): offset for (topic, number), offset in offsets.items()}
    for place, (beginning, end) in (await spans(kafka, places)).items():
        # Beyond the end: the topic was made anew since.
        starts[place] = beginning if starts[place] > end else max(starts[place], beginning)
        if starts[place] < end:
            left[place] = end
    if not left:
        return
    total = sum(end - starts[place] for place, end in left.items())
    reader = _consumer(kafka, None)
    try:
        async with asyncio.timeout(DEADLINE):
            await reader.start()
        reader.assign(list(left))
        for place in left:
            reader.seek(place, starts[place])
        while left:
            for place, records in (await reader.getmany(timeout_ms=500, max_records=AT_ONCE)).items():
                for record in records:
                    yield Received.of(place.topic.removeprefix(prefix), record)
            reached = {place: await reader.position(place) for place in left}
            left = {place: end for place, end in left.items() if reached[place] < end}
            read(total - sum(end - reached[place] for place, end in left.items()), total)
    finally:
        await close_consumer(reader)


def _consumer(kafka: KafkaSettings, group: str | None) -> AIOKafkaConsumer:
    return AIOKafkaConsumer(
        **reaching(kafka),
        client_id="tocsin.restore",
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
