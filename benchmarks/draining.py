"""A topic that was filled is drained: until the relay has every mail of it, and all are shown as sent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import asyncpg

from benchmarks.installation import SERVICES, Installation
from benchmarks.mails import fill
from contracts.status import Status
from deploy.local.sink import ask

SLOWEST: Final = 300.0
"""Mails per second below which nobody waits for the end."""
SHOWN_AS_SENT: Final = """
select count(*) from gateway.notifications
where tenant = 'default' and rank >= $1
  and place >= gateway.place_of($2, '00000000-0000-0000-0000-000000000000')
"""


@dataclass(frozen=True, slots=True)
class Drained:
    """Seconds from the first mail until all were in the sink, and until all were shown; CPU seconds by program."""

    in_sink: float
    projected: float
    cpu: dict[str, float]


async def drained(installation: Installation, run: str, seed: int, mails: int) -> Drained:
    """Fills the topic while those who read it stand still. Raises TimeoutError when the mails do not arrive."""
    connection = await asyncpg.connect(installation.database)
    try:
        since = await connection.fetchval("select clock_timestamp()")
        there = await _in_the_sink(installation)
        with installation.suspended("intake", "gateway"):
            await fill(installation.kafka_settings, run, seed, mails)
            before, begun = installation.cpu(), time.monotonic()
        async with asyncio.timeout(60 + mails / SLOWEST):
            sunk = await _reached(lambda: _in_the_sink(installation), there + mails)
            shown = await _reached(lambda: _shown(connection, since), mails)
    finally:
        await connection.close()
    after = installation.cpu()
    used = {name: after[name] - before[name] for name in (*SERVICES, "kafka", "postgresql", "sink")}
    return Drained(sunk - begun, shown - begun, used)


async def _in_the_sink(installation: Installation) -> int:
    return (await ask(installation.ports["sink"]))["distinct"]


async def _shown(connection: asyncpg.Connection[asyncpg.Record], since: datetime) -> int:
    return int(await connection.fetchval(SHOWN_AS_SENT, Status.SENT.rank, since))


async def _reached(count: Callable[[], Awaitable[int]], total: int) -> float:
    """When it did."""
    while True:
        if await count() >= total:
            return time.monotonic()
        await asyncio.sleep(0.05)
