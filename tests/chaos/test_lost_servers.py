"""Kafka and PostgreSQL stop, die and lose their disk while services run, and nobody restarts a service.

One stack goes through all of it: a service that came through one loss comes through the next one, too.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from deploy.local.kafka import Kafka
from deploy.local.postgres import Postgres
from tests import servers as real
from tests.chaos.storm import Load
from tests.journeys.stack import Stack

pytestmark = [pytest.mark.chaos, pytest.mark.asyncio(loop_scope="module")]

RECOVERY = 180.0


@pytest.fixture(scope="module")
def own_kafka(session: real.Session) -> Iterator[Kafka]:
    with session.own_kafka() as kafka:
        yield kafka


@pytest.fixture(scope="module")
def own_postgres(session: real.Session) -> Iterator[Postgres]:
    with session.own_postgres() as postgres:
        yield postgres


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(own_kafka: Kafka, own_postgres: Postgres, session: real.Session) -> AsyncIterator[Stack]:
    """One instance of every service on a Kafka and a PostgreSQL that this test may break."""
    folder: Path = session.new_folder("faults")
    with real.migrated_template(own_postgres.address) as template:
        async with real.copied_database(own_postgres.address, template) as database:
            kafka = real.kafka_settings(own_kafka.address)
            async with Stack(kafka, database, folder, session.look_after) as stack:
                yield stack


async def test_kafka_away_for_twenty_seconds_costs_no_post(stack: Stack, own_kafka: Kafka) -> None:
    load = Load(stack)
    await load.offer(20, per_second=50)
    await asyncio.to_thread(own_kafka.stop)
    began = asyncio.get_running_loop().time()
    answers = []
    while asyncio.get_running_loop().time() - began < 20:
        n = len(answers)
        body = {"channel": "email", "to": f"away{n}@example.com", "subject": "Meanwhile", "body": "Accepted."}
        load.promised[body["to"]] = (await stack.post(body))["id"]
        answers.append(n)
        await asyncio.sleep(0.25)
    await asyncio.to_thread(own_kafka.start)
    verdict = await load.arrived(within=RECOVERY)
    assert len(answers) > 20
    assert not verdict.lost, str(verdict)
    assert not verdict.unflagged, str(verdict)


async def test_a_killed_kafka_loses_nothing(stack: Stack, own_kafka: Kafka) -> None:
    load = Load(stack)
    await load.offer(150, per_second=100)
    await asyncio.to_thread(own_kafka.kill)
    await asyncio.to_thread(own_kafka.start)
    verdict = await load.arrived(within=RECOVERY)
    assert not verdict.lost, str(verdict)
    assert not verdict.unflagged, str(verdict)


async def test_a_wiped_kafka_loses_nothing_that_rest_accepted_or_intake_had_judged(
    stack: Stack, own_kafka: Kafka
) -> None:
    """P1, P3.9, P6.1, P9: the whole data folder is gone; old offsets must not hide new messages."""
    load = Load(stack)
    await load.offer(60, per_second=60)
    assert not (await load.arrived(within=RECOVERY)).lost
    later = datetime.now(UTC) + timedelta(seconds=25)
    waiting = [
        await stack.post(
            {"channel": "email", "to": f"later{n}@example.com", "subject": "Later", "body": "y"}
            | {"send_at": later.isoformat()}
        )
        for n in range(5)
    ]
    for one in waiting:
        await stack.wait_for(one["id"], lambda seen: "scheduled" in [line["event"] for line in seen["timeline"]])
    await asyncio.to_thread(own_kafka.kill)
    for n in range(30):
        to = f"wiped{n}@example.com"
        body = {"channel": "email", "to": to, "subject": "Meanwhile", "body": "Accepted."}
        load.promised[to] = (await stack.post(body))["id"]
    await asyncio.to_thread(own_kafka.wipe)
    await asyncio.to_thread(own_kafka.start)
    for n, one in enumerate(waiting):
        load.promised[f"later{n}@example.com"] = one["id"]
    await load.offer(30, per_second=20)
    verdict = await load.arrived(within=RECOVERY)
    assert not verdict.lost, str(verdict)
    assert not verdict.unflagged, str(verdict)


async def test_postgresql_killed_under_load_loses_nothing(stack: Stack, own_postgres: Postgres) -> None:
    load = Load(stack)
    offering = asyncio.create_task(load.offer(300, per_second=20))
    for _ in range(2):
        await asyncio.sleep(4)
        await asyncio.to_thread(own_postgres.kill)
        await asyncio.to_thread(own_postgres.start)
    await offering
    verdict = await load.arrived(within=RECOVERY)
    assert not verdict.lost, str(verdict)
    assert not verdict.unflagged, str(verdict)
