"""Short words for what tests say to the scheduler."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition

from contracts import events as e
from contracts.status import Channel, End, Lane
from contracts.topics import BY_NAME, Topic
from kit.bus.closing import close_consumer
from kit.bus.record import Received
from kit.clock import monotonic
from kit.postgres import Database
from kit.settings import KafkaSettings
from services.scheduler import arming
from services.scheduler.rules import timers as rules
from services.scheduler.rules.timers import Change, Timer
from tests.waiting import PATIENCE

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)


def scheduled(id_: UUID | None = None, *, round: int = 1, at: datetime = NOON, **more: Any) -> e.Scheduled:
    return e.Scheduled(id=id_ or uuid4(), owner="user:alice", accepted_at=NOON, round=round, at=at, **more)


def retry(
    id_: UUID | None = None,
    *,
    round: int = 1,
    try_: int = 2,
    at: datetime = NOON,
    end: End | None = None,
    text: str = "hello",
    lane: Lane = Lane.NORMAL,
    **more: Any,
) -> e.Retry:
    due = e.Due(
        id=id_ or uuid4(),
        owner="user:alice",
        accepted_at=NOON,
        channel=Channel.EMAIL,
        lane=lane,
        round=round,
        try_=try_,
        at=NOON,
        expires_at=NOON + timedelta(days=3),
        end=end,
        content=None if end else e.Content(to="bob@example.org", subject="s", text=text),
    )
    return e.Retry(**due.passed_on(), at=at, due=due, hold=end is not None, reason="unavailable", **more)


def change(event: e.Event) -> Change:
    """What the event asks of the timers."""
    found = rules.change(event, event.model_dump_json(exclude_none=True).encode())
    assert found is not None
    return found


def timer(event: e.Event) -> Timer:
    """The timer an event arms."""
    found = change(event)
    assert isinstance(found, Timer)
    return found


async def make(db: Database, *happened: e.Event) -> None:
    """These happened, in one batch."""
    async with db.transaction() as connection:
        await arming.make(connection, [change(event) for event in happened])


class Owner:
    """Who may look at everything, and set the clock."""

    def __init__(self, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        self.connection = connection
        self._stopped = False

    async def timers(self) -> dict[UUID, asyncpg.Record]:
        return {row["id"]: row for row in await self.connection.fetch("select * from scheduler.timers")}

    async def bodies(self) -> dict[UUID, bytes]:
        return {row["id"]: row["retry"] for row in await self.connection.fetch("select * from scheduler.bodies")}

    async def clock(self) -> datetime:
        now = await self.connection.fetchval("select tocsin.clock()")
        assert isinstance(now, datetime)
        return now

    async def set_clock(self, to: datetime) -> None:
        """From now on it is `to`, and time goes on from there."""
        if self._stopped:
            await self.connection.execute(_CLOCK.format("statement_timestamp() + by from tocsin.clock_offset"))
            self._stopped = False
        await self.connection.execute("update tocsin.clock_offset set by = $1 - clock_timestamp()", to)

    async def stop_clock(self, at: datetime) -> None:
        """It is `at` until the clock is set again: what is to happen a second later does not happen meanwhile."""
        await self.connection.execute(_CLOCK.format(f"timestamptz '{at.isoformat()}'"))
        self._stopped = True


_CLOCK = """
create or replace function tocsin.clock() returns timestamptz
    language sql stable parallel safe begin atomic select {}; end
"""


class Listener:
    """Hears everything on some topics, from the beginning."""

    def __init__(self, kafka: KafkaSettings, topics: Iterable[Topic]) -> None:
        self._kafka = kafka
        self._topics = [kafka.topic_prefix + topic.name for topic in topics]
        self._consumer = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap_servers, auto_offset_reset="earliest")
        self.heard: list[tuple[e.Event, Received]] = []

    async def __aenter__(self) -> Listener:
        await self._consumer.start()
        places = [TopicPartition(t, n) for t in self._topics for n in range(self._kafka.partitions)]
        self._consumer.assign(places)
        # Known now, so that a topic which a test deletes holds up no other.
        await self._consumer.seek_to_beginning()
        return self

    async def __aexit__(self, *_: object) -> None:
        await close_consumer(self._consumer)

    @property
    def events(self) -> list[e.Event]:
        return [event for event, _ in self.heard]

    @property
    def ids(self) -> list[UUID]:
        return [event.subject for event in self.events]

    async def hear(self, count: int, seconds: float = PATIENCE) -> list[e.Event]:
        """Until `count` events have been heard in all. AssertionError at the deadline."""
        deadline = monotonic() + seconds
        while len(self.heard) < count:
            assert monotonic() < deadline, f"heard only {len(self.heard)} of {count}"
            await self._listen(0.1)
        return self.events

    async def hear_of(self, ids: Collection[UUID], seconds: float = PATIENCE) -> None:
        """Until each of these has been heard of, however often. AssertionError at the deadline."""
        deadline = monotonic() + seconds
        while missing := set(ids) - set(self.ids):
            assert monotonic() < deadline, f"{len(missing)} were not heard of"
            await self._listen(0.1)

    async def hear_out(self) -> list[e.Event]:
        """Until everything that is in Kafka now has been heard."""
        ends = await self._consumer.end_offsets(self._consumer.assignment())
        async with asyncio.timeout(PATIENCE):
            while any([await self._consumer.position(place) < end for place, end in ends.items()]):
                await self._listen(0.1)
        return self.events

    async def _listen(self, seconds: float) -> None:
        got = await self._consumer.getmany(timeout_ms=int(seconds * 1000))
        for place, records in got.items():
            name = place.topic.removeprefix(self._kafka.topic_prefix)
            for record in records:
                received = Received.of(name, record)
                event = received.event(BY_NAME[name])
                assert event is not None
                self.heard.append((event, received))
