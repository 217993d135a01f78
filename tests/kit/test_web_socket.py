"""A WebSocket at the two ends of its server's life."""

from __future__ import annotations

import asyncio

from starlette.types import Receive, Scope, Send

from kit.web_server import WebServer
from kit.web_socket import SocketProtocol
from tests.waiting import PATIENCE

HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


async def test_who_is_not_in_yet_when_the_server_stops_is_told_to_come_back() -> None:
    """It is no mistake of ours (500), and clients try again where they are told so (RFC 9110, 15.6.4)."""
    at_the_door = asyncio.Event()

    async def slow(_scope: Scope, receive: Receive, _send: Send) -> None:
        await receive()
        at_the_door.set()
        await receive()

    server = WebServer(slow, "127.0.0.1", 0, "of no setting", ws=SocketProtocol)
    await server.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(HANDSHAKE)
    await asyncio.wait_for(at_the_door.wait(), PATIENCE)
    await server.stop()
    answer = (await asyncio.wait_for(reader.read(), PATIENCE)).decode().lower()
    assert answer.startswith("http/1.1 503 ") and "\r\nretry-after: 1\r\n" in answer
    writer.close()
