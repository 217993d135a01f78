"""Under load a batch is worth waiting for: what the projector reads comes in handfuls, each as dear as a hundred."""

import asyncio
from collections.abc import Sequence
from typing import Final

from kit.bus.consumer import Consumer
from kit.bus.record import Received
from kit.clock import monotonic

GATHER: Final = 0.025
"""Seconds that a batch may grow, and within which the next one must follow for that: what comes alone is not kept."""
ENOUGH: Final = 500
"""Records that are worth a transaction of their own."""


class Gathering(Consumer):
    """A Consumer of one lane whose batches grow for a moment while more is coming."""

    _last = float("-inf")

    async def poll(self, limit: int | Sequence[int], wait: float) -> list[Received]:
        """As a Consumer does; while it is busy a little later, and more at once."""
        most = limit if isinstance(limit, int) else limit[0]
        records = await super().poll(most, wait)
        busy = monotonic() - self._last < GATHER
        if records and busy and len(records) < ENOUGH:
            records = await self._more(records, most)
        if records:
            self._last = monotonic()
        return records

    async def _more(self, records: list[Received], most: int) -> list[Received]:
        """What was read before the partitions were lost is nobody's business here any more."""
        generation = self.generation
        await asyncio.sleep(GATHER)
        more = await super().poll(most - len(records), 0)
        return records + more if generation == self.generation else more
