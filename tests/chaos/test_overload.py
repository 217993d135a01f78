"""Five times what a gateway takes: who is refused hears when to come back, and all that was accepted arrives, once."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import asyncpg
import pytest

from benchmarks.load import request
from contracts.status import Status
from deploy.local.sink import Sink
from kit.settings import KafkaSettings
from tests import servers as real
from tests.chaos.flood import AWAY, Flood, Told
from tests.chaos.memory import resident
from tests.journeys.stack import Stack

pytestmark = pytest.mark.chaos

SECONDS: Final = {"short": 15.0, "full": 60.0}[os.environ.get("TOCSIN_TEST_CHAOS", "short")]
TIMES: Final = 5
MEASURING: Final = 3.0
USUAL, MOST = 64, 1_800
"""Connections by which it is measured what the gateway takes, and over which it is asked for more: more than may wait
for their turn, and fewer than the system keeps for a listener that is slow to take them (2,048). One too many there
believes that it is connected, and hears nothing for a minute."""
SHORTEST_BREATH: Final = 500.0
"""A second: counts as what it takes, be it less, as it is where the machine was busy with something else just then."""
LONGEST_BREATH: Final = 1_500.0
"""Or be it more. The clients share the machine with all that they ask for."""
MOST_MEMORY: Final = 400 * 2**20
RECOVERY: Final = 400.0
MAIL: Final = {"channel": "email", "to": "customer@example.com", "subject": "Your order", "body": "It is on its way."}

OPEN: Final = "select count(*) from gateway.notifications where rank < $1"
SENT: Final = "select id::text as id from gateway.notifications where rank = $1"
CLAIMS: Final = "select id::text as id, count(*) as n, sum(unknown) as unknown from email_sender.claims group by id"


class Drain(Sink):
    """The sink in the place of the stack's catcher: it takes as many mails as come."""

    async def start(self) -> None:
        await self.__aenter__()

    async def stop(self) -> None:
        await self.__aexit__(None, None, None)


@pytest.fixture
async def stack(kafka: KafkaSettings, database: str, session: real.Session) -> AsyncIterator[Stack]:
    folder: Path = session.new_folder("overload")
    async with Stack(kafka, database, folder, session.look_after, catcher=Drain()) as stack:  # type: ignore[arg-type]
        yield stack


async def test_what_is_too_much_is_refused_and_the_rest_arrives(stack: Stack) -> None:
    [gateway] = stack.of("gateway")
    assert gateway.process
    flood = Flood(gateway.port, request("/v1/notifications", stack.token(), json.dumps(MAIL).encode()))
    takes = min(max(await flood.ask_on(USUAL, MEASURING), SHORTEST_BREATH), LONGEST_BREATH)
    watching = asyncio.create_task(_most_memory(gateway.process.pid))
    await flood.offer(MOST, TIMES * takes, SECONDS)
    flood.close()
    watching.cancel()
    told, memory = flood.told, await watching
    print(
        f"takes {takes:.0f}/s; {dict(told.statuses)}, {told.unsure} of them unsure, {told.unasked} not asked; "
        f"{memory / 2**20:.0f} MB at most"
    )
    assert not told.wrong, told.wrong[:3]
    assert told.statuses[AWAY], "it took all that was offered: that was no overload"
    assert memory < MOST_MEMORY
    await stack.ready([gateway])
    await _all_sent(stack, told)


async def _most_memory(pid: int) -> int:
    most = 0
    try:
        while True:
            most = max(most, resident(pid))
            await asyncio.sleep(0.2)
    except asyncio.CancelledError:
        return most


async def _all_sent(stack: Stack, told: Told) -> None:
    """Each once, and its mail is there; what was refused is not sent, but where nobody could say."""
    connection = await asyncpg.connect(stack.database)
    try:
        async with asyncio.timeout(RECOVERY):
            while await connection.fetchval(OPEN, Status.SENT.rank):  # noqa: ASYNC110 - other processes end them
                await asyncio.sleep(0.5)
        sent = {row["id"] for row in await connection.fetch(SENT, Status.SENT.rank)}
        claims = {row["id"]: (row["n"], row["unknown"]) for row in await connection.fetch(CLAIMS)}
    finally:
        await connection.close()
    accepted = set(told.accepted)
    assert len(accepted) == len(told.accepted)
    assert accepted <= sent and len(sent - accepted) <= told.unsure
    assert claims == dict.fromkeys(sent, (1, 0)), "each was handed over once, and nobody doubts it"
    sink: Sink = stack.catcher  # type: ignore[assignment]
    await sink.wait_for(len(sent), timeout=RECOVERY)
    mails = {id.decode().strip("<>").partition("@")[0]: n for id, n in sink.count.message_ids.items()}
    assert mails == dict.fromkeys(sent, 1)
    assert not sink.count.marked
