"""Beside the pipe: acceptances that came after the lease are said until Kafka has them (P5.6)."""

import asyncio
import json
from collections.abc import Sequence
from typing import Final

from kit import logs
from kit.bus.publisher import Publisher, PublishFailed
from kit.bus.record import Outgoing
from kit.delivery import events, store
from kit.delivery.store import Late
from kit.postgres import Database, fate

EVERY: Final = 1.0
MOST: Final = 500

log = logs.get(__name__)


class Announcing:
    """Looks every second; several senders may say the same thing, which is then one event."""

    def __init__(self, database: Database, publisher: Publisher) -> None:
        self._database = database
        self._publisher = publisher
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """There is something to say."""
        self._wake.set()

    async def run(self) -> None:
        """For ever."""
        while True:
            try:
                await self.once()
            except Exception as error:
                if fate(error) != "connection":
                    log.error("late_acceptances_not_announced", exc_info=error)
            try:
                async with asyncio.timeout(EVERY):
                    await self._wake.wait()
            except TimeoutError:
                continue
            self._wake.clear()

    async def once(self) -> int:
        """One look; how many were said and acknowledged."""
        async with self._database.connection() as connection:
            late = await store.unannounced(connection, MOST)
        if said := await self._said(late):
            async with self._database.connection() as connection:
                await store.announced(connection, said)
        return len(said)

    async def _said(self, late: Sequence[Late]) -> list[Late]:
        outgoing = [_outgoing(one) for one in late]
        try:
            await self._publisher.publish(outgoing)
        except PublishFailed as failure:
            failed = {id(one) for one, _ in failure.failed}
            return [one for one, out in zip(late, outgoing, strict=True) if id(out) not in failed]
        return list(late)


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
