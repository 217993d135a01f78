"""A Kafka and a PostgreSQL for one measurement, with topics and schemas, and nothing else."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.installation import CACHE, PARTITIONS
from deploy.local.kafka import Kafka
from deploy.local.ports import free_port
from deploy.local.postgres import Postgres
from kit.bus.topics import TopicKeeper
from kit.postgres import all_schemas, migrate
from kit.settings import KafkaSettings


@dataclass(frozen=True, slots=True)
class Servers:
    """Where they are; `database` is the owner's URL."""

    kafka: KafkaSettings
    database: str


@asynccontextmanager
async def servers() -> AsyncIterator[Servers]:
    """They run meanwhile; afterwards nothing is left."""
    folder = Path(tempfile.mkdtemp(prefix="tocsin-bench-"))
    kafka = Kafka(folder / "kafka", port=free_port(), cache=CACHE, partitions=PARTITIONS)
    postgres = Postgres(folder / "postgres")
    try:
        await asyncio.gather(asyncio.to_thread(kafka.start), asyncio.to_thread(postgres.start))
        await migrate(postgres.address, all_schemas())
        settings = KafkaSettings(bootstrap_servers=kafka.address, partitions=PARTITIONS)
        await TopicKeeper(settings).look()
        yield Servers(settings, postgres.address)
    finally:
        await asyncio.to_thread(kafka.stop)
        await asyncio.to_thread(postgres.stop)
        shutil.rmtree(folder, ignore_errors=True)
