"""A gateway is killed again and again under a crowd of listeners, some of whom never read; each hears all once."""

from __future__ import annotations

import asyncio
import os
import random
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest

from contracts import events as e
from kit.settings import KafkaSettings
from tests.chaos.memory import resident
from tests.servers import Session
from tests.services.gateway.coming_back import Person
from tests.services.gateway.conftest import bearer, due_of
from tests.services.gateway.streaming import address, ticket
from tests.services.gateway.support import Others, others
from tests.services.gateway.test_crashes import Process, process
from tests.waiting import eventually

pytestmark = pytest.mark.chaos

FORMS = {"short": (100, 5, 2, 2_000, 200.0), "full": (1_000, 50, 5, 20_000, 400.0)}
"""Listeners, those among them who never read, kills, notifications, and how many of these come per second."""
LISTENERS, DEAF, KILLS, NOTIFICATIONS, PER_SECOND = FORMS[os.environ.get("TOCSIN_TEST_CHAOS", "short")]
MOST_MEMORY = 400 * 2**20
AT_ONCE = 20
LARGE = "x" * 20_000
"""What the deaf are told: it fills what waits for them."""


async def test_p6_4_a_crowd_hears_everything_once(
    session: Session, kafka: KafkaSettings, database: str, tmp_path: Path
) -> None:
    door = asyncio.Semaphore(40)
    people = [Person(f"person-{n}", door) for n in range(LISTENERS - DEAF)]
    deaf = [f"deaf-{n}" for n in range(DEAF)]
    share = NOTIFICATIONS // (KILLS + 1)
    told: dict[str, set[UUID]] = {one.name: set() for one in people} | {name: set() for name in deaf}
    now: list[httpx.AsyncClient] = []
    memory = 0
    async with others(kafka) as judge:
        tasks = [asyncio.create_task(one.listen(lambda: now[-1] if now else None)) for one in people]
        for kill in range(KILLS + 1):
            async with process(session, kafka, database, tmp_path) as gateway:
                with ExitStack() as open_sockets:
                    for name in deaf:
                        open_sockets.enter_context(_never_reads(await _address(gateway, name)))
                    now.append(gateway.http)
                    if kill == 0:
                        await eventually(lambda: all(one.place for one in people))
                    await _tell(judge, told, share)
                    memory = max(memory, resident(gateway.process.pid))
                    if kill == KILLS:
                        await eventually(lambda: all(len(one.shown) == len(told[one.name]) for one in people), 180)
                        memory = max(memory, resident(gateway.process.pid))
            now.clear()
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    lost = sum(one.lost for one in people)
    print(f"{NOTIFICATIONS} notifications, {KILLS} kills, {lost} came back; {memory / 2**20:.0f} MB at most")
    for one in people:
        assert one.offsets == list(range(1, len(told[one.name]) + 1)), one.name
        assert set(one.shown) == told[one.name]
    assert memory < MOST_MEMORY


async def _tell(judge: Others, told: dict[str, set[UUID]], count: int) -> None:
    """So many notifications, to anybody; the gateway is killed right behind the last one."""
    names, begun = list(told), asyncio.get_running_loop().time()
    for n in range(0, count, AT_ONCE):
        chosen = [random.choice(names) for _ in range(min(AT_ONCE, count - n))]
        dues = []
        for name in chosen:
            told[name].add(id := uuid4())
            words = e.Content(subject="title", text=LARGE if name.startswith("deaf") else "text")
            dues.append(due_of(id, name, content=words))
        await judge.say(*dues)
        await asyncio.sleep(max(0.0, begun + n / PER_SECOND - asyncio.get_running_loop().time()))


async def _address(gateway: Process, name: str) -> str:
    return address(gateway.http, await ticket(gateway.http, bearer(name)))


@contextmanager
def _never_reads(url: str) -> Iterator[None]:
    """Shakes hands, and then reads nothing."""
    parts = httpx.URL(url)
    with socket.socket() as open_socket:
        open_socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        open_socket.connect((parts.host, parts.port))
        asked = [
            f"GET {parts.raw_path.decode()} HTTP/1.1",
            f"Host: {parts.host}",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        ]
        open_socket.sendall("\r\n".join([*asked, "", ""]).encode())
        yield
