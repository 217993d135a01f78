"""The fates of what is published: acknowledged, refused, or perhaps written."""

import asyncio
import logging
from uuid import uuid4

import pytest
from aiokafka.errors import MessageSizeTooLargeError
from aiokafka.partitioner import DefaultPartitioner
from hypothesis import given
from hypothesis import strategies as st

from contracts.events import Failed, Setting, TakeBack
from contracts.topics import FAILED, MESSAGE_BYTES, SCHEDULED, SETTINGS
from kit.bus.consumer import Consumer
from kit.bus.partitioner import partition_of
from kit.bus.publisher import Publisher, PublishFailed
from kit.bus.record import Outgoing, instant
from kit.settings import KafkaSettings
from tests.contracts.golden import golden
from tests.kit.bus.support import IDS, delete, ids_of, joined, make, publisher, read
from tests.waiting import PATIENCE

NOBODY = KafkaSettings(bootstrap_servers="127.0.0.1:1")


def take_back(number: int) -> Outgoing:
    return Outgoing.of(TakeBack(id=IDS[number], round=1))


def setting(size: int, name: str = "large") -> Outgoing:
    return Outgoing.of(Setting(what="template", id=name, value={"text": "x" * size}))


@given(st.binary(max_size=300), st.integers(1, 100))
def test_a_key_belongs_to_kafkas_own_partition(key: bytes, count: int) -> None:
    """Other producers, in any language, find the same one."""
    assert partition_of(key, count) == DefaultPartitioner()(key, list(range(count)), [])


@pytest.mark.parametrize(
    ("key", "hashed"),
    [(b"21", -973932308), (b"foobar", -790332482), (b"a-little-bit-long-string", -985981536), (b"abc", 479470107)],
)
def test_the_hash_is_that_of_the_java_client(key: bytes, hashed: int) -> None:
    """Values from Kafka's own UtilsTest (testMurmur2)."""
    assert partition_of(key, 1 << 31) == hashed & 0x7FFFFFFF


@pytest.mark.parametrize("count", [1, 3, 100], ids=["one", "a few", "many"])
async def test_published_when_it_returns(kafka: KafkaSettings, count: int) -> None:
    """Everything is in Kafka, with our headers, in the partition of its key."""
    await make(kafka, SCHEDULED)
    async with publisher(kafka) as out, joined(Consumer(kafka, "readers", [[SCHEDULED]])) as reader:
        await out.publish([take_back(number) for number in range(count)])
        assert out.ready
        records = await read(reader, count)
        assert sorted(ids_of(records, SCHEDULED)) == sorted(IDS[:count])
        for record in records:
            assert record.key is not None
            assert record.partition == partition_of(record.key, kafka.partitions)
            assert dict(record.headers)["ce_type"] == b"tocsin.take_back"
            assert dict(record.headers)["ce_source"] == b"/tocsin/intake"


async def test_published_by_many_at_once(kafka: KafkaSettings) -> None:
    """Hundreds of callers, each with little and some with much: all of it is acknowledged."""
    await make(kafka, SCHEDULED)
    async with publisher(kafka, deadline=PATIENCE) as out, joined(Consumer(kafka, "readers", [[SCHEDULED]])) as reader:
        await asyncio.gather(
            *(out.publish([take_back(number % 100)]) for number in range(600)),
            *(out.publish([take_back(number) for number in range(100)]) for _ in range(10)),
        )
        assert len(await read(reader, 1600)) == 1600


async def test_p9_a_projection_is_published_again_with_the_time_it_was_first(kafka: KafkaSettings) -> None:
    """`as_of` comes before the LogAppendTime; without it, that is the time."""
    await make(kafka, SETTINGS)
    then = instant(1_700_000_000_123)
    async with publisher(kafka) as out, joined(Consumer(kafka, "readers", [[SETTINGS]])) as reader:
        await out.publish([Outgoing(SETTINGS, setting(1, "again").event, as_of=then), setting(1, "new")])
        records = await read(reader, 2)
        assert {record.as_of for record in records} == {then, records[-1].timestamp}


@pytest.mark.parametrize("others", [2, 50], ids=["among a few", "among many"])
async def test_too_large_is_refused_alone(kafka: KafkaSettings, others: int) -> None:
    """Kafka refuses the one record; every other, of the same partition too, is written."""
    await make(kafka, SETTINGS)
    small = [setting(100, f"small{number}") for number in range(others)]
    large = setting(MESSAGE_BYTES + 1)
    async with publisher(kafka) as out, joined(Consumer(kafka, "readers", [[SETTINGS]])) as reader:
        with pytest.raises(PublishFailed) as caught:
            await out.publish([*small[: others // 2], large, *small[others // 2 :]])
        assert caught.value.failed == caught.value.refused
        [(refused, error)] = caught.value.failed
        assert refused == large
        assert isinstance(error, MessageSizeTooLargeError)
        assert len(await read(reader, others)) == others
        assert out.ready


async def test_failed_takes_twice_the_size(kafka: KafkaSettings) -> None:
    """What was too large elsewhere has room there, base64 and all."""
    await make(kafka, FAILED)
    event = setting(int(1.5 * MESSAGE_BYTES)).event
    async with publisher(kafka) as out, joined(Consumer(kafka, "readers", [[FAILED]])) as reader:
        await out.publish([Outgoing(FAILED, event)])
        [record] = await read(reader, 1)
        assert len(record.value or b"") > 1.5 * MESSAGE_BYTES
        with pytest.raises(PublishFailed):
            await out.publish([Outgoing(FAILED, setting(int(2.1 * MESSAGE_BYTES)).event)])


async def test_what_cannot_be_written_down_is_refused_alone(kafka: KafkaSettings) -> None:
    """A lone surrogate has no UTF-8."""
    await make(kafka, SETTINGS)
    broken = Outgoing.of(Setting(what="template", id="broken", value={"text": "\ud800"}))
    async with publisher(kafka) as out, joined(Consumer(kafka, "readers", [[SETTINGS]])) as reader:
        with pytest.raises(PublishFailed) as caught:
            await out.publish([broken, setting(1)])
        assert [failed for failed, _ in caught.value.refused] == [broken]
        assert len(await read(reader, 1)) == 1


async def test_one_missing_topic_keeps_nothing_else_from_being_written(kafka: KafkaSettings) -> None:
    """It is perhaps written, as far as we know; the others are."""
    await make(kafka, SETTINGS, SCHEDULED)
    async with publisher(kafka) as out, joined(Consumer(kafka, "readers", [[SETTINGS]])) as reader:
        await out.publish([take_back(0), setting(0)])
        await delete(kafka, SCHEDULED)
        out._deadline = 3.0
        with pytest.raises(PublishFailed) as caught:
            await out.publish([take_back(1), setting(1)])
        assert [failed for failed, _ in caught.value.failed] == [take_back(1)]
        assert caught.value.refused == []
        assert len(await read(reader, 2)) == 2


async def test_kafka_away_costs_an_error_within_the_deadline() -> None:
    """Nothing waits for ever."""
    out = Publisher(NOBODY, "intake", deadline=0.5)
    await out.start()
    with pytest.raises(PublishFailed) as caught:
        async with asyncio.timeout(20):
            await out.publish([take_back(0), take_back(1)])
    assert len(caught.value.failed) == 2
    assert not out.ready
    await out.stop()


async def test_nothing_to_say_is_said_at_once() -> None:
    """An empty publishing needs no Kafka."""
    await Publisher(NOBODY, "intake").publish([])


def test_an_event_finds_its_topic() -> None:
    """`Outgoing.of` sends it where such events belong."""
    assert Outgoing.of(TakeBack(id=uuid4(), round=1)).topic is SCHEDULED


async def test_only_what_kafka_has_is_told_as_a_fact(kafka: KafkaSettings, caplog: pytest.LogCaptureFixture) -> None:
    """One too large for its topic is none; its neighbour is."""
    await make(kafka, SCHEDULED, FAILED)
    caplog.set_level(logging.INFO, "tocsin.facts")
    endless = golden("tocsin.failed")[0].read(detail="x" * (FAILED.max_message_bytes + 1))
    assert isinstance(endless, Failed)
    async with publisher(kafka) as out:
        with pytest.raises(PublishFailed):
            await out.publish([take_back(0), Outgoing.of(endless)])
    facts = [record.getMessage() for record in caplog.records if record.name == "tocsin.facts"]
    assert facts == [f"take_back {IDS[0]}"]
