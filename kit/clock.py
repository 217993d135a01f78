"""The only place that looks at a clock; everyone else is told what time it is."""

import time
from datetime import UTC, datetime


def utc_now() -> datetime:
    """The time of day in UTC. Planned instants and expiry go by the database's clock instead."""
    return datetime.now(UTC)


def unix_ms() -> int:
    """Milliseconds since 1970, for ids that sort by their time."""
    return time.time_ns() // 1_000_000


def monotonic() -> float:
    """Seconds that only go forward, for deadlines and durations inside one process."""
    return time.monotonic()
