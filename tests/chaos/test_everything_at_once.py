"""Everybody does everything at once while gateways die and PostgreSQL with them: no mistake of ours, no hole, no end
that does not come."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import asyncpg
import httpx
import pytest

from contracts.status import Status
from deploy.local.kafka import Kafka
from deploy.local.postgres import Postgres
from tests import servers as real
from tests.chaos.crowd import PEOPLE, Crowd
from tests.journeys.stack import Stack
from tests.services.gateway.coming_back import Person
from tests.waiting import PATIENCE, eventually

pytestmark = pytest.mark.chaos

FAULTS = {"short": 3, "full": 15}[os.environ.get("TOCSIN_TEST_CHAOS", "short")]
EVERY = 4.0
ASKERS, CHANGERS = 4, 8
RECOVERY = 240.0
SETTINGS = {"GATEWAY_WEBHOOKS_ALLOW_HTTP": "true", "GATEWAY_WEBHOOKS_PRIVATE_NETWORKS": "127.0.0.0/8"}

OPEN = f"""
select (select count(*) from gateway.notifications where channels is null and rank < {Status.CANCELLED.rank})
     + (select count(*) from gateway.outbox)
"""
STEPS = """
select "offset" from gateway.inbox where user_id = $1 and "offset" is not null
union all
select "offset" from gateway.inbox_changes where user_id = $1 order by 1
"""
TOLD = """
select "offset" from gateway.inbox where user_id = $1 and "offset" is not null and recalled_at is null
union all
select c."offset" from gateway.inbox_changes c left join gateway.inbox i on i.id = c.id and c.change = 'updated'
where c.user_id = $1 and i.recalled_at is null
"""


@pytest.fixture
async def stack(own_kafka: Kafka, own_postgres: Postgres, session: real.Session) -> AsyncIterator[Stack]:
    """Two gateways, one of every other service, on a PostgreSQL that this test may kill."""
    folder: Path = session.new_folder("everything")
    with real.migrated_template(own_postgres.address) as template:
        async with real.copied_database(own_postgres.address, template) as database:
            kafka = real.kafka_settings(own_kafka.address)
            counts = {"gateway": 2}
            async with Stack(kafka, database, folder, session.look_after, counts=counts, settings=SETTINGS) as stack:
                yield stack


async def test_all_of_it_ends_and_nobody_is_told_of_a_mistake(stack: Stack, own_postgres: Postgres) -> None:
    crowd, people = Crowd(stack), [Person(name) for name in PEOPLE]
    await crowd.say_who_they_are()
    async with AsyncExitStack() as clients:
        gateways = {
            one.name: await clients.enter_async_context(
                httpx.AsyncClient(base_url=f"http://127.0.0.1:{one.port}", timeout=PATIENCE)
            )
            for one in stack.of("gateway")
        }
        listening = [asyncio.create_task(_listen(stack, one, gateways)) for one in people]
        await eventually(lambda: all(one.place for one in people))
        working = asyncio.create_task(crowd.work(ASKERS, CHANGERS))
        for n in range(FAULTS):
            await asyncio.sleep(EVERY)
            gateway = random.choice(stack.of("gateway"))
            stack.kill(gateway) if n % 2 else await stack.terminate(gateway)
            if n % 3 == 1:
                await asyncio.to_thread(own_postgres.kill)
                await asyncio.to_thread(own_postgres.start)
            stack.start(gateway)
        crowd.over = True
        await working
        await stack.ready()
        print(f"{len(crowd.asked)} accepted; {dict(sorted(crowd.seen.items(), key=str))}")
        assert not crowd.wrong, crowd.wrong[:5]
        await _everything_ends(stack, {one.id for one in crowd.asked}, people)
        for task in listening:
            task.cancel()
        await asyncio.wait(listening)


async def _listen(stack: Stack, person: Person, gateways: Mapping[str, httpx.AsyncClient]) -> None:
    """At whichever gateway lives when he comes back."""
    person.who = {"Authorization": f"Bearer {stack.token(person.name)}"}

    def some() -> httpx.AsyncClient | None:
        alive = [one for one in stack.of("gateway") if one.alive]
        return gateways[random.choice(alive).name] if alive else None

    await person.listen(some)


async def _everything_ends(stack: Stack, accepted: set[str], people: list[Person]) -> None:
    connection = await asyncpg.connect(stack.database)
    try:
        async with asyncio.timeout(RECOVERY):
            while await connection.fetchval(OPEN):  # noqa: ASYNC110 - other processes end them
                await asyncio.sleep(0.5)
        there = {str(row["id"]) for row in await connection.fetch("select id from gateway.notifications")}
        assert accepted <= there
        for person in people:
            steps = [row["offset"] for row in await connection.fetch(STEPS, person.name)]
            assert steps == list(range(1, len(steps) + 1)), f"holes in the stream of {person.name}"
            told = {row["offset"] for row in await connection.fetch(TOLD, person.name)}
            await eventually(lambda person=person, told=told: told <= set(person.offsets))  # type: ignore[misc]
            assert person.offsets == sorted(set(person.offsets)), f"{person.name} heard something twice"
    finally:
        await connection.close()
    stats = await stack.call("GET", "/v1/admin/stats", user="root", admin=True)
    told_of = stats.json()["reconciliation"]
    assert (told_of["open"], told_of["lost"]) == (0, 0), told_of
