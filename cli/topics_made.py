"""`tocsin topics --make`: what is missing on Kafka is made before services start, or by who may where they may not."""

from __future__ import annotations

import asyncio
from typing import Final

from cli.kafka_said import KafkaSaid
from deploy.local.trouble import Trouble
from kit.bus.topics import make_missing
from kit.settings import Settings

PATIENCE_SECONDS: Final = 60.0
"""A Kafka that starts beside us takes its time."""
PAUSE_SECONDS: Final = 1.0


def make(settings: Settings, said: KafkaSaid, patience: float = PATIENCE_SECONDS) -> list[str]:
    """The names that were made. Raises Trouble where Kafka does not answer so long, or does not want to."""
    asked = said.patiently(settings, lambda: make_missing(settings.kafka), patience, PAUSE_SECONDS)
    outcome = asyncio.run(asked)
    if outcome.refused:
        why = ", ".join(f"{name} ({reason})" for name, reason in outcome.refused.items())
        raise Trouble(
            f"Kafka refuses to make {why}",
            "KAFKA_REPLICATION is at most the number of brokers; where topics are guarded, this user needs CREATE",
        )
    return list(outcome.made)
