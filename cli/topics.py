"""`tocsin topics`: what there is on Kafka, and how far behind its readers are."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Annotated, Final

import typer
from aiokafka.errors import GroupCoordinatorNotAvailableError, KafkaError

from cli.kafka_said import KafkaSaid, kafka_said
from cli.output import Json, emit, table
from cli.place import root
from cli.topics_made import make
from contracts.acls import grants, options, principal
from contracts.topics import ALL, DAY_MS, GROUPS, Topic
from kit.bus.admin import administrator, committed, partitions
from kit.bus.served import spans
from kit.settings import KafkaSettings, Settings, load

HESITATIONS: Final = 20
HESITATION_SECONDS: Final = 0.25


@dataclass(frozen=True, slots=True)
class TopicSeen:
    """A topic; `partitions` is None where Kafka does not say, 0 where the topic is missing."""

    name: str
    partitions: int | None
    keeps: str
    writers: tuple[str, ...]
    readers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GroupSeen:
    """A consumer group; `behind` is how many offsets it has not done: at most so many records, for logs have gaps.
    `done` grows while it reads; `lanes` is what it is behind by topic, where it is."""

    name: str
    behind: int
    done: int
    lanes: Mapping[str, int]
    topics: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """What Kafka says: partitions by topic (without prefix), and the groups."""

    partitions: Mapping[str, int]
    groups: tuple[GroupSeen, ...]


def topics(
    making: Annotated[bool, typer.Option("--make", help="Make what is missing; waits a minute for Kafka.")] = False,
    acls: Annotated[bool, typer.Option("--acls", help="Print what each program must be allowed on Kafka.")] = False,
    json: Json = False,
) -> None:
    """List the topics, and how far behind each consumer group is; exit code 1 when Kafka does not answer.

    With --acls: the commands that allow each program what it does there and nothing else, for Kafka's own
    kafka-acls.sh; Kafka is not asked.
    """
    settings = load(root(), os.environ)
    kafka = settings.kafka
    if acls:
        _print_acls(kafka, as_json=json)
        return
    with kafka_said() as said:
        _asked(settings, said, making=making, json=json)


def _asked(settings: Settings, said: KafkaSaid, *, making: bool, json: bool) -> None:
    kafka = settings.kafka
    if making:
        made = make(settings, said)
        words = "\n".join(f"made  {name}" for name in made) or "all topics are there"
        emit({"made": made}, as_json=json, people=lambda: print(words))
        return
    try:
        seen, trouble = asyncio.run(look_patiently(kafka)), None
    except (KafkaError, OSError, TimeoutError) as error:
        seen, trouble = None, said.trouble(settings, error)
    listed = [_topic(topic, seen) for topic in ALL]
    groups = seen.groups if seen else ()
    shown = {"kafka": kafka.bootstrap_servers, "prefix": kafka.topic_prefix, "answers": seen is not None}
    lists = {"topics": [asdict(one) for one in listed], "groups": [asdict(one) for one in groups]}
    emit(shown | lists, as_json=json, people=lambda: _tables(listed, groups))
    if trouble:
        raise trouble


def _print_acls(kafka: KafkaSettings, *, as_json: bool) -> None:
    def commands() -> None:
        for one in options(kafka.topic_prefix):
            print(f"kafka-acls.sh --bootstrap-server {kafka.bootstrap_servers} --command-config admin.properties {one}")

    allowed = [
        {"principal": f"User:{principal(one.program)}"} | asdict(one) | {"name": kafka.topic_prefix + one.name}
        for one in grants()
    ]
    emit({"acls": allowed}, as_json=as_json, people=commands)


async def look_patiently(kafka: KafkaSettings) -> Seen:
    """A Kafka that has just begun knows nothing of groups for a moment."""
    for _ in range(HESITATIONS):
        with suppress(GroupCoordinatorNotAvailableError):
            return await look(kafka)
        await asyncio.sleep(HESITATION_SECONDS)
    return await look(kafka)


async def look(kafka: KafkaSettings) -> Seen:
    """Asks Kafka. Raises KafkaError, OSError or TimeoutError where it does not answer."""
    names = {kafka.topic_prefix + topic.name: topic.name for topic in ALL}
    async with administrator(kafka) as client:
        there = await partitions(client, names)
        ends = await spans(kafka, there)
        done = {group.name: await committed(client, kafka.topic_prefix + group.name, ends.keys()) for group in GROUPS}
    groups = []
    for group in GROUPS:
        read = {topic.name for topic in group.topics}
        past, lanes = 0, dict.fromkeys(read, 0)
        for place, (beginning, end) in ends.items():
            if names[place.topic] in read:
                position = done[group.name][place]
                lanes[names[place.topic]] += lag(position.offset if position else None, beginning, end)
                past += position.offset if position else 0
        late = {name: count for name, count in sorted(lanes.items()) if count}
        groups.append(
            GroupSeen(group.name, sum(late.values()), past, late, tuple(topic.name for topic in group.topics))
        )
    return Seen({names[name]: len(places) for name, places in there.items()}, tuple(groups))


def lag(offset: int | None, beginning: int, end: int) -> int:
    """Offsets not done yet. A position behind the end is of an older topic of this name, and means nothing (P9)."""
    if offset is None or offset > end:
        return end - beginning
    return end - max(offset, beginning)


def _topic(topic: Topic, seen: Seen | None) -> TopicSeen:
    known = None if seen is None else seen.partitions.get(topic.name, 0)
    keeps = "the newest of each key" if topic.compacted else f"{topic.retention_ms // DAY_MS} d"
    return TopicSeen(topic.name, known, keeps, topic.writers, topic.readers)


def _tables(topics: list[TopicSeen], groups: tuple[GroupSeen, ...]) -> None:
    rows = [(one.name, _count(one.partitions), one.keeps, ", ".join(one.readers)) for one in topics]
    table(("topic", "partitions", "keeps", "read by"), rows)
    if groups:
        print()
        table(("consumer group", "behind", "reads"), [(one.name, one.behind, ", ".join(one.topics)) for one in groups])


def _count(partitions: int | None) -> object:
    return {None: "-", 0: "missing"}.get(partitions, partitions)
