"""A new version comes while the old one works, and goes again: service by service, under load, nothing lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kit.settings import KafkaSettings
from tests import servers as real
from tests.chaos import previous
from tests.chaos.storm import Load
from tests.journeys.stack import ROOT, SERVICES, Stack

pytestmark = pytest.mark.chaos

PER_SECOND = 20.0
RECOVERY = 240.0
SOON = 15.0
"""Seconds until reminders: in the next phase, with the other version."""


@pytest.fixture
def before(folder: Path) -> Path:
    """The code of the version before."""
    return previous.checked_out(folder / "before")


@pytest.fixture
async def old_database(postgres_url: str, before: Path) -> AsyncIterator[str]:
    """As the version before left it."""
    async with real.copied_database(postgres_url, "template0") as url:
        await asyncio.to_thread(previous.migrate, before, url)
        yield url


@pytest.fixture
async def stack(kafka: KafkaSettings, old_database: str, before: Path, session: real.Session) -> AsyncIterator[Stack]:
    """All five services, as they were before."""
    old = {"PYTHONPATH": str(before)}
    folder = session.new_folder("upgrade")
    async with Stack(kafka, old_database, folder, session.look_after, settings=old) as stack:
        yield stack


async def test_a_new_version_comes_under_load_and_goes_again(stack: Stack, old_database: str) -> None:
    """The documents' order: migrations first, then service by service; and back without touching the database."""
    waiting: list[str] = []
    async with under_load(stack) as loads:
        assert not await is_new(stack)
        waiting += await slow_ones(stack, "asked of the old")
        await asyncio.to_thread(previous.migrate, ROOT, old_database)
        waiting += await slow_ones(stack, "asked of the old, with the new tables")
        for service in SERVICES:
            await replace(stack, service, PYTHONPATH=str(ROOT))
        assert await is_new(stack)
        waiting += await slow_ones(stack, "asked of the new")
        for service in reversed(SERVICES):
            await replace(stack, service)
        assert not await is_new(stack)
        waiting += await slow_ones(stack, "asked of the old again")
    verdicts = [await load.arrived(within=RECOVERY) for load in loads]
    print(*verdicts, sep="\n")
    assert sum(verdict.accepted for verdict in verdicts) > 200
    assert [verdict.lost for verdict in verdicts if verdict.lost] == []
    assert [verdict.unflagged for verdict in verdicts if verdict.unflagged] == []
    assert sum(verdict.copies for verdict in verdicts) == 0
    ends = await stack.finals(waiting, RECOVERY)
    assert {id: seen["status"] for id, seen in ends.items()} == dict.fromkeys(waiting, "sent") | failing(ends)
    await assert_each_bell_rang_once(stack)
    assert_nobody_called_anything_poison(stack)


async def is_new(stack: Stack) -> bool:
    """Whether the gateway that answers is of this version: the one before knew no audit."""
    return (await stack.call("GET", "/v1/admin/audit", admin=True)).status_code == 200


async def replace(stack: Stack, service: str, **settings: str) -> None:
    """One of the other version comes, both work, and the one that was there goes in good order."""
    [there] = [one for one in stack.of(service) if one.alive]
    await stack.another(service, **settings)
    assert await stack.terminate(there) == 0


@asynccontextmanager
async def under_load(stack: Stack) -> AsyncIterator[list[Load]]:
    """Mails by REST and Kafka for as long as the block lasts, and those before its end."""
    loads: list[Load] = []
    over = asyncio.Event()

    async def offer_on() -> None:
        while not over.is_set():
            loads.append(Load(stack))
            await loads[-1].offer(40, per_second=PER_SECOND)

    offering = asyncio.create_task(offer_on())
    try:
        yield loads
    finally:
        over.set()
        await offering


async def slow_ones(stack: Stack, subject: str) -> list[str]:
    """What one version begins and another one ends: reminders, retries, and bells on the way."""
    soon = (datetime.now(UTC) + timedelta(seconds=SOON)).isoformat()
    told = {"subject": subject, "body": "It came."}
    asked: list[dict[str, Any]] = [
        {"channel": "email", "to": "later@example.com", "send_at": soon},
        {"channel": "sms", "to": "+33612345678", "send_at": soon, "subject": None},
        {"channel": "inapp", "user_id": "bob", "send_at": soon},
        {"channel": "inapp", "user_id": "bob"},
        {"channel": "email", "to": "unavailable@simulator.test"},
    ]
    return [(await stack.post(told | one))["id"] for one in asked]


def failing(ends: dict[str, dict[str, Any]]) -> dict[str, str]:
    """What was written to the simulator is tried again and again, by both versions, and fails in the end."""
    return {id: "failed" for id, seen in ends.items() if seen.get("to") == "unavailable@simulator.test"}


async def assert_each_bell_rang_once(stack: Stack) -> None:
    inbox = (await stack.call("GET", "/v1/inbox", user="bob")).json()["items"]
    subjects = [one["title"] for one in inbox]
    assert sorted(subjects) == sorted(2 * list(dict.fromkeys(subjects)))
    assert len(subjects) == 8


def assert_nobody_called_anything_poison(stack: Stack) -> None:
    """Each version reads what the other one says, or passes over what it does not know yet."""
    for instance in stack.instances:
        assert [line for line in instance.log.read_text().splitlines() if "poison" in line] == []
