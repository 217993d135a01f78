"""A reader of one topic."""

from collections.abc import Callable

import pytest

from contracts.topics import SCHEDULED
from kit.bus.consumer import Consumer
from kit.settings import KafkaSettings


@pytest.fixture
def consumer(kafka: KafkaSettings) -> Callable[..., Consumer]:
    """Makes readers of the same group, with these hooks."""
    return lambda **hooks: Consumer(kafka, "readers", [[SCHEDULED]], **hooks)
