"""Two counterparts of SNS: moto's server, and a stand-in for the error codes that moto never answers."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from html import escape
from socket import SO_LINGER, SOL_SOCKET, socket
from typing import Literal
from urllib.parse import parse_qsl

from moto.server import ThreadedMotoServer
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from deploy.local.ports import free_port
from kit.web_server import WebServer

NAMESPACE = 'xmlns="http://sns.amazonaws.com/doc/2010-03-31/"'


@dataclass
class SnsServer:
    """`answer`: a status, a code and a text for a refusal, or what else it does; None takes the message."""

    port: int = 0
    answer: tuple[int, str, str] | Literal["silence", "drop", "page", "proxy"] | None = None
    retry_after: str | None = None
    asked: dict[str, str | bool] = field(default_factory=dict)
    """For who tries it out, by action: the code of a refusal, or whether it is in the sandbox."""
    messages: list[dict[str, str]] = field(default_factory=list)
    signatures: list[str] = field(default_factory=list)
    goes_on: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        self.messages.append(dict(parse_qsl((await request.body()).decode(), keep_blank_values=True)))
        self.signatures.append(request.headers.get("authorization", ""))
        if self.answer == "drop":
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"100")]})
            return
        if self.answer == "silence":
            await self.goes_on.wait()
        await self._answer()(scope, receive, send)

    def _answer(self) -> Response:
        match self.answer:
            case None if (action := self.messages[-1].get("Action", "")) != "Publish":
                return self._told(action)
            case (status, code, text):
                headers = {"Retry-After": self.retry_after} if self.retry_after else {}
                return Response(_problem(code, text), status, headers, "text/xml")
            case "page":
                return Response("<html>", 200, media_type="text/html")
            case "proxy":
                return Response("<html>Bad Gateway</html>", 502, media_type="text/html")
            case _:
                return Response(_taken(f"sns-{len(self.messages)}"), 200, media_type="text/xml")

    def _told(self, action: str) -> Response:
        """What it says of the account."""
        match self.asked.get(action, False):
            case str(code):
                return Response(_problem(code, "as told"), 403, media_type="text/xml")
            case sandboxed:
                found = (
                    f"<IsInSandbox>{str(sandboxed).lower()}</IsInSandbox>" if "Sandbox" in action else "<attributes/>"
                )
                told = f"<{action}Result>{found}</{action}Result>"
                return Response(f"<{action}Response {NAMESPACE}>{told}</{action}Response>", 200, media_type="text/xml")


def _taken(id: str) -> str:
    told = f"<PublishResult><MessageId>{id}</MessageId></PublishResult>"
    about = "<ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata>"
    return f"<PublishResponse {NAMESPACE}>{told}{about}</PublishResponse>"


def _problem(code: str, text: str) -> str:
    told = f"<Type>Sender</Type><Code>{code}</Code><Message>{escape(text)}</Message>"
    return f"<ErrorResponse {NAMESPACE}><Error>{told}</Error><RequestId>r-1</RequestId></ErrorResponse>"


@asynccontextmanager
async def sns_server() -> AsyncIterator[SnsServer]:
    app = SnsServer()
    server = WebServer(app, "127.0.0.1", 0, "a port")
    await server.start()
    app.port = server.port
    try:
        yield app
    finally:
        app.goes_on.set()
        await server.stop()


@contextmanager
def moto_server() -> Iterator[str]:
    """The address of moto's own server; what AWS calls an account begins empty."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=free_port(), verbose=False)
    server.start()
    try:
        yield f"http://127.0.0.1:{server._port}"
    finally:
        server.stop()


@asynccontextmanager
async def resetting_server() -> AsyncIterator[str]:
    """Reads the whole request, and then resets the connection: no answer, but perhaps a message."""

    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(int(length.partition(b":")[2]))
        plug: socket = writer.get_extra_info("socket")
        plug.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    server = await asyncio.start_server(reset, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
