"""How many timers wait and how many are late, for whoever watches."""

import asyncio
from typing import Final

import asyncpg

from kit import logs
from kit.metrics import Metrics
from kit.postgres import Database
from services.scheduler.store import timers as store

EVERY: Final = 5.0
"""Seconds between two counts."""

log = logs.get(__name__)


async def count(db: Database, metrics: Metrics) -> None:
    """Sets the gauges now."""
    async with db.connection() as connection:
        found = await store.count(connection)
    metrics.timers_pending("all", found.pending)
    metrics.timers_overdue(found.overdue)


async def count_on(db: Database, metrics: Metrics) -> None:
    """Sets the gauges every few seconds; without the database they stay as they were."""
    while True:
        try:
            await count(db, metrics)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            log.debug("timers_not_counted", error=repr(error))
        await asyncio.sleep(EVERY)
