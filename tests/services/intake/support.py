"""Short words for what tests say to an intake on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg

from contracts import events as e
from contracts.preferences import SUBJECTS
from contracts.topics import FAILED, PREFERENCES, RECIPIENTS, REQUESTED, RETRY, SENT, SETTINGS, Topic, of_event
from kit.bus.record import Received
from kit.metrics import Metrics
from kit.postgres import Database
from kit.stage import Message
from services.intake.handlers import directory, outcomes
from services.intake.handlers.judge import Judge
from services.intake.rules.facts import Policy
from services.intake.rules.row import Row
from services.intake.store import rows
from tests.services.intake.samples import id_of

HOMES = {e.Unacceptable: next(iter(REQUESTED.values()))}
EPOCH = datetime(2027, 1, 1, tzinfo=UTC)


class Watch:
    """How far the directory has been read: as far as a test says."""

    def __init__(self) -> None:
        self.until: datetime | None = None
        self.asked = 0

    def wanted(self) -> None:
        self.asked += 1


class Desk:
    """The handlers of an intake, each call one transaction of its own."""

    def __init__(self, db: Database, policy: Policy | None = None) -> None:
        self.db = db
        self.watch = Watch()
        self.hours: list[datetime] = []
        self.metrics = Metrics()
        self.judge = Judge(policy or Policy(), self.watch, self.hours.append, self.metrics)
        self.offset = 0

    async def hear(self, *events: e.Event) -> list[e.Event]:
        """A batch of `requested`; what is to be published."""
        async with self.db.transaction() as connection:
            return [one.event for one in await self.judge.handle(connection, self.messages(events))]

    async def told(self, *events: e.Event) -> list[e.Event]:
        """A batch of `sent`, `failed` and `retry`."""
        async with self.db.transaction() as connection:
            return [one.event for one in await outcomes.hear(connection, self.messages(events))]

    async def learn(self, *events: e.Event, as_of: datetime | None = None) -> None:
        """A batch of the directory."""
        async with self.db.transaction() as connection:
            await directory.project(connection, self.messages(events, as_of))

    async def row(self, key: str | UUID = "k1") -> Row:
        id = key if isinstance(key, UUID) else id_of(key)
        async with self.db.connection() as connection:
            (row,) = await rows.read(connection, [id])
        return row

    async def query(self, sql: str, *values: object) -> list[asyncpg.Record]:
        async with self.db.connection() as connection:
            return await connection.fetch(sql, *values)

    def messages(self, events: Sequence[e.Event], as_of: datetime | None = None) -> list[Message]:
        return [Message(event, self.received(event, as_of)) for event in events]

    def received(self, event: e.Event, as_of: datetime | None) -> Received:
        self.offset += 1
        headers = (("as_of", str(int(as_of.timestamp() * 1000)).encode()),) if as_of else ()
        time = EPOCH + timedelta(seconds=self.offset)
        value = event.model_dump_json(exclude_none=True).encode()
        return Received(topic_of(event).name, 0, self.offset, time, event.key.encode(), value, headers)


def topic_of(event: e.Event) -> Topic:
    match event:
        case e.Unacceptable():
            return next(iter(REQUESTED.values()))
        case e.Tombstone(path=path) if path.endswith(SUBJECTS):
            return PREFERENCES
        case e.Tombstone(path=path):
            return SETTINGS if "/" in path else RECIPIENTS
        case _:
            return of_event(event)


__all__ = ["FAILED", "RETRY", "SENT", "Desk", "topic_of"]
