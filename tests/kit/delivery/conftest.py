"""The house in which the fates of a message are tried."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from kit.settings import KafkaSettings
from tests.kit.delivery.support import House, house


@pytest.fixture
async def home(kafka: KafkaSettings, database: str) -> AsyncIterator[House]:
    async with house(kafka, database) as one:
        yield one
