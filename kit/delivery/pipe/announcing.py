"""Beside the pipe: acceptances that came after the lease are said until Kafka has them (P5.6)."""

import json
from typing import Final

from kit.bus.publisher import Publisher
from kit.bus.record import Outgoing
from kit.delivery import events, store
from kit.delivery.store import Late
from kit.postgres import Database
from kit.service import Repeating

EVERY: Final = 1.0
MOST: Final = 500


class Announcing(Repeating):
    """Looks every second; several senders may say the same thing, which is then one event."""

    def __init__(self, database: Database, publisher: Publisher) -> None:
        super().__init__("late acceptances", self.once, EVERY)
        self._database = database
        self._publisher = publisher

    async def once(self) -> bool:
        """One look; whether there may be more to say."""
        async with self._database.connection() as connection:
            late = await store.unannounced(connection, MOST)
        if said := await self._publisher.heard([(one, _outgoing(one)) for one in late]):
            async with self._database.connection() as connection:
                await store.announced(connection, said)
        return len(said) == MOST


def _outgoing(late: Late) -> Outgoing:
    event = events.outcome(
        late.verdict,
        json.loads(late.about),
        try_=late.try_,
        attempt=late.attempt,
        unknown=late.unknown,
        provider=late.provider,
    )
    return Outgoing.of(event)
