"""Somebody who listens to his stream, as a browser would: takes a ticket, connects, notes where he is, comes back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from kit.settings import KafkaSettings
from services.gateway.stream.hub import Hub
from tests.services.gateway.conftest import BOB, due_of, settings_of
from tests.services.gateway.support import Gateway, Others, as_owner, others, running, until
from tests.waiting import PATIENCE

Frame = dict[str, Any]


async def ticket(http: httpx.AsyncClient, who: dict[str, str] = BOB) -> str:
    answer = await http.post("/v1/stream/tickets", headers=who)
    assert answer.status_code == 200, answer.text
    assert answer.json()["expires_in"] == 30
    return str(answer.json()["ticket"])


def address(http: httpx.AsyncClient, ticket: str, **query: Any) -> str:
    url = http.base_url.copy_with(scheme="ws", path="/v1/stream", params={"ticket": ticket, **query})
    return str(url)


@dataclass
class Stream:
    """One open stream, and what came on it."""

    socket: ClientConnection
    hello: Frame
    frames: list[Frame] = field(default_factory=list)

    async def next(self) -> Frame:
        """The next frame that is no sign of life."""
        while True:
            async with asyncio.timeout(PATIENCE):
                frame: Frame = json.loads(await self.socket.recv())
            if frame["type"] != "heartbeat":
                self.frames.append(frame)
                return frame

    async def of(self, kind: str) -> Frame:
        """The next frame of this type."""
        while (frame := await self.next())["type"] != kind:
            pass
        return frame

    async def until(self, true: Callable[[list[Frame]], bool]) -> list[Frame]:
        """All frames, once this is true of them."""
        while not true(self.frames):
            await self.next()
        return self.frames

    async def closed(self) -> int:
        """The close code, once it is closed."""
        try:
            while True:
                await self.next()
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else 1006

    @property
    def shown(self) -> list[str]:
        """The ids of what was shown, in the order it came."""
        return [frame["id"] for frame in self.frames if frame["type"] == "notification"]

    @property
    def place(self) -> dict[str, Any]:
        """Where to go on."""
        placed = [frame["offset"] for frame in self.frames if "offset" in frame]
        return {"epoch": self.hello["epoch"], "offset": placed[-1] if placed else self.hello["offset"]}


@asynccontextmanager
async def listening(
    http: httpx.AsyncClient, who: dict[str, str] = BOB, *, origin: str | None = None, **place: Any
) -> AsyncIterator[Stream]:
    """A stream of this person, from its `hello` on; `place` is where it was left."""
    url = address(http, await ticket(http, who), **place)
    patient: dict[str, Any] = {"open_timeout": PATIENCE, "ping_interval": None, "compression": None, "proxy": None}
    async with connect(url, origin=origin, **patient) as socket:  # type: ignore[arg-type]
        async with asyncio.timeout(PATIENCE):
            hello = json.loads(await socket.recv())
        assert hello["type"] == "hello"
        yield Stream(socket, hello)


async def close_code(url: str, **options: Any) -> int:
    """How a socket to this address ends."""
    async with connect(url, compression=None, proxy=None, open_timeout=PATIENCE, **options) as socket:
        try:
            async with asyncio.timeout(PATIENCE):
                while True:
                    await socket.recv()
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else 1006


@dataclass
class Real:
    """A whole gateway, everybody else, and where its tables are."""

    gateway: Gateway
    judge: Others
    database: str
    kafka: KafkaSettings
    folder: Path

    async def shows(self, *ids: UUID, user: str = "bob", **more: Any) -> None:
        """Intake says that these are due."""
        await self.judge.say(*(due_of(id, user, **more) for id in ids))

    async def shown(self, count: int, user: str = "bob") -> None:
        """So many stand in the inbox."""

        async def there() -> bool:
            sql = f"select count(*) from gateway.inbox where user_id = '{user}'"
            return bool(await as_owner(self.database, sql) == count)

        await until(there)


@pytest.fixture
async def real(kafka: KafkaSettings, database: str, tmp_path: Path) -> AsyncIterator[Real]:
    async with others(kafka) as judge, running(settings_of(kafka, database, tmp_path)) as gateway:
        yield Real(gateway, judge, database, kafka, tmp_path)


def paced(gateway: Gateway, **pace: Any) -> Hub:
    """The gateway's hub, at another pace."""
    [hub] = [named.part for named in gateway.parts.all if isinstance(named.part, Hub)]
    hub.pace = replace(hub.pace, **pace)
    return hub
