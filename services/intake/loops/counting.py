"""Intake says how many it has accepted and how many have ended, so that nobody has to take our word for it (P9)."""

from datetime import datetime, timedelta
from typing import Any

from contracts.events import ServiceStatus
from contracts.identity import object_id
from kit.bus.publisher import Publisher
from kit.bus.record import Outgoing
from kit.clock import monotonic
from kit.postgres import Database
from services.intake.store import counts, rows

SPAN = timedelta(days=8)
"""A day more than Kafka keeps: what is older is said by nobody any more."""
AT_LEAST_EVERY = 60.0

Hours = list[tuple[datetime, int, int]]


class Counts:
    """Publishes (hour of acceptance, accepted, final) on `ops.status` when they have changed, and now and then."""

    def __init__(self, db: Database, publisher: Publisher) -> None:
        self.db = db
        self.publisher = publisher
        self._said: Hours = []
        self._said_at = 0.0

    async def once(self) -> bool:
        """Says them, if there is anything to say; there is never more to do."""
        async with self.db.transaction() as connection:
            now = (await rows.moment(connection)).real
            hours = await counts.hours(connection, now - SPAN)
        if hours != self._said or monotonic() - self._said_at > AT_LEAST_EVERY:
            await self.publisher.publish([Outgoing.of(_status(hours, now))])
            self._said, self._said_at = hours, monotonic()
        return False


def _status(hours: Hours, now: datetime) -> ServiceStatus:
    result: dict[str, Any] = {
        "hours": [{"hour": hour.isoformat(), "accepted": accepted, "final": final} for hour, accepted, final in hours]
    }
    return ServiceStatus(
        correlation_id=object_id("default", "counts", "intake"),
        service="intake",
        instance="counts",
        state="counts",
        at=now,
        result=result,
    )
