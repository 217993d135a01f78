"""The only place that looks at a clock; everyone else is told what time it is."""

import time
from datetime import UTC, datetime


def utc_now() -> datetime:
    """The time of day in UTC. Planned instants and expiry go by the database's clock instead."""
    return datetime.now(UTC)


def monotonic() -> float:
    """Seconds that only go forward, for deadlines and durations inside one process."""
    return time.monotonic()
