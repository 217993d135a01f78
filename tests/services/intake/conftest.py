"""Intake's own database, and its handlers on it."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from kit.postgres import Database
from tests import servers as real
from tests.services.intake.running import Place
from tests.services.intake.support import Desk


@pytest.fixture
async def db(database: str) -> AsyncIterator[Database]:
    """Intake's own way in."""
    db = await Database.open(database, "intake", size=6)
    yield db
    await db.close()


@pytest.fixture
async def desk(db: Database) -> Desk:
    return Desk(db)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(kafka_address: str) -> AsyncIterator[Place]:
    """Topics that a module's tests share, and who speaks and listens there."""
    kafka = real.kafka_settings(kafka_address, real.LATE_MISSED_MS)
    async with Place(kafka).open() as place:
        yield place
    await real.delete_topics(kafka)
