"""Under load a batch is worth waiting for, where nobody waits for it: a handful costs as much as a hundred."""

import asyncio
from collections.abc import Sequence
from typing import Final

from kit.bus.consumer import Consumer
from kit.bus.record import Received
from kit.clock import monotonic

GATHER: Final = 0.025
"""Seconds that a batch may grow, and within which it must have begun for that: what comes alone is not kept."""
GATHER_BUSY: Final = 0.1
"""The same behind a batch of `MANY`: where so much happens at once, a tenth of a second is no time."""
MANY: Final = 100


class Gathering(Consumer):
    """A Consumer of one lane whose batches grow for a moment while more is coming."""

    _before = 0
    """Records of the batch before."""

    async def poll(self, limit: int | Sequence[int], wait: float) -> list[Received]:
        """As a Consumer does; while it is busy a little later, and more at once."""
        most = limit if isinstance(limit, int) else limit[0]
        asked = monotonic()
        records = await super().poll(most, wait)
        # From the asking on: what the batch before took to be done says nothing about what is coming.
        if records and self._before and len(records) < most and monotonic() - asked < GATHER:
            records = await self._more(records, most)
        self._before = len(records)
        return records

    async def _more(self, records: list[Received], most: int) -> list[Received]:
        """What was read before the partitions were lost is nobody's business here any more."""
        generation = self.generation
        await asyncio.sleep(GATHER_BUSY if self._before >= MANY else GATHER)
        more = await super().poll(most - len(records), 0)
        return records + more if generation == self.generation else more
