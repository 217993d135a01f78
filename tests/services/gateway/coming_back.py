"""A person who comes back whenever the stream ends, and remembers all that was heard."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any
from uuid import UUID

import httpx
from websockets.exceptions import WebSocketException

from tests.services.gateway.conftest import bearer
from tests.services.gateway.streaming import Frame, listening


class Person:
    """Comes back whenever the stream ends, to whichever gateway is there."""

    def __init__(self, name: str, door: asyncio.Semaphore | None = None) -> None:
        """`door`: so many of a crowd come in at a time; what the clients cost is not the question."""
        self.name = name
        self.door = door or asyncio.Semaphore()
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
            except (WebSocketException, OSError, httpx.HTTPError, AssertionError, TimeoutError, RuntimeError):
                self.lost += 1
            await asyncio.sleep(0.05 + random.random() / 10)

    async def _listen(self, http: httpx.AsyncClient) -> None:
        async with AsyncExitStack() as stack:
            async with self.door:
                stream = await stack.enter_async_context(listening(http, self.who, **self.place))
            assert stream.hello["recovered"] == bool(self.place)
            self.place = self.place or stream.place
            while True:
                frame = await stream.next()
                self.frames.append(frame)
                self.place = stream.place

    @property
    def offsets(self) -> list[int]:
        return [frame["offset"] for frame in self.frames if "offset" in frame]

    @property
    def shown(self) -> list[UUID]:
        """What was shown, in the order it came."""
        return [UUID(frame["id"]) for frame in self.frames if frame["type"] == "notification"]
