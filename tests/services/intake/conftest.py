"""Intake's own database, and its handlers on it."""

from collections.abc import AsyncIterator

import pytest

from kit.postgres import Database
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
