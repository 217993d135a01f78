"""The fates of a batch: done once, done again from its start, or done without the one record that nobody can read."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID, uuid4

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer

from contracts.events import Content, Due, Event, Failed, Poison, Requested, Ripe, Setting, TakeBack, Unacceptable
from contracts.status import Channel, Lane, Status
from contracts.topics import DUE, FAILED, MESSAGE_BYTES, REQUESTED, SCHEDULED, SETTINGS, Topic
from kit import failpoints
from kit.bus.consumer import Consumer
from kit.bus.record import Outgoing, Received
from kit.clock import monotonic
from kit.metrics import Metrics
from kit.postgres import Connection, Database
from kit.settings import KafkaSettings
from kit.stage import Message, Stage
from tests.kit.bus.support import IDS, commits, joined, make, publisher, read
from tests.waiting import PATIENCE, eventually

TOPIC = REQUESTED[Lane.NORMAL]
GROUP = "judges"


def ripe(id: UUID) -> Outgoing:
    return Outgoing(TOPIC, Ripe(id=id, round=1))


class Judge:
    """Stores each id once, and says take_back of it; troubles are met in the order they are given."""

    def __init__(self, *troubles: Exception, bad: Callable[[Event], str | None] = lambda event: None) -> None:
        self.troubles = list(troubles)
        self.bad = bad
        self.calls: list[list[Message]] = []
        self.entered = asyncio.Event()
        self.gate: asyncio.Event | None = None
        self.says: Callable[[Event], Outgoing] = lambda event: Outgoing.of(TakeBack(id=event.subject, round=1))

    async def __call__(self, connection: Connection, batch: Sequence[Message]) -> Sequence[Outgoing]:
        self.calls.append(list(batch))
        self.entered.set()
        if self.gate:
            await self.gate.wait()
        if self.troubles:
            raise self.troubles.pop(0)
        for message in batch:
            text = self.bad(message.event) or str(message.event.subject)
            await connection.execute("insert into judged (id) values ($1::text::uuid) on conflict do nothing", text)
        return [self.says(message.event) for message in batch]


class World:
    """A database with one table, topics, and stages on them."""

    def __init__(self, kafka: KafkaSettings, url: str, database: Database) -> None:
        self.kafka, self.url, self.database = kafka, url, database
        self.metrics = Metrics()

    @asynccontextmanager
    async def stage(self, judge: Judge, service: str = "intake", **options: object) -> AsyncIterator[Stage]:
        async with publisher(self.kafka, source=service, deadline=options.pop("deadline", 5.0)) as out:  # type: ignore[arg-type]
            consumer = Consumer(self.kafka, GROUP, [[TOPIC]])
            stage = Stage("judge", consumer, self.database, out, judge, metrics=self.metrics, **options)  # type: ignore[arg-type]
            await stage.start()
            yield stage
            await stage.stop()

    async def put(self, ids: Sequence[UUID]) -> None:
        async with publisher(self.kafka, deadline=30) as out:
            await out.publish([ripe(id) for id in ids])

    async def put_raw(self, topic: Topic, *records: tuple[bytes | None, dict[str, bytes]]) -> None:
        """As any producer may."""
        producer = AIOKafkaProducer(bootstrap_servers=self.kafka.bootstrap_servers, acks="all")
        await producer.start()
        for value, headers in records:
            await producer.send_and_wait(
                self.kafka.topic_prefix + topic.name,
                value,
                key=b"default/k",
                partition=0,
                headers=list(headers.items()),
            )
        await producer.stop()

    async def judged(self) -> list[UUID]:
        async with self.database.connection() as connection:
            return [row["id"] for row in await connection.fetch("select id from judged")]

    async def said(self, topic: Topic, count: int) -> list[Received]:
        """What stands in a topic, at least so many."""
        async with joined(Consumer(self.kafka, f"check.{uuid4().hex[:6]}", [[topic]])) as reader:
            return await read(reader, count) + await reader.poll(500, 0.3)

    async def poison(self, count: int) -> list[Poison]:
        events = [record.event(FAILED) for record in await self.said(FAILED, count)]
        return [event for event in events if isinstance(event, Poison)]

    async def committed(self, count: int) -> None:
        """Until so many records are committed."""
        deadline = monotonic() + 60
        while await self.offsets() != count:
            assert monotonic() < deadline, f"committed {await self.offsets()} of {count}"

    async def offsets(self) -> int:
        return sum(at.offset for at in (await commits(self.kafka, GROUP, TOPIC)).values() if at)

    def counted(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(f"tocsin_{name}", labels) or 0.0


@pytest.fixture
async def world(kafka: KafkaSettings, database: str) -> AsyncIterator[World]:
    owner = await asyncpg.connect(database)
    await owner.execute("create table intake.judged (id uuid primary key, at timestamptz default now())")
    await owner.close()
    pool = await Database.open(database, "intake")
    await make(kafka, TOPIC, SCHEDULED, FAILED, SETTINGS)
    yield World(kafka, database, pool)
    await pool.close()


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    yield
    failpoints.arm("")


def ce_ids(records: Sequence[Received]) -> list[bytes]:
    return [dict(record.headers)["ce_id"] for record in records]


async def died(stage: Stage) -> None:
    """A crash at a failpoint: the task has ended, nothing was cleaned up."""
    assert stage.task is not None
    await asyncio.wait([stage.task], timeout=PATIENCE)
    assert isinstance(stage.task.exception(), failpoints.FailpointReached)


async def test_judged_stored_published_committed(world: World) -> None:
    """The way of a batch that nothing happens to."""
    heard: list[Outgoing] = []
    await world.put(IDS[:40])
    async with world.stage(Judge(), after=heard.extend) as stage:
        assert len(await world.said(SCHEDULED, 40)) == 40
        await world.committed(40)
        assert stage.ready
    assert sorted(await world.judged()) == sorted(IDS[:40])
    assert sorted(one.event.subject for one in heard) == sorted(IDS[:40])
    assert world.counted("stage_records_total", stage="judge") == 40


async def test_after_a_crash_between_database_and_publishing_it_is_done_again(world: World) -> None:
    """Nothing was published and nothing committed: the next one says what was stored."""
    failpoints.arm("stage_after_commit:raise")
    await world.put(IDS[:10])
    async with world.stage(Judge()) as stage:
        await died(stage)
        stored = await world.judged()
        assert await world.offsets() == 0
    assert stored
    async with world.stage(Judge()):
        records = await world.said(SCHEDULED, 10)
        await world.committed(10)
    assert len(records) == 10
    assert sorted(await world.judged()) == sorted(IDS[:10])


async def test_after_a_crash_before_the_offsets_the_same_events_come_again(world: World) -> None:
    """Id for id, so that everyone can see the repeat (P1)."""
    failpoints.arm("stage_before_offsets:raise")
    await world.put(IDS[:1])
    async with world.stage(Judge()) as stage:
        await died(stage)
        assert await world.offsets() == 0
    async with world.stage(Judge()):
        await world.committed(1)
    records = await world.said(SCHEDULED, 2)
    assert len(records) == 2
    assert len(set(ce_ids(records))) == 1


async def test_a_connection_error_keeps_the_batch(world: World) -> None:
    """As often as it takes; not ready meanwhile, and nobody is suspected."""
    judge = Judge(*(ConnectionError("gone") for _ in range(4)))
    await world.put(IDS[:5])
    async with world.stage(judge) as stage:
        await eventually(lambda: bool(judge.calls) and not stage.ready, PATIENCE)
        await world.committed(5)
        await eventually(lambda: stage.ready, PATIENCE)
    assert sorted(await world.judged()) == sorted(IDS[:5])
    assert world.counted("stage_failed_batches_total", stage="judge") >= 4
    assert world.counted("poison_records_total", topic=TOPIC.name) == 0


async def test_a_database_that_cuts_us_off_keeps_the_batch(world: World) -> None:
    """The real thing: the backend is terminated in the middle of the transaction."""
    cut = [True, True]

    class Cut(Judge):
        async def __call__(self, connection: Connection, batch: Sequence[Message]) -> Sequence[Outgoing]:
            out = await super().__call__(connection, batch)
            if cut:
                cut.pop()
                owner = await asyncpg.connect(world.url)
                await owner.execute("select pg_terminate_backend($1)", connection.get_server_pid())
                await owner.close()
                await connection.execute("select 1")
            return out

    await world.put(IDS[:5])
    async with world.stage(Cut()):
        await world.committed(5)
    assert sorted(await world.judged()) == sorted(IDS[:5])


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


IDLE_MS = 200


class Thinking(Judge):
    """A rule thinks about some records for so long that the server closes the transaction meanwhile (25P03)."""

    def __init__(self, *hard: UUID) -> None:
        super().__init__()
        self.hard = set(hard)

    async def __call__(self, connection: Connection, batch: Sequence[Message]) -> Sequence[Outgoing]:
        out = await super().__call__(connection, batch)
        if self.hard & {message.event.subject for message in batch}:
            until = monotonic() + 3 * IDLE_MS / 1000
            while monotonic() < until:  # nothing else runs, as while a rule computes
                pass
            await connection.execute("select 1")
        return out


async def test_p7_what_a_rule_always_thinks_too_long_about_is_poison(world: World) -> None:
    """The others of its batch go through, and it is not kept for ever."""
    await world.put(IDS[:8])
    await world.database.close()
    world.database = await Database.open(world.url, "intake", idle_ms=IDLE_MS)
    judge = Thinking(IDS[3])
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


async def test_a_failed_publishing_repeats_the_same_events(world: World) -> None:
    """The topic is missing at first: the batch is done again from its start, and says the same, id for id."""
    judge = Judge()
    judge.says = lambda event: Outgoing(REQUESTED[Lane.BULK], Ripe(id=event.subject, round=2))
    await world.put(IDS[:3])
    async with world.stage(judge, deadline=0.5) as stage:
        await eventually(lambda: len(judge.calls) >= 2, PATIENCE)
        assert not stage.ready
        assert await world.offsets() == 0
        await make(world.kafka, REQUESTED[Lane.BULK])
        await world.committed(3)
    records = await world.said(REQUESTED[Lane.BULK], 3)
    assert set(ce_ids(records)) == {str(Ripe(id=id, round=2).ce_id).encode() for id in IDS[:3]}


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


async def test_a_stop_finishes_the_batch_under_way(world: World) -> None:
    """Published and committed before the group is left: a deploy repeats nothing."""
    judge = Judge()
    judge.gate = asyncio.Event()
    await world.put(IDS[:3])
    async with world.stage(judge, batch=500) as stage:
        await judge.entered.wait()
        stopping = asyncio.create_task(stage.stop())
        await asyncio.sleep(0)
        judge.gate.set()
        await stopping
        done = sum(map(len, judge.calls))
        assert await world.offsets() == done
    assert len(await world.said(SCHEDULED, done)) == done


async def test_a_stop_during_trouble_waits_for_nothing(world: World) -> None:
    """The database is away: the batch is left for the next one, at once."""
    judge = Judge(*(ConnectionError("gone") for _ in range(1000)))
    await world.put(IDS[:3])
    async with world.stage(judge) as stage:
        await eventually(lambda: len(judge.calls) >= 5, PATIENCE)
        begun = monotonic()
        await stage.stop()
        assert monotonic() - begun < 3
    assert await world.offsets() == 0


async def test_at_a_rebalance_the_batch_under_way_is_finished_first(world: World) -> None:
    """The newcomer finds it committed, and nothing is done twice."""
    judge, other = Judge(), Judge()
    judge.gate = asyncio.Event()
    await world.put(IDS[:30])
    async with world.stage(judge) as first:
        await judge.entered.wait()
        async with world.stage(other):
            judge.gate.set()
            await world.committed(30)
            await eventually(lambda: first.ready, PATIENCE)
    judged = [message.event.subject for call in [*judge.calls, *other.calls] for message in call]
    assert sorted(judged) == sorted(IDS[:30])
