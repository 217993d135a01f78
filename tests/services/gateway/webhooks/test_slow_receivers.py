"""Receivers that are slow, endless or many hold up nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from kit.postgres import Database
from services.gateway.settings import WebhookPace
from services.gateway.store import webhook_deliveries
from tests.services.gateway.conftest import ADMIN, House
from tests.services.gateway.receiving import Receiver, dripping, listening
from tests.services.gateway.support import as_owner, until
from tests.services.gateway.webhooks.support import PACE, WHERE, deliveries, delivering, happen, register, tried
from tests.waiting import PATIENCE, eventually


async def test_one_that_never_ends_its_answer_is_left(house: House) -> None:
    pace = WebhookPace(look_every=0.02, patience=0.5)
    async with dripping(0.05) as port, delivering(house, pace=pace):
        made = await register(house, f"http://127.0.0.1:{port}/")
        await happen(house)
        await tried(house, made, state="pending", error="timeout")


async def test_one_that_is_slow_holds_up_nobody_else(house: House, receiver: Receiver) -> None:
    ending = asyncio.Event()

    async def wait(_: Request, __: bytes) -> Response:
        await ending.wait()
        return Response(status_code=204)

    async with listening(Receiver(reply=wait)) as slow:
        await register(house, slow.url)
        quick = await register(house, receiver.url)
        await happen(house, 20)
        async with delivering(house, pace=WebhookPace(look_every=0.02, patience=PATIENCE, lease=3600)):
            await eventually(lambda: len(receiver.posts) == 20)

            async def all_done() -> bool:
                return len(await deliveries(house, quick, state="delivered")) == 20

            await until(all_done)
            assert len(slow.posts) == slow.most_at_once == PACE.each
            ending.set()
            await eventually(lambda: len(slow.posts) == 20)


async def test_of_a_huge_answer_only_the_beginning_is_read(house: House, receiver: Receiver) -> None:
    said = 0

    async def much() -> AsyncIterator[bytes]:
        nonlocal said
        while True:
            said += 65536
            yield b"x" * 65536
            await asyncio.sleep(0)

    async def reply(_: Request, __: bytes) -> Response:
        return StreamingResponse(much(), 200)

    receiver.reply = reply
    made = await register(house, receiver.url)
    async with delivering(house):
        await happen(house)
        one = await tried(house, made, state="delivered")
        await eventually(lambda: receiver.at_once == 0)
    assert one["answer"] == "x" * 200 and said < 64 * 1024 * 1024


async def test_a_webhook_is_deleted_while_its_tenant_is_busy(house: House, receiver: Receiver, database: str) -> None:
    """A batch that has begun with it is done with it."""
    made = await register(house, receiver.url)
    other = await Database.open(database, "gateway", size=1)
    try:
        async with other.transaction() as connection:
            await connection.fetch("select id from webhooks for key share")
            deleting = asyncio.create_task(house.http.delete(f"{WHERE}/{made['id']}", headers=ADMIN))
            await happen(house)
        assert (await deleting).status_code == 204
    finally:
        await other.close()
    assert await as_owner(database, "select count(*) from gateway.webhook_deliveries") == 0


async def test_what_waits_by_the_ten_thousand_is_given_up_replayed_and_deleted_by_handfuls(
    house: House, receiver: Receiver
) -> None:
    receiver.answers(410)
    made = await register(house, receiver.url)
    await as_owner(
        house.settings.database_url,
        "insert into gateway.webhook_deliveries (id, place, webhook_id, event, body) select id,"
        f" gateway.place_of(clock_timestamp(), id), '{made['id']}', 'webhook.test', '{{}}'"
        " from (select gen_random_uuid() as id from generate_series(1, 12000)) made",
    )

    async def waiting() -> int:
        async with house.database.connection() as connection:
            return await webhook_deliveries.pending(connection)

    async def none_waits() -> bool:
        return await waiting() == 0

    assert await waiting() == 12000
    async with delivering(house, pace=WebhookPace(look_every=0.02, measure_every=0.1, each=1)):
        await until(none_waits)
    where = f"{WHERE}/{made['id']}"
    assert (await house.http.put(where, json={"url": receiver.url}, headers=ADMIN)).status_code == 200
    answer = await house.http.post(f"{where}/replay", json={"since": "2020-01-01T00:00:00Z"}, headers=ADMIN)
    assert answer.json() == {"replayed": 12000}
    assert (await house.http.delete(where, headers=ADMIN)).status_code == 204
    assert await as_owner(house.settings.database_url, "select count(*) from gateway.webhook_deliveries") == 0
