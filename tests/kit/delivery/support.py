"""A whole sender on real servers, with a provider of a few lines, and an ear on what it says."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition

from contracts.events import Content, Due, Event
from contracts.status import Channel, End, Lane
from contracts.topics import BY_NAME, EMAIL_SENDER, FAILED, RETRY, SENT, Topic, due_lanes, of_event
from kit.bus.closing import close_consumer
from kit.bus.consumer import Consumer
from kit.bus.publisher import Publisher
from kit.bus.record import Outgoing, Received
from kit.clock import monotonic
from kit.delivery.condition import LIMITS, Limits
from kit.delivery.gate import REST
from kit.delivery.outcomes import Accepted, Outcome
from kit.delivery.pace.rules import Limit
from kit.delivery.provider import Parcel
from kit.delivery.rules import Policy
from kit.delivery.sender import Sender, Setup
from kit.delivery.store.claims import BY_INDEX
from kit.engine import Engine
from kit.metrics import Metrics
from kit.postgres import Database
from kit.retry import RetryPolicy
from kit.settings import KafkaSettings
from tests.kit.bus.support import make
from tests.waiting import PATIENCE

LANES = due_lanes(Channel.EMAIL)
TOPICS = (*LANES, RETRY, SENT, FAILED)
SOON = RetryPolicy(delays=(10.0, 20.0), max_attempts=3, budget_seconds=3600.0)
HOUR = timedelta(hours=1)
NO_END = (600.0,)
"""Pauses that are over when the test says so (`Running.look_again`), however long anything takes."""
CLAIMS = "select * from claims where id = $1 and (token is not null or result is not null) order by try"


def now() -> datetime:
    return datetime.now(UTC)


def due(lane: Lane = Lane.NORMAL, **fields: Any) -> Due:
    """A mail for Ann, to be sent now."""
    at = now()
    return Due(
        **{
            "id": uuid4(),
            "channel": Channel.EMAIL,
            "lane": lane,
            "accepted_at": at,
            "owner": "user:alice",
            "round": 0,
            "at": at,
            "expires_at": at + HOUR,
            "content": Content(to="ann@example.com", subject="Hello", text="Hi."),
        }
        | fields
    )


def end_of(one: Due, end: End = End.CANCELLED) -> Due:
    """What intake says when `one` is to end."""
    return one.model_copy(update={"end": end, "content": None})


class Takes:
    """A provider: takes what comes, or does what it is told to; remembers everything."""

    def __init__(self, *answers: Outcome, name: str = "fake", timeout: float = 1.0) -> None:
        self.name = name
        self.timeout = timeout
        self.answers = list(answers)
        self.parcels: list[Parcel] = []
        self.most = 0
        self.inside = 0
        self.gate: asyncio.Event | None = None
        self.then: Callable[[Parcel], Awaitable[None]] | None = None

    async def hand_over(self, parcel: Parcel) -> Outcome:
        self.parcels.append(parcel)
        self.inside += 1
        self.most = max(self.most, self.inside)
        try:
            if self.gate:
                await self.gate.wait()
            if self.then:
                await self.then(parcel)
        finally:
            self.inside -= 1
        return self.answers.pop(0) if self.answers else Accepted(provider_id=f"p-{len(self.parcels)}")

    def of(self, one: Due) -> list[Parcel]:
        return [parcel for parcel in self.parcels if parcel.due.id == one.id]


@dataclass
class House:
    """The servers' corner of one test."""

    kafka: KafkaSettings
    url: str
    database: Database
    publisher: Publisher
    heard: list[tuple[str, Event]] = field(default_factory=list)
    _about: defaultdict[UUID, list[Event]] = field(default_factory=lambda: defaultdict(list))
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def sender(
        self,
        *providers: Any,
        policy: Policy | None = None,
        lease: float = 30.0,
        hands: int = 8,
        spare: int = 2,
        limits: Sequence[int] = (100, 500, 500),
        closed_because: str | None = None,
        pauses: Sequence[float] = (1.0, 2.0),
        rest: Sequence[float] = REST,
        health: Limits = LIMITS,
        paces: Sequence[Limit] = (),
        parts_of: Callable[[Due], int] = lambda _: 1,
        database: Any = None,
        publisher: Any = None,
        group: str = EMAIL_SENDER.name,
    ) -> AsyncIterator[Running]:
        told = policy or Policy(SOON)
        setup = Setup(
            Channel.EMAIL,
            "email_sender",
            LANES,
            providers,
            lambda _: told,
            lease,
            hands,
            spare,
            closed_because,
            pauses,
            rest,
            health,
            paces={one.name: [limit for limit in paces if limit.shared or limit.name == one.name] for one in providers},
            parts_of=parts_of,
        )
        metrics = Metrics()
        sender = Sender(setup, database or self.database, publisher or self.publisher, metrics)
        consumer = Consumer(self.kafka, group, [[lane] for lane in LANES])
        lanes = [[lane] for lane in LANES]
        engine = Engine(
            consumer,
            lanes,
            sender,
            name="email",
            limits=limits,
            metrics=metrics,
            clock=monotonic,
            stop_seconds=PATIENCE,
        )
        await sender.start()
        await engine.start()
        running = Running(sender, engine, consumer)
        try:
            yield running
        finally:
            await running.stop()

    async def put(self, *dues: Due, topic: Topic | None = None) -> None:
        await self.publisher.publish([Outgoing(topic or of_event(one), one) for one in dues])

    def said(self, one: Due | UUID, kind: type[Event] = Event) -> list[Any]:
        id = one if isinstance(one, UUID) else one.id
        return [event for event in self._about[id] if isinstance(event, kind)]

    async def hears(self, one: Due | UUID, kind: type[Event], count: int = 1, seconds: float = PATIENCE) -> Any:
        """The newest of at least `count` events of that kind about it."""
        await self.until(lambda: len(self.said(one, kind)) >= count, seconds)
        return self.said(one, kind)[-1]

    async def until(self, true: Callable[[], bool], seconds: float = PATIENCE) -> None:
        """Until what was said makes it true."""
        async with asyncio.timeout(seconds):
            while not true():
                self._changed.clear()
                try:
                    async with asyncio.timeout(0.05):
                        await self._changed.wait()
                except TimeoutError:
                    continue

    async def becomes(self, found: Callable[[], Awaitable[Any]], expected: Any, seconds: float = PATIENCE) -> None:
        """Until that question is answered so."""
        deadline = monotonic() + seconds
        while (answer := await found()) != expected:
            assert monotonic() < deadline, f"{answer}, and not {expected}"
            await asyncio.sleep(0.01)

    async def claims(self, one: Due | UUID) -> list[asyncpg.Record]:
        id = one if isinstance(one, UUID) else one.id
        async with self.database.connection() as connection:
            return await connection.fetch(CLAIMS, id)

    async def pass_on(self, time: timedelta) -> None:
        """That much of it passes for all that is planned or expires."""
        owner = await asyncpg.connect(self.url)
        await owner.execute("update tocsin.clock_offset set by = by + $1", time)
        await owner.close()

    async def sql(self, statement: str, *values: Any) -> Any:
        async with self.database.connection() as connection:
            return await connection.fetchval(statement, *values)

    async def listen(self) -> None:
        """Hears everything that is said on retry, sent and failed."""
        prefix = self.kafka.topic_prefix
        kafka = AIOKafkaConsumer(bootstrap_servers=self.kafka.bootstrap_servers, auto_offset_reset="earliest")
        await kafka.start()
        places = [
            TopicPartition(prefix + topic.name, n)
            for topic in (RETRY, SENT, FAILED)
            for n in range(self.kafka.partitions)
        ]
        kafka.assign(places)
        try:
            while True:
                for place, records in (await kafka.getmany(timeout_ms=200)).items():
                    name = place.topic.removeprefix(prefix)
                    for record in records:
                        event = Received.of(name, record).event(BY_NAME[name])
                        if event:
                            self.heard.append((name, event))
                            self._about[event.subject].append(event)
                    self._changed.set()
        finally:
            await close_consumer(kafka)


@dataclass
class Running:
    """One sender under way."""

    sender: Sender
    engine: Engine
    consumer: Consumer
    stopped: bool = False

    async def stop(self) -> None:
        if not self.stopped:
            self.stopped = True
            await self.engine.stop()
            await self.sender.stop()

    def look_again(self) -> None:
        """The pauses are over: one may see whether a provider takes something again."""
        for outlet in self.sender._route.outlets:
            outlet.gate._opens_at = 0.0

    async def crash(self) -> None:
        """Gone without a word: nothing is drained, recorded, said or committed any more."""
        self.stopped = True
        await self.sender.stop()
        if self.engine.task:
            self.engine.task.cancel()
        self.consumer.on_revoked = None
        self.consumer._membership.held = None
        await self.consumer.stop()


@asynccontextmanager
async def house(kafka: KafkaSettings, url: str) -> AsyncIterator[House]:
    await make(kafka, *TOPICS)
    database = await Database.open(url, "email_sender", size=6, settings=BY_INDEX)
    publisher = Publisher(kafka, "email_sender", deadline=PATIENCE)
    await publisher.start()
    one = House(kafka, url, database, publisher)
    listening = asyncio.create_task(one.listen())
    try:
        yield one
    finally:
        listening.cancel()
        await asyncio.wait([listening])
        await publisher.stop()
        await database.close()


class Deaf:
    """A database whose next statements that begin so are done, and whose answers get lost on the way."""

    def __init__(self, database: Database, *begins: str) -> None:
        self.real = database
        self.begins = list(begins)
        self.asked = 0
        self.meanwhile: Callable[[], None] = lambda: None

    def alive(self) -> Awaitable[bool]:
        return self.real.alive()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Any]:
        self.asked += 1
        async with self.real.connection() as connection:
            yield _DeafConnection(self, connection)


@dataclass
class _DeafConnection:
    deaf: Deaf
    real: Any

    async def fetch(self, statement: str, *values: Any) -> Any:
        return self._heard(statement, await self.real.fetch(statement, *values))

    async def execute(self, statement: str, *values: Any) -> Any:
        return self._heard(statement, await self.real.execute(statement, *values))

    def _heard(self, statement: str, answer: Any) -> Any:
        for begin in self.deaf.begins:
            if statement.strip().startswith(begin):
                self.deaf.begins.remove(begin)
                self.deaf.meanwhile()
                raise ConnectionResetError("the answer got lost")
        return answer
