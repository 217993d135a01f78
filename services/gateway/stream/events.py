"""`GET /v1/stream/sse`: the same frames as server-sent events (HTML, 9.2)."""

import asyncio
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from kit.web_socket import TRANSPORT
from services.gateway.stream.hub import Hub
from services.gateway.stream.listener import Listener
from services.gateway.stream.wires import EventsWire

HEADERS: Final = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
)
"""The last one: a proxy must not gather what is meant for now."""
GOODBYE_SECONDS: Final = 2.0


class Events(Response):
    """The answer that goes on until one side has had enough; then its listener leaves."""

    def __init__(self, hub: Hub, listener: Listener, wire: EventsWire) -> None:
        super().__init__()
        self._hub = hub
        self._listener = listener
        self._wire = wire

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        telling = asyncio.create_task(self._tell(send))
        ends = asyncio.create_task(_left(receive)), asyncio.create_task(self._wire.over())
        try:
            await asyncio.wait({telling, *ends}, return_when=asyncio.FIRST_COMPLETED)
            if self._wire.ended:
                await asyncio.wait({telling}, timeout=GOODBYE_SECONDS)
        finally:
            self._hub.leave(self._listener)
            if not telling.done() and (transport := scope.get("extensions", {}).get(TRANSPORT)):
                transport.abort()  # closing it would wait for one who does not read
            for task in (telling, *ends):
                task.cancel()

    async def _tell(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": list(HEADERS)})
        while not self._wire.ended or self._wire.backlog:
            events = await self._wire.taken()
            await send({"type": "http.response.body", "body": events, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
