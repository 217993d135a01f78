"""An ear on ops.status and a voice on ops.control."""

from collections.abc import AsyncIterator

import pytest

from contracts.topics import CONTROL, STATUS
from kit.bus.publisher import Publisher
from kit.settings import KafkaSettings
from tests.kit.bus.support import make, publisher
from tests.kit.control.support import Ear


@pytest.fixture
async def ear(kafka: KafkaSettings) -> AsyncIterator[Ear]:
    await make(kafka, CONTROL, STATUS)
    async with Ear(kafka) as ear:
        yield ear


@pytest.fixture
async def voice(kafka: KafkaSettings, ear: Ear) -> AsyncIterator[Publisher]:
    async with publisher(kafka, "gateway") as voice:
        yield voice
