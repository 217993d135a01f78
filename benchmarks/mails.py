"""Requests for mails as any program would publish them: plain JSON on `notifications.requested`."""

import asyncio
import json
import random
from collections.abc import Callable, Iterator

from aiokafka import AIOKafkaProducer

from contracts.identity import notification_id
from contracts.status import Lane
from contracts.topics import REQUESTED
from kit.settings import KafkaSettings

SOURCE = "bench"
AT_ONCE = 2000
WORDS = ("your", "order", "has", "been", "packed", "and", "will", "leave", "our", "house", "tomorrow", "before", "noon")


SendAt = Callable[[int], str]
"""When the mail of this number is to be sent, as RFC 3339."""


def requests(run: str, seed: int, count: int, send_at: SendAt | None = None) -> Iterator[tuple[bytes, bytes]]:
    """Key and value of `count` requests, the same ones for the same run and seed: mails of some 2.4 KB with HTML."""
    dice = random.Random(f"{seed}/{run}")
    for number in range(count):
        name = f"{run}-{seed}-{number}"
        words = " ".join(dice.choices(WORDS, k=150))
        body = {
            "id": name,
            "source": SOURCE,
            "channel": "email",
            "to": f"customer{dice.randrange(10**6)}@example.com",
            "subject": f"Your order {number}",
            "body": words,
            "html": f"<html><body><h1>Your order {number}</h1><p>{words}</p></body></html>",
        }
        if send_at:
            body["send_at"] = send_at(number)
        id_ = notification_id("default", f"source:{SOURCE}", name)
        yield f"default/{id_}".encode(), json.dumps(body).encode()


async def fill(kafka: KafkaSettings, run: str, seed: int, count: int, send_at: SendAt | None = None) -> None:
    """Publishes them; returns when Kafka has acknowledged all."""
    producer = AIOKafkaProducer(
        bootstrap_servers=kafka.bootstrap_servers, acks="all", linger_ms=5, max_batch_size=256 * 1024
    )
    await producer.start()
    topic = kafka.topic_prefix + REQUESTED[Lane.NORMAL].name
    try:
        answers: list[asyncio.Future[object]] = []
        for key, value in requests(run, seed, count, send_at):
            answers.append(await producer.send(topic, value, key=key))
            if len(answers) == AT_ONCE:
                await asyncio.gather(*answers)
                answers.clear()
        await asyncio.gather(*answers)
    finally:
        await producer.stop()
