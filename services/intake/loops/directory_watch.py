"""How far the directory has been read: what it does not know by then does not exist (P3.6)."""

from collections.abc import Awaitable, Callable
from datetime import datetime

from kit.clock import monotonic

PATIENCE = 90.0
"""Seconds for which somebody may still wait for an answer after the last one asked."""


class DirectoryWatch:
    """Asks Kafka only while somebody waits for somebody unknown."""

    def __init__(self, served: Callable[[], Awaitable[datetime | None]]) -> None:
        self.served = served
        self.until: datetime | None = None
        self._wanted_until = 0.0

    def wanted(self) -> None:
        """Somebody waits."""
        self._wanted_until = monotonic() + PATIENCE

    async def once(self) -> None:
        """Looks, if that matters now."""
        if monotonic() < self._wanted_until:
            known = [instant for instant in (self.until, await self.served()) if instant]
            self.until = max(known, default=None)
