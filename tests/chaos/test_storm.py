"""Services are killed under load, and the mail catcher says what came of it."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kit.settings import KafkaSettings
from tests import servers as real
from tests.chaos.storm import Load, kill_in_turn
from tests.journeys.stack import SERVICES, Stack

pytestmark = pytest.mark.chaos

TWO_OF_EACH = dict.fromkeys(SERVICES, 2)
FORMS = {"short": (2_000, 60.0), "full": (10_000, 300.0)}
"""Mails, and the seconds over which they are offered: every instance is killed three times, or fifteen times."""
MAILS, SECONDS = FORMS[os.environ.get("TOCSIN_TEST_CHAOS", "short")]
RECOVERY = 240.0
"""A lease that a killed sender left behind runs out first."""


@pytest.fixture
async def pair(kafka: KafkaSettings, database: str, session: real.Session) -> AsyncIterator[Stack]:
    """Two instances of every service."""
    folder: Path = session.new_folder("chaos")
    async with Stack(kafka, database, folder, session.look_after, counts=TWO_OF_EACH) as stack:
        yield stack


async def test_nothing_is_lost_while_services_are_killed_in_turn(pair: Stack) -> None:
    load, over = Load(pair), asyncio.Event()
    killer = asyncio.create_task(kill_in_turn(pair, SERVICES, every=2.0, until=over))
    await load.offer(MAILS, per_second=MAILS / SECONDS)
    over.set()
    killed = await killer
    verdict = await load.arrived(within=RECOVERY)
    print(f"{killed} kills: {verdict}")
    assert killed >= SECONDS / 2 * 0.7
    assert not verdict.lost, str(verdict)
    assert verdict.copied_share <= 0.005, str(verdict)
    assert not verdict.unflagged, str(verdict)


async def test_a_graceful_end_of_each_service_costs_no_copy(pair: Stack) -> None:
    load = Load(pair)
    offering = asyncio.create_task(load.offer(600, per_second=40))
    for service in SERVICES:
        for instance in pair.of(service):
            assert await pair.terminate(instance) == 0
            pair.start(instance)
            await pair.ready([instance])
    await offering
    verdict = await load.arrived(within=RECOVERY)
    print(verdict)
    assert not verdict.lost, str(verdict)
    assert verdict.copies == 0, str(verdict)
