"""How often one caller may ask: what he has left stands in every answer, and what is over it is told to come back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from kit.bus.publisher import Publisher
from kit.settings import KafkaSettings
from services.gateway.rules.rates import Rate, fields, rate
from tests.services.gateway.conftest import ALICE, BOB, EMAIL, House, bearer, opened, settings_of

NOON = datetime(2027, 3, 1, 12, 0, 20, 500_000, tzinfo=UTC)
POST = "/v1/notifications"


@dataclass
class Watch:
    """The clock of the gateways of a test."""

    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Limited:
    """Gateways with a limit of five calls a minute."""

    watch: Watch
    one: House
    other: House


@asynccontextmanager
async def gateway(kafka: KafkaSettings, database: str, folder: Path, watch: Watch, most: int) -> AsyncIterator[House]:
    told = settings_of(kafka, database, folder, notifications={"limits": {"per_caller": {"minute": most}}})
    async with opened(told, Publisher(kafka, "gateway", deadline=0.3), watch) as house:
        yield house


@pytest.fixture
async def limited(database: str, nowhere: KafkaSettings, tmp_path: Path) -> AsyncIterator[Limited]:
    watch = Watch()
    async with (
        gateway(nowhere, database, tmp_path, watch, 5) as one,
        gateway(nowhere, database, tmp_path, watch, 5) as other,
    ):
        yield Limited(watch, one, other)


async def ask(house: House, who: dict[str, str] = ALICE) -> httpx.Response:
    return await house.http.post(POST, json=EMAIL, headers=who)


async def batch(house: House, items: int) -> httpx.Response:
    return await house.http.post(f"{POST}/batch", json={"notifications": [EMAIL] * items}, headers=ALICE)


async def test_every_answer_says_what_is_left(limited: Limited) -> None:
    """Also of reading, and of what went wrong."""
    for expected, answer in (
        (4, await ask(limited.one)),
        (3, await limited.one.http.get(f"{POST}/none", headers=ALICE)),
        (2, await limited.one.http.post(POST, json={}, headers=ALICE)),
    ):
        assert answer.headers["ratelimit-policy"] == '"minute";q=5;w=60'
        assert answer.headers["ratelimit"] == f'"minute";r={expected};t=40'
        told = [answer.headers[f"ratelimit-{name}"] for name in ("limit", "remaining", "reset")]
        assert told == ["5", str(expected), "40"]


async def test_over_the_limit_is_429_with_when_to_come_back(limited: Limited) -> None:
    assert [(await ask(limited.one)).status_code for _ in range(6)] == [202] * 5 + [429]
    refused = await ask(limited.one)
    assert refused.headers["content-type"] == "application/problem+json"
    assert (refused.headers["retry-after"], refused.headers["ratelimit"]) == ("40", '"minute";r=0;t=40')
    told = refused.json()
    assert (told["status"], told["code"], told["title"]) == (429, "rate_limited", "Too Many Requests")
    assert "come back in 40 s" in told["detail"]
    assert (await limited.one.http.get("/v1/limits", headers=ALICE)).status_code == 429, "reading counts as well"
    limited.watch.now += timedelta(seconds=40)
    assert (await ask(limited.one)).status_code == 202, "it begins anew"


async def test_a_limit_is_each_callers_own(limited: Limited) -> None:
    """What one of them uses up, no other misses: not even one of the same name in another tenant."""
    for _ in range(6):
        await ask(limited.one)
    for who in (BOB, bearer("alice", tenant="elsewhere")):
        assert (await ask(limited.one, who)).headers["ratelimit-remaining"] == "4"
    assert (await limited.one.http.get("/health/live")).status_code == 200
    nobody = await limited.one.http.get("/v1/stats")
    assert (nobody.status_code, "ratelimit" in nobody.headers) == (401, False)


async def test_each_notification_of_a_batch_is_a_call(limited: Limited) -> None:
    """A batch goes through as a whole or not at all; one that never could says so, instead of sending for ever."""
    first = await batch(limited.one, 3)
    assert (first.status_code, first.headers["ratelimit-remaining"]) == (202, "2")
    second = await batch(limited.one, 3)
    assert (second.status_code, second.headers["ratelimit-remaining"]) == (429, "1")
    limited.watch.now += timedelta(minutes=1)
    assert (await batch(limited.one, 5)).status_code == 202
    limited.watch.now += timedelta(minutes=1)
    never = await batch(limited.one, 6)
    assert (never.status_code, never.json()["errors"][0]["field"]) == (422, "notifications")
    assert "at most 5" in never.json()["errors"][0]["message"]


async def test_two_gateways_keep_one_limit(limited: Limited) -> None:
    """What was asked of one is known to the other a second later; it costs no request a query."""
    one, other = limited.one, limited.other
    for house in (one, one, one, other):
        await ask(house)
    await one.calls.exchange()
    await other.calls.exchange()
    assert (await ask(other)).headers["ratelimit-remaining"] == "0"
    assert (await ask(other)).status_code == 429
    await other.calls.exchange()
    await one.calls.exchange()
    assert (await ask(one)).status_code == 429
    limited.watch.now += timedelta(minutes=1)
    for left in ("4", "3", "2"):
        await one.calls.exchange()
        assert (await ask(one)).headers["ratelimit-remaining"] == left, "nobody counts himself twice"


async def test_who_used_it_up_elsewhere_comes_to_a_gateway_that_does_not_know_him(limited: Limited) -> None:
    for _ in range(5):
        await ask(limited.one)
    await limited.one.calls.exchange()
    await limited.other.calls.exchange()
    assert (await ask(limited.other)).status_code == 429


async def test_old_minutes_are_not_kept(limited: Limited) -> None:
    await ask(limited.one)
    await limited.one.calls.exchange()
    limited.watch.now += timedelta(minutes=3)
    await limited.other.calls.exchange()
    async with limited.one.database.connection() as connection:
        assert await connection.fetchval("select count(*) from calls") == 0


async def test_ones_own_limit_is_shown(limited: Limited) -> None:
    await ask(limited.one)
    shown = (await limited.one.http.get("/v1/limits", headers=ALICE)).json()
    minute = shown["per_caller"]["minute"]
    assert (minute["limit"], minute["used"], minute["left"]) == (5, 2, 3)
    assert minute["resets_at"].startswith("2027-03-01T12:01:00")


async def test_without_a_limit_nothing_is_counted(house: House) -> None:
    answer = await ask(house)
    assert (answer.status_code, "ratelimit" in answer.headers) == (202, False)
    assert not house.calls._here


@pytest.mark.parametrize(
    ("used", "second", "expected"),
    [(0, 0, Rate(5, 5, 60)), (5, 59, Rate(5, 0, 1)), (9, 30, Rate(5, 0, 30))],
)
def test_what_is_left_and_until_when(used: int, second: int, expected: Rate) -> None:
    assert rate(5, used, NOON.replace(second=second, microsecond=0)) == expected
    assert dict(fields(expected))["RateLimit-Reset"] == str(expected.seconds)
