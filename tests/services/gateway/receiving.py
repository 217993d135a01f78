"""A real receiver of webhooks on this machine, which answers as the test wants."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import from_json
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from kit.web_server import WebServer

Reply = Callable[[Request, bytes], Awaitable[Any]]
"""An ASGI answer to a request, of which this is the body."""


@dataclass(frozen=True)
class Post:
    """What came in."""

    body: bytes
    headers: Mapping[str, str]

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def told(self) -> dict[str, Any]:
        found: dict[str, Any] = from_json(self.body)
        return found


@dataclass
class Receiver:
    """Keeps all that comes; answers 204, unless told otherwise."""

    port: int = 0
    posts: list[Post] = field(default_factory=list)
    reply: Reply | None = None
    at_once: int = 0
    most_at_once: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def answers(self, status: int, body: str = "", **headers: str) -> None:
        """The same to everybody from now on."""

        async def reply(request: Request, _: bytes) -> Response:
            return Response(body, status, {name.replace("_", "-"): value for name, value in headers.items()})

        self.reply = reply

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        body = await request.body()
        self.posts.append(Post(body, dict(request.headers)))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            answer = await self.reply(request, body) if self.reply else Response(status_code=204)
            await answer(scope, receive, send)
        finally:
            self.at_once -= 1


@asynccontextmanager
async def listening(receiver: Receiver, **options: Any) -> AsyncIterator[Receiver]:
    """It listens, on the port that it had before if it had one; `options` are uvicorn's."""
    server = WebServer(receiver, "127.0.0.1", receiver.port, "-", timeout_graceful_shutdown=0, **options)
    await server.start()
    receiver.port = server.port
    try:
        yield receiver
    finally:
        await server.stop()


@asynccontextmanager
async def dripping(seconds: float) -> AsyncIterator[int]:
    """A server that says one more letter of a header every so often, for ever; its port."""

    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(b"HTTP/1.1 200 OK\r\nx: ")
            while not writer.is_closing():
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(seconds)
        except ConnectionError:
            return
        finally:
            writer.close()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
