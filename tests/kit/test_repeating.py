"""A loop goes on, whatever its work comes to."""

import asyncio
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError, MessageSizeTooLargeError
from structlog.testing import capture_logs

from contracts.topics import FAILED
from kit.bus.publisher import PublishFailed
from kit.bus.record import Outgoing
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


async def test_the_first_call_may_come_after_a_pause() -> None:
    work = Work()
    loop = Repeating("test", work.once, 3600, at_once=False)
    await loop.start()
    await asyncio.sleep(0)
    assert work.times == 0
    loop.wake()
    await asyncio.wait_for(work.rested.wait(), PATIENCE)
    assert work.times == 1
    await loop.stop()


def unheard(error: Exception) -> PublishFailed:
    nothing: Any = None
    return PublishFailed([(Outgoing(FAILED, nothing), error)])


@pytest.mark.parametrize(
    ("error", "level"),
    [
        (OSError("the database is away"), "warning"),
        (unheard(KafkaConnectionError()), "warning"),
        (unheard(MessageSizeTooLargeError()), "error"),
        (ZeroDivisionError(), "error"),
    ],
)
async def test_who_is_away_is_a_warning_and_anything_else_a_mistake_of_ours(error: Exception, level: str) -> None:
    work = Work(error)
    loop = Repeating("test", work.once, 0.001)
    with capture_logs() as said:
        await loop.start()
        await asyncio.wait_for(work.rested.wait(), PATIENCE)
        await loop.stop()
    assert [(one["event"], one["loop"], one["log_level"]) for one in said] == [("loop_failed", "test", level)]
