"""Whole gateways over real Kafka, and somebody who plays all other services."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import asyncpg
import httpx

from contracts import events as e
from contracts.topics import ALL, BY_NAME, INTAKE, Topic
from deploy.local.ports import free_port
from kit.bus.consumer import Consumer
from kit.bus.publisher import Publisher
from kit.bus.record import Outgoing, Received, reached
from kit.clock import monotonic
from kit.service import Parts
from kit.settings import KafkaSettings, Settings
from services.gateway.app import build
from services.gateway.outbox.writer import Writer
from tests.kit.bus.support import make
from tests.services.gateway.conftest import ALICE, EMAIL
from tests.waiting import PATIENCE

E = TypeVar("E", bound=e.Event)
T = TypeVar("T")


@dataclass
class Gateway:
    """One gateway under way, on a port of its own."""

    parts: Parts
    http: httpx.AsyncClient

    async def post(self, body: dict[str, Any] = EMAIL, who: dict[str, str] = ALICE, query: str = "") -> str:
        answer = await self.http.post(f"/v1/notifications{query}", json=body, headers=who)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    async def get(self, id: object, who: dict[str, str] = ALICE) -> dict[str, Any]:
        answer = await self.http.get(f"/v1/notifications/{id}", headers=who)
        return answer.json() if answer.status_code == 200 else {}

    async def shows(self, id: object, status: str, who: dict[str, str] = ALICE) -> dict[str, Any]:
        """The notification, once it has this status."""
        return await until(lambda: self._if(id, status, who))

    async def _if(self, id: object, status: str, who: dict[str, str]) -> dict[str, Any] | None:
        seen = await self.get(id, who)
        return seen if seen.get("status") == status else None


@asynccontextmanager
async def running(settings: Settings, port: int | None = None, *, patience: float = PATIENCE) -> AsyncIterator[Gateway]:
    """A whole gateway: started as its service would, stopped in good order. Without a port it takes a free one.

    Who changes or orders something waits for it, as does who hands something in: a busy machine must not make a 202
    or a 503 of what is well.
    """
    gateway = settings.gateway.model_copy(update={"port": port or free_port()})
    parts = await build(settings.model_copy(update={"gateway": gateway}), patience)
    [writer] = [named.part for named in parts.all if isinstance(named.part, Writer)]
    writer._pace = replace(writer._pace, queue_patience=PATIENCE, patience=PATIENCE)
    try:
        for part in parts.all:
            await part.start()
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{gateway.port}", timeout=PATIENCE) as client:
            yield Gateway(parts, client)
    finally:
        for part in reversed(parts.all):
            await part.stop()


@dataclass
class Others:
    """All services that are not the gateway: they say what the test wants, and read what the gateway says."""

    kafka: KafkaSettings
    publisher: Publisher
    consumer: Consumer
    heard: list[Received] = field(default_factory=list)
    _known: set[Received] = field(default_factory=set)

    async def say(self, *events: e.Event) -> None:
        await self.publisher.publish([Outgoing.of(event) for event in events])

    async def hear(self, kind: type[E], count: int = 1, *, seconds: float = PATIENCE) -> list[E]:
        """The first `count` events of a kind that the gateway has said, in their order; everything is committed."""
        deadline = monotonic() + seconds
        while len(found := self.of(kind)) < count:
            assert monotonic() < deadline, f"only {len(found)} of {count} {kind.__name__} came"
            await self.listen()
        return found

    async def listen(self, wait: float = 0.1) -> None:
        """Reads what is there. Who stood still for so long that his seat in the group was lost reads some of it once
        more: it was said once."""
        records = await self.consumer.poll(500, wait)
        self.heard += [one for one in records if one not in self._known]
        self._known.update(records)
        self.consumer.finish(reached(records))
        await self.consumer.commit()

    async def listen_until(self, true: Callable[[], Awaitable[object]], seconds: float = PATIENCE) -> None:
        """Goes on reading, as a service does, until something has come true."""
        deadline = monotonic() + seconds
        while not await true():
            assert monotonic() < deadline, "waited in vain"
            await self.listen()

    def of(self, kind: type[E]) -> list[E]:
        events = (record.event(BY_NAME[record.topic]) for record in self.heard)
        return [event for event in events if isinstance(event, kind)]


@asynccontextmanager
async def others(
    kafka: KafkaSettings, topics: Sequence[Topic] = INTAKE.topics, group: str = INTAKE.name
) -> AsyncIterator[Others]:
    """Topics that are there, and somebody who reads `topics` as that group."""
    await make(kafka, *ALL)
    publisher, consumer = Publisher(kafka, "intake", deadline=PATIENCE), Consumer(kafka, group, [topics])
    await publisher.start()
    await consumer.start()
    try:
        yield Others(kafka, publisher, consumer)
    finally:
        await consumer.stop()
        await publisher.stop()


async def until(look: Callable[[], Awaitable[T | None]], seconds: float = PATIENCE) -> T:
    """What `look` finds, once it does."""
    deadline = monotonic() + seconds
    while not (found := await look()):
        assert monotonic() < deadline, "waited in vain"
        await asyncio.sleep(0.05)
    return found


@asynccontextmanager
async def away(database: str) -> AsyncIterator[None]:
    """The database lets nobody in, and has thrown out who was in there."""
    name = await as_owner(database, "select current_database()")
    owner = await asyncpg.connect(database, database="postgres")
    try:
        await owner.execute(f'alter database "{name}" allow_connections false')
        await owner.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", name)
        yield
    finally:
        await owner.execute(f'alter database "{name}" allow_connections true')
        await owner.close()


async def as_owner(database: str, statement: str) -> Any:
    """A statement of the database's owner: moves the clock, looks into tables."""
    connection = await asyncpg.connect(database)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()
