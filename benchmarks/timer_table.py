"""The scheduler's table with as many timers as one likes, of which some are due."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from statistics import median
from typing import Final, Self

import asyncpg

from kit.postgres import Connection, Database
from services.scheduler.firing import BEHIND, FIRINGS
from services.scheduler.store import timers as store
from services.scheduler.store.timers import BY_INDEX

BATCH: Final = 1000
"""Timers of a firing, as in facts: the size that a backlog reaches."""
PER_ROUND: Final = 20_000
SPREAD: Final = timedelta(seconds=20)
HANDS: Final = FIRINGS
"""Firings at a time, as the scheduler's: while some wait for the disk to have their commit, others are taken."""


class TimerTable:
    """A scheduler's timers; `db` is the scheduler's own way in, as in its `app.py`."""

    def __init__(self, owner: Connection, db: Database, seed: int) -> None:
        self.db = db
        self._owner = owner
        self._seed = seed
        self._made = 0
        self._next_due: datetime | None = None
        self._reached: datetime | None = None

    @classmethod
    @asynccontextmanager
    async def opened(cls, url: str, seed: int) -> AsyncIterator[Self]:
        """The table of this database."""
        owner = await asyncpg.connect(url, server_settings={"maintenance_work_mem": "512MB", "jit": "off"})
        db = await Database.open(url, "scheduler", size=14, settings=BY_INDEX)
        try:
            yield cls(owner, db, seed)
        finally:
            await db.close()
            await owner.close()

    async def fill_up(self, pending: int) -> None:
        """So many wait for tomorrow; their indexes are made anew, as of a table that has settled."""
        more = pending - int(await self._owner.fetchval("select count(*) from scheduler.timers"))
        if more > 0:
            indexes = await self._owner.fetch(_INDEXES)
            for row in indexes:
                await self._owner.execute(f"drop index scheduler.{row['indexname']}")
            await self._owner.execute("alter table scheduler.timers drop constraint timers_pkey")
            await self._insert(more, await self._clock() + timedelta(days=1), timedelta(milliseconds=1) * more)
            await self._owner.execute("alter table scheduler.timers add primary key (id)")
            for row in indexes:
                await self._owner.execute(row["indexdef"])
        await self._owner.execute("vacuum analyze scheduler.timers")

    async def make_due(self, count: int) -> datetime:
        """So many more are due: one after the other over 20 s, later than all before. The last one's instant."""
        begin = self._next_due or await self._clock() - timedelta(hours=1)
        await self._insert(count, begin, SPREAD)
        self._next_due = begin + SPREAD + timedelta(seconds=1)
        return begin + SPREAD

    async def seconds_of_a_round(self) -> float:
        """Firing PER_ROUND timers without saying anything: deleted, read and committed, in batches."""
        upto = await self.make_due(PER_ROUND)
        self._reached = self._reached or upto - SPREAD
        left, begun = iter(range(PER_ROUND // BATCH)), time.perf_counter()
        await asyncio.gather(*(self._fire(upto, left) for _ in range(HANDS)))
        return time.perf_counter() - begun

    async def cost(self, rounds: int) -> float:
        """Microseconds per timer in the median of so many rounds."""
        return median([await self.seconds_of_a_round() for _ in range(rounds)]) / PER_ROUND * 1e6

    @asynccontextmanager
    async def old_snapshot(self, url: str) -> AsyncIterator[None]:
        """Somebody has forgotten a transaction: nothing that is deleted meanwhile can be cleaned away."""
        forgetful = await asyncpg.connect(url)
        await forgetful.execute("begin isolation level repeatable read")
        await forgetful.fetchval("select 1 from scheduler.timers limit 1")
        try:
            yield
        finally:
            await forgetful.close()

    async def _fire(self, upto: datetime, left: Iterator[int]) -> None:
        """As the firing does: each look reaches a little behind the last one's end."""
        for _ in left:
            assert self._reached
            async with self.db.transaction() as connection:
                taken = await store.take(connection, self._reached - BEHIND, upto, BATCH)
            assert len(taken) == BATCH
            self._reached = taken[-1].fire_after

    async def _insert(self, count: int, begin: datetime, over: timedelta) -> None:
        await self._owner.execute(_INSERT, begin, over / count, self._made, self._made + count, str(self._seed))
        self._made += count

    async def _clock(self) -> datetime:
        now: datetime = await self._owner.fetchval("select tocsin.clock()")
        return now


_INDEXES: Final = """
select indexname, indexdef from pg_indexes
where schemaname = 'scheduler' and tablename = 'timers' and indexname <> 'timers_pkey'
"""

_INSERT: Final = """
insert into scheduler.timers (fire_after, planned_at, id, round, try, failures, ends, kind, lane, tenant)
select at, at, md5($5::text || '/' || n)::uuid, 1, 0, 0, false, 'ripe', 'normal', 'default'
from (select n, $1::timestamptz + (n - $3::int) * $2::interval as at from generate_series($3::int + 1, $4::int) n) s
"""
