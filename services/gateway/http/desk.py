"""What the routes work with; put together in `app.py`, handed to each router."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from kit.bus.publisher import Publisher
from kit.clock import monotonic
from kit.metrics import Metrics
from kit.postgres import Database
from kit.settings import Settings
from kit.tracing import OFF, Tracer
from services.gateway.calls import Calls
from services.gateway.http.access.auth import Tokens
from services.gateway.http.notifications.outcomes import Outcomes
from services.gateway.outbox.announcer import Announcer
from services.gateway.outbox.writer import Writer
from services.gateway.settings import Limits
from services.gateway.stream.admission import Admission

PATIENCE: Final = 5.0
GLANCE_SECONDS: Final = (0.02, 0.05, 0.1, 0.2)
"""Between looks while a client waits: the first ones quick, the last one repeats."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """The parts behind the routes. `front` are the connections of those who ask; `patience` is for how many seconds one
    of them waits to see in force what he changes, or done what he orders, before he is answered with 202."""

    settings: Settings
    front: Database
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
    patience: float = PATIENCE

    async def until(self, look: Callable[[], Awaitable[T | None]], seconds: float | None = None) -> T | None:
        """Looks again and again until there is something, or the time is over, or this gateway stops: who waits is
        answered all the same, instead of cut off. Another gateway may be at work on it. Without `seconds`: `patience`.
        """
        deadline = monotonic() + (self.patience if seconds is None else seconds)
        glances = iter(GLANCE_SECONDS)
        pause = next(glances)
        while (found := await look()) is None and monotonic() + pause < deadline and not self.admission.hub.closing:
            await asyncio.sleep(pause)
            pause = next(glances, pause)
        return found
