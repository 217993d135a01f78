"""What is paused by hand: stored, looked at by every instance each second, and so remembered over restarts."""

import asyncio
from collections.abc import Callable
from typing import Final

from kit import logs
from kit.control import store
from kit.control.store import Kind
from kit.postgres import Database
from kit.service import Loop

EVERY: Final = 1.0

log = logs.get(__name__)


class Switches(Loop):
    """A part that knows what is paused. At its start it has looked, so that nothing slips through before.

    `changed` hears of every change, and of what is found at the start if anything is paused.
    """

    def __init__(self, database: Database, changed: Callable[["Switches"], None] | None = None) -> None:
        super().__init__(self._look_on)
        self._changed = changed
        self._database = database
        self._paused: frozenset[tuple[str, str]] = frozenset()

    def is_paused(self, kind: Kind, name: str) -> bool:
        """Whether somebody has paused this provider or channel and nobody has resumed it."""
        return (kind, name) in self._paused

    async def start(self) -> None:
        await self.look()
        await super().start()

    async def look(self) -> None:
        """Looks now. Raises what the database raises: then everything is as it was."""
        async with self._database.connection() as connection:
            paused = await store.paused(connection)
        if paused != self._paused:
            self._paused = paused
            log.warning("switches_turned", paused=sorted("/".join(one) for one in paused))
            if self._changed:
                self._changed(self)

    async def _look_on(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            try:
                await self.look()
            except Exception as error:  # the database may be away: what is paused stays paused
                log.debug("switches_not_seen", error=repr(error))
