"""The fates of what stands in Kafka: read, finished, committed, read again, or found to be another topic's."""

import asyncio
from collections.abc import Callable

from contracts.identity import milliseconds
from contracts.status import Lane
from contracts.topics import REQUESTED, SCHEDULED
from kit.bus.consumer import Consumer
from kit.bus.membership import REBALANCE_MS
from kit.bus.record import Received, reached
from kit.clock import monotonic
from kit.settings import KafkaSettings
from tests.kit.bus.support import (
    IDS,
    Heard,
    commits,
    crash,
    finished,
    ids_of,
    joined,
    make,
    poll_until,
    read,
    say,
    until_true,
)
from tests.waiting import eventually

TOPIC = SCHEDULED


LANES = [[REQUESTED[Lane.URGENT]], [REQUESTED[Lane.NORMAL]], [REQUESTED[Lane.BULK]]]


async def test_all_is_read_once_and_within_a_key_in_order(
    kafka: KafkaSettings, consumer: Callable[..., Consumer]
) -> None:
    """What was said of one notification is read in the order in which it was said."""
    await make(kafka, TOPIC)
    await say(kafka, TOPIC, IDS[:50] + IDS[:50])
    async with joined(consumer()) as reader:
        assert sorted(ids_of(await read(reader, 100), TOPIC)) == sorted(IDS[:50] * 2)
        assert await reader.poll(500, 0.3) == []
        assert reader.ready


async def test_a_crash_repeats_what_was_not_finished(kafka: KafkaSettings, consumer: Callable[..., Consumer]) -> None:
    """Only what was finished is committed; the rest comes again to whoever is next."""
    await make(kafka, TOPIC)
    await say(kafka, TOPIC, IDS[:40])
    first = consumer()
    await first.start()
    records = await read(first, 40)
    done = [record for record in records if record.offset < 3]
    await finished(first, done)
    await crash(first)
    async with joined(consumer()) as second:
        again = await read(second, 40 - len(done))
        assert sorted(ids_of(done + again, TOPIC)) == sorted(IDS[:40])


async def test_p9_a_commit_carries_the_time_of_its_last_record(
    kafka: KafkaSettings, consumer: Callable[..., Consumer]
) -> None:
    """The LogAppendTime in milliseconds is the metadata of every commit."""
    await make(kafka, TOPIC)
    await say(kafka, TOPIC, IDS[:9])
    async with joined(consumer()) as reader:
        records = await read(reader, 9)
        await finished(reader, records)
        told = await commits(kafka, "readers", TOPIC)
    for (_, number), (offset, last) in reached(records).items():
        position = told[number]
        assert position is not None
        assert (position.offset, position.timestamp) == (offset, milliseconds(last))


async def test_what_is_left_to_read_is_known(kafka: KafkaSettings, consumer: Callable[..., Consumer]) -> None:
    """By topic, for the metric that says when more instances are needed."""
    await make(kafka, TOPIC)
    await say(kafka, TOPIC, IDS[:40])
    async with joined(consumer()) as reader:
        some = await read(reader, 10, limit=10)
        reader.pause([TOPIC])
        assert sum(reader.lag().values()) <= 40 - len(some)
        reader.resume([TOPIC])
        await read(reader, 40 - len(some))
        assert reader.lag() == {TOPIC.name: 0}


async def test_what_comes_while_nothing_is_read_is_known_too(
    kafka: KafkaSettings, consumer: Callable[..., Consumer]
) -> None:
    """Of a lane that is held, and of one whose reader has its hands full."""
    await make(kafka, TOPIC)
    await say(kafka, TOPIC, IDS[:10])
    async with joined(consumer()) as reader:
        await read(reader, 10)
        reader.pause([TOPIC])
        await say(kafka, TOPIC, IDS[10:50])

        async def known() -> bool:
            await reader.look_ahead()  # a look has one second, and there is one every five
            return reader.lag() == {TOPIC.name: 40}

        await until_true(known)


async def test_the_last_committed_record_is_not_read_twice(
    kafka: KafkaSettings, consumer: Callable[..., Consumer]
) -> None:
    """It is looked at when a group comes back, and dropped."""
    await make(kafka, TOPIC)
    await say(kafka, TOPIC, IDS[:20])
    heard = Heard()
    async with joined(consumer()) as first:
        await finished(first, await read(first, 20))
    await say(kafka, TOPIC, IDS[20:30])
    async with joined(consumer(on_anew=heard)) as second:
        assert sorted(ids_of(await read(second, 10), TOPIC)) == sorted(IDS[20:30])
        assert await second.poll(500, 0.3) == []
    assert heard.topics == []


async def test_a_batch_that_was_not_done_comes_again(kafka: KafkaSettings, consumer: Callable[..., Consumer]) -> None:
    """Rewound records are read again, from their first offset in each partition."""
    await make(kafka, TOPIC)
    await say(kafka, TOPIC, IDS[:30])
    async with joined(consumer()) as reader:
        once = await read(reader, 30)
        reader.rewind(once[5:])
        assert set(once[5:]) <= set(await read(reader, 25))
        assert await reader.poll(500, 0.3) == []


async def test_urgent_comes_first_and_the_others_do_not_wait_for_it(kafka: KafkaSettings) -> None:
    """The most urgent lane that has something is served; when none is urgent, the next one is, at once."""
    urgent, normal, bulk = (lane[0] for lane in LANES)
    await make(kafka, urgent, normal, bulk)
    for topic in (bulk, normal, urgent):
        await say(kafka, topic, IDS[:30])
    async with joined(Consumer(kafka, "lanes", LANES)) as reader:
        reader.pause([urgent, normal, bulk])
        await poll_until(reader, lambda: reader.ready)
        reader.resume([urgent, normal, bulk])
        client = reader._membership.kafka
        assert client is not None
        await eventually(lambda: len(client._fetcher._records) == 9, 60)
        order = [record.topic for record in await read(reader, 90, limit=10)]
    assert order == sorted(order, key=[urgent.name, normal.name, bulk.name].index)


async def test_each_lane_has_its_own_limit(kafka: KafkaSettings) -> None:
    """Urgent batches are kept small, so that the next urgent one waits for little."""
    urgent, _, bulk = (lane[0] for lane in LANES)
    await make(kafka, *(lane[0] for lane in LANES))
    await say(kafka, urgent, IDS[:30])
    await say(kafka, bulk, IDS[:30])
    async with joined(Consumer(kafka, "lanes", LANES)) as reader:
        sizes: dict[str, set[int]] = {urgent.name: set(), bulk.name: set()}
        left = 60
        while left:
            records = await reader.poll((5, 50, 20), 0.2)
            left -= len(records)
            if records:
                sizes[records[0].topic].add(len(records))
    assert max(sizes[urgent.name]) <= 5
    assert 5 < max(sizes[bulk.name]) <= 20


async def test_a_pause_survives_a_rebalance(kafka: KafkaSettings) -> None:
    """Held topics stay held when partitions move, while polling goes on; resumed, they are read from their place."""
    _, normal, bulk = (lane[0] for lane in LANES)
    await make(kafka, *(lane[0] for lane in LANES))
    async with joined(Consumer(kafka, "lanes", LANES)) as reader:
        await poll_until(reader, lambda: reader.ready)
        reader.pause([bulk])
        before = reader.generation
        async with joined(Consumer(kafka, "lanes", LANES)) as other:
            await poll_until(reader, lambda: reader.generation > before and bool(other.assigned))
        got = await poll_until(reader, lambda: len(reader.assigned) == 9 and reader.ready)
        await say(kafka, bulk, IDS[:10])
        await say(kafka, normal, IDS[:10])
        got += await read(reader, 10)
        assert {record.topic for record in got} == {normal.name}
        reader.resume([bulk])
        assert {record.topic for record in await read(reader, 10)} == {bulk.name}


async def test_two_members_share_and_hand_over(kafka: KafkaSettings, consumer: Callable[..., Consumer]) -> None:
    """Each partition is one member's; when a member goes, the other goes on where it stopped."""
    await make(kafka, TOPIC)
    async with joined(consumer()) as one:
        await poll_until(one, lambda: len(one.assigned) == 3)
        two = consumer()
        await two.start()
        while not (one.ready and two.ready and len(one.assigned) + len(two.assigned) == 3):
            await one.poll(1, 0.05)
            await two.poll(1, 0.05)
        assert not one.assigned & two.assigned
        await say(kafka, TOPIC, IDS[:60])
        got: list[Received] = []
        while len(got) < 60:
            for member in (one, two):
                records = await member.poll(5, 0.05)
                await finished(member, records)
                got += records
        await two.stop()
        await poll_until(one, lambda: len(one.assigned) == 3 and one.ready)
        await say(kafka, TOPIC, IDS[60:80])
        got += await read(one, 20)
    assert sorted(ids_of(got, TOPIC)) == sorted(IDS[:80])


async def test_a_static_member_that_restarts_disturbs_nobody(
    kafka: KafkaSettings, consumer: Callable[..., Consumer]
) -> None:
    """It comes back under its name, to its partitions, without a rebalance."""
    await make(kafka, TOPIC)
    async with joined(consumer(instance="one")) as one:
        two = consumer(instance="two")
        await two.start()
        while not (one.ready and two.ready and len(one.assigned) + len(two.assigned) == 3):
            await one.poll(1, 0.05)
            await two.poll(1, 0.05)
        generation, partitions = one.generation, two.assigned
        await two.stop()
        async with joined(consumer(instance="two")) as again:
            await poll_until(again, lambda: again.ready)
            await one.poll(1, 0.5)
            assert again.assigned == partitions
            assert one.generation == generation


async def test_work_under_way_is_finished_and_committed_at_a_rebalance(
    kafka: KafkaSettings, consumer: Callable[..., Consumer]
) -> None:
    """`on_revoked` runs while the partitions are still ours."""
    await make(kafka, TOPIC)
    await say(kafka, TOPIC, IDS[:30])
    reader = consumer()

    async def finish() -> None:
        await reader.commit(reached(records))

    async with joined(reader):
        records = await read(reader, 30)
        reader.on_revoked = finish
        generation = reader.generation
        async with joined(consumer()) as other:
            await poll_until(reader, lambda: reader.generation > generation)
            told = await commits(kafka, "readers", TOPIC)
            assert sum(position.offset for position in told.values() if position) == 30
            assert await other.poll(500, 0.3) == []


async def test_records_of_an_older_generation_are_never_committed(
    kafka: KafkaSettings, consumer: Callable[..., Consumer]
) -> None:
    """What was read before a rebalance and finished after it is not ours any more: it is done again."""
    await make(kafka, TOPIC)
    await say(kafka, TOPIC, IDS[:30])
    async with joined(consumer()) as reader:
        records = await read(reader, 30)
        generation = reader.generation
        async with joined(consumer()):
            await poll_until(reader, lambda: reader.generation > generation and bool(reader.assigned))
            for place, position in reached(records).items():
                await reader.commit({place: position})
            assert set((await commits(kafka, "readers", TOPIC)).values()) == {None}


async def test_a_dead_connection_is_made_anew(kafka: KafkaSettings, consumer: Callable[..., Consumer]) -> None:
    """The client may die inside without saying so: silence, while Kafka talks to others, is how we know."""
    await make(kafka, TOPIC)
    async with joined(consumer(patience=0.5)) as reader:
        await poll_until(reader, lambda: reader.ready)
        assert reader._membership.kafka is not None
        reader._membership.kafka._fetcher._fetch_task.cancel()
        await say(kafka, TOPIC, IDS[:5])
        assert set(ids_of(await read(reader, 5), TOPIC)) == set(IDS[:5])


async def test_a_stop_amid_a_rebalance_is_bounded(kafka: KafkaSettings, consumer: Callable[..., Consumer]) -> None:
    """A partner that does not rejoin keeps nobody from leaving, and no task is left behind."""
    await make(kafka, TOPIC)
    others = asyncio.all_tasks()
    slow, quick = consumer(), consumer()

    async def never() -> None:
        await asyncio.Event().wait()

    slow.on_revoked = never
    await slow.start()
    await poll_until(slow, lambda: slow.ready)
    await quick.start()  # its join waits for the slow one
    begun = monotonic()
    await quick.stop()
    assert monotonic() - begun < REBALANCE_MS / 1000, "it does not wait for the group"
    await slow.stop()
    assert {task for task in asyncio.all_tasks() if not task.done()} <= others
