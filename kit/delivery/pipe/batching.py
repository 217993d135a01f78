"""Things that are done together: at once while little comes, gathered for a moment while much does."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, Generic, TypeVar

T = TypeVar("T")

MOST: Final = 500
LINGER: Final = 0.025
MANY: Final = 16
"""A batch of so many means that more are about to come: the next one waits `linger` seconds for them."""
AT_ONCE: Final = 2


class Batcher(Generic[T]):
    """Calls `work` with batches of what was added, at most AT_ONCE batches at a time. What `work` raises is a mistake
    of ours and goes to `broken`."""

    def __init__(
        self,
        work: Callable[[list[T]], Awaitable[None]],
        broken: Callable[[BaseException], None],
        *,
        most: int = MOST,
        at_once: int = AT_ONCE,
        linger: float = LINGER,
    ) -> None:
        self._work = work
        self._broken = broken
        self._most = most
        self._at_once = at_once
        self._linger = linger
        self._waiting: list[T] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._timers: set[asyncio.TimerHandle] = set()
        self._busy = False
        self._stopped = False

    def __len__(self) -> int:
        """How many wait to be worked on."""
        return len(self._waiting)

    def add(self, items: Iterable[T]) -> None:
        """To be worked on soon."""
        self._waiting.extend(items)
        if self._waiting and len(self._tasks) < self._at_once and not self._stopped:
            task = asyncio.create_task(self._run())
            self._tasks.add(task)
            task.add_done_callback(self._ended)

    def later(self, seconds: float, items: Iterable[T]) -> None:
        """To be worked on, but not at once."""
        kept = list(items)

        def come() -> None:
            self._timers.discard(timer)
            self.add(kept)

        timer = asyncio.get_running_loop().call_later(seconds, come)
        self._timers.add(timer)

    async def stop(self) -> None:
        """Ends everything where it is."""
        self._stopped = True
        for timer in self._timers:
            timer.cancel()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _run(self) -> None:
        while self._waiting:
            if self._busy and len(self._waiting) < self._most:
                await asyncio.sleep(self._linger)
            batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
            self._busy = len(batch) >= MANY
            if batch:
                await self._work(batch)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self._broken(error)
