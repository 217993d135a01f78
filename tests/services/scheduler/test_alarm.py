"""Who sleeps until the next timer wakes for a nearer one, as soon as it is stored."""

import asyncio
from datetime import timedelta

from services.scheduler.alarm import Alarm
from tests.services.scheduler.support import NOON
from tests.waiting import PATIENCE

SECOND = timedelta(seconds=1)


async def test_a_nearer_timer_wakes() -> None:
    """Who sleeps until an hour from now hears of a timer in a minute; one of tomorrow lets it sleep."""
    alarm = Alarm()
    assert alarm.looking() is None
    sleeping = asyncio.create_task(alarm.sleep(NOON, 3600))
    await asyncio.sleep(0)
    alarm.armed(NOON + timedelta(days=1))
    assert not sleeping.done()
    alarm.armed(NOON - SECOND)
    await asyncio.wait_for(sleeping, PATIENCE)
    assert alarm.looking() == NOON - SECOND
    assert alarm.looking() is None


async def test_what_is_armed_between_look_and_sleep_wakes() -> None:
    """There is no moment in which a timer can be missed."""
    alarm = Alarm()
    alarm.looking()
    alarm.armed(NOON)
    await asyncio.wait_for(alarm.sleep(NOON - SECOND, 3600), PATIENCE)


async def test_what_is_not_committed_wakes_nobody() -> None:
    """Whoever looked for it would not see it, and sleep on."""
    alarm = Alarm()
    sleeping = asyncio.create_task(alarm.sleep(None, 3600))
    await asyncio.sleep(0)
    alarm.arming([NOON])
    alarm.arming([NOON + SECOND])
    await asyncio.sleep(0)
    assert not sleeping.done()
    assert alarm.looking() is None
    alarm.committed()
    await asyncio.wait_for(sleeping, PATIENCE)
    assert alarm.looking() == NOON


async def test_a_commit_wakes_for_its_own_timers_alone() -> None:
    """A batch that armed nothing, and one whose timers others were woken for already."""
    alarm = Alarm()
    alarm.arming([])
    alarm.committed()
    assert alarm.looking() is None
    alarm.arming([NOON])
    alarm.committed()
    assert alarm.looking() == NOON
    alarm.committed()
    assert alarm.looking() is None
