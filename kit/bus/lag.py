"""How far a reader is behind, for the figures."""

from typing import Final

from kit.bus.consumer import Consumer
from kit.metrics import Metrics

TELL_SECONDS: Final = 1.0
"""Between two tellings; each in a task of its own, so that a Kafka that answers late holds up no reading."""


async def tell_lag(consumer: Consumer, metrics: Metrics) -> None:
    """Once. Raises nothing."""
    await consumer.look_ahead()
    for topic, left in consumer.lag().items():
        metrics.lag(consumer.group, topic, left)
