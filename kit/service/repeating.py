"""One endless piece of work: again after a pause, at once when it is woken, and never ended by an error."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from kit import logs
from kit.service.absence import is_absence
from kit.service.parts import Loop

log = logs.get(__name__)

LONGEST: Final = 10.0
"""Seconds of the pause that doubles with each error in a row, where the work's own is not longer."""


Work = Callable[[], Awaitable[int | None]]
"""One turn; what is true says that there may be more to do."""


class Repeating(Loop):
    """A part that calls `work` every `seconds`, and at once after `wake()`, or where it says that there is more to do.

    Its errors are logged under `name`: in a line where Kafka or the database is away, as a mistake of ours elsewhere.
    """

    def __init__(self, name: str, work: Work, seconds: float, *, at_once: bool = True) -> None:
        """`at_once` False: the first call comes after a pause."""
        super().__init__(self._go_on)
        self._at_once = at_once
        self._name = name
        self._work_once = work
        self._seconds = seconds
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """There is something to do."""
        self._woken.set()

    async def _go_on(self) -> None:
        stumbles = 0
        if not self._at_once:
            await self._rest(self._seconds)
        while True:
            self._woken.clear()
            try:
                more, stumbles = await self._work_once(), 0
            except Exception as error:  # Kafka or the database may be away; whatever it is, the work is still there
                more, stumbles = False, stumbles + 1
                self._tell(error)
            if not more:
                await self._rest(min(self._seconds * 2 ** min(stumbles, 10), max(LONGEST, self._seconds)))

    def _tell(self, error: Exception) -> None:
        if is_absence(error):
            log.warning("loop_failed", loop=self._name, error=f"{type(error).__name__}: {error}")
        else:
            log.error("loop_failed", loop=self._name, exc_info=error)

    async def _rest(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()
