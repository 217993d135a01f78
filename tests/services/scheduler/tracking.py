"""Short words for what tests say about deadlines, and for what comes of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from contracts import events as e
from contracts.topics import DEADLINES, RECIPIENTS, SETTINGS
from kit.bus.publisher import Publisher
from kit.bus.record import Received
from kit.metrics import Metrics
from kit.postgres import Database
from kit.stage import Message
from services.scheduler.alarm import Alarm
from services.scheduler.firing import Firing
from services.scheduler.handlers.deadlines import Follow
from services.scheduler.shelves.considering import Considering, Job
from services.scheduler.shelves.deadlines import Deadlines

ZONE = "Europe/Paris"
DUE = "2027-03-10"
"""Late at 2027-03-10 23:00 UTC, for who lives in Paris."""
FEBRUARY = datetime(2027, 2, 1, 12, tzinfo=UTC)
WEEK_BEFORE = datetime(2027, 3, 3, 7, tzinfo=UTC)
DAY_BEFORE = datetime(2027, 3, 9, 7, tzinfo=UTC)
SAME_DAY = datetime(2027, 3, 10, 7, tzinfo=UTC)
LATE = datetime(2027, 3, 10, 23, tzinfo=UTC)
CRITICAL = datetime(2027, 3, 13, 23, tzinfo=UTC)

TOPICS = {e.Deadline: DEADLINES, e.Recipient: RECIPIENTS, e.Setting: SETTINGS, e.Tombstone: DEADLINES}

offsets = count()


def dossier(id: str = "118", **more: Any) -> e.Deadline:
    said = {"id": id, "title": f"Dossier {id}", "due_date": DUE, "assignees": ["bob"], "owner": "user:alice"}
    return e.Deadline.model_validate(said | more)


def person(user_id: str = "bob", time_zone: str | None = ZONE, **more: Any) -> e.Recipient:
    return e.Recipient(user_id=user_id, time_zone=time_zone, **more)


def plan(name: str, *reminders: dict[str, Any]) -> e.Setting:
    return e.Setting(what="plan", id=name, value={"reminders": reminders})


def message(event: e.Event, *, at: datetime | None = None, offset: int | None = None) -> Message:
    topic = TOPICS[type(event)].name
    place = next(offsets) if offset is None else offset
    return Message(event, Received(topic, 0, place, at or datetime.now(UTC), b"", b""))


class Desk:
    """A scheduler whose clock the test holds, without Kafka: what it hears, and what it says when it is looked at."""

    def __init__(self, db: Database, *, zone: str = ZONE) -> None:
        self.db = db
        self.shelf = Deadlines(Considering(zone, "18:00"))

    async def hears(self, *events: e.Event | Message) -> None:
        """In one batch."""
        async with self.db.transaction() as connection:
            told = [event if isinstance(event, Message) else message(event) for event in events]
            assert await Follow(Alarm())(connection, told) == ()

    async def fires(self, at_once: int = 50) -> list[e.Event]:
        """Everything that is due, said and heard."""
        words: list[e.Event] = []
        while jobs := await self._fired(at_once):
            words += [word for job in jobs for word in job.words]
        return words

    async def says(self, at_once: int = 50) -> list[tuple[str, str]]:
        """The same, of the reminders: (person, rule), in their order."""
        words = [word for word in await self.fires(at_once) if isinstance(word, e.Requested)]
        return [(str(word.user_id), _rule(word)) for word in words]

    async def is_not_answered(self, *, dies: bool) -> list[e.Event]:
        """What is due is said, and Kafka has it; we do not hear of that, or die before our commit."""
        jobs: Sequence[Job] = ()
        with suppress(ZeroDivisionError):
            async with self.db.transaction() as connection:
                now = (await self.shelf.look(connection, None)).now
                jobs = await self.shelf.take(connection, None, now, 50)
                await self.shelf.settle(connection, jobs, jobs, now)
                _ = 1 // (not dies)
        return [word for job in jobs for word in job.words]

    async def _fired(self, at_once: int) -> Sequence[Job]:
        async with self.db.transaction() as connection:
            now = (await self.shelf.look(connection, None)).now
            jobs = await self.shelf.take(connection, None, now, at_once)
            await self.shelf.settle(connection, jobs, (), now)
        return jobs


def _rule(word: e.Requested) -> str:
    data = word.request.data or {}
    return str(data.get("rule") or word.request.kind)


@asynccontextmanager
async def reminding(db: Database, publisher: Publisher, **more: Any) -> AsyncIterator[Firing[Job]]:
    """One scheduler at work on deadlines."""
    shelf = Deadlines(Considering(ZONE, "18:00"))
    one: Firing[Job] = Firing(shelf, db, publisher, Alarm(), Metrics(), **{"batch_size": 50, "firings": 2, **more})
    await one.start()
    yield one
    await one.stop()


SECOND = timedelta(seconds=1)
