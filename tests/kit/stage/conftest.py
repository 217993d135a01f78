"""A world for each test, and no failpoint left behind."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from contracts.topics import FAILED, SCHEDULED, SETTINGS
from kit.postgres import Database
from kit.settings import KafkaSettings
from tests.kit.bus.support import make
from tests.kit.stage.support import TOPIC, World


@pytest.fixture
async def world(kafka: KafkaSettings, database: str) -> AsyncIterator[World]:
    owner = await asyncpg.connect(database)
    await owner.execute("create table intake.judged (id uuid primary key, at timestamptz default now())")
    await owner.close()
    pool = await Database.open(database, "intake")
    await make(kafka, TOPIC, SCHEDULED, FAILED, SETTINGS)
    yield World(kafka, database, pool)
    await pool.close()
