"""What nobody has published is published, and what intake never answered is said again (P6.1)."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime

from kit import logs
from kit.clock import monotonic
from kit.metrics import Metrics
from kit.postgres import Database, fate
from kit.service import Loop
from services.gateway.outbox.announcer import Announcer
from services.gateway.settings import Pace
from services.gateway.store import outbox

log = logs.get(__name__)

Served = Callable[[str, str], Awaitable[datetime | None]]
"""How far a group ("intake", "gateway") has come on a topic, by Kafka's clock; None when nobody knows (P3.9)."""


class Sweep(Loop):
    """A Part. Several gateways may sweep at once: each takes rows that no other has taken."""

    def __init__(self, database: Database, announcer: Announcer, served: Served, pace: Pace, metrics: Metrics) -> None:
        super().__init__(self._sweep_on)
        self._database = database
        self._announcer = announcer
        self._served = served
        self._pace = pace
        self._metrics = metrics
        self._looked = float("-inf")

    async def _sweep_on(self) -> None:
        while True:
            await asyncio.sleep(self._pace.sweep_every)
            try:
                await self.sweep()
            except Exception as error:
                if fate(error) != "connection":
                    log.exception("sweep_failed")

    async def sweep(self) -> None:
        """One look at the outbox."""
        while await self._publish_some() == self._pace.publish_items:
            pass
        if monotonic() - self._looked >= self._pace.look_every:
            self._looked = monotonic()
            await self._say_again()
            await self._measure()

    async def _publish_some(self) -> int:
        async with self._database.connection() as connection:
            waiting = await outbox.take(connection, self._pace.publish_items, self._pace.lease)
        if not waiting:
            return 0
        said = await self._announcer.publish([((row.id, row.command), row.said()) for row in waiting])
        async with self._database.connection() as connection:
            await outbox.published(connection, said, self._pace.slack)
        return len(said)

    async def _say_again(self) -> None:
        """Only what the judge must have read, and did not answer: late is not lost."""
        async with self._database.connection() as connection:
            overdue = await outbox.overdue_topics(connection, self._pace.slack)
        served = await self._ask(overdue)
        if not served:
            return
        async with self._database.connection() as connection:
            again = await outbox.unanswered(connection, served, self._pace.slack, self._pace.publish_items)
        if again:
            log.info("said_again", rows=again)
            self._metrics.republished("outbox", again)

    async def _ask(self, overdue: list[tuple[str, str]]) -> Mapping[str, datetime]:
        answers = {topic: await self._served(judge, topic) for judge, topic in overdue}
        return {topic: at for topic, at in answers.items() if at is not None}

    async def _measure(self) -> None:
        async with self._database.connection() as connection:
            pending = await outbox.pending(connection)
        for kind in ("request", "cancel", "move", "group", "inbox"):
            self._metrics.outbox_pending(kind, pending.get(kind, 0))
