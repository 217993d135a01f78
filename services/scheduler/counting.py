"""How much waits on each shelf and how much is late, for whoever watches."""

import asyncio
from typing import Final

import asyncpg

from kit import logs
from kit.metrics import Metrics
from kit.postgres import Database
from services.scheduler.store import overview

EVERY: Final = 5.0
"""Seconds between two counts."""

log = logs.get(__name__)


async def count(db: Database, metrics: Metrics) -> None:
    """Sets the gauges now."""
    async with db.connection() as connection:
        found = await overview.shelves(connection)
    for kind, waiting in found.items():
        metrics.timers_pending(kind, waiting.pending)
        metrics.timers_overdue(kind, waiting.overdue)


async def count_on(db: Database, metrics: Metrics) -> None:
    """Sets the gauges every few seconds; without the database they stay as they were."""
    while True:
        try:
            await count(db, metrics)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            log.debug("timers_not_counted", error=repr(error))
        await asyncio.sleep(EVERY)
