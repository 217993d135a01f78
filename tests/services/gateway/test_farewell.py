"""A gateway stops while people wait for its answers: each has one, and what was accepted is not called an error."""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncpg
import httpx

from contracts import events as e
from kit.settings import KafkaSettings
from tests.services.gateway.conftest import ALICE, EMAIL, settings_of
from tests.services.gateway.support import Gateway, as_owner, others, running, until

WAITING = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"


async def stopped(gateway: Gateway) -> None:
    for part in reversed(gateway.parts.all):
        await part.stop()
    gateway.parts.all.clear()


async def test_who_waits_for_an_outcome_hears_that_it_was_accepted(
    kafka: KafkaSettings, database: str, tmp_path: Path
) -> None:
    """Anything else would have it asked for, and sent, again."""
    async with others(kafka) as judge, running(settings_of(kafka, database, tmp_path)) as gateway:
        asking = asyncio.create_task(gateway.http.post("/v1/notifications?wait=30", json=EMAIL, headers=ALICE))
        [asked] = await judge.hear(e.Requested)
        await stopped(gateway)
        answer = await asking
    assert (answer.status_code, answer.json()["id"]) == (202, str(asked.id)), answer.text


async def test_what_is_not_over_in_time_is_told_to_come_back(
    kafka: KafkaSettings, database: str, tmp_path: Path
) -> None:
    """It waits for a lock that somebody holds for longer than a gateway takes to stop."""
    owner = await asyncpg.connect(database)
    async with others(kafka), running(settings_of(kafka, database, tmp_path)) as gateway:
        id = await gateway.post(EMAIL | {"send_at": "2030-01-01T08:00:00Z"})
        async with owner.transaction():
            await owner.execute("select from gateway.notifications where id = $1 for update", id)
            cancelling = asyncio.create_task(gateway.http.delete(f"/v1/notifications/{id}", headers=ALICE))
            await until(lambda: as_owner(database, WAITING))
            await stopped(gateway)
        answer: httpx.Response = await cancelling
    await owner.close()
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1"), answer.text
