"""A gateway is killed under its listeners: who comes back has all of it, in order, none twice (P6.4)."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
from websockets.exceptions import ConnectionClosed, WebSocketException

from kit.settings import KafkaSettings
from tests.servers import Session
from tests.services.gateway.conftest import bearer, due_of
from tests.services.gateway.streaming import Frame, listening
from tests.services.gateway.support import others
from tests.services.gateway.test_crashes import process
from tests.waiting import eventually

PEOPLE = 8
KILLS = 3
EACH = 60


class Person:
    """Comes back whenever the stream ends, to whichever gateway is there."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.who = bearer(name)
        self.frames: list[Frame] = []
        self.place: dict[str, Any] = {}
        self.lost = 0

    async def listen(self, gateway: Callable[[], httpx.AsyncClient | None]) -> None:
        while True:
            http = gateway()
            try:
                if http:
                    await self._listen(http)
            except (ConnectionClosed, WebSocketException, OSError, httpx.HTTPError, AssertionError):
                self.lost += 1
            await asyncio.sleep(0.05 + random.random() / 10)

    async def _listen(self, http: httpx.AsyncClient) -> None:
        async with listening(http, self.who, **self.place) as stream:
            assert stream.hello["recovered"] == bool(self.place)
            self.place = self.place or stream.place
            while True:
                frame = await stream.next()
                self.frames.append(frame)
                self.place = stream.place

    @property
    def offsets(self) -> list[int]:
        return [frame["offset"] for frame in self.frames if "offset" in frame]


async def test_p6_4_killed_again_and_again(
    session: Session, kafka: KafkaSettings, database: str, tmp_path: Path
) -> None:
    """Each kill hits in the midst of it; the next gateway finds what was shown and what was not."""
    people = [Person(f"person-{n}") for n in range(PEOPLE)]
    now: list[httpx.AsyncClient] = []
    async with others(kafka) as judge:
        tasks = [asyncio.create_task(one.listen(lambda: now[-1] if now else None)) for one in people]
        try:
            for kill in range(KILLS + 1):
                async with process(session, kafka, database, tmp_path) as gateway:
                    now.append(gateway.http)
                    if kill == 0:
                        await eventually(lambda: all(one.place for one in people))
                    ids = {one.name: [uuid4() for _ in range(EACH)] for one in people}
                    await judge.say(*(due_of(id, name) for name, each in ids.items() for id in each))
                    enough = EACH * (kill + 1) if kill == KILLS else EACH * kill + EACH // 3
                    await eventually(lambda enough=enough: all(len(one.offsets) >= enough for one in people))  # type: ignore[misc]
                now.clear()
        finally:
            for task in tasks:
                task.cancel()
        await asyncio.wait(tasks)
    for one in people:
        assert one.offsets == list(range(1, EACH * (KILLS + 1) + 1))
        assert one.lost >= KILLS
        shown = {UUID(frame["id"]) for frame in one.frames if frame["type"] == "notification"}
        assert len(shown) == EACH * (KILLS + 1)
