"""What the routes work with; put together in `app.py`, handed to each router."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TypeVar
from uuid import UUID

from contracts import local_time
from contracts.identity import uuid7
from kit.bus.publisher import Publisher
from kit.clock import monotonic, unix_ms, utc_now
from kit.metrics import Metrics
from kit.postgres import Database
from kit.settings import Settings
from kit.tracing import OFF, Tracer
from services.gateway.calls import Calls
from services.gateway.http.auth import Tokens
from services.gateway.http.outcomes import Outcomes
from services.gateway.http.problems import forbidden, invalid
from services.gateway.outbox.announcer import Announcer
from services.gateway.outbox.writer import Writer
from services.gateway.rules.trust import Caller
from services.gateway.settings import Limits
from services.gateway.stream.admission import Admission

LONGEST_WAIT: Final = 30.0
GLANCE_SECONDS: Final = (0.02, 0.05, 0.1, 0.2)
"""Between looks while a client waits: the first ones quick, the last one repeats."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Desk:
    """The parts behind the routes."""

    settings: Settings
    database: Database
    writer: Writer
    announcer: Announcer
    publisher: Publisher
    tokens: Tokens
    limits: Limits
    admission: Admission
    calls: Calls
    metrics: Metrics
    outcomes: Outcomes
    tracer: Tracer = OFF

    async def until(self, look: Callable[[], Awaitable[T | None]], seconds: float) -> T | None:
        """Looks again and again until there is something, or the time is over, or this gateway stops: who waits is
        answered all the same, instead of cut off. Another gateway may be at work on it."""
        deadline = monotonic() + seconds
        glances = iter(GLANCE_SECONDS)
        pause = next(glances)
        while (found := await look()) is None and monotonic() + pause < deadline and not self.admission.hub.closing:
            await asyncio.sleep(pause)
            pause = next(glances, pause)
        return found


def new_id() -> UUID:
    """A time-ordered id for what brought none, and for commands (P1)."""
    return uuid7(unix_ms(), os.urandom(10))


def id_of(text: str) -> UUID | None:
    """The id in a path; None when it is none, which is then not found."""
    try:
        return UUID(text)
    except ValueError:
        return None


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


def check_admin(caller: Caller) -> None:
    """Raises Problem 403 for who is no admin of his tenant."""
    if not caller.is_admin:
        raise forbidden("admins_only", "this needs the role admin")


def check_horizon(field: str, at: datetime | None) -> None:
    """Raises Problem 422 for an instant that nobody can mean: intake would reject it."""
    if at is not None and at > local_time.horizon(utc_now()):
        raise invalid([(field, "lies more than ten years ahead")])


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
