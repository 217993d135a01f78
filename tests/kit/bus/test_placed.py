"""P9: where a reader begins, whatever became of the topic: read on, or read anew as another topic's."""

from collections.abc import Callable

import pytest

from contracts.topics import SCHEDULED
from kit.bus.consumer import Consumer
from kit.bus.placement import Start
from kit.bus.record import reached
from kit.settings import KafkaSettings
from tests.kit.bus.support import (
    IDS,
    Heard,
    commits,
    cut,
    delete,
    finished,
    ids_of,
    joined,
    make,
    poll_until,
    read,
    say,
    set_commits,
)

TOPIC = SCHEDULED


@pytest.mark.parametrize("count", [3, 60], ids=["fewer records", "more records"])
async def test_p9_a_topic_made_anew_while_we_were_away_is_read_from_its_beginning(
    kafka: KafkaSettings, consumer: Callable[..., Consumer], count: int
) -> None:
    """Offsets of a topic that is gone, which survived it, hide nothing of its successor."""
    await make(kafka, TOPIC)
    await say(kafka, TOPIC, IDS[:40])
    async with joined(consumer()) as first:
        await finished(first, await read(first, 40))
    survived = await commits(kafka, "readers", TOPIC)
    await delete(kafka, TOPIC)
    await make(kafka, TOPIC)
    await say(kafka, TOPIC, IDS[40 : 40 + count])
    await set_commits(
        kafka, "readers", TOPIC, {n: (at.offset, str(at.timestamp)) for n, at in survived.items() if at is not None}
    )
    heard = Heard()
    async with joined(consumer(on_anew=heard)) as second:
        assert sorted(ids_of(await read(second, count), TOPIC)) == sorted(IDS[40 : 40 + count])
        assert await second.poll(500, 0.3) == []
    assert heard.topics
    assert all(topics == {TOPIC.name} for topics in heard.topics)


@pytest.mark.parametrize("count", [3, 60], ids=["fewer records", "more records"])
async def test_p9_a_topic_made_anew_while_we_run_is_read_from_its_beginning(
    kafka: KafkaSettings, consumer: Callable[..., Consumer], count: int
) -> None:
    """Kafka forgets the offsets of a topic it deletes; we remember that there were some."""
    await make(kafka, TOPIC)
    await say(kafka, TOPIC, IDS[:40])
    heard = Heard()
    async with joined(consumer(on_anew=heard)) as reader:
        await finished(reader, await read(reader, 40))
        await delete(kafka, TOPIC)
        await poll_until(reader, lambda: not reader.assigned)
        await make(kafka, TOPIC)
        await say(kafka, TOPIC, IDS[40 : 40 + count])
        assert sorted(ids_of(await read(reader, count), TOPIC)) == sorted(IDS[40 : 40 + count])
        assert await reader.poll(500, 0.3) == []
    assert heard.topics == [{TOPIC.name}]


async def test_p9_an_offset_out_of_range_is_another_topic(
    kafka: KafkaSettings, consumer: Callable[..., Consumer]
) -> None:
    """So quick that the group noticed nothing: the new topic is shorter than what we had read of the old one."""
    await make(kafka, TOPIC)
    await say(kafka, TOPIC, IDS[:6])
    heard = Heard()
    async with joined(consumer(on_anew=heard)) as reader:
        await read(reader, 6)
        held, client = reader._membership.held, reader._membership.kafka
        assert held is not None
        assert client is not None
        for place in held.partitions:
            held.begin(place, Start(1000))
            client.seek(place, 1000)
        assert set(ids_of(await read(reader, 6), TOPIC)) == set(IDS[:6])
    assert {TOPIC.name} in heard.topics


async def test_p9_nothing_of_a_new_topic_is_given_out_before_it_was_heard_of(
    kafka: KafkaSettings, consumer: Callable[..., Consumer]
) -> None:
    """Whoever must store that a topic is new does so first, and is asked again until it could."""
    await make(kafka, TOPIC)
    await say(kafka, TOPIC, IDS[:6])
    await set_commits(kafka, "readers", TOPIC, dict.fromkeys(range(3), (99, "1700000000000")))
    heard = Heard(failures=2)
    async with joined(consumer(on_anew=heard)) as reader:
        early = await poll_until(reader, lambda: heard.failures == 0)
        assert early == []
        assert set(ids_of(await read(reader, 6), TOPIC)) == set(IDS[:6])
    assert heard.topics


async def test_p9_retention_leaves_a_hole_and_no_new_topic(
    kafka: KafkaSettings, consumer: Callable[..., Consumer]
) -> None:
    """What was kept no longer is passed over; we go on from what comes."""
    await make(kafka, TOPIC)
    await say(kafka, TOPIC, IDS[:40])
    heard = Heard()
    async with joined(consumer()) as first:
        done = await read(first, 40)
        await finished(first, done)
    await say(kafka, TOPIC, IDS[40:80])
    beyond = {number: offset + 2 for (_, number), (offset, _) in reached(done).items()}
    await cut(kafka, TOPIC, beyond)
    async with joined(consumer(on_anew=heard)) as second:
        records = await read(second, 40 - 2 * len(beyond))
        assert all(record.offset >= beyond[record.partition] for record in records)
    assert heard.topics == []


async def test_p9_an_offset_set_by_an_operator_is_taken_at_its_word(
    kafka: KafkaSettings, consumer: Callable[..., Consumer]
) -> None:
    """Kafka's own tools write no metadata."""
    await make(kafka, TOPIC)
    await say(kafka, TOPIC, IDS[:40])
    await set_commits(kafka, "readers", TOPIC, dict.fromkeys(range(3), (4, "")))
    async with joined(consumer()) as reader:
        records = await read(reader, 40 - 3 * 4)
        assert {record.offset for record in records if record.offset < 4} == set()


async def test_a_topic_that_nobody_read_yet_is_known_as_such(
    kafka: KafkaSettings, consumer: Callable[..., Consumer]
) -> None:
    """`unread` names the topics of which the group never committed anything; that is no news for `on_anew`."""
    await make(kafka, TOPIC)
    await say(kafka, TOPIC, IDS[:3])
    heard = Heard()
    async with joined(consumer(on_anew=heard)) as first:
        await finished(first, await read(first, 3))
        assert first.unread == {TOPIC.name}
    async with joined(consumer(on_anew=heard)) as second:
        await poll_until(second, lambda: second.ready)
        assert second.unread == set()
    assert heard.topics == []
