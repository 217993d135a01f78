"""More than the gateway can take: who comes on top is told to come back at once, and nothing is begun for him."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial

import httpx

from contracts.request import NotificationRequest
from kit.health import Health
from kit.metrics import Metrics
from kit.web_server import WebServer
from services.gateway.http.api import face
from services.gateway.http.edge.crowd import Crowd
from services.gateway.http.edge.impatient import Impatient
from services.gateway.http.ids import new_id
from services.gateway.http.notifications import sending
from services.gateway.outbox.writer import Writer
from services.gateway.rules.asked import Asked
from services.gateway.settings import Pace
from tests.services.gateway.conftest import ALICE, EMAIL, House
from tests.waiting import PATIENCE, eventually

ONE = Pace(queue_clients=1, queue_patience=PATIENCE, patience=PATIENCE)
"""So many may wait, and for longer than it takes to put a hundred routes together on a busy machine."""


async def test_where_many_wait_the_next_one_is_told_to_come_back(house: House) -> None:
    """Before anything is done for him: neither his token nor his body is looked at."""
    full = Writer(house.database, house.desk.announcer, ONE, Metrics())
    request = NotificationRequest.model_validate(EMAIL)
    waiting = asyncio.create_task(full.accept([Asked.of(new_id(), "default", "user:alice", request)]))
    await eventually(lambda: full.is_full)
    asgi = httpx.ASGITransport(face(replace(house.desk, writer=full), Health("gateway", Metrics().registry)))
    async with httpx.AsyncClient(transport=asgi, base_url="http://gateway") as http:
        for path in ("/v1/notifications", "/v1/notifications/batch"):
            answer = await http.post(path, content=b"{", headers={"Authorization": "Bearer nobody's"})
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
            assert answer.json()["code"] == "unavailable"
        old = {"type": "email", "destinataire": "delivered@simulator.test", "sujet": "s", "contenu": "b"}
        assert (await http.post("/notifications/", json=old, headers=ALICE)).status_code == 503
    waiting.cancel()


async def test_who_is_turned_away_at_the_door_hears_what_the_route_says(house: House) -> None:
    """The same answer, whatever is in the body; the connection is kept, and good when there is room."""
    full = Writer(house.database, house.desk.announcer, ONE, Metrics())
    desk = replace(house.desk, writer=full)
    crowd = Crowd(full, desk.metrics, sending.PATHS, house.settings.public_url)
    served = face(desk, Health("gateway", desk.metrics.registry))
    server = WebServer(served, "127.0.0.1", 0, "-", http=partial(Impatient, crowd=crowd))
    await server.start()
    request = NotificationRequest.model_validate(EMAIL)
    waiting = asyncio.create_task(full.accept([Asked.of(new_id(), "default", "user:alice", request)]))
    await eventually(lambda: full.is_full)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", timeout=PATIENCE) as http:
        turned_away = [await http.post("/v1/notifications", content=b"x" * size) for size in (0, 5, 300_000)]
        by_the_route = await http.post("/v1/notifications", headers={"Origin": "https://example.org"})
        assert (await http.get("/v1/notifications", headers=ALICE)).status_code == 200
        for answer in turned_away:
            assert (answer.status_code, answer.content) == (503, by_the_route.content)
            assert sorted(map(str.lower, answer.headers)) == sorted(map(str.lower, by_the_route.headers))
        await full.start()
        await waiting
        assert (await http.post("/v1/notifications", json=EMAIL, headers=ALICE)).status_code == 202
        shown = (await http.get("/metrics")).text
    assert 'tocsin_http_requests_total{method="POST",route="/v1/notifications",status="503"} 4.0' in shown
    await full.stop()
    await server.stop()


async def test_many_behind_each_other_are_all_answered(house: House) -> None:
    """A thousand requests in one breath, on one connection."""
    full = Writer(house.database, house.desk.announcer, ONE, Metrics())
    crowd = Crowd(full, house.desk.metrics, sending.PATHS, house.settings.public_url)
    server = WebServer(house.face, "127.0.0.1", 0, "-", http=partial(Impatient, crowd=crowd))
    await server.start()
    request = NotificationRequest.model_validate(EMAIL)
    waiting = asyncio.create_task(full.accept([Asked.of(new_id(), "default", "user:alice", request)]))
    await eventually(lambda: full.is_full)
    look = b"GET /health/live HTTP/1.1\r\nHost: gateway\r\n\r\n"
    post = b"POST /v1/notifications HTTP/1.1\r\nHost: gateway\r\nContent-Length: 2\r\n\r\n{}"
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(look + post * 1000)
    answers = b""
    while answers.count(b"HTTP/1.1 ") < 1001:
        answers += await asyncio.wait_for(reader.read(2**16), PATIENCE)
    assert answers.startswith(b"HTTP/1.1 200")
    writer.close()
    waiting.cancel()
    await server.stop()
