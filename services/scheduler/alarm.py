"""Sleep until the next timer, unless a nearer one is armed meanwhile."""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime

from kit.bus.record import Outgoing


class Alarm:
    """Between those who arm and the one who fires, inside one process; other processes are noticed by looking."""

    def __init__(self) -> None:
        self._nearer = asyncio.Event()
        self._until: datetime | None = None
        self._earliest: datetime | None = None
        self._uncommitted: datetime | None = None

    def arming(self, instants: Iterable[datetime]) -> None:
        """Timers are armed in a transaction that is not committed yet. A batch may be judged in pieces; what is rolled
        back among them wakes for nothing."""
        self._uncommitted = min([*instants, *([self._uncommitted] if self._uncommitted else [])], default=None)

    def committed(self, _: Sequence[Outgoing] = ()) -> None:
        """The batch is stored: whoever sleeps past its first instant wakes up."""
        nearest, self._uncommitted = self._uncommitted, None
        if nearest is not None:
            self.armed(nearest)

    def armed(self, fire_after: datetime) -> None:
        """A timer was armed, and committed."""
        self._earliest = min(fire_after, self._earliest or fire_after)
        if self._until is None or fire_after < self._until:
            self._nearer.set()

    def looking(self) -> datetime | None:
        """Somebody looks for timers now; the earliest that was armed since he last did. What follows may be missed."""
        earliest, self._earliest, self._until = self._earliest, None, None
        self._nearer.clear()
        return earliest

    async def sleep(self, until: datetime | None, seconds: float) -> None:
        """For so many seconds, or less where a timer before `until` (None: any timer) is armed."""
        self._until = until
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._nearer.wait()
