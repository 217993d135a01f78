"""P7: the one record that nobody can read or judge is reported, and stops nobody."""

import asyncio
import json
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer

from contracts.events import Content, Due, Event, Failed, Poison, Requested, Setting, TakeBack, Unacceptable
from contracts.status import Channel, Lane, Status
from contracts.topics import DUE, FAILED, MESSAGE_BYTES, SCHEDULED, SETTINGS
from kit.bus.consumer import Consumer
from kit.bus.record import Outgoing
from kit.postgres import Connection, Database
from kit.stage import Message, Stage
from tests.kit.bus.support import IDS, joined, make, publisher
from tests.kit.stage.support import GROUP, TOPIC, Judge, World
from tests.waiting import PATIENCE, eventually


async def test_p7_a_data_error_is_bisected(world: World) -> None:
    """SQLSTATE 22P02: the culprit is poison, all others are judged, in their order."""
    judge = Judge(bad=lambda event: "not a uuid" if event.subject == IDS[17] else None)
    await world.put(IDS[:40])
    async with world.stage(judge):
        await world.committed(40)
    assert sorted(await world.judged()) == sorted({*IDS[:40]} - {IDS[17]})
    [poison] = await world.poison(1)
    assert json.loads(poison.value)["id"] == str(IDS[17])
    assert poison.reported_by == "intake"
    assert len(await world.said(SCHEDULED, 39)) == 39


async def test_p7_any_other_error_that_repeats_three_times_is_bisected(world: World) -> None:
    """While `select 1` answers; a bug that one record wakes must not stop the others."""

    class Bug(Judge):
        async def __call__(self, connection: Connection, batch: Sequence[Message]) -> Sequence[Outgoing]:
            out = await super().__call__(connection, batch)
            if any(message.event.subject == IDS[3] for message in batch):
                raise KeyError("a bug")
            return out

    judge = Bug()
    await world.put(IDS[:8])
    async with world.stage(judge):
        await world.committed(8)
    assert sorted(await world.judged()) == sorted({*IDS[:8]} - {IDS[3]})
    assert len(await world.poison(1)) == 1
    alone = [call for call in judge.calls if [message.event.subject for message in call] == [IDS[3]]]
    assert len(alone) >= 3


async def test_p7_any_other_error_that_does_not_repeat_is_none(world: World) -> None:
    """Two failures and then success: nobody is suspected."""
    judge = Judge(KeyError("once"), RuntimeError("twice"))
    await world.put(IDS[:1])
    async with world.stage(judge):
        await world.committed(1)
    assert await world.judged() == IDS[:1]
    assert len(judge.calls) == 3
    assert world.counted("poison_records_total", topic=TOPIC.name) == 0


class Slow(Judge):
    """Some records make a statement run into the limit."""

    def __init__(self, *slow: UUID) -> None:
        super().__init__()
        self.slow = set(slow)

    async def __call__(self, connection: Connection, batch: Sequence[Message]) -> Sequence[Outgoing]:
        out = await super().__call__(connection, batch)
        if self.slow & {message.event.subject for message in batch}:
            await connection.execute("set local statement_timeout = '50ms'")
            await connection.execute("select pg_sleep(5)")
        return out


@pytest.mark.parametrize("position", [0, 3, 7])
async def test_p7_what_always_times_out_while_others_pass_is_poison(world: World, position: int) -> None:
    """The batch is halved after three times, until the culprit is alone, wherever it stands."""
    await world.put(IDS[:8])
    judge = Slow(IDS[position])
    async with world.stage(judge):
        await world.committed(8)
    assert sorted(await world.judged()) == sorted({*IDS[:8]} - {IDS[position]})
    assert len(await world.poison(1)) == 1


LONG = 0.05


class Thinking(Judge):
    """A rule thinks about some records for so long that the server closes the transaction meanwhile (25P03)."""

    def __init__(self, url: str, *hard: UUID) -> None:
        super().__init__()
        self.url = url
        self.hard = set(hard)

    async def __call__(self, connection: Connection, batch: Sequence[Message]) -> Sequence[Outgoing]:
        out = await super().__call__(connection, batch)
        if self.hard & {message.event.subject for message in batch}:
            await connection.execute(f"set local idle_in_transaction_session_timeout = '{LONG * 1000:.0f}ms'")
            session = await connection.fetchval("select pg_backend_pid()")
            with ThreadPoolExecutor(1) as elsewhere:  # here nothing else runs, as while a rule computes
                elsewhere.submit(asyncio.run, _closed(self.url, session)).result()
            await connection.execute("select 1")
        return out


async def _closed(url: str, session: int) -> None:
    """Returns when the server has ended this session."""
    connection = await asyncpg.connect(url, timeout=PATIENCE)
    deadline = time.monotonic() + PATIENCE
    while await connection.fetchval("select exists (select from pg_stat_activity where pid = $1)", session):
        assert time.monotonic() < deadline, "the server closed nothing"
        await connection.execute("select pg_sleep(0.02)")
    await connection.close()


async def test_p7_what_a_rule_always_thinks_too_long_about_is_poison(world: World) -> None:
    """The others of its batch go through, and it is not kept for ever. Only its own transactions meet the limit:
    on a busy machine those of the others would too."""
    await world.put(IDS[:8])
    await world.database.close()
    none = {"idle_in_transaction_session_timeout": "0"}
    world.database = await Database.open(world.url, "intake", idle_ms=int(LONG * 1000), settings=none)
    judge = Thinking(world.url, IDS[3])
    async with world.stage(judge):
        await world.committed(8)
    assert sorted(await world.judged()) == sorted({*IDS[:8]} - {IDS[3]})
    assert len(await world.poison(1)) == 1
    await world.database.close()


async def test_p7_where_everything_times_out_nothing_is_poison(world: World) -> None:
    """A lock on the whole table, say: the batch is kept until it goes."""
    await world.put(IDS[:4])
    judge = Slow(*IDS[:4])
    async with world.stage(judge) as stage:
        await eventually(lambda: world.counted("stage_failed_batches_total", stage="judge") >= 2, PATIENCE)
        assert not stage.ready
        judge.slow.clear()
        await world.committed(4)
    assert sorted(await world.judged()) == sorted(IDS[:4])
    assert world.counted("poison_records_total", topic=TOPIC.name) == 0


OURS = {"ce_type": b"tocsin.ripe", "ce_subject": str(IDS[0]).encode()}
TEN_KINDS: dict[str, tuple[bytes | None, dict[str, bytes]]] = {
    "no JSON": (b"hello", {}),
    "half of a JSON": (b'{"channel": "ema', {}),
    "no UTF-8": (b'{"channel": "\xff\xfe"}', {}),
    "a list": (b"[1, 2]", {}),
    "nothing": (b"", {}),
    "a lone surrogate in an event of ours": (b'{"id": "\\ud800"}', OURS),
    "NUL in an event of ours": (b'{"id": "%s", "round": 1, "tenant": "\\u0000"}' % str(IDS[0]).encode(), OURS),
    "wrong types in an event of ours": (b'{"id": "%s", "round": "one"}' % str(IDS[0]).encode(), OURS),
    "fields missing in an event of ours": (b"{}", OURS),
    "nested without end": (b'{"a":' + b"[" * 5000, {}),
}


async def test_p7_ten_kinds_of_poison_each_reported_once_while_good_ones_pass(world: World) -> None:
    """With their bytes, under ids that are the same however often they are read."""
    good = b'{"channel": "email", "to": "ada@example.com", "subject": "hi", "body": "hello"}'
    await world.put_raw(TOPIC, (good, {"ce_id": b"first"}), *TEN_KINDS.values(), (good, {"ce_id": b"last"}))
    judge = Judge()
    async with world.stage(judge):
        await world.committed(12)
    found = await world.poison(10)
    assert sorted(poison.value for poison in found) == sorted(value or b"" for value, _ in TEN_KINDS.values())
    assert len({poison.id for poison in found}) == 10
    assert all(poison.error for poison in found)
    assert len(await world.judged()) == 2
    assert world.counted("poison_records_total", topic=TOPIC.name) == 10


async def test_p7_only_the_named_reporter_reports(world: World) -> None:
    """The gateway reads the same topic: it counts and skips."""
    await world.put_raw(TOPIC, (b"hello", {}))
    await world.put(IDS[:1])
    async with world.stage(Judge(), service="gateway"):
        await world.committed(2)
    assert await world.judged() == IDS[:1]
    assert world.counted("poison_records_total", topic=TOPIC.name) == 1
    async with joined(Consumer(world.kafka, "check", [[FAILED]])) as reader:
        assert await reader.poll(10, 1.0) == []


async def test_p7_a_request_that_is_a_json_object_is_never_poison(world: World) -> None:
    """What is wrong with it is told to the judge, who rejects it with that reason."""
    good = b'{"channel": "email", "to": "ada@example.com", "subject": "hi", "body": "hello"}'
    await world.put_raw(TOPIC, (b'{"channel": "pigeon"}', {}), (good, {}))
    judge = Judge()
    async with world.stage(judge):
        await world.committed(2)
    events = [message.event for call in judge.calls for message in call]
    assert [type(event).__name__ for event in events] == [Unacceptable.__name__, Requested.__name__]
    assert isinstance(events[0], Unacceptable)
    assert events[0].problems


async def test_p7_a_report_that_fails_is_not_reported(world: World) -> None:
    """The reader of `failed` chokes on a report: that would go on for ever, each time larger."""
    report = Poison(
        id=IDS[0],
        topic="t",
        partition=0,
        offset=0,
        timestamp=datetime.now(UTC),
        error="e",
        size=0,
        sha256="",
        value=b"",
        reported_by="intake",
    )
    async with publisher(world.kafka, deadline=30) as out:
        await out.publish([Outgoing.of(report)])
    async with publisher(world.kafka, source="gateway") as out:
        consumer = Consumer(world.kafka, GROUP, [[FAILED]])
        judge = Judge(bad=lambda event: "not a uuid")
        stage = Stage("projector", consumer, world.database, out, judge, metrics=world.metrics)
        await stage.start()
        await eventually(lambda: world.counted("poison_records_total", topic=FAILED.name) == 1, PATIENCE)
        await stage.stop()
    assert len(await world.said(FAILED, 1)) == 1


async def test_p7_a_flood_of_poison_slows_down_and_stops_nobody(world: World) -> None:
    """Thousands of unreadable records, and behind them a good one, which is judged soon."""
    producer = AIOKafkaProducer(bootstrap_servers=world.kafka.bootstrap_servers)
    await producer.start()
    for number in range(2000):
        await producer.send(world.kafka.topic_prefix + TOPIC.name, b"garbage %d" % number, partition=0)
    await producer.stop()
    await world.put_raw(TOPIC, (b'{"channel": "email", "to": "a@example.com", "subject": "x", "body": "y"}', {}))
    async with world.stage(Judge()):
        await world.committed(2001)
    assert len(await world.judged()) == 1
    assert world.counted("poison_records_total", topic=TOPIC.name) == 2000


async def test_an_event_too_large_for_kafka_wedges_nobody(world: World) -> None:
    """It goes to `failed` as poison, shortened; all others are published, and the stage goes on."""
    judge = Judge()

    def says(event: Event) -> Outgoing:
        if event.subject != IDS[1]:
            return Outgoing.of(TakeBack(id=event.subject, round=1))
        return Outgoing.of(Setting(what="template", id="large", value={"text": "x" * (MESSAGE_BYTES + 1)}))

    judge.says = says
    await world.put(IDS[:3])
    async with world.stage(judge):
        await world.committed(3)
    assert len(await world.said(SCHEDULED, 2)) == 2
    [poison] = await world.poison(1)
    assert poison.topic == SETTINGS.name
    assert poison.size > MESSAGE_BYTES
    assert len(poison.value) == 64 * 1024


async def test_p7_a_notification_whose_event_is_too_large_for_kafka_ends(world: World) -> None:
    """Nobody waits for its expiry: `rejected`, with the remedy, beside the poison."""
    now = datetime.now(UTC)
    common = {"channel": "email", "accepted_at": now, "owner": "source:s", "round": 1, "at": now, "expires_at": now}
    judge = Judge()
    judge.says = lambda event: Outgoing.of(Due(id=event.subject, **common, content=Content(text="x" * MESSAGE_BYTES)))
    await make(world.kafka, DUE[Channel.EMAIL, Lane.NORMAL])
    await world.put(IDS[:1])
    async with world.stage(judge):
        await world.committed(1)
    events = [record.event(FAILED) for record in await world.said(FAILED, 2)]
    [failed] = [event for event in events if isinstance(event, Failed)]
    assert (failed.id, failed.outcome, failed.reason) == (IDS[0], Status.REJECTED, "too_large")
    assert "link" in (failed.detail or "")
    assert len(events) == 2
