"""What nobody sends by mistake: heads that say two things, bodies without an end, nests without a bottom, drops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress

import httpx
import pytest

from kit.clock import monotonic
from kit.web_server import WebServer
from services.gateway.http.edge.impatient import Impatient
from tests.services.gateway.conftest import ADMIN, House, token
from tests.waiting import PATIENCE

MIB = 1024 * 1024


class Hasty(Impatient):
    head_seconds = 2.0
    body_seconds = 2.0


@pytest.fixture
async def server(house: House) -> AsyncIterator[WebServer]:
    """The routes behind a real socket."""
    server = WebServer(house.face, "127.0.0.1", 0, "GATEWAY_PORT", http=Hasty)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def patient(house: House) -> AsyncIterator[WebServer]:
    """The same with the times of every day."""
    server = WebServer(house.face, "127.0.0.1", 0, "GATEWAY_PORT", http=Impatient)
    await server.start()
    yield server
    await server.stop()


async def spoken(server: WebServer, *parts: bytes) -> bytes:
    """What is answered to these bytes until the connection ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
        return await asyncio.wait_for(reader.read(), PATIENCE)
    except ConnectionError:
        return b""
    finally:
        writer.close()


def head(*lines: str, method: str = "POST", path: str = "/v1/notifications") -> bytes:
    common = [f"{method} {path} HTTP/1.1", "Host: gateway", f"Authorization: Bearer {token()}", "Connection: close"]
    return "\r\n".join([*common, *lines, "", ""]).encode("latin-1")


BODY = b'{"channel":"inapp","user_id":"bob","body":"b"}'


def in_one_breath(path: str = "/v1/notifications") -> bytes:
    """A whole request: it is there at once, and in time however long this machine stands still over it."""
    return head(f"Content-Length: {len(BODY)}", path=path) + BODY


HIDDEN = b"GET /v1/admin/services HTTP/1.1\r\nHost: gateway\r\n\r\n"

SMUGGLED: dict[str, bytes] = {
    "a length and chunks": head("Content-Length: 5", "Transfer-Encoding: chunked") + b"0\r\n\r\n" + HIDDEN,
    "chunks and a length": head("Transfer-Encoding: chunked", "Content-Length: 5") + b"0\r\n\r\n" + HIDDEN,
    "two lengths": head("Content-Length: 0", f"Content-Length: {len(HIDDEN)}") + HIDDEN,
    "two equal lengths": head(f"Content-Length: {len(BODY)}", f"Content-Length: {len(BODY)}") + BODY,
    "a list of lengths": head(f"Content-Length: {len(BODY)}, {len(BODY)}") + BODY,
    "a length with a sign": head(f"Content-Length: +{len(BODY)}") + BODY,
    "a length that is negative": head("Content-Length: -1") + BODY,
    "a length with another base": head("Content-Length: 0x10") + BODY,
    "a blank before the colon": head(f"Content-Length : {len(BODY)}") + BODY,
    "unknown chunks": head("Transfer-Encoding: xchunked") + BODY,
    "chunks that are hidden": head("Transfer-Encoding: chunked, identity") + b"0\r\n\r\n" + HIDDEN,
    "chunks twice": head("Transfer-Encoding: chunked", "Transfer-Encoding: chunked") + b"0\r\n\r\n" + HIDDEN,
    "chunks whose size is none": head("Transfer-Encoding: chunked") + b"zz\r\n" + BODY,
    "a chunk longer than it says": head("Transfer-Encoding: chunked") + b"2\r\n" + BODY + b"\r\n0\r\n\r\n",
    "a line break in a header": head("X-A: b\nContent-Length: 5") + BODY,
    "a carriage return in a header": head("X-A: b\rContent-Length: 5") + BODY,
    "NUL in a header": head("X-A: b\0c", f"Content-Length: {len(BODY)}") + BODY,
    "a folded header": head("X-A: b\r\n c", "Content-Length : 1") + BODY,
    "two hosts": head("Host: elsewhere", f"Content-Length: {len(BODY)}") + BODY,
    "two tokens": head(f"Authorization: Bearer {token('root', 'admin')}", f"Content-Length: {len(BODY)}") + BODY,
    "two keys": head("Idempotency-Key: a", "Idempotency-Key: b", f"Content-Length: {len(BODY)}") + BODY,
    "no request at all": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "an endless head": head()[:-2] + b"X-A: " + b"a" * (Impatient.head_bytes + 300_000),
    "endless headers": head()[:-2] + b"X-A: b\r\n" * 50_000,
}


@pytest.mark.parametrize("name", SMUGGLED)
async def test_what_can_be_read_in_two_ways_is_refused(house: House, server: WebServer, name: str) -> None:
    """RFC 9112, 6.1: one answer, an error, and the connection is over: nothing behind it is believed."""
    answer = await spoken(server, SMUGGLED[name])
    assert answer.count(b"HTTP/1.1 ") <= 1, answer
    assert answer == b"" or answer.split(b" ")[1] in (b"400", b"408", b"422", b"431"), answer
    listed = await house.http.get("/v1/notifications", headers=ADMIN)
    assert listed.json()["items"] == []


async def test_an_honest_request_is_answered(patient: WebServer) -> None:
    """Also one in chunks, two on one connection, and large ones behind each other."""
    whole = head(f"Content-Length: {len(BODY)}") + BODY
    chunks = head("Transfer-Encoding: chunked") + b"%x\r\n" % len(BODY) + BODY + b"\r\n0\r\n\r\n"
    kept = whole.replace(b"Connection: close\r\n", b"") + whole
    file = b'{"name":"a","content_type":"text/plain","content":"%s"}' % (b"QUFB" * 50_000)
    mail = b'{"channel":"email","to":"delivered@simulator.test","subject":"s","body":"b","attachments":[%s]}' % file
    large = head(f"Content-Length: {len(mail)}").replace(b"Connection: close\r\n", b"") + mail
    for said, answers in ((whole, 1), (chunks, 1), (kept, 2), (large + large + whole, 3)):
        assert (await spoken(patient, said)).count(b"HTTP/1.1 202") == answers


async def test_five_megabytes_are_not_read(patient: WebServer) -> None:
    """413 at once where they are announced, and as soon as there are too many where they are not."""

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield b" " * MIB

    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{patient.port}", headers=ADMIN, timeout=PATIENCE) as http:
        for method, path in BODIES:
            for content in (b" " * (5 * MIB), chunks()):
                try:
                    answer = await http.request(method, path, content=content)
                except (httpx.WriteError, httpx.RemoteProtocolError, httpx.ReadError):
                    continue  # it did not listen to the end
                assert (answer.status_code, answer.json()["code"]) == (413, "too_large"), path


BODIES = (
    ("POST", "/v1/notifications"),
    ("POST", "/v1/notifications/batch"),
    ("PUT", "/v1/recipients/bob"),
    ("PUT", "/v1/recipients/bob/preferences"),
    ("POST", "/v1/schedules"),
    ("PUT", "/v1/deadlines/d"),
    ("PUT", "/v1/admin/plans/p"),
    ("PUT", "/v1/admin/templates/t"),
    ("POST", "/v1/admin/templates/t/preview"),
    ("POST", "/v1/admin/failed/replay"),
    ("POST", "/v1/admin/api-keys"),
    ("POST", "/v1/admin/people/bob/erase"),
    ("POST", "/notifications/"),
)


def nested() -> Iterator[bytes]:
    for depth in (9, 200, 10_000):
        yield b"[" * depth + b"]" * depth
        yield b'{"a":' * depth + b"1" + b"}" * depth
        yield b'{"channel":"inapp","user_id":"bob","body":"b","data":' + b'{"a":' * depth + b"1" + b"}" * (depth + 1)
    yield b'{"channel":"inapp","user_id":"bob","body":"b","data":{"a":' + b"9" * 60_000 + b"}}"
    yield b'{"channel":"inapp","user_id":"bob","body":"\\ud800"}'
    yield b'{"channel":"inapp","user_id":"bob","body":"b","data":{"a":NaN}}'
    yield b'{"channel":"inapp","user_id":"bob","body":"b","data":{"a":1e999}}'
    yield b"\xff\xfe{}"
    yield b""


async def test_deep_and_strange_json_is_refused(house: House) -> None:
    """422 that says what is wrong; no stack is used up, nothing is a mistake of ours."""
    for method, path in BODIES:
        for body in nested():
            answer = await house.http.request(method, path, content=body, headers=ADMIN)
            if answer.status_code in (404, 503) or (path.endswith("erase") and body == b""):
                continue  # there is no such template, or Kafka is away, before a body is looked at
            assert answer.status_code == 422, (path, body[:40], answer.text)
            assert answer.headers["content-type"] == "application/problem+json"


async def test_drop_by_drop_ends(server: WebServer) -> None:
    """Slowloris: many who never end their head, or their body; everybody else is served meanwhile."""
    started = head("Content-Length: 100")
    slow = [started[:50], started[:-2], started, started + b"{", b"", b"\r\n" * 10]
    hanging = [asyncio.create_task(spoken(server, part)) for part in slow * 20]
    answers = await asyncio.gather(*(spoken(server, in_one_breath()) for _ in range(10)))
    assert {answer[:12] for answer in answers} == {b"HTTP/1.1 202"}
    ended = await asyncio.gather(*hanging)
    assert all(one == b"" or one.split(b" ")[1] in (b"408", b"422", b"400") for one in ended)


async def test_each_drop_does_not_buy_more_time(server: WebServer) -> None:
    """The time is that of the whole head, not that since its last byte."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    ended = asyncio.create_task(reader.read())
    over = monotonic() + PATIENCE
    for byte in head("X-Long: " + "a" * 60_000):
        if ended.done():
            break
        assert monotonic() < over, "each byte bought more time"
        writer.write(bytes((byte,)))
        await asyncio.wait((ended,), timeout=0.02)
    with suppress(ConnectionError):  # it was cut off over a byte on its way
        assert b"408" in await ended
    writer.close()


async def test_a_slow_answer_is_no_slow_request(server: WebServer) -> None:
    """Whoever waits for an outcome for longer than a body may take gets it."""
    answer = await spoken(server, in_one_breath("/v1/notifications?wait=3"))
    assert answer.startswith(b"HTTP/1.1 202") and b'"status":"accepted"' in answer
