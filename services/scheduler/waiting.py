"""The timers on their shelf: one that fires is gone, one that Kafka has not acknowledged is put back."""

from collections.abc import Sequence
from datetime import datetime

from kit.bus.publisher import Publisher
from kit.postgres import Connection
from services.scheduler.firing import Fired
from services.scheduler.rules.timers import Timer
from services.scheduler.saying import say
from services.scheduler.store import timers as store
from services.scheduler.store.looking import Look


class Timers:
    """The shelf of the notifications and retries that wait for their instant (P4.1, P4.2)."""

    async def look(self, connection: Connection, since: datetime | None) -> Look:
        return await store.look(connection, since)

    async def take(self, connection: Connection, since: datetime | None, now: datetime, limit: int) -> Sequence[Timer]:
        return await store.take(connection, since, now, limit)

    async def say(self, publisher: Publisher, taken: Sequence[Timer], now: datetime) -> Sequence[Timer]:
        return await say(publisher, taken)

    async def settle(
        self, connection: Connection, taken: Sequence[Timer], unheard: Sequence[Timer], now: datetime
    ) -> Fired:
        await store.put_back(connection, unheard)
        left = {timer.id for timer in unheard}
        return Fired([(timer.kind, timer.planned_at) for timer in taken if timer.id not in left])
