"""A crowd that only asks keeps nobody from handing in and reporting."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final
from uuid import UUID

import asyncpg

from contracts import events as e
from contracts.status import Status
from kit.clock import utc_now
from kit.postgres import Connection
from kit.settings import KafkaSettings
from services.gateway.app import FRONT
from tests.services.gateway.conftest import ADMIN, EMAIL, settings_of
from tests.services.gateway.support import Gateway, others, running, until

CROWD: Final = 40
"""Many more than a gateway has connections to its database."""


async def test_however_many_ask_what_happens_is_taken_down(kafka: KafkaSettings, database: str, tmp_path: Path) -> None:
    """All of them wait for the database; who hands something in, and who reports on it, waits for none of them."""
    async with others(kafka) as judge, running(settings_of(kafka, database, tmp_path)) as gateway:
        blocking = await asyncpg.connect(database)
        await blocking.execute("begin; lock table gateway.audit in access exclusive mode")
        asking = [asyncio.create_task(_ask_on(gateway)) for _ in range(CROWD)]
        await until(lambda: _many_wait(blocking))
        id = await gateway.post(EMAIL)
        [asked] = await judge.hear(e.Requested)
        await judge.say(e.Sent(**asked.passed_on(), at=utc_now(), provider="smtp"))
        await until(lambda: _is_sent(blocking, id))
        for one in asking:
            one.cancel()
        await asyncio.wait(asking)
        assert all(one.cancelled() for one in asking)
        await blocking.close()


async def _ask_on(gateway: Gateway) -> None:
    while True:
        answer = await gateway.http.get("/v1/admin/audit", headers=ADMIN)
        assert answer.status_code == 503


async def _many_wait(connection: Connection) -> bool | None:
    waiting = "select count(*) from pg_locks where not granted and relation = 'gateway.audit'::regclass"
    return await connection.fetchval(waiting) == FRONT or None


async def _is_sent(connection: Connection, id: str) -> bool | None:
    rank = "select rank from gateway.notifications where id = $1"
    return await connection.fetchval(rank, UUID(id)) == Status.SENT.rank or None
