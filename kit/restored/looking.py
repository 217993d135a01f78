"""What Kafka is asked: where its topics end now, and which ends a group has come to."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from aiokafka import TopicPartition

from contracts.topics import Group
from kit.bus.admin import administrator, committed, partitions
from kit.bus.record import Partition
from kit.bus.served import spans
from kit.restored import rules
from kit.restored.rules import Mark
from kit.settings import KafkaSettings

T = TypeVar("T")


async def marks_now(kafka: KafkaSettings, group: Group, at: datetime) -> list[Mark]:
    """As far as its topics reach: what is said later counts no more. Raises KafkaError, OSError or TimeoutError."""
    async with administrator(kafka) as client:
        there = await partitions(client, {kafka.topic_prefix + topic.name for topic in group.topics})
    ends = {place: end for place, (_, end) in (await spans(kafka, there)).items()}
    return rules.marks([group], _named(kafka.topic_prefix, ends), {}, at)


async def passed_by_now(kafka: KafkaSettings, marks: Sequence[Mark]) -> list[Mark]:
    """Those of them that their groups have come to. Raises KafkaError, OSError or TimeoutError."""
    prefix = kafka.topic_prefix
    async with administrator(kafka) as client:
        there = await partitions(client, {prefix + mark.topic for mark in marks})
        reach = await spans(kafka, there)
        told = {name: _named(prefix, await committed(client, prefix + name, reach)) for name in _groups(marks)}
    topics, known = {topic.removeprefix(prefix) for topic in there}, _named(prefix, reach)
    return [
        mark
        for mark in marks
        if rules.passed(mark, known, topics, told[mark.consumer].get((mark.topic, mark.partition)))
    ]


def _groups(marks: Collection[Mark]) -> set[str]:
    return {mark.consumer for mark in marks}


def _named(prefix: str, told: Mapping[TopicPartition, T]) -> dict[Partition, T]:
    """By our own names of topics."""
    return {(place.topic.removeprefix(prefix), place.partition): one for place, one in told.items()}
