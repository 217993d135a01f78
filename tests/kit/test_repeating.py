"""A loop goes on, whatever its work comes to."""

import asyncio

from kit.service import Repeating
from tests.waiting import PATIENCE


class Work:
    """Does what it is told, once each; then rests."""

    def __init__(self, *fates: bool | Exception) -> None:
        self.fates = list(fates)
        self.times = 0
        self.rested = asyncio.Event()

    async def once(self) -> bool:
        self.times += 1
        fate = self.fates.pop(0) if self.fates else False
        if isinstance(fate, Exception):
            raise fate
        if not fate:
            self.rested.set()
        return fate


async def test_an_error_does_not_end_it_and_more_to_do_is_done_at_once() -> None:
    work = Work(OSError("away"), True, True)
    loop = Repeating("test", work.once, 0.001)
    await loop.start()
    await asyncio.wait_for(work.rested.wait(), PATIENCE)
    assert work.times >= 4 and loop.task and not loop.task.done()
    await loop.stop()


async def test_it_is_woken() -> None:
    work = Work()
    loop = Repeating("test", work.once, 3600)
    await loop.start()
    await asyncio.wait_for(work.rested.wait(), PATIENCE)
    work.rested.clear()
    loop.wake()
    await asyncio.wait_for(work.rested.wait(), PATIENCE)
    assert work.times == 2
    await loop.stop()
