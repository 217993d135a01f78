"""How much waits on each shelf, how much is late, and how jobs did, for whoever watches."""

from typing import Any, Final

from contracts.jobs import JOBS
from kit.metrics import Metrics
from kit.postgres import Database
from kit.postgres.clocks import clock
from kit.service import Repeating
from services.scheduler.rules import jobs as rules
from services.scheduler.store import jobs, overview

EVERY: Final = 5.0
"""Seconds between two counts."""


class Counting(Repeating):
    """Sets the gauges every few seconds; without the database they stay as they were."""

    def __init__(self, db: Database, metrics: Metrics) -> None:
        super().__init__("counting", self.once, EVERY)
        self._db = db
        self._metrics = metrics
        self._waiting: dict[str, overview.Waiting] = {}

    async def once(self) -> None:
        """Counts now."""
        async with self._db.connection() as connection:
            self._waiting = await overview.shelves(connection)
            now, rows = await clock(connection), await jobs.all_of_them(connection)
        for row in (one for one in rows if one.id in JOBS):
            late = rules.lateness(row, now).total_seconds()
            self._metrics.job(row.id, failed=row.status == "failed", late=late)
        for kind, waiting in self._waiting.items():
            self._metrics.timers_pending(kind, waiting.pending)
            self._metrics.timers_overdue(kind, waiting.overdue)

    def about(self) -> dict[str, Any]:
        """The last count, by the kind of what waits: for `ops.status`."""
        told = {kind: {"pending": one.pending, "overdue": one.overdue} for kind, one in self._waiting.items()}
        return {"timers": told}
