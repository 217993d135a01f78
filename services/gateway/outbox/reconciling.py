"""Looks whether anybody is lost: what was accepted has ended, or somebody has it (P9)."""

from datetime import datetime
from typing import Final

from contracts.topics import REQUESTED
from kit import logs
from kit.clock import monotonic
from kit.metrics import Metrics
from kit.postgres import Connection, Database
from kit.service import Repeating
from services.gateway.settings import Pace
from services.gateway.store import reconciling
from services.gateway.store.reconciling import Lost

NAMED: Final = 20
"""So many of the lost are named in the log."""
TOPICS: Final = {lane: topic.name for lane, topic in REQUESTED.items()}
REST: Final = 100
"""The totals are counted again after a hundred times as long as that took: it costs a hundredth of a connection."""

log = logs.get(__name__)


class Reconciling(Repeating):
    """A Part. What nobody accounts for is noted for all gateways, shown, and at the next look driven again."""

    def __init__(self, database: Database, pace: Pace, metrics: Metrics, *, puts_back: bool = True) -> None:
        """`puts_back` False: what is lost is shown, and that is all."""
        super().__init__("reconciling", self._look, pace.look_every)
        self._database = database
        self._metrics = metrics
        self._puts_back = puts_back
        self._differences: dict[datetime, int] = {}
        self._lost: set[datetime] = set()
        self._count_at = 0.0

    async def _look(self) -> None:
        """There is never more to do: what differs is looked at again after the pause."""
        await self.look()

    async def look(self) -> Lost:
        """All that nobody accounts for, as is known now."""
        async with self._database.transaction() as connection:
            if await reconciling.alone(connection):
                await self._look_into_outbox(connection)
        async with self._database.connection() as connection:
            lost = await reconciling.noted(connection)
            self._metrics.lost(lost.lost)
            if monotonic() >= self._count_at:
                await self._count(connection, lost)
        return lost

    async def _look_into_outbox(self, connection: Connection) -> None:
        """Counts and rows are of one moment, so that a difference is none of time. It is looked into row by row once it
        stands: while gateways of two versions work side by side, it moves with each request."""
        differences = await reconciling.outbox_differences(connection)
        if differences is None:
            return
        before, self._differences = self._differences, differences
        self._lost &= differences.keys()
        lost = 0
        for hour, difference in differences.items():
            if before.get(hour) == difference:
                lost += await self._look_into(connection, hour, difference)
        await reconciling.note(connection, "outbox", Lost(lost, lost))

    async def _look_into(self, connection: Connection, hour: datetime, difference: int) -> int:
        """How many of that hour are lost. Where some were at the last look, too, they are put back."""
        ids = await reconciling.forgotten(connection, hour)
        if difference != len(ids):
            await reconciling.explain(connection, hour, difference - len(ids))
            self._differences[hour] = len(ids)
        if not ids:
            return 0
        log.error("accepted_and_forgotten", hour=hour.isoformat(), count=len(ids), ids=[*map(str, ids[:NAMED])])
        if hour in self._lost and self._puts_back:
            await reconciling.put_back(connection, ids, TOPICS)
            return 0
        self._lost.add(hour)
        return len(ids)

    async def _count(self, connection: Connection, lost: Lost) -> None:
        begun = monotonic()
        accepted, final = await reconciling.total(connection)
        self._count_at = begun + REST * (monotonic() - begun)
        self._metrics.reconciled(accepted + lost.uncounted, final)
