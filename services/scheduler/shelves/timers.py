"""The timers on their two shelves: those that were never fired, and those that Kafka has not acknowledged yet."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from kit.bus.publisher import Publisher
from kit.postgres import Connection
from kit.tracing import OFF, Tracer
from services.scheduler.firing import Fired
from services.scheduler.rules.timers import Timer
from services.scheduler.saying import say
from services.scheduler.store import timers as store
from services.scheduler.store.looking import Look

STRAGGLING: Final = 0.5
"""Seconds that a firing waits for a partition which does not answer while others do. What is not heard by then is put
back, and waits for its next firing apart from the others: there it has all the time it needs."""


class Timers:
    """The shelf of the notifications and retries that wait for their instant (P4.1, P4.2): one that fires is gone,
    one that Kafka has not acknowledged is put back. `put_back`: the shelf of these."""

    def __init__(self, *, put_back: bool = False, tracer: Tracer = OFF) -> None:
        self._put_back = put_back
        self._tracer = tracer

    async def look(self, connection: Connection, since: datetime | None) -> Look:
        return await store.look(connection, since, put_back=self._put_back)

    async def take(self, connection: Connection, since: datetime | None, now: datetime, limit: int) -> Sequence[Timer]:
        return await store.take(connection, since, now, limit, put_back=self._put_back)

    def is_full(self, taken: Sequence[Timer], limit: int) -> bool:
        return len(taken) == limit

    async def say(self, publisher: Publisher, taken: Sequence[Timer], now: datetime) -> Sequence[Timer]:
        began = self._tracer.now()
        unheard = await say(publisher, taken, None if self._put_back else STRAGGLING)
        left = {timer.id for timer in unheard}
        self._tracer.done("fire", ((timer.id, timer.trace) for timer in taken if timer.id not in left), began)
        return unheard

    async def settle(
        self, connection: Connection, taken: Sequence[Timer], unheard: Sequence[Timer], now: datetime
    ) -> Fired:
        await store.put_back(connection, unheard)
        left = {timer.id for timer in unheard}
        return Fired([(timer.kind, timer.planned_at) for timer in taken if timer.id not in left])
