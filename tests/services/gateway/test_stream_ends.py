"""How a stream ends, and what it means: every code of docs/stream.md, on real sockets."""

from __future__ import annotations

import re
import socket
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from websockets.asyncio.client import connect

from contracts import events as e
from kit.clock import utc_now
from kit.postgres import Database
from services.gateway.stream import codes
from services.gateway.stream.admission import Admission
from services.gateway.stream.codes import Close
from services.gateway.stream.wires import EventsWire
from tests.servers import ROOT
from tests.services.gateway.conftest import CAROL, bearer, settings_of
from tests.services.gateway.streaming import Real, address, close_code, listening, paced, real, ticket
from tests.services.gateway.support import as_owner, running, until
from tests.waiting import PATIENCE

__all__ = ["real"]


async def figure(http: httpx.AsyncClient, name: str) -> float:
    found = re.search(rf"^{re.escape(name)} (\S+)$", (await http.get("/metrics")).text, re.MULTILINE)
    return float(found[1]) if found else 0.0


async def test_a_token_expires_on_the_open_socket(real: Real) -> None:
    http = real.gateway.http
    text = await ticket(http)
    await as_owner(real.database, "update gateway.tickets set until = clock_timestamp() + interval '1.5 s'")
    async with listening(http, CAROL) as other:
        assert await close_code(address(http, text)) == 4403
        await real.shows(uuid4(), user="carol")
        assert (await other.next())["offset"] == 1


async def test_a_ticket_lives_no_longer_than_its_token(real: Real) -> None:
    expires = utc_now() + timedelta(seconds=20)
    await ticket(real.gateway.http, bearer("bob", exp=expires))
    kept = await as_owner(real.database, "select until from gateway.tickets where expires_at = until")
    assert kept == expires.replace(microsecond=0)


async def test_too_many_streams_of_one_person(real: Real) -> None:
    http = real.gateway.http
    paced(real.gateway, per_person=2)
    async with listening(http), listening(http) as last:
        assert await close_code(address(http, await ticket(http))) == 4009
        answer = await http.get(f"/v1/stream/sse?ticket={await ticket(http)}")
        assert (answer.status_code, answer.json()["code"]) == (429, "too_many")
        async with listening(http, CAROL):
            await last.socket.close()
            async with listening(http) as again:
                assert again.hello


@pytest.mark.parametrize("frame", ["nonsense", "[]", '"ping"', '{"type": "read"}', b"\x00\x01", '{"type": "pong"}'])
async def test_a_frame_that_nobody_understands(real: Real, frame: str | bytes) -> None:
    async with listening(real.gateway.http) as stream, listening(real.gateway.http) as other:
        await other.socket.send('{"type": "ping"}')
        assert await other.next() == {"type": "pong"}
        await stream.socket.send(frame)
        assert await stream.closed() == 4400


async def test_a_frame_that_is_too_long(real: Real) -> None:
    async with listening(real.gateway.http) as stream:
        await stream.socket.send(" " * 1025)
        assert await stream.closed() == 1009


async def test_too_many_frames(real: Real) -> None:
    async with listening(real.gateway.http) as stream:
        for _ in range(21):
            await stream.socket.send('{"type": "ping"}')
        assert await stream.closed() == 4029
        assert stream.frames == [{"type": "pong"}] * 20


async def test_a_slow_reader_is_closed_while_others_go_on(real: Real) -> None:
    http = real.gateway.http
    paced(real.gateway, patience=3.0)
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.connect((http.base_url.host, http.base_url.port))
    url = address(http, await ticket(http))
    async with connect(
        url, sock=deaf, max_queue=1, compression=None, ping_interval=None, open_timeout=PATIENCE, close_timeout=0.1
    ):
        async with listening(http) as stream:
            ids = [uuid4() for _ in range(100)]
            for n, id in enumerate(ids, 1):
                await real.shows(id, content=e.Content(subject="title", text="x" * 100_000))
                # So that nothing ever waits for the one who reads, however long this machine stands still.
                await stream.until(lambda _, n=n: len(stream.shown) == n)  # type: ignore[misc]
            assert [frame["offset"] for frame in stream.frames if "offset" in frame] == list(range(1, 101))

            async def alone() -> bool:
                return await figure(http, "tocsin_streams_open") == 1

            await until(alone)
            assert await figure(http, 'tocsin_streams_ended_total{code="4008"}') == 1


async def test_a_gateway_that_stops_says_so(real: Real, tmp_path: Path) -> None:
    async with running(settings_of(real.kafka, real.database, tmp_path)) as stopping:
        async with listening(stopping.http) as stream:
            for part in reversed(stopping.parts.all):
                await part.stop()
            assert await stream.closed() == 1012
            stopping.parts.all.clear()


async def test_the_database_away_means_come_back(real: Real) -> None:
    database = await Database.open("postgresql://nobody@127.0.0.1:1/none", "gateway")
    admission = Admission(database, paced(real.gateway))
    assert await admission.admit("a ticket", None, EventsWire()) is codes.AWAY
    await database.close()


def test_every_code_stands_on_the_page() -> None:
    page = (ROOT / "docs" / "stream.md").read_text(encoding="utf-8")
    for close in (value for value in vars(codes).values() if isinstance(value, Close)):
        row = re.search(rf"^\| {close.code} \|.*\| (yes|no)", page, re.MULTILINE)
        assert row, close
        assert (row[1] == "yes") == close.back, close
