"""`python -m benchmarks.listeners`: a crowd that listens to one gateway, told a lot; the answer is one line of JSON.

A process of its own, on uvloop, so that its work is not measured as the gateway's.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import json
import os
import random
import resource
import secrets
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Self
from uuid import uuid4

import aiohttp
import asyncpg
import jwt
import uvloop

from benchmarks.installation import JWT_SECRET
from contracts import events as e
from contracts.status import Channel
from kit.bus.publisher import Publisher
from kit.bus.record import Outgoing
from kit.clock import utc_now
from kit.settings import KafkaSettings

AT_ONCE: Final = 200
"""Connections that are opened at a time."""
TICK: Final = 0.02
"""Seconds between two handfuls of the broadcast."""
SETTLE: Final = 2.0
PATIENCE: Final = 120.0


class Socket(asyncio.Protocol):
    """One WebSocket: counts frames, and notes when those came that somebody waits for."""

    def __init__(self, crowd: Crowd, request: bytes, person: str) -> None:
        self.person = person
        self.frames = 0
        self.offset = 0
        self.epoch = ""
        self.hello: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self.transport: asyncio.Transport | None = None
        self._crowd = crowd
        self._request = request
        self._buffer = b""
        self._open = False
        self.closed = False

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.write(self._request)

    def connection_lost(self, error: Exception | None) -> None:
        self.closed = True
        if not self.hello.done():
            self.hello.set_exception(ConnectionError("closed before hello"))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._open:
            head, found, rest = self._buffer.partition(b"\r\n\r\n")
            if not found:
                return
            if b" 101 " not in head.split(b"\r\n")[0]:
                self.hello.set_exception(ConnectionError(head.decode("latin-1")[:80]))
                return
            self._open, self._buffer = True, rest
        self._read()

    def _read(self) -> None:
        """A server's frames are not masked (RFC 6455, 5.1); ours are short."""
        buffer, place = self._buffer, 0
        while len(buffer) - place >= 2:
            length, begin = buffer[place + 1] & 127, place + 2
            if length == 126:
                length, begin = int.from_bytes(buffer[begin : begin + 2], "big"), begin + 2
            if len(buffer) < begin + length:
                break
            if buffer[place] & 15 == 1:
                self._heard(buffer[begin : begin + length])
            elif buffer[place] & 15 == 9 and self.transport:
                self.transport.write(b"\x8a\x84\0\0\0\0" + buffer[begin : begin + length])
            place = begin + length
        self._buffer = buffer[place:]

    def _heard(self, text: bytes) -> None:
        self.frames += 1
        if not self.hello.done():
            hello = json.loads(text)
            self.offset, self.epoch = hello["offset"], hello["epoch"]
            self.hello.set_result(hello)
        elif self.person.startswith("target") or text.startswith(b'{"type":"notification"'):
            self._crowd.heard(self, text)


class Crowd:
    """All of them, and what is told to them."""

    def __init__(self, given: argparse.Namespace, database: asyncpg.Connection, publisher: Publisher) -> None:
        self.given = given
        self.database = database
        self.publisher = publisher
        self.sockets: list[Socket] = []
        self.frames = 0
        self.again = 0
        """Times that somebody was told to come back later."""

    def heard(self, socket: Socket, text: bytes) -> None:
        self.frames += 1

    # -------------------------------------------------------------------------------------------------------- listening

    async def tickets(self, people: Sequence[str]) -> list[str]:
        """Written straight into the table: what POSTs cost is not the question here."""
        texts = [secrets.token_urlsafe(32) for _ in people]
        await self.database.executemany(
            "insert into gateway.tickets values ($1, 'default', $2, clock_timestamp() + interval '2 min', null)",
            [(hashlib.sha256(t.encode()).digest(), p) for t, p in zip(texts, people, strict=True)],
        )
        return texts

    async def listen(self, people: Sequence[str]) -> None:
        """A socket for each of these, so many at a time."""
        for n in range(0, len(people), AT_ONCE):
            some = people[n : n + AT_ONCE]
            await asyncio.gather(*map(self.open, some, await self.tickets(some)))

    async def open(self, person: str, ticket: str, place: str = "") -> Socket:
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [
            f"GET /v1/stream?ticket={ticket}{place} HTTP/1.1",
            f"Host: 127.0.0.1:{self.given.port}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13",
        ]
        request = "\r\n".join([*lines, "", ""]).encode()
        loop = asyncio.get_running_loop()
        made = lambda: Socket(self, request, person)  # noqa: E731
        async with asyncio.timeout(PATIENCE):
            _, socket = await loop.create_connection(made, "127.0.0.1", self.given.port)
            await socket.hello
        self.sockets.append(socket)
        return socket

    # ---------------------------------------------------------------------------------------------------------- telling

    async def broadcast(self, people: Sequence[str], per_second: float, seconds: float) -> int:
        """Notifications to these in turn, evenly; how many."""
        begun, said = time.perf_counter(), 0
        while (passed := time.perf_counter() - begun) < seconds:
            due = int(passed * per_second) - said
            await self.say([due_of(people[(said + n) % len(people)]) for n in range(due)])
            said += due
            await asyncio.sleep(TICK)
        return said

    async def say(self, dues: Sequence[e.Due]) -> None:
        if dues:
            await self.publisher.publish([Outgoing.of(due) for due in dues])


def due_of(person: str, id: Any = None) -> e.Due:
    """Intake's word that this one is due."""
    now = utc_now()
    return e.Due(
        id=id or uuid4(),
        owner="user:bench",
        user_id=person,
        channel=Channel.INAPP,
        accepted_at=now,
        round=1,
        at=now,
        expires_at=now + timedelta(hours=1),
        content=e.Content(subject="Your order has left", text="It should arrive on Thursday.", data={"order": 17}),
    )


def token(person: str) -> str:
    now = utc_now()
    claims = {"sub": person, "iss": "tocsin", "aud": "tocsin", "iat": now, "exp": now + timedelta(hours=1)}
    return jwt.encode(claims, JWT_SECRET, "HS256")


def resident(pid: int) -> int:
    """Bytes (proc(5), /proc/<pid>/statm)."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def push(crowd: Crowd) -> dict[str, Any]:
    """Memory per connection, then the broadcast with somebody in particular in the midst of it."""
    given = crowd.given
    people = [f"person-{n}" for n in range(given.people)]
    await crowd.broadcast(people, 100, 2)
    await asyncio.sleep(SETTLE)
    before = resident(given.pid)
    await crowd.listen(people * given.each)
    await asyncio.sleep(SETTLE)
    each = (resident(given.pid) - before) / (given.people * given.each)
    crowd.frames = 0
    await told_to_go()
    used, lasts = cpu_used(), given.seconds + 2 * SETTLE
    async with Delay() as delay:
        said = await crowd.broadcast(people, given.rate / given.each, lasts)
        await asyncio.sleep(SETTLE)
    due = said * given.each
    return {
        "kb_each": each / 1024,
        "rate": due / lasts,
        "heard": crowd.frames / due,
        "due": due,
        "cpu": cpu_used() - used,
        "delay": delay.late,
    }


async def come_back(crowd: Crowd) -> dict[str, Any]:
    """Everybody at once, each with a ticket of his own by POST, each having missed something; seconds for all."""
    given = crowd.given
    people = [f"person-{n}" for n in range(given.people)]
    epoch = str(await crowd.database.fetchval("select epoch from gateway.stream_epoch"))
    missed = 3
    await crowd.say([due_of(person) for person in people for _ in range(missed)])
    while await crowd.database.fetchval("select count(*) from gateway.inbox") < missed * len(people):  # noqa: ASYNC110
        await asyncio.sleep(0.1)
    begun = time.perf_counter()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{given.port}", connector=aiohttp.TCPConnector(limit=0)) as http:
        sockets = await asyncio.gather(*(_back(crowd, http, person, epoch, missed) for person in people))
    seconds = time.perf_counter() - begun
    return {
        "seconds": seconds,
        "again": crowd.again,
        "recovered": sum(one.hello.result()["recovered"] for one in sockets),
    }


async def _back(crowd: Crowd, http: aiohttp.ClientSession, person: str, epoch: str, missed: int) -> Socket:
    """As a client does it: whoever is told to come back later does, and whose ticket is too old takes another."""
    while True:
        await asyncio.sleep(random.random() / 10)
        with suppress(aiohttp.ClientError, ConnectionError):
            async with http.post("/v1/stream/tickets", headers={"Authorization": f"Bearer {token(person)}"}) as answer:
                ticket = (await answer.json()).get("ticket")
            if ticket:
                socket = await crowd.open(person, ticket, f"&epoch={epoch}&offset=0")
                while socket.frames <= missed and not socket.closed:  # noqa: ASYNC110 - another process tells it
                    await asyncio.sleep(0.02)
                if not socket.closed:
                    return socket
        crowd.again += 1
        await asyncio.sleep(1.0)


async def told_to_go() -> None:
    """Says that all is prepared, and waits until the others are, too."""
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)


class Delay:
    """How late this process itself is: what it hears then, it hears so much later than it came."""

    def __init__(self) -> None:
        self.late: list[float] = []

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._look())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()

    async def _look(self) -> None:
        while True:
            due = time.perf_counter() + TICK
            await asyncio.sleep(TICK)
            self.late.append(max(0.0, time.perf_counter() - due))


def cpu_used() -> float:
    """Seconds of this process so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


@asynccontextmanager
async def connected(given: argparse.Namespace) -> AsyncIterator[tuple[asyncpg.Connection, Publisher]]:
    """To the database, and to Kafka as intake."""
    random.seed(given.seed)
    database = await asyncpg.connect(given.database)
    publisher = Publisher(KafkaSettings(bootstrap_servers=given.kafka, partitions=given.partitions), "intake")
    await publisher.start()
    try:
        yield database, publisher
    finally:
        await publisher.stop()
        await database.close()


async def main() -> None:
    made = parser("listeners")
    made.add_argument("what", choices=["push", "storm"])
    given = made.parse_args()
    async with connected(given) as parts:
        print(json.dumps(await (come_back if given.what == "storm" else push)(Crowd(given, *parts))))


def parser(name: str) -> argparse.ArgumentParser:
    """What `benchmarks.streams` says to it."""
    made = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}")
    for number in ("port", "pid", "partitions", "people", "each", "seed"):
        made.add_argument(f"--{number}", type=int, default=1)
    for number in ("rate", "seconds"):
        made.add_argument(f"--{number}", type=float, default=0)
    for address in ("database", "kafka"):
        made.add_argument(f"--{address}", required=True)
    return made


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
    sys.exit(0)
