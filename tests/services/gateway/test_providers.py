"""Providers as an operator sees them, over a whole gateway and a real Kafka, with a sender that has some."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from contracts.topics import ALL
from kit.control import store
from kit.control.running import Work
from kit.delivery.operating import trials
from kit.delivery.trial import Check, Trial
from kit.postgres import Database
from kit.settings import KafkaSettings
from tests.kit.bus.support import make
from tests.kit.control.support import instance
from tests.kit.delivery.support import Takes
from tests.services.gateway.conftest import ADMIN, ALICE, settings_of
from tests.services.gateway.support import Gateway, running, until

SHUT = {"state": "shut", "reason": "provider_configuration", "detail": "535 5.7.8 no"}


class Tried(Takes):
    """Its password is wrong."""

    async def tried(self, seconds: float) -> Trial:
        return Trial([Check("connection", True, "relay:587"), Check("login", False, "535 5.7.8 no")])


@pytest.fixture
async def gateway(kafka: KafkaSettings, database: str, tmp_path: Path) -> AsyncIterator[Gateway]:
    await make(kafka, *ALL)
    async with running(settings_of(kafka, database, tmp_path)) as gateway:
        yield gateway


@asynccontextmanager
async def sender(kafka: KafkaSettings, database: str, *states: Mapping[str, Any]) -> AsyncIterator[None]:
    """An email sender per state that it is in."""
    works: dict[str, Work] = trials([Tried(name="smtp")])
    if not states:
        yield
        return
    told = {"providers": [{"name": "smtp", "channel": "email", "position": 1, **states[0]}]}
    async with (
        instance(kafka, database, works, "email_sender", about=lambda: told),
        sender(kafka, database, *states[1:]),
    ):
        yield


async def shown(gateway: Gateway) -> dict[str, Any]:
    answer = await gateway.http.get("/v1/admin/providers", headers=ADMIN)
    return {one["name"]: one for one in answer.json()["items"]}


async def order(gateway: Gateway, provider: str, what: str, who: Mapping[str, str] = ADMIN) -> httpx.Response:
    return await gateway.http.post(f"/v1/admin/providers/{provider}/{what}", headers=who)


async def test_each_is_shown_with_what_its_senders_say(gateway: Gateway, kafka: KafkaSettings, database: str) -> None:
    told = await shown(gateway)
    assert (told["smtp"]["channel"], told["smtp"]["type"], told["smtp"]["state"]) == ("email", "smtp", "unknown")
    assert told["console"]["channel"] == "sms"
    async with sender(kafka, database, SHUT):

        async def heard() -> dict[str, Any] | None:
            one: dict[str, Any] = (await shown(gateway))["smtp"]
            return one if one["state"] != "unknown" else None

        one = await until(heard)
    assert (one["state"], one["reason"], one["detail"]) == ("shut", "provider_configuration", "535 5.7.8 no")
    assert [at["state"] for at in one["instances"]] == ["shut"]


async def test_a_used_up_day_is_shown_with_when_it_opens(gateway: Gateway, kafka: KafkaSettings, database: str) -> None:
    day = {"state": "used_up", "reason": "day", "detail": "smtp: 500 a day", "opens_at": "2027-03-02T08:00:00.000Z"}
    async with sender(kafka, database, day):

        async def heard() -> dict[str, Any] | None:
            one: dict[str, Any] = (await shown(gateway))["smtp"]
            return one if one["instances"] else None

        one = await until(heard)
    assert (one["state"], one["reason"], one["detail"]) == ("used_up", "day", "smtp: 500 a day")
    assert one["opens_at"].startswith("2027-03-02T08:00:00")


async def test_p9_a_pause_is_stored_by_its_sender_and_answered(
    gateway: Gateway, kafka: KafkaSettings, database: str
) -> None:
    async with sender(kafka, database, SHUT):
        for what, stored in (("pause", {("provider", "smtp")}), ("resume", set())):
            answer = await order(gateway, "smtp", what)
            assert answer.status_code == 200, answer.text
            told = answer.json()
            assert (told["order"], told["state"], told["asked_by"]) == (what, "done", "user:root")
            assert told["result"]["paused"] is (what == "pause")
            sender_s = await Database.open(database, "email_sender", size=1)
            async with sender_s.connection() as connection:
                assert await store.paused(connection) == stored
            await sender_s.close()


async def test_a_pause_while_its_sender_is_down_waits_for_it(
    kafka: KafkaSettings, database: str, tmp_path: Path
) -> None:
    await make(kafka, *ALL)
    async with running(settings_of(kafka, database, tmp_path), patience=0.1) as gateway:
        answer = await order(gateway, "smtp", "pause")
    assert (answer.status_code, answer.json()["state"]) == (202, "waiting")
    async with sender(kafka, database, SHUT):
        sender_s = await Database.open(database, "email_sender", size=1)

        async def paused() -> bool | None:
            async with sender_s.connection() as connection:
                return bool(await store.paused(connection)) or None

        assert await until(paused)
        await sender_s.close()


async def test_a_trial_says_what_is_wrong(gateway: Gateway, kafka: KafkaSettings, database: str) -> None:
    async with sender(kafka, database, SHUT):
        told = (await order(gateway, "smtp", "test")).json()
    assert (told["state"], told["result"]["ok"], told["result"]["detail"]) == ("done", False, "login: 535 5.7.8 no")
    assert [(one["name"], one["ok"]) for one in told["result"]["checks"]] == [("connection", True), ("login", False)]


async def test_what_there_is_not_is_named(gateway: Gateway) -> None:
    answer = await order(gateway, "fax", "pause")
    assert answer.status_code == 404 and "smtp, console" in answer.json()["detail"]


async def test_only_operators(gateway: Gateway) -> None:
    assert (await order(gateway, "smtp", "pause", ALICE)).status_code == 403
