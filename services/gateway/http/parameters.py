"""What the query of an address says, read and checked."""

from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from contracts import local_time
from kit.clock import utc_now
from services.gateway.http.ids import id_of
from services.gateway.http.problems import invalid

LONGEST_WAIT: Final = 30.0


def cursor(name: str, text: str | None, of: str) -> UUID | None:
    """Where a page begins: the `of` of the one before. Raises Problem 422."""
    found = id_of(text) if text is not None else None
    if text is not None and found is None:
        raise invalid([(name, f"is the `{of}` of the page before")])
    return found


def until_seconds(text: str | None) -> float:
    """`?wait=5` as seconds, at most thirty. Raises Problem 422."""
    try:
        seconds = float(text) if text else 0.0
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= LONGEST_WAIT:
        raise invalid([("wait", f"is a number of seconds from 0 to {LONGEST_WAIT:.0f}")])
    return seconds


def instant(name: str, value: datetime | None) -> datetime | None:
    """A query's time in UTC. Raises Problem 422 when it has no offset."""
    if value is None:
        return None
    if value.tzinfo is None:
        raise invalid([(name, "has no offset: add one (...+01:00 or ...Z)")])
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise invalid([(name, "lies outside the years 1 to 9999")]) from None


def check_horizon(field: str, at: datetime | None) -> None:
    """Raises Problem 422 for an instant that nobody can mean: intake would reject it."""
    if at is not None and at > local_time.horizon(utc_now()):
        raise invalid([(field, "lies more than ten years ahead")])
