"""Intake says how many it has accepted and how many have ended, so that nobody has to take our word for it (P9)."""

from datetime import datetime, timedelta
from typing import Any

from contracts.events import ServiceStatus
from contracts.identity import object_id
from kit import logs
from kit.bus.publisher import Publisher
from kit.bus.record import Outgoing
from kit.clock import monotonic
from kit.metrics import Metrics
from kit.postgres import Database
from services.intake.store import counts, rows

SPAN = timedelta(days=8)
"""A day more than Kafka keeps: what is older is said by nobody any more."""
AT_LEAST_EVERY = 60.0

log = logs.get(__name__)

Hours = list[tuple[datetime, int, int]]


class Counts:
    """Publishes (hour of acceptance, accepted, final), and how many open ones have no row any more, on `ops.status`
    when that has changed, and now and then."""

    def __init__(self, db: Database, publisher: Publisher, metrics: Metrics) -> None:
        self.db = db
        self.publisher = publisher
        self.metrics = metrics
        self._said: Hours = []
        self._missing = 0
        self._said_at = 0.0

    async def once(self) -> None:
        """Says them, if there is anything to say; there is never more to do."""
        async with self.db.transaction() as connection:
            now = (await rows.moment(connection)).real
            hours = await counts.hours(connection, now - SPAN)
            open_ = await counts.open_now(connection)
        self._show(open_)
        changed = (hours, open_.missing) != (self._said, self._missing)
        if changed or monotonic() - self._said_at > AT_LEAST_EVERY:
            await self.publisher.publish([Outgoing.of(_status(hours, open_.missing, now))])
            self._said, self._missing, self._said_at = hours, open_.missing, monotonic()

    def _show(self, open_: counts.Open) -> None:
        self.metrics.open_now(open_.best)
        self.metrics.lost(open_.missing)
        if open_.missing and open_.missing != self._missing:
            log.error("open_and_gone", count=open_.missing, counted=open_.counted, rows=open_.rows)


def _status(hours: Hours, missing: int, now: datetime) -> ServiceStatus:
    result: dict[str, Any] = {
        "hours": [{"hour": hour.isoformat(), "accepted": accepted, "final": final} for hour, accepted, final in hours],
        "missing": missing,
    }
    return ServiceStatus(
        correlation_id=object_id("default", "counts", "intake"),
        service="intake",
        instance="counts",
        state="counts",
        at=now,
        result=result,
    )
