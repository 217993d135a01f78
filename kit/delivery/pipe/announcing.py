"""Beside the pipe: acceptances that came after the lease are said until Kafka has them (P5.6)."""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from contracts.events import Event, Taken
from kit.bus.publisher import Publisher
from kit.bus.record import Outgoing
from kit.delivery import events
from kit.delivery.store import late as store
from kit.metrics import Metrics
from kit.postgres import Database
from kit.service import Repeating

EVERY: Final = 1.0
MOST: Final = 500


class Announcing(Repeating):
    """Looks every second; several senders may say the same thing, which is then one event, and counted once."""

    def __init__(self, database: Database, publisher: Publisher, metrics: Metrics) -> None:
        super().__init__("late acceptances", self.once, EVERY)
        self._database = database
        self._publisher = publisher
        self._metrics = metrics

    async def once(self) -> bool:
        """One look; whether there may be more to say."""
        async with self._database.connection() as connection:
            late = await store.unannounced(connection, MOST)
        told = [(one, events.unsaid(one)) for one in late]
        if said := await self._publisher.heard([(pair, Outgoing.of(pair[1])) for pair in told]):
            async with self._database.connection() as connection:
                first = await store.announced(connection, [one for one, _ in said])
            self._count([event for one, event in said if (one.id, one.try_) in first])
        return len(said) == MOST

    def _count(self, said: Iterable[Event]) -> None:
        taken = Counter((one.channel or "", one.provider or "") for one in said if isinstance(one, Taken))
        for (channel, provider), n in taken.items():
            self._metrics.sent(channel, provider, n)
