"""All who wait here for outcomes look together: a thousand of them ask the database as often as one does."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from typing import Final
from uuid import UUID

from kit.postgres import Database
from services.gateway.store import reading
from services.gateway.stream.hub import Hub

FEW: Final = 50
QUICK_SECONDS, CALM_SECONDS = 0.05, 0.2
"""Between two looks: for a few, for a crowd. Another gateway may be at work on it."""


class Outcomes:
    """For as many as like to wait, also for what a provider that is away keeps open for a long time."""

    def __init__(self, database: Database, hub: Hub) -> None:
        """`hub` knows when this gateway stops: then nobody waits any longer."""
        self._database = database
        self._hub = hub
        self._waiting: defaultdict[UUID, set[asyncio.Event]] = defaultdict(set)
        self._looking: asyncio.Task[None] | None = None

    async def wait(self, id: UUID, seconds: float) -> None:
        """Returns when it has ended, when the time is over, or when this gateway stops; while the database is away,
        with the time."""
        over = asyncio.Event()
        self._waiting[id].add(over)
        if self._looking is None:
            self._looking = asyncio.create_task(self._look_on())
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await over.wait()
        finally:
            self._waiting[id].discard(over)
            if not self._waiting[id]:
                del self._waiting[id]

    async def _look_on(self) -> None:
        try:
            while self._waiting and not self._hub.closing:
                with suppress(Exception):  # who has waited looks once more, and hears what is wrong
                    await self._look()
                await asyncio.sleep(QUICK_SECONDS if len(self._waiting) <= FEW else CALM_SECONDS)
        finally:
            self._looking = None
            self._over(list(self._waiting))

    async def _look(self) -> None:
        async with self._database.connection() as connection:
            self._over(await reading.ended(connection, list(self._waiting)))

    def _over(self, ids: Iterable[UUID]) -> None:
        for id in ids:
            for one in self._waiting.get(id, ()):
                one.set()
