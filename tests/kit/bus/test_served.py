"""P3.9: how far a group has come, as a time."""

from datetime import datetime
from functools import partial

from contracts.identity import milliseconds
from contracts.topics import SCHEDULED, SETTINGS
from kit.bus.consumer import Consumer
from kit.bus.record import EPOCH, reached
from kit.bus.served import served, served_by_topic
from kit.clock import utc_now
from kit.settings import KafkaSettings
from tests.kit.bus.support import IDS, delete, joined, make, read, say, say_in_a_transaction, set_commits, until_true

TOPIC = SCHEDULED


async def known(kafka: KafkaSettings) -> datetime:
    """How far the readers are, of whom something is served: nothing is known only while Kafka is busy."""
    found: list[datetime] = []

    async def asked() -> bool:
        if time := await served(kafka, "readers", [TOPIC]):
            found.append(time)
        return bool(found)

    await until_true(asked)
    return found[-1]


async def test_p3_9_served_up_to_now_where_nothing_is_left(kafka: KafkaSettings) -> None:
    """An empty topic, and one of which all is done."""
    await make(kafka, TOPIC)
    before = utc_now()
    assert (await served(kafka, "readers", [TOPIC]) or before) >= before
    await say(kafka, TOPIC, IDS[:20])
    async with joined(Consumer(kafka, "readers", [[TOPIC]])) as reader:
        await reader.commit(reached(await read(reader, 20)))
        before = utc_now()
        time = await known(kafka)
    assert before <= time <= utc_now()


async def test_p3_9_served_up_to_the_commit_of_the_partition_that_is_furthest_behind(kafka: KafkaSettings) -> None:
    """The minimum over the partitions of the LogAppendTime in the group's commit."""
    await make(kafka, TOPIC)
    await say(kafka, TOPIC, IDS[:30])
    async with joined(Consumer(kafka, "readers", [[TOPIC]])) as reader:
        done = reached(await read(reader, 30))
        await reader.commit(done)
        await say(kafka, TOPIC, IDS[:30])
        assert await known(kafka) == min(last for _, last in done.values())


async def test_p3_9_nothing_is_served_where_nothing_was_ever_done(kafka: KafkaSettings) -> None:
    """Records, and no commit; and one such topic decides over several."""
    await make(kafka, TOPIC, SETTINGS)
    await say(kafka, TOPIC, IDS[:3])
    assert await served(kafka, "readers", [TOPIC]) is None
    assert await served(kafka, "readers", [SETTINGS, TOPIC]) is None
    by_topic: dict[str, datetime | None] = {}

    async def other_is_known() -> bool:
        by_topic.update(await served_by_topic(kafka, "readers", [SETTINGS, TOPIC]))
        return by_topic[SETTINGS.name] is not None

    await until_true(other_is_known)
    assert by_topic[TOPIC.name] is None


async def test_p3_9_offsets_of_a_lost_topic_serve_nothing_of_its_successor(kafka: KafkaSettings) -> None:
    """They stand behind the end. Where the successor is empty nothing is left to do, and the sweep may act."""
    await make(kafka, TOPIC)
    await set_commits(kafka, "readers", TOPIC, dict.fromkeys(range(3), (100, "1700000000000")))
    before = utc_now()
    assert await known(kafka) >= before
    await say(kafka, TOPIC, IDS[:30])
    assert await served(kafka, "readers", [TOPIC]) is None


async def test_p3_9_nobody_knows_while_kafka_or_the_topic_is_away(kafka: KafkaSettings) -> None:
    """Not known is not served."""
    await make(kafka, TOPIC)
    await delete(kafka, TOPIC)
    assert await served(kafka, "readers", [TOPIC]) is None
    assert await served(KafkaSettings(bootstrap_servers="127.0.0.1:1"), "readers", [TOPIC]) is None


async def test_p3_9_served_up_to_now_behind_the_mark_of_a_transaction(kafka: KafkaSettings) -> None:
    """It is the last offset, and no record: who reads on commits past it. So does who comes back."""
    await make(kafka, TOPIC)
    await say(kafka, TOPIC, IDS[:20])
    await say_in_a_transaction(kafka, TOPIC)
    async with joined(Consumer(kafka, "readers", [[TOPIC]])) as reader:
        done = reached(await read(reader, 21))
        await reader.commit(done)
        await until_true(partial(up_to_now, reader, kafka, utc_now()))
    before_the_mark = {n: (at, str(milliseconds(last))) for (_, n), (at, last) in done.items()}
    await set_commits(kafka, "readers", TOPIC, before_the_mark)
    async with joined(Consumer(kafka, "readers", [[TOPIC]])) as reader:
        await until_true(partial(up_to_now, reader, kafka, utc_now()))


async def up_to_now(reader: Consumer, kafka: KafkaSettings, since: datetime) -> bool:
    """Whether who reads on, and commits, is served up to now. The mark is written a moment after its records."""
    await reader.poll(500, 0.1)
    await reader.commit()
    return (await served(kafka, "readers", [TOPIC]) or EPOCH) >= since
