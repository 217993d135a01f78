"""A gateway whose webhooks may lead to this machine, and a receiver there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kit.bus.publisher import Publisher
from kit.clock import utc_now
from kit.settings import KafkaSettings
from tests.services.gateway.conftest import House, opened, settings_of
from tests.services.gateway.receiving import Receiver, listening
from tests.services.gateway.support import as_owner
from tests.services.gateway.webhooks.support import LENIENT


@pytest.fixture
async def house(database: str, nowhere: KafkaSettings, tmp_path: Path) -> AsyncIterator[House]:
    """Whose webhooks may lead to this machine; an operator is told of alerts. The clock of what is planned stands still
    unless a test moves it: on a busy machine what is tried again in five seconds was, before anybody had looked."""
    still = f"select timestamptz '{utc_now()}' + clock_offset.by from tocsin.clock_offset"
    await as_owner(
        database,
        "create or replace function tocsin.clock() returns timestamptz language sql stable parallel safe"
        f" begin atomic {still}; end",
    )
    settings = settings_of(
        nowhere, database, tmp_path, notifications={"alerts": {"recipients": ["olga"]}}, webhooks=LENIENT
    )
    async with opened(settings, Publisher(nowhere, "gateway", deadline=0.3)) as house:
        yield house


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with listening(Receiver()) as one:
        yield one
