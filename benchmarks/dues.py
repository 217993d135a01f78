"""Mails that are due, as intake hands them to the sender: the same 2.4 KB as the requests of `benchmarks.mails`."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from aiokafka import AIOKafkaProducer

from benchmarks.mails import AT_ONCE, SOURCE, requests
from contracts.cloudevents import encode
from contracts.events import Content, Due
from contracts.identity import notification_id
from contracts.status import Channel
from contracts.topics import of_event
from kit.settings import KafkaSettings

DAY: Final = timedelta(days=1)


def dues(run: str, seed: int, count: int) -> Iterator[Due]:
    """`count` of them, all due now."""
    now = datetime.now(UTC)
    for _, value in requests(run, seed, count):
        asked = json.loads(value)
        yield Due(
            id=_id(asked["id"]),
            channel=Channel.EMAIL,
            accepted_at=now,
            owner=f"source:{SOURCE}",
            round=0,
            at=now,
            expires_at=now + DAY,
            content=Content(to=asked["to"], subject=asked["subject"], text=asked["body"], html=asked["html"], raw=True),
        )


async def fill(kafka: KafkaSettings, run: str, seed: int, count: int) -> None:
    """Publishes them; returns when Kafka has acknowledged all."""
    producer = AIOKafkaProducer(
        bootstrap_servers=kafka.bootstrap_servers, acks="all", linger_ms=5, max_batch_size=256 * 1024
    )
    await producer.start()
    try:
        answers: list[asyncio.Future[object]] = []
        for due in dues(run, seed, count):
            record, topic = encode(due, "intake"), kafka.topic_prefix + of_event(due).name
            answers.append(await producer.send(topic, record.value, key=record.key, headers=record.headers))
            if len(answers) == AT_ONCE:
                await asyncio.gather(*answers)
                answers.clear()
        await asyncio.gather(*answers)
    finally:
        await producer.stop()


def _id(name: str) -> UUID:
    return notification_id("default", f"source:{SOURCE}", name)
