"""A loop goes on, whatever its work comes to."""

import asyncio

from services.intake.loops.beat import Beat
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
    beat = Beat("test", work.once, 0.001)
    await beat.start()
    await asyncio.wait_for(work.rested.wait(), PATIENCE)
    assert work.times >= 4 and beat.task and not beat.task.done()
    await beat.stop()


async def test_it_is_woken() -> None:
    work = Work()
    beat = Beat("test", work.once, 3600)
    await beat.start()
    await asyncio.wait_for(work.rested.wait(), PATIENCE)
    work.rested.clear()
    beat.wake()
    await asyncio.wait_for(work.rested.wait(), PATIENCE)
    assert work.times == 2
    await beat.stop()
