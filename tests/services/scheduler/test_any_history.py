"""Whatever happens to a schedule, in any order: no instant early, none of another version, none forgotten (P4.4)."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from pydantic_core import from_json

from contracts import events as e
from contracts.identity import firing_id, milliseconds
from kit.bus.publisher import Publisher, PublishFailed
from kit.bus.record import Outgoing
from kit.postgres import Database
from kit.recurrence import Rule
from kit.recurrence.misfire import CAP, GRACE
from services.scheduler.shelves import schedules as recurring
from services.scheduler.shelves.schedules import Schedules
from tests.services.scheduler.schedules import HOUR, MINUTE, Said, gone, schedule
from tests.services.scheduler.support import NOON, Owner

ZONE = ZoneInfo("Europe/Paris")
CRONS = ("0 * * * *", "30 * * * *", "*/20 * * * *", "15 9 * * *")
POLICIES = ("fire_once", "skip", "fire_all")
EDITIONS = ("2025b", "2025c")
STEPS = 40
HISTORIES = 4


@dataclass(frozen=True)
class Version:
    """What somebody wanted from then on; `cron` None: nothing."""

    since: datetime
    body: str
    cron: str | None = None
    misfire: str = ""

    def instants(self, until: datetime) -> Iterator[datetime]:
        return Rule(ZONE, self.cron, ends_at=until).firings(self.since) if self.cron else iter(())


@dataclass
class Ear:
    """Kafka as a shelf knows it: whether it hears, and whether it answers, is for the test to say."""

    hears: bool = True
    answers: bool = True
    told: list[e.Requested] = field(default_factory=list)

    async def publish(self, out: Sequence[Outgoing], *, straggling: float | None = None) -> None:
        self.told += [one.event for one in out if isinstance(one.event, e.Requested)]
        if not self.answers:
            raise PublishFailed([(one, TimeoutError()) for one in out])


class History:
    """One schedule, what is done to it, and who hears of it when."""

    def __init__(self, db: Database, owner: Owner, seed: int) -> None:
        self.db, self.owner, self.dice = db, owner, random.Random(seed)
        self.said = Said(owner)
        self.now = NOON
        self.edition = EDITIONS[0]
        self.versions: list[Version] = []
        self.begun: list[tuple[datetime, str, datetime]] = []
        self.heard: list[tuple[datetime, str, datetime]] = []

    async def lives(self) -> None:
        await self.is_edited()
        for _ in range(STEPS):
            await self.time_passes()
            happens = (self.fires, self.fires, self.fires, self.is_edited, self.is_stopped, self.zone_data_come)
            await self.dice.choices(happens, (4, 4, 4, 2, 1, 2))[0]()
        await self.owner.set_clock(self.now)
        while await self.fired(Ear()):
            pass

    async def time_passes(self) -> None:
        some = (timedelta(seconds=20), MINUTE, 17 * MINUTE, HOUR, 5 * HOUR, 26 * HOUR)
        self.now += self.dice.choices(some, (4, 3, 3, 3, 1, 1))[0] * self.dice.random()
        if self.dice.random() < 0.4:
            self.now = self.now.replace(minute=self.dice.choice((0, 20, 30)), second=5) + HOUR
        await self.owner.set_clock(self.now)

    async def is_edited(self) -> None:
        body = f"version {len(self.versions)}"
        new = Version(self.now, body, self.dice.choice(CRONS), self.dice.choice(POLICIES))
        told: dict[str, Any] = {"cron": new.cron, "misfire": new.misfire, "changed_at": self.now.isoformat()}
        await self.hears(new, schedule(notification={"channel": "inapp", "body": body}, **told))

    async def is_stopped(self) -> None:
        off = schedule(enabled=False, changed_at=self.now.isoformat())
        await self.hears(Version(self.now, ""), self.dice.choice((off, gone())))

    async def hears(self, new: Version, event: e.Event) -> None:
        self.said.handler._tzdata = self.edition
        self.versions.append(new)
        await self.said(self.db, event)

    async def zone_data_come(self) -> None:
        """Another edition, in which this zone is as it was: nothing moves."""
        self.edition = EDITIONS[self.edition == EDITIONS[0]]
        while await recurring.recompute(self.db, self.edition):
            pass

    async def fires(self) -> None:
        """Until nothing is due, unless Kafka is away or the scheduler dies, before or after it was heard."""
        ear = Ear(self.dice.random() < 0.8, self.dice.random() < 0.7)
        dies = self.dice.random() < 0.3
        while await self.fired(ear, dies=dies) and ear.answers and not dies:
            pass

    async def fired(self, ear: Ear, *, dies: bool = False) -> int:
        """How many rows a firing took."""
        shelf, taken = Schedules(self.edition), []
        ear.hears = ear.hears or (ear.answers and not dies)
        with suppress(ZeroDivisionError):
            async with self.db.transaction() as connection:
                taken = list(await shelf.take(connection, None, self.now + HOUR, 50))
                taken = [row for row in taken if row.next_at and row.next_at <= self.now]
                unheard = await shelf.say(cast(Publisher, ear), taken, self.now)
                await shelf.settle(connection, taken, unheard, self.now)
                _ = 1 // (not dies)
        told = [(self.now, *self.meant(word)) for word in ear.told]
        ear.told = []
        self.heard += told if ear.hears else []
        self.begun += told if ear.hears or not dies else []
        self.begun += [(self.now, *one) for one in await self.decided()]
        return len(taken)

    async def decided(self) -> list[tuple[str, datetime]]:
        """What is to be said next, whenever that is: (body, instant)."""
        rows = await self.owner.connection.fetch("select * from scheduler.schedules where next_at <= caught_up_to")
        return [(from_json(row["value"])["notification"]["body"], row["next_at"]) for row in rows]

    def meant(self, word: e.Requested) -> tuple[str, datetime]:
        """Which version speaks, and for which of its instants; an instant of no other version would not be found."""
        body = word.request.body or ""
        version = next(one for one in self.versions if one.body == body)
        at = next(at for at in version.instants(self.now) if _named(at) == word.id)
        return body, at


def _named(at: datetime) -> UUID:
    return firing_id("default", "plants", str(milliseconds(at)), "user/bob")


@pytest.mark.parametrize("seed", range(6))
async def test_p4_4_nothing_early_nothing_old_nothing_lost(db: Database, owner: Owner, seed: int) -> None:
    """One history after the other; each is judged by what was wanted, which knows nothing of rows."""
    for n in range(HISTORIES):
        await owner.connection.execute("truncate scheduler.schedules")
        history = History(db, owner, seed * HISTORIES + n)
        await history.lives()
        _judge(history)


def _judge(history: History) -> None:
    for n, version in enumerate(history.versions):
        later = history.versions[n + 1 :]
        until = later[0].since if later else history.now
        stopped = next((one.since for one in later if one.cron is None), None)
        wanted = list(version.instants(until))
        heard = {at for _, body, at in history.heard if body == version.body}
        begun = [(now, at) for now, body, at in history.begun if body == version.body]
        first = {at: now for now, at in reversed(begun)}
        assert set(first) <= set(wanted), "an instant that is not this version's"
        assert all(at <= now for now, at in begun), "early"
        if stopped is not None:
            assert all(now <= stopped for now, _ in begun), "said after it was stopped"
        elif version.misfire == "fire_all" and len(wanted) <= CAP:
            assert heard == set(wanted), "one is missing"
        elif version.misfire == "fire_once" and wanted:
            assert wanted[-1] in heard, "the newest is missing"
        if version.misfire == "skip":
            assert all(now - at <= GRACE for at, now in first.items()), "made up for, though it was to be skipped"
