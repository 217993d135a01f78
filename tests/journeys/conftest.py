"""A running stack for the journeys of one module, so that each test costs its own work only."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from kit.settings import KafkaSettings
from tests import servers as real
from tests.journeys.stack import Stack


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(session: real.Session, kafka_address: str, postgres_url: str, template: str) -> AsyncIterator[Stack]:
    """All five services, one instance each, for the tests of one module (their event loop is the module's)."""
    folder: Path = session.new_folder("stack")
    kafka: KafkaSettings = real.kafka_settings(kafka_address)
    async with real.copied_database(postgres_url, template) as database:
        async with Stack(kafka, database, folder, session.look_after) as stack:
            yield stack
    await real.delete_topics(kafka)
