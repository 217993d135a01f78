"""A database with one table, a judge of five lines, and stages between them and Kafka."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

from aiokafka import AIOKafkaProducer

from contracts.events import Event, Poison, Ripe, TakeBack
from contracts.status import Lane
from contracts.topics import FAILED, REQUESTED, Topic
from kit import failpoints
from kit.bus.consumer import Consumer
from kit.bus.record import Outgoing, Received
from kit.clock import monotonic
from kit.metrics import Metrics
from kit.postgres import Connection, Database
from kit.settings import KafkaSettings
from kit.stage import Message, Stage
from tests.kit.bus.support import commits, joined, publisher, read
from tests.waiting import PATIENCE

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
        async with publisher(self.kafka, source=service, deadline=options.pop("deadline", PATIENCE)) as out:  # type: ignore[arg-type]
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
        deadline = monotonic() + PATIENCE
        while (found := await self.offsets()) != count:
            assert monotonic() < deadline, f"committed {found} of {count}"
            await asyncio.sleep(0.05)

    async def offsets(self) -> int:
        return sum(at.offset for at in (await commits(self.kafka, GROUP, TOPIC)).values() if at)

    def counted(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(f"tocsin_{name}", labels) or 0.0


def ce_ids(records: Sequence[Received]) -> list[bytes]:
    return [dict(record.headers)["ce_id"] for record in records]


async def died(stage: Stage) -> None:
    """A crash at a failpoint: the task has ended, nothing was cleaned up."""
    assert stage.task is not None
    await asyncio.wait([stage.task], timeout=PATIENCE)
    assert isinstance(stage.task.exception(), failpoints.FailpointReached)
