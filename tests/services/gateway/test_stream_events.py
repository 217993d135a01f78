"""The stream as server-sent events: the same frames, for those who have no WebSocket (HTML, 9.2)."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import httpx
import pytest

from contracts import events as e
from services.gateway.stream import codes
from tests.services.gateway.conftest import BOB, settings_of
from tests.services.gateway.streaming import Frame, Real, listening, paced, real, ticket
from tests.services.gateway.support import running
from tests.waiting import PATIENCE, eventually

__all__ = ["real"]


class Events:
    """What comes, event by event: (id, frame)."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self._lines = answer.aiter_lines()

    async def next(self) -> tuple[str | None, Frame]:
        id = None
        async with asyncio.timeout(PATIENCE):
            async for line in self._lines:
                name, _, value = line.partition(": ")
                if name == "id":
                    id = value
                elif name == "data":
                    return id, json.loads(value)
        raise EOFError


@asynccontextmanager
async def opened(http: httpx.AsyncClient, headers: dict[str, str] | None = None, **query: Any) -> AsyncIterator[Events]:
    params = {"ticket": await ticket(http), **query}
    async with http.stream("GET", "/v1/stream/sse", params=params, headers=headers) as answer:
        yield Events(answer)


async def test_p6_4_events(real: Real) -> None:
    http = real.gateway.http
    async with opened(http) as events, listening(http) as stream:
        assert events.answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert events.answer.headers["cache-control"] == "no-store"
        id, hello = await events.next()
        assert (hello["type"], id) == ("hello", f"{hello['epoch']}:0")
        await real.shows(uuid4())
        id, frame = await events.next()
        assert frame == await stream.next()
        assert id == f"{hello['epoch']}:1"
        assert await events.next() == (None, {"type": "unread_count", "unread": 1})


async def test_p6_4_events_go_on_behind_the_last_one(real: Real) -> None:
    """By `Last-Event-ID`, as browsers send it, or by the query; with a new ticket either way."""
    http = real.gateway.http
    async with opened(http) as events:
        await events.next()
        await real.shows(uuid4())
        last, _ = await events.next()
    assert last
    await real.shows(uuid4(), uuid4())
    await real.shown(3)
    epoch, offset = last.split(":")
    for headers, query in (({"Last-Event-ID": last}, {}), ({}, {"epoch": epoch, "offset": offset})):
        async with opened(http, headers, **query) as back:
            _, hello = await back.next()
            assert (hello["recovered"], hello["offset"]) == (True, 1)
            assert [(await back.next())[1]["offset"] for _ in range(2)] == [2, 3]


async def test_a_used_ticket_is_204(real: Real) -> None:
    """What makes a browser stop asking with it (HTML, 9.2.3)."""
    http = real.gateway.http
    text = await ticket(http)
    async with http.stream("GET", f"/v1/stream/sse?ticket={text}"):
        again = await http.get(f"/v1/stream/sse?ticket={text}")
    assert (again.status_code, again.content) == (204, b"")
    assert (await http.get("/v1/stream/sse")).status_code == 401


async def test_what_is_no_place(real: Real) -> None:
    http = real.gateway.http
    for headers, query in (({"Last-Event-ID": "x"}, ""), ({}, "&epoch=x&offset=1"), ({}, "&offset=1")):
        answer = await http.get(f"/v1/stream/sse?ticket=any{query}", headers=headers)
        assert answer.status_code == 422, answer.text


async def test_whose_pages_may_read_events(real: Real) -> None:
    http = real.gateway.http
    foreign = await http.get("/v1/stream/sse?ticket=any", headers={"Origin": "http://evil.example"})
    assert (foreign.status_code, foreign.json()["code"]) == (403, "foreign_origin")
    async with opened(http, {"Origin": str(http.base_url).rstrip("/")}) as events:
        assert "access-control-allow-origin" not in events.answer.headers


async def test_pages_of_a_listed_site_may_use_the_api(real: Real) -> None:
    """A page of another site takes its ticket and listens, where the setting lists it; browsers ask first (CORS)."""
    app = {"Origin": "https://app.example"}
    asks = app | {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    settings = settings_of(real.kafka, real.database, real.folder, origins=["https://app.example/"])
    async with running(settings) as open_house:
        http = open_house.http
        for path in ("/v1/stream/tickets", "/v1/notifications"):
            asked = await http.options(path, headers=asks)
            assert (asked.status_code, asked.headers["access-control-allow-origin"]) == (200, "https://app.example")
            assert (await http.options(path, headers=asks | {"Origin": "https://evil.example"})).status_code == 400
        async with opened(http, app) as events:
            assert events.answer.headers["access-control-allow-origin"] == "https://app.example"
        async with listening(http, origin="https://app.example") as stream:
            assert stream.hello


async def test_events_say_why_they_end(real: Real) -> None:
    hub = paced(real.gateway)
    async with opened(real.gateway.http) as events:
        await events.next()
        hub.end_all(codes.RESTART)
        assert await events.next() == (None, {"type": "close", "code": 1012, "reason": codes.RESTART.reason})
        with pytest.raises(EOFError):
            await events.next()
    await eventually(lambda: not list(hub.listeners()))


async def test_who_leaves_is_forgotten(real: Real) -> None:
    hub = paced(real.gateway)
    async with opened(real.gateway.http) as events:
        await events.next()
        assert len(list(hub.listeners())) == 1
    await eventually(lambda: not list(hub.listeners()))


async def test_a_slow_reader_of_events_is_cut_off(real: Real) -> None:
    http = real.gateway.http
    hub = paced(real.gateway, patience=3.0)
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.connect((http.base_url.host, http.base_url.port))
    deaf.sendall(f"GET /v1/stream/sse?ticket={await ticket(http)} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    await eventually(lambda: len(list(hub.listeners())) == 1)
    for _ in range(100):
        await real.shows(uuid4(), content=e.Content(subject="title", text="x" * 100_000))
    await eventually(lambda: not list(hub.listeners()))
    deaf.close()


async def test_the_bearer_is_asked_for_a_ticket(real: Real) -> None:
    assert (await real.gateway.http.post("/v1/stream/tickets")).status_code == 401
    answer = await real.gateway.http.post("/v1/stream/tickets", headers=BOB)
    assert answer.headers["cache-control"] == "no-store"
