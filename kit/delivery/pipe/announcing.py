"""Beside the pipe: acceptances that came after the lease are said until Kafka has them (P5.6)."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from kit.bus.publisher import Publisher
from kit.bus.record import Outgoing
from kit.delivery import events
from kit.delivery.store import late as store
from kit.delivery.store.results import Unsaid
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
        if said := await self._publisher.heard([(one, Outgoing.of(events.unsaid(one))) for one in late]):
            async with self._database.connection() as connection:
                first = await store.announced(connection, said)
            self._count([one for one in said if (one.id, one.try_) in first])
        return len(said) == MOST

    def _count(self, said: Sequence[Unsaid]) -> None:
        taken = Counter((_about(one).get("channel", ""), one.provider or "") for one in said)
        for (channel, provider), n in taken.items():
            self._metrics.sent(channel, provider, n)


def _about(late: Unsaid) -> dict[str, Any]:
    return dict(json.loads(late.about))
