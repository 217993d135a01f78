"""A relay that takes two seconds for each mail: what one sender still carries there, and whether urgent ones wait."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Final

from aiokafka import AIOKafkaProducer

from benchmarks.dues import dues, fill
from benchmarks.installation import Installation
from benchmarks.latency import Spread
from benchmarks.machine import Circumstances
from contracts.cloudevents import encode
from contracts.status import Lane
from contracts.topics import of_event
from kit.settings import KafkaSettings

NAME: Final = "email_sender"
ANSWERS_AFTER: Final = 2.0
CONNECTIONS: Final = 200
MOST_POSSIBLE: Final = CONNECTIONS / ANSWERS_AFTER
PART: Final = 0.95
"""Of what so many connections can carry at most: 100 mails a second."""
URGENT_MS: Final = 250.0, 1000.0
"""Until the relay has all of an urgent mail: the half of them, and 99 of 100."""
MOST_MAILS: Final = 4_000
EVERY: Final = 0.25
"""Seconds between two urgent mails."""


class SlowRelay:
    """Takes a mail at a time on each connection, and answers to it late. `came`: whose, and when it had all of it."""

    def __init__(self) -> None:
        self.came: list[tuple[str, float]] = []
        self.connections = 0
        self.port = 0
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> SlowRelay:
        self._server = await asyncio.start_server(self._talk, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server:
            self._server.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await self._converse(reader, writer)
        self.connections -= 1
        writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 slow\r\n")
        to = ""
        while line := await reader.readline():
            verb = line[:4].upper()
            if verb == b"RCPT":
                to = line.decode().split("<")[1].split(">")[0]
            writer.write(b"354 go on\r\n" if verb == b"DATA" else b"250 ok\r\n")
            if verb == b"DATA":
                await reader.readuntil(b"\r\n.\r\n")
                self.came.append((to, time.monotonic()))
                await asyncio.sleep(ANSWERS_AFTER)
                writer.write(b"250 taken\r\n")
            if verb == b"QUIT":
                return


@dataclass(frozen=True, slots=True)
class Result:
    """Mails per second of one process over the middle of the run; `urgent` from their publishing on."""

    mails: int
    per_second: float
    connections: int
    urgent: Spread
    circumstances: Circumstances

    @property
    def holds(self) -> bool:
        return self.per_second >= PART * MOST_POSSIBLE and self.urgent.holds

    def __str__(self) -> str:
        return "\n".join(
            [
                f"slow_relay: {self.per_second:,.1f} mails/s of one sender, {self.connections} connections, to a relay "
                f"that takes {ANSWERS_AFTER:g} s for each (possible: {MOST_POSSIBLE:g}, promised: {PART:.0%} of it)",
                f"  urgent mails meanwhile, until the relay has them: {self.urgent}",
                f"  {self.circumstances}",
            ]
        )

    def as_json(self) -> str:
        return json.dumps(asdict(self) | {"holds": self.holds})


async def measure(mails: int, seed: int, tell: Callable[[str], None]) -> Result:
    """At most `mails` mails. Raises TimeoutError."""
    circumstances, mails = Circumstances.now(seed), min(mails, MOST_MAILS)
    tell("starting Kafka, PostgreSQL and the sender")
    settings = {"SMTP_CONNECTIONS": str(CONNECTIONS)}
    async with SlowRelay() as relay, Installation((NAME,), sink=relay.port, settings=settings) as installation:
        await fill(installation.kafka_settings, "run", seed, mails)
        tell(f"{mails:,} mails wait, and an urgent one comes every {EVERY:g} s")
        asked: dict[str, float] = {}
        asking = asyncio.create_task(_urgent(installation.kafka_settings, seed, asked))
        most = 0
        async with asyncio.timeout(60 + 2 * mails / MOST_POSSIBLE):
            while sum(not to.startswith("urgent") for to, _ in relay.came) < mails:
                most = max(most, relay.connections)
                await asyncio.sleep(0.1)
        asking.cancel()
        await asyncio.wait([asking])
    waited = [at - asked[to] for to, at in relay.came if to in asked]
    return Result(
        mails,
        _rate([at for to, at in relay.came if to not in asked]),
        most,
        Spread.of(waited, URGENT_MS),
        circumstances,
    )


def _rate(came: list[float]) -> float:
    """Per second, over the middle three fifths: neither the start nor the end."""
    middle = came[len(came) // 5 : len(came) * 4 // 5]
    return round((len(middle) - 1) / (middle[-1] - middle[0]), 1)


async def _urgent(kafka: KafkaSettings, seed: int, asked: dict[str, float]) -> None:
    """One after the other, for as long as it lasts; `asked`: whom, and when Kafka had it."""
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers, acks="all")
    await producer.start()
    try:
        for number, due in enumerate(dues("urgent", seed, MOST_MAILS)):
            assert due.content
            to = f"urgent{number}@example.com"
            content = due.content.model_copy(update={"to": to})
            urgent = due.model_copy(update={"lane": Lane.URGENT, "content": content})
            record, topic = encode(urgent, "intake"), kafka.topic_prefix + of_event(urgent).name
            asked[to] = time.monotonic()
            await producer.send_and_wait(topic, record.value, key=record.key, headers=record.headers)
            await asyncio.sleep(EVERY)
    finally:
        await producer.stop()
