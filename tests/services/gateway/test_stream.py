"""Real time: what happens to an inbox is on every open stream of its person, in order, once (P6.4)."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from deploy.local.kafka import Kafka
from kit.metrics import Metrics
from kit.settings import CleanupSettings
from services.gateway.handlers import jobs
from services.gateway.handlers.cleaning import Cleaning
from services.gateway.handlers.erasing import Erasing
from services.gateway.settings import WebhookPace
from tests.servers import kafka_settings
from tests.services.gateway.conftest import BOB, CAROL, due_of, settings_of
from tests.services.gateway.streaming import Real, address, close_code, listening, paced, real, ticket
from tests.services.gateway.support import as_owner, others, running
from tests.waiting import PATIENCE

__all__ = ["real"]


async def test_p6_4_what_happens_is_on_every_stream_of_its_person(real: Real) -> None:
    http = real.gateway.http
    async with listening(http) as one, listening(http) as two, listening(http, CAROL) as carol:
        assert one.hello | {"epoch": ""} == {
            "type": "hello",
            "epoch": "",
            "offset": 0,
            "unread": 0,
            "recovered": False,
        }
        id = uuid4()
        await real.shows(id)
        for stream in (one, two):
            frame = await stream.next()
            assert frame.pop("created_at")
            assert frame == {
                "type": "notification",
                "offset": 1,
                "id": str(id),
                "kind": None,
                "category": None,
                "title": "title",
                "body": "text",
                "data": {"n": 1},
                "read_at": None,
                "archived_at": None,
            }
            assert await stream.next() == {"type": "unread_count", "unread": 1}
        assert (await http.post(f"/v1/inbox/{id}/read", headers=BOB)).status_code == 200
        for stream in (one, two):
            read = await stream.next()
            assert read.pop("at")
            assert read == {"type": "read", "offset": 2, "id": str(id)}
            assert await stream.next() == {"type": "unread_count", "unread": 0}
        assert (await http.post(f"/v1/inbox/{id}/archive", headers=BOB)).status_code == 200
        assert [(await stream.next())["type"] for stream in (one, two)] == ["archived"] * 2
        await real.shows(uuid4(), user="carol")
        assert (await carol.next())["offset"] == 1


async def test_p6_4_who_comes_back_gets_what_was_missed(real: Real) -> None:
    http, ids = real.gateway.http, [uuid4() for _ in range(250)]
    async with listening(http) as stream:
        await real.shows(ids[0])
        await stream.until(lambda _: len(stream.shown) == 1)
        place = stream.place
    await real.shows(*ids[1:])
    await real.shown(len(ids))
    assert (await http.post(f"/v1/inbox/{ids[0]}/read", headers=BOB)).status_code == 200
    async with listening(http, **place) as back:
        assert (back.hello["recovered"], back.hello["offset"], back.hello["unread"]) == (True, 1, 249)
        frames = await back.until(lambda frames: frames[-1:] != [] and frames[-1]["type"] == "read")
        assert [frame["offset"] for frame in frames] == list(range(2, 252))
        assert sorted(back.shown) == sorted(map(str, ids[1:]))
        await real.shows(uuid4())
        assert (await back.of("notification"))["offset"] == 252


async def test_p6_4_two_gateways_are_one_stream(real: Real) -> None:
    """A ticket of one is good at the other, what one writes is on the other's sockets, and resume goes across."""
    settings = settings_of(real.kafka, real.database, real.folder)
    async with running(settings) as other:
        async with listening(real.gateway.http) as here, listening(other.http) as there:
            ids = [uuid4() for _ in range(20)]
            await real.shows(*ids)
            for stream in (here, there):
                await stream.until(lambda _, stream=stream: len(stream.shown) == 20)  # type: ignore[misc]
            assert here.shown == there.shown
            await other.http.post(f"/v1/inbox/{ids[0]}/read", headers=BOB)
            for stream in (here, there):
                assert (await stream.of("read"))["id"] == str(ids[0])
            place = here.place
        await real.shows(uuid4())
        await real.shown(21)
        async with listening(other.http, **place) as back:
            assert back.hello["recovered"]
            assert (await back.next())["offset"] == 22
        url = address(other.http, await ticket(real.gateway.http))
        async with connect(url, compression=None, proxy=None, open_timeout=PATIENCE) as socket:
            assert "hello" in str(await socket.recv())


async def test_a_ticket_is_used_once(real: Real) -> None:
    http = real.gateway.http
    text = await ticket(http)
    async with connect(address(http, text), proxy=None, open_timeout=PATIENCE) as socket:
        assert "hello" in str(await socket.recv())
        assert await close_code(address(http, text)) == 4401
    assert await close_code(address(http, "nonsense")) == 4401
    assert await close_code(address(http, "")) == 4401
    assert await as_owner(real.database, "select count(*) from gateway.tickets") == 0


async def test_a_ticket_expires(real: Real) -> None:
    http = real.gateway.http
    text = await ticket(http)
    await as_owner(real.database, "update gateway.tickets set expires_at = clock_timestamp() - interval '1 ms'")
    assert await close_code(address(http, text)) == 4401
    await ticket(http)
    assert await as_owner(real.database, "select count(*) from gateway.tickets") == 1


async def test_a_ticket_is_kept_as_a_hash(real: Real) -> None:
    text = await ticket(real.gateway.http)
    kept = await as_owner(real.database, "select t::text from gateway.tickets t")
    assert text not in kept


@pytest.mark.parametrize(
    "place",
    [
        {"epoch": str(uuid4()), "offset": 1},
        {"epoch": "own", "offset": 99},
        {"epoch": "own", "offset": 1, "trimmed": 2},
    ],
    ids=["another epoch", "from the future", "no longer kept"],
)
async def test_p6_4_a_gap_is_said(real: Real, place: dict[str, Any]) -> None:
    """Who cannot be given all he missed is told so, and hears from now on."""
    http = real.gateway.http
    await real.shows(*(uuid4() for _ in range(3)))
    await real.shown(3)
    trimmed = place.pop("trimmed", 0)
    await as_owner(real.database, f"update gateway.people set trimmed = {trimmed}")
    async with listening(http) as first:
        place = place | ({"epoch": first.hello["epoch"]} if place["epoch"] == "own" else {})
    async with listening(http, **place) as stream:
        assert (stream.hello["recovered"], stream.hello["offset"], stream.hello["unread"]) == (False, 3, 3)
        await real.shows(uuid4())
        assert (await stream.next())["offset"] == 4


async def test_a_place_that_is_none_is_refused(real: Real) -> None:
    http = real.gateway.http
    for place in (
        {"offset": 1},
        {"epoch": str(uuid4())},
        {"epoch": "x", "offset": 1},
        {"epoch": str(uuid4()), "offset": "-1"},
    ):
        text = await ticket(http)
        assert await close_code(address(http, text, **place)) == 4400, place


async def test_whose_pages_may_listen(real: Real) -> None:
    http = real.gateway.http
    own = f"http://{http.base_url.host}:{http.base_url.port}"
    async with listening(http, origin=own) as stream:
        assert stream.hello
    for foreign in ("http://evil.example", "null", f"{own}.evil.example"):
        with pytest.raises(InvalidStatus) as refused:
            async with listening(http, origin=foreign):
                pass
        assert refused.value.response.status_code == 403


async def test_p6_4_what_is_no_longer_kept_is_a_gap(real: Real, tmp_path: Path) -> None:
    """Changes go after some weeks; who was here before them cannot be given all any more."""
    http, id = real.gateway.http, uuid4()
    async with listening(http) as stream:
        await real.shows(id)
        await stream.of("notification")
        await http.post(f"/v1/inbox/{id}/read", headers=BOB)
        await stream.of("read")
        epoch = stream.hello["epoch"]
    await as_owner(real.database, "update gateway.inbox_changes set at = at - interval '31 days'")
    database = paced(real.gateway).database
    cleaning = Cleaning(database, CleanupSettings(), tmp_path, Metrics())
    erasing = Erasing(database, None, tmp_path)  # type: ignore[arg-type]
    works = jobs.works(database, None, erasing, cleaning, WebhookPace(), Metrics())  # type: ignore[arg-type]
    assert (await works["cleanup"]({}))["changes"] == 1
    async with listening(http, epoch=epoch, offset=1) as stream:
        assert (stream.hello["recovered"], stream.hello["offset"]) == (False, 2)
    async with listening(http, epoch=epoch, offset=2) as stream:
        assert stream.hello["recovered"]


async def test_p6_4_a_hint_that_was_lost(real: Real) -> None:
    """It is found all the same: what counts is what the tables say."""
    paced(real.gateway, look_round=0.1)
    async with listening(real.gateway.http) as stream:
        await real.shows(uuid4())
        await stream.of("unread_count")
        await as_owner(
            real.database,
            """
            with raised as (update gateway.people set last_offset = 2 returning 1)
            insert into gateway.inbox_changes select tenant, user_id, 2, id, 'read', now() from gateway.inbox, raised
            """,
        )
        assert (await stream.next())["offset"] == 2


async def test_p6_4_other_tabs_hear_without_kafka(own_kafka: Kafka, database: str, tmp_path: Path) -> None:
    """What a person does is in the tables of the gateway; Kafka is only how other gateways hear of it sooner."""
    kafka, id = kafka_settings(own_kafka.address), uuid4()
    async with others(kafka) as judge, running(settings_of(kafka, database, tmp_path)) as gateway:
        async with listening(gateway.http) as stream:
            await judge.say(due_of(id))
            await stream.of("notification")
            await asyncio.to_thread(own_kafka.stop)
            assert (await gateway.http.post(f"/v1/inbox/{id}/read", headers=BOB)).status_code == 200
            assert (await stream.of("read"))["id"] == str(id)
            place = stream.place
        async with listening(gateway.http, **place) as back:
            assert back.hello["recovered"]
