"""A stand-in for Twilio's Messages API: answers as its documentation says, and does what no good server does."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import parse_qsl

from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from kit.web_server import WebServer

SID, TOKEN, NUMBER = "AC0123456789abcdef0123456789abcdef", "the account's token", "+15005550006"


@dataclass
class TwilioServer:
    """`answer`: a status and a code for a refusal, or what else it does; None takes the message."""

    port: int = 0
    token: str = TOKEN
    answer: tuple[int, int | None] | Literal["silence", "drop", "page"] | None = None
    text: str = "as told"
    """What it says beside a code; `{to}` is the number that the message was for."""
    retry_after: str | None = None
    status: str = "active"
    """Of the account."""
    became: tuple[str, int | None] = ("sent", None)
    """What it says of a message that it is asked for: a status, and an error code."""
    messages: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    goes_on: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        if request.method == "GET" and "/Messages/" not in request.url.path:
            await self._about(request)(scope, receive, send)
            return
        if scope["method"] == "POST":
            self.messages.append(dict(parse_qsl((await request.body()).decode(), keep_blank_values=True)))
        self.paths.append(scope["path"])
        self.asked.set()
        if self.answer == "drop":
            await send({"type": "http.response.start", "status": 201, "headers": [(b"content-length", b"100")]})
            return
        if self.answer == "silence":
            await self.goes_on.wait()
        await self._answer(request)(scope, receive, send)

    def _about(self, request: Request) -> Response:
        """The account, and which numbers are its own."""
        if refused := self._unauthorized(request):
            return refused
        if request.url.path.endswith("/IncomingPhoneNumbers.json"):
            own = request.query_params["PhoneNumber"] == NUMBER
            return Response(to_json({"incoming_phone_numbers": [{"phone_number": NUMBER}] if own else []}))
        return Response(to_json({"sid": SID, "status": self.status}))

    def _unauthorized(self, request: Request) -> Response | None:
        expected = base64.b64encode(f"{SID}:{self.token}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {expected}":
            return _problem(401, 20003)
        return None

    def _answer(self, request: Request) -> Response:
        if refused := self._unauthorized(request):
            return refused
        if self.answer == "page":
            return Response("<html>", 200, media_type="text/html")
        if isinstance(self.answer, tuple):
            headers = {"Retry-After": self.retry_after} if self.retry_after else {}
            status, code = self.answer
            text = self.text.format(to=self.messages[-1]["To"]) if self.messages else self.text
            return _problem(status, code, headers, text) if code else Response("<html>", status, headers)
        if request.method == "GET":
            status, error = self.became
            told = {"sid": request.url.path.rpartition("/")[2], "status": status, "error_code": error}
            return Response(to_json(told), 200, media_type="application/json")
        told = {"sid": f"SM{len(self.messages):032d}", "status": "queued", "num_segments": "1", "error_code": None}
        return Response(to_json(told), 201, media_type="application/json")


def _problem(status: int, code: int, headers: dict[str, str] | None = None, text: str = "as told") -> Response:
    told = {"code": code, "message": text, "more_info": f"https://twilio.com/docs/errors/{code}", "status": status}
    return Response(to_json(told), status, headers, "application/json")


@asynccontextmanager
async def twilio_server() -> AsyncIterator[TwilioServer]:
    app = TwilioServer()
    server = WebServer(app, "127.0.0.1", 0, "a port")
    await server.start()
    app.port = server.port
    try:
        yield app
    finally:
        app.goes_on.set()
        await server.stop()
