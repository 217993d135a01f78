"""A scheduler's database, its owner, and Kafka to speak to."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from contracts.status import Channel, Lane
from contracts.topics import DUE, FAILED, REQUESTED
from kit.bus.publisher import Publisher
from kit.postgres import Database
from kit.settings import KafkaSettings
from services.scheduler.store.timers import BY_INDEX
from tests.kit.bus.support import make
from tests.kit.bus.support import publisher as speaking
from tests.services.scheduler.support import Listener, Owner
from tests.services.scheduler.tracking import FEBRUARY, Desk
from tests.waiting import PATIENCE

SPOKEN = (*REQUESTED.values(), *(DUE[Channel.EMAIL, lane] for lane in Lane), FAILED)
"""The topics on which timers speak."""


@pytest.fixture
async def db(database: str) -> AsyncIterator[Database]:
    """The scheduler's own way in."""
    db = await Database.open(database, "scheduler", size=12, settings=BY_INDEX)
    yield db
    await db.close()


@pytest.fixture
async def owner(database: str) -> AsyncIterator[Owner]:
    connection = await asyncpg.connect(database)
    yield Owner(connection)
    await connection.close()


@pytest.fixture
async def desk(db: Database, owner: Owner) -> Desk:
    """Where deadlines are followed and reminded of; it is a noon in February."""
    await owner.set_clock(FEBRUARY)
    return Desk(db)


@pytest.fixture
async def listener(kafka: KafkaSettings) -> AsyncIterator[Listener]:
    """Hears what timers say."""
    await make(kafka, *SPOKEN)
    async with Listener(kafka, SPOKEN) as listener:
        yield listener


@pytest.fixture
async def publisher(kafka: KafkaSettings, listener: Listener) -> AsyncIterator[Publisher]:
    """A publisher that waits for a Kafka that is busy; the topics are there."""
    async with speaking(kafka, "scheduler", deadline=PATIENCE) as publisher:
        yield publisher


@pytest.fixture
async def hasty(kafka: KafkaSettings, listener: Listener) -> AsyncIterator[Publisher]:
    """A publisher that is quick to give up, for a topic that takes nothing."""
    async with speaking(kafka, "scheduler", deadline=1.0) as publisher:
        yield publisher
