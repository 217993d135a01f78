"""`tocsin topics --make`: what is missing on Kafka is made before services start, or by who may where they may not."""

from __future__ import annotations

import asyncio
from typing import Final

from aiokafka.errors import KafkaError

from cli.kafka_said import KafkaSaid
from deploy.local.trouble import Trouble
from kit.bus.topics import Made, make_missing
from kit.clock import monotonic
from kit.settings import Settings

PATIENCE_SECONDS: Final = 60.0
"""A Kafka that starts beside us takes its time."""
PAUSE_SECONDS: Final = 1.0


def make(settings: Settings, said: KafkaSaid, patience: float = PATIENCE_SECONDS) -> list[str]:
    """The names that were made. Raises Trouble where Kafka does not answer so long, or does not want to."""
    outcome = asyncio.run(_make_patiently(settings, said, patience))
    if outcome.refused:
        why = ", ".join(f"{name} ({reason})" for name, reason in outcome.refused.items())
        raise Trouble(
            f"Kafka refuses to make {why}",
            "KAFKA_REPLICATION is at most the number of brokers; where topics are guarded, this user needs CREATE",
        )
    return list(outcome.made)


async def _make_patiently(settings: Settings, said: KafkaSaid, patience: float) -> Made:
    over = monotonic() + patience
    while True:
        try:
            return await make_missing(settings.kafka)
        except (KafkaError, OSError, TimeoutError) as error:
            if monotonic() > over:
                raise said.trouble(settings, error) from None
        await asyncio.sleep(PAUSE_SECONDS)
