"""Services that can be told what to do, on a test's corner of the real servers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

from aiokafka import AIOKafkaConsumer, TopicPartition

from contracts import events as e
from contracts.topics import STATUS
from kit.bus.closing import close_consumer
from kit.bus.publisher import Publisher
from kit.bus.record import Outgoing, Received
from kit.clock import monotonic
from kit.control.controlled import Pace, controlled
from kit.control.running import Work
from kit.postgres import Database
from kit.service import Parts
from kit.settings import KafkaSettings
from tests.waiting import PATIENCE

QUICK = Pace(lease=PATIENCE / 2, renew=1.0, heartbeat=0.2)
"""A lease that nobody outlives by standing still for a while: whoever could take it over would do the order twice."""


@asynccontextmanager
async def instance(
    kafka: KafkaSettings,
    database: str,
    works: Mapping[str, Work],
    service: str = "intake",
    pace: Pace = QUICK,
    about: Callable[[], Mapping[str, Any]] = dict,
) -> AsyncIterator[Parts]:
    """One instance of a service, with these works, which says this of itself."""
    db, publisher = await Database.open(database, service), Publisher(kafka, service, deadline=PATIENCE)
    parts = Parts(service)
    parts.add("pool", db)
    parts.add("publisher", publisher)
    controlled(parts, kafka, db, publisher, works, pace, about)
    opened = [named for named in parts.all if not named.open_already]
    for named in opened:
        await named.start()
    try:
        yield parts
    finally:
        for named in reversed(parts.all):
            await named.stop()


async def order(publisher: Publisher, command: str, *, service: str | None = None, **args: Any) -> UUID:
    """It is ordered; the correlation id."""
    id = uuid4()
    await publisher.publish([Outgoing.of(e.Control(correlation_id=id, command=command, service=service, args=args))])
    return id


class Ear:
    """Hears what is said on ops.status, from its beginning."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._topic = kafka.topic_prefix + STATUS.name
        self._consumer = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap_servers, auto_offset_reset="earliest")
        self.heard: list[e.ServiceStatus] = []

    async def __aenter__(self) -> Ear:
        await self._consumer.start()
        self._consumer.assign([TopicPartition(self._topic, 0)])
        await self._consumer.seek_to_beginning()
        return self

    async def __aexit__(self, *_: object) -> None:
        await close_consumer(self._consumer)

    async def hear(self, id: UUID | None, *states: str, count: int = 1) -> list[e.ServiceStatus]:
        """The first `count` words in one of these states about this id (None: about anything)."""
        deadline = monotonic() + PATIENCE
        while len(found := self.of(id, *states)) < count:
            assert monotonic() < deadline, f"only {len(found)} of {count}; heard {[one.state for one in self.heard]}"
            await self.listen()
        return found

    async def listen(self, seconds: float = 0.1) -> None:
        """Reads what is there."""
        for records in (await self._consumer.getmany(timeout_ms=int(seconds * 1000))).values():
            for record in records:
                event = Received.of(STATUS.name, record).event(STATUS)
                assert isinstance(event, e.ServiceStatus)
                self.heard.append(event)

    def of(self, id: UUID | None, *states: str) -> list[e.ServiceStatus]:
        """What was heard so far."""
        return [one for one in self.heard if id in (None, one.correlation_id) and one.state in states]
