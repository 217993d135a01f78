"""A whole channel paused by an operator, over a whole gateway and a real Kafka."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from contracts.topics import ALL
from kit.control import store
from kit.postgres import Database
from kit.settings import KafkaSettings
from tests.kit.bus.support import make
from tests.kit.control.support import instance
from tests.services.gateway.conftest import ADMIN, ADMIN_ELSEWHERE, ALICE, settings_of
from tests.services.gateway.support import Gateway, running

WHERE = "/v1/admin/channels"


@pytest.fixture
async def gateway(kafka: KafkaSettings, database: str, tmp_path: Path) -> AsyncIterator[Gateway]:
    await make(kafka, *ALL)
    async with running(settings_of(kafka, database, tmp_path, notifications={"sms": {"enabled": False}})) as gateway:
        yield gateway


async def test_p9_a_pause_is_stored_by_the_channels_sender_and_answered(
    gateway: Gateway, kafka: KafkaSettings, database: str
) -> None:
    async with instance(kafka, database, {}, "email_sender"):
        sender_s = await Database.open(database, "email_sender", size=1)
        for order, stored in (("pause", {("channel", "email")}), ("resume", set())):
            answer = await gateway.http.post(f"{WHERE}/email/{order}", headers=ADMIN)
            assert answer.status_code == 200, answer.text
            told = answer.json()
            assert (told["channel"], told["order"], told["state"]) == ("email", order, "done")
            assert told["result"]["paused"] is (order == "pause")
            async with sender_s.connection() as connection:
                assert await store.paused(connection) == stored
        await sender_s.close()


async def test_without_its_sender_it_waits(kafka: KafkaSettings, database: str, tmp_path: Path) -> None:
    await make(kafka, *ALL)
    async with running(settings_of(kafka, database, tmp_path), patience=0.1) as gateway:
        answer = await gateway.http.post(f"{WHERE}/email/pause", headers=ADMIN)
    assert (answer.status_code, answer.json()["state"]) == (202, "waiting")


async def test_each_is_shown_as_it_is(gateway: Gateway) -> None:
    """`off` by the settings; nobody has told of the other."""
    items = (await gateway.http.get(WHERE, headers=ADMIN)).json()["items"]
    assert {one["channel"]: one["state"] for one in items} == {"email": "unknown", "sms": "off"}


async def test_what_there_is_not_is_named_and_only_to_operators(gateway: Gateway) -> None:
    answer = await gateway.http.post(f"{WHERE}/inapp/pause", headers=ADMIN)
    assert answer.status_code == 404 and "email, sms" in answer.json()["detail"]
    for who in (ALICE, ADMIN_ELSEWHERE):
        assert (await gateway.http.post(f"{WHERE}/email/pause", headers=who)).status_code == 403
