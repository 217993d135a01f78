"""How long it takes from asking until the relay has the mail: by REST when nothing else is to do, by Kafka at 100/s."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Final, Self

import httpx
from aiokafka import AIOKafkaProducer

from benchmarks.installation import Installation
from benchmarks.machine import Circumstances
from benchmarks.mails import requests
from benchmarks.post import BODY, PATH, token
from contracts.status import Lane
from contracts.topics import REQUESTED
from deploy.local.sink import Count, Sink, header

RATE: Final = 100.0
"""Mails per second that are produced to Kafka."""
MOST_POSTS: Final = 300
MOST_PRODUCED: Final = 2_000
WARM_UP: Final = 50
PATIENCE: Final = 20.0
POST_MS: Final = 15.0, 60.0
PRODUCED_MS: Final = 8.0, 30.0
"""What is promised: the half of all, and 99 of 100, arrive within so many milliseconds."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Milliseconds within which the half and 99 of 100 arrived, and what was promised."""

    count: int
    p50: float
    p99: float
    promised: tuple[float, float]

    @classmethod
    def of(cls, seconds: Sequence[float], promised: tuple[float, float]) -> Self:
        ordered = sorted(seconds)
        p50, p99 = (ordered[min(int(len(ordered) * part), len(ordered) - 1)] * 1000 for part in (0.5, 0.99))
        return cls(len(ordered), round(p50, 1), round(p99, 1), promised)

    @property
    def holds(self) -> bool:
        return self.p50 <= self.promised[0] and self.p99 <= self.promised[1]

    def __str__(self) -> str:
        p50, p99 = self.promised
        return f"p50 {self.p50:g} ms (promised: {p50:g}), p99 {self.p99:g} ms (promised: {p99:g}), {self.count:,} mails"


@dataclass(frozen=True, slots=True)
class Result:
    """`posted`: urgent, one after the other; `produced`: at `RATE`, from the intended instant on."""

    posted: Spread
    produced: Spread
    circumstances: Circumstances

    @property
    def holds(self) -> bool:
        return self.posted.holds and self.produced.holds

    def __str__(self) -> str:
        return "\n".join(
            [
                "latency: until the relay has accepted the mail",
                f"  POST, urgent, unloaded   {self.posted}",
                f"  Kafka at {RATE:g}/s          {self.produced}",
                f"  {self.circumstances}",
            ]
        )

    def as_json(self) -> str:
        return json.dumps(asdict(self) | {"holds": self.holds})


class Arrivals(Count):
    """A sink's count that remembers when each mail came, by its To."""

    def __init__(self) -> None:
        super().__init__()
        self.at: dict[str, float] = {}
        self.came: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)

    def add(self, head: bytes, size: int) -> None:
        super().add(head, size)
        to = header(head, b"to").decode()
        self.at.setdefault(to, time.monotonic())
        self.came[to].set()

    async def of(self, to: str) -> float:
        """When the mail to this address came. Raises TimeoutError."""
        async with asyncio.timeout(PATIENCE):
            await self.came[to].wait()
        return self.at[to]


async def measure(mails: int, seed: int, tell: Callable[[str], None]) -> Result:
    """Own servers, one process of each service, at most `mails` mails each way. Raises TimeoutError."""
    circumstances, sink = Circumstances.now(seed), Sink()
    sink.count = arrivals = Arrivals()
    tell("starting Kafka, PostgreSQL and the services")
    async with sink, Installation(sink=sink.port) as installation:
        await _posted(installation, arrivals, "warm", WARM_UP, seed)
        tell("one POST after the other")
        posted = await _posted(installation, arrivals, "post", min(mails, MOST_POSTS), seed)
        tell(f"producing {RATE:g} mails a second")
        await _produced(installation, arrivals, "first", WARM_UP, seed)
        produced = await _produced(installation, arrivals, "run", min(mails, MOST_PRODUCED), seed)
    return Result(Spread.of(posted, POST_MS), Spread.of(produced, PRODUCED_MS), circumstances)


async def _posted(installation: Installation, arrivals: Arrivals, run: str, count: int, seed: int) -> list[float]:
    """Seconds from each POST to its arrival; a pause of random length between them, so that no timer is met always."""
    dice, taken = random.Random(f"{seed}/{run}"), []
    address, headers = f"http://127.0.0.1:{installation.ports['gateway']}", {"Authorization": f"Bearer {token()}"}
    async with httpx.AsyncClient(base_url=address, headers=headers) as client:
        for number in range(count):
            to = f"{run}{number}@example.com"
            begun = time.monotonic()
            answer = await client.post(PATH, json=BODY | {"to": to, "lane": Lane.URGENT})
            answer.raise_for_status()
            taken.append(await arrivals.of(to) - begun)
            await asyncio.sleep(dice.uniform(0.02, 0.08))
    return taken


async def _produced(installation: Installation, arrivals: Arrivals, run: str, count: int, seed: int) -> list[float]:
    """Seconds from each intended instant to the arrival: what waits behind a slow one is late as well."""
    producer = AIOKafkaProducer(bootstrap_servers=installation.kafka.address, acks="all")
    topic = installation.kafka_settings.topic_prefix + REQUESTED[Lane.NORMAL].name
    begun, sends, due = time.monotonic(), list[Awaitable[object]](), list[tuple[str, float]]()
    await producer.start()
    try:
        for number, (key, value) in enumerate(requests(run, seed, count)):
            to, at = f"{run}{number}@example.com", begun + number / RATE
            await asyncio.sleep(at - time.monotonic())
            sends.append(await producer.send(topic, json.dumps(json.loads(value) | {"to": to}).encode(), key=key))
            due.append((to, at))
        await asyncio.gather(*sends)
        return [await arrivals.of(to) - at for to, at in due]
    finally:
        await producer.stop()
