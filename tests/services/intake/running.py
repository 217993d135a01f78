"""A whole intake on a real Kafka and PostgreSQL, and what outsiders and the other services say to it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
from aiokafka import AIOKafkaProducer

from contracts import events as e
from contracts.status import Lane
from contracts.topics import ALL, DUE, DUE_INAPP, FAILED, REQUESTED, SCHEDULED, STATUS, Topic
from kit.bus.publisher import Publisher
from kit.bus.record import Outgoing
from kit.clock import monotonic
from kit.service import Parts
from kit.settings import KafkaSettings, NotificationSettings, Settings
from kit.stage import Stage
from services.intake.app import build
from services.intake.settings import SWEEPS
from tests.kit.bus.support import make
from tests.services.intake.samples import id_of
from tests.services.scheduler.support import Listener
from tests.waiting import PATIENCE

NORMAL = REQUESTED[Lane.NORMAL]


SPOKEN = (SCHEDULED, *DUE.values(), DUE_INAPP, FAILED)


class Place:
    """Kafka, somebody who speaks there, and somebody who listens to what intake says."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self.kafka = kafka
        self.voice = Publisher(kafka, "gateway", deadline=PATIENCE)
        self.listener = Listener(kafka, SPOKEN)
        # `ops.status` has one partition, whatever the others have.
        self.counts = Listener(kafka.model_copy(update={"partitions": 1}), [STATUS])

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Place]:
        await make(self.kafka, *ALL)
        await self.voice.start()
        async with self.listener, self.counts:
            yield self
        await self.voice.stop()

    async def forget_what_was_said(self) -> None:
        """By the tests before."""
        for listener in (self.listener, self.counts):
            await listener.hear_out()
            listener.heard.clear()


class Town:
    """A place with a database in it, and everybody around intake."""

    def __init__(self, place: Place, database: str, folder: Path) -> None:
        self.place, self.kafka, self.database, self.folder = place, place.kafka, database, folder

    @asynccontextmanager
    async def intake(
        self, *, sweeps: bool = False, interval: float = 60.0, **notifications: Any
    ) -> AsyncIterator[Parts]:
        """One intake, up and ready; stopped at the end, also when one of its parts has died."""
        told = {"scheduler": {"check_interval_seconds": interval}, **notifications}
        settings = Settings(
            notifications=NotificationSettings.model_validate(told),
            kafka=self.kafka,
            database_url=self.database,
            state_dir=self.folder,
            logs_dir=self.folder,
        )
        parts = await build(settings, {} if sweeps else {SWEEPS: "off"})
        started = [named for named in parts.all if not named.open_already]
        for named in started:
            await named.start()
        try:
            await until(lambda: not parts.health.not_ready())
            yield parts
        finally:
            for named in reversed(parts.all):
                await named.stop()

    async def say(self, *events: e.Event) -> None:
        """As the gateway, the scheduler or a sender does."""
        await self.place.voice.publish([Outgoing.of(event) for event in events])

    async def put(self, *values: bytes | dict[str, Any], topic: Topic = NORMAL, **headers: str) -> None:
        """As any producer may; all in one partition, in this order."""
        producer = AIOKafkaProducer(bootstrap_servers=self.kafka.bootstrap_servers, acks="all")
        await producer.start()
        for value in values:
            await producer.send_and_wait(
                self.kafka.topic_prefix + topic.name,
                value if isinstance(value, bytes) else json.dumps(value).encode(),
                partition=0,
                headers=[(name, text.encode()) for name, text in headers.items()],
            )
        await producer.stop()

    async def hear(self, *kinds: type[e.Event], count: int = 1, about: UUID | None = None) -> list[e.Event]:
        """Until so many events of these kinds have been said; all of them."""
        deadline = monotonic() + PATIENCE
        while len(found := self.heard(*kinds, about=about)) < count:
            assert monotonic() < deadline, f"heard only {[event.ce_type for event in self.place.listener.events]}"
            await self.place.listener.hear_out()
            await asyncio.sleep(0.02)
        return found

    def heard(self, *kinds: type[e.Event], about: UUID | None = None) -> list[e.Event]:
        return [
            event
            for event in self.place.listener.events
            if isinstance(event, kinds) and (about is None or event.subject == about)
        ]

    async def settle(self) -> None:
        """Everything that was said until now has been judged: a stranger's cancel comes out behind it."""
        marks = [UUID(int=UUID(bytes=id_of(f"mark {monotonic()} {n}").bytes).int) for n in range(12)]
        now = await self.clock()
        await self.say(*(e.Cancel(id=mark, command=mark, accepted_at=now) for mark in marks))
        for mark in marks:
            await self.hear(e.Failed, about=mark)

    async def clock(self) -> Any:
        return await self.owner("select clock_timestamp()")

    async def owner(self, query: str, *values: object) -> Any:
        """One value, asked by the owner of the database."""
        connection = await asyncpg.connect(self.database)
        try:
            return await connection.fetchval(query, *values)
        finally:
            await connection.close()

    async def rows(self) -> int:
        return int(await self.owner("select count(*) from intake.notifications"))


async def until(true: Callable[[], bool], seconds: float = PATIENCE) -> None:
    deadline = monotonic() + seconds
    while not true():
        assert monotonic() < deadline, "waited in vain"
        await asyncio.sleep(0.02)


def judge_of(parts: Parts) -> Stage:
    """The stage that judges."""
    found = next(named.part for named in parts.all if named.name == "judge")
    assert isinstance(found, Stage)
    return found
