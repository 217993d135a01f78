"""Does Kafka answer, has it our topics with their partitions, do their readers come along, has anybody sent poison?"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError

from cli.doctor.finding import Finding, note, skipped, trouble, well
from cli.kafka_said import KafkaSaid, kafka_said
from cli.topics import Seen, look, look_patiently
from contracts.events import Poison
from contracts.topics import ALL, FAILED
from kit.bus.admin import DEADLINE
from kit.bus.closing import close_consumer
from kit.bus.reaching import reaching
from kit.bus.record import Received
from kit.settings import KafkaSettings, Settings

CHECKS: Final = ("kafka", "topics", "partitions", "lag", "poison")
SECONDS: Final = 20.0
STANDS_STILL: Final = 2.0
"""Seconds in which who is behind and alive has done something."""
LATELY: Final = timedelta(hours=1)
MOST_READ: Final = 2000
"""Records of the failed ones, per partition, that are looked through."""
READ_SECONDS: Final = 5.0


async def kafka(settings: Settings, now: datetime) -> list[Finding]:
    """All of it; without Kafka, only that."""
    with kafka_said() as said:
        return await _kafka(settings, said, now)


async def _kafka(settings: Settings, said: KafkaSaid, now: datetime) -> list[Finding]:
    told = settings.kafka
    try:
        seen = await look_patiently(told)
    except (KafkaError, OSError, TimeoutError) as error:
        away = said.trouble(settings, error)
        return [
            trouble("kafka", away.what, away.remedy),
            *(skipped(check, "Kafka does not answer") for check in CHECKS[1:]),
        ]
    topics = [
        well("kafka", f"answers at {told.bootstrap_servers}"),
        *_missing(seen),
        *_partitions(seen, told),
    ]
    return [*topics, *await asyncio.gather(_lag(seen, told), _poison(seen, told, now))]


def _missing(seen: Seen) -> Iterator[Finding]:
    missing = [topic.name for topic in ALL if topic.name not in seen.partitions]
    if not missing:
        yield well("topics", f"all {len(ALL)} are there")
        return
    some = f"{', '.join(missing[:3])}{f' and {len(missing) - 3} more' if len(missing) > 3 else ''}"
    yield trouble(
        "topics",
        f"missing: {some}",
        "services make them at their start and every two seconds: look whether one runs, and whether it may (its log: "
        "topics_refused; replication must not exceed the number of brokers)",
    )


def _partitions(seen: Seen, told: KafkaSettings) -> Iterator[Finding]:
    """A topic is made with as many as the setting says; later, only somebody's hand changes that."""
    there = {topic.name: seen.partitions[topic.name] for topic in ALL if topic.busy and topic.name in seen.partitions}
    few = sorted(name for name, count in there.items() if count < told.partitions)
    many = sorted(name for name, count in there.items() if count > told.partitions)
    if few:
        yield trouble(
            "partitions",
            f"{_counted(few, there)} instead of {told.partitions} (KAFKA_PARTITIONS): fewer can share the work",
            f"add some (kafka-topics.sh --alter --topic NAME --partitions {told.partitions}), or lower the setting",
        )
    elif many:
        yield note(
            "partitions",
            f"{_counted(many, there)}, more than KAFKA_PARTITIONS ({told.partitions}) says",
            "set KAFKA_PARTITIONS to that, so that a topic that is made anew is made alike",
        )
    else:
        yield (
            well("partitions", f"{told.partitions} for each busy topic")
            if there
            else skipped("partitions", "no topics")
        )


def _counted(names: list[str], there: Mapping[str, int]) -> str:
    more = f" (and {len(names) - 1} more)" if len(names) > 1 else ""
    return f"{names[0]}{more} has {there[names[0]]} partitions"


async def _lag(seen: Seen, told: KafkaSettings) -> Finding:
    """Who is behind and does nothing is the news; who is behind and works will come along."""
    behind = {group.name: group for group in seen.groups if group.behind}
    if not behind:
        return well("lag", "every reader has read everything")
    await asyncio.sleep(STANDS_STILL)
    later = {group.name: group for group in (await look(told)).groups}
    still = [name for name, group in behind.items() if later[name].behind and later[name].done == group.done]
    if still:
        name = still[0]
        return trouble(
            "lag",
            f"{', '.join(still)}: stands still, {later[name].behind:,} records behind",
            f"look whether {name.partition('.')[0]} runs and is ready (`tocsin status`), whether a provider or channel "
            "is paused or sick (`tocsin providers list`), and into its log",
        )
    most = max(behind.values(), key=lambda group: group.behind)
    return well("lag", f"{most.name} is at most {most.behind:,} records behind, and reads on")


async def _poison(seen: Seen, told: KafkaSettings, now: datetime) -> Finding:
    """What nobody could read lately stands in the topic of what failed, with its bytes."""
    places = [TopicPartition(told.topic_prefix + FAILED.name, n) for n in range(seen.partitions.get(FAILED.name, 0))]
    if not places:
        return skipped("poison", "there is no topic for what failed")
    try:
        by_topic = await _poison_since(told, places, now - LATELY)
    except TopicAuthorizationFailedError:
        return skipped("poison", f"{told.sasl_username or 'who asks'} may not read {FAILED.name}")
    if not by_topic:
        return well("poison", "none in the last hour")
    topic, count = by_topic.most_common(1)[0]
    return trouble(
        "poison",
        f"{sum(by_topic.values())} records of the last hour could be read by nobody, {count} of them on {topic}",
        f"find who writes to {topic}: what is wrong with them, and their bytes, is on {FAILED.name}",
    )


async def _poison_since(told: KafkaSettings, places: list[TopicPartition], since: datetime) -> Counter[str]:
    reader = AIOKafkaConsumer(**reaching(told), client_id="tocsin", enable_auto_commit=False)
    found: Counter[str] = Counter()
    try:
        async with asyncio.timeout(DEADLINE):
            await reader.start()
            reader.assign(places)
            ends = await reader.end_offsets(places)
            begins = await reader.offsets_for_times(dict.fromkeys(places, int(since.timestamp() * 1000)))
        left = {place for place, begin in begins.items() if begin is not None and begin.offset < ends[place]}
        for place in places:
            begin = begins[place].offset if place in left else ends[place]
            reader.seek(place, max(begin, ends[place] - MOST_READ))
        async with asyncio.timeout(READ_SECONDS):
            while left:
                for place, records in (await reader.getmany(*left, timeout_ms=200)).items():
                    found.update(topic for record in records if (topic := _poisoned(record)))
                    if records and records[-1].offset + 1 >= ends[place]:
                        left.discard(place)
    except TimeoutError:
        pass  # what was found until now is told
    finally:
        await close_consumer(reader)
    return found


def _poisoned(record: object) -> str | None:
    """The topic of the record that this one reports, if it is a report."""
    try:
        event = Received.of(FAILED.name, record).event(FAILED)
    except Exception:  # a report that nobody can read is counted by nobody
        return None
    return event.topic if isinstance(event, Poison) else None
