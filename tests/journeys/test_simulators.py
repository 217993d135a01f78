"""The addresses that reach nobody play their whole life, by email and by SMS, and nothing leaves the house."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pytest
import pytest_asyncio

from kit.settings import KafkaSettings
from tests import servers as real
from tests.journeys.stack import Stack
from tests.journeys.test_first_journeys import events, mail
from tests.services.sms_sender.twilio_server import NUMBER, SID, TOKEN, TwilioServer, twilio_server

pytestmark = pytest.mark.asyncio(loop_scope="module")

FATES = ("delivered", "bounce", "slow", "unavailable", "unknown")
CONFIG = """
notifications:
  email: {retry: {max_attempts: 3, retry_delay_seconds: 1}}
  sms: {countries: [FR], retry: {max_attempts: 3, retry_delay_seconds: 1}}
"""

Lives = dict[tuple[str, str], dict[str, Any]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def twilio() -> AsyncIterator[TwilioServer]:
    async with twilio_server() as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(
    session: real.Session, kafka_address: str, postgres_url: str, template: str, twilio: TwilioServer
) -> AsyncIterator[Stack]:
    """With a real relay and a real provider of text messages, as far as the services can tell."""
    kafka: KafkaSettings = real.kafka_settings(kafka_address)
    settings = {
        "SMS_PROVIDER": "twilio",
        "TWILIO_ACCOUNT_SID": SID,
        "TWILIO_AUTH_TOKEN": TOKEN,
        "TWILIO_FROM": NUMBER,
        "TWILIO_API_BASE": twilio.base,
    }
    folder = session.new_folder("simulators")
    async with real.copied_database(postgres_url, template) as database:
        async with Stack(kafka, database, folder, session.look_after, settings=settings, config=CONFIG) as stack:
            yield stack
    await real.delete_topics(kafka)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lives(stack: Stack) -> Lives:
    """All ten, as they ended."""
    asked = {("email", fate): await stack.post(mail(f"{fate}@simulator.test")) for fate in FATES}
    for number, fate in enumerate(FATES, start=1):
        body = {"channel": "sms", "to": f"+1500555000{number}", "body": "Votre colis est là ☺"}
        asked["sms", fate] = await stack.post(body)
    ended = await asyncio.gather(*(_ended(stack, one["id"]) for one in asked.values()))
    return dict(zip(asked, ended, strict=True))


async def _ended(stack: Stack, id: str) -> dict[str, Any]:
    return await stack.wait_for(id, lambda seen: seen["status"] in ("delivered", "undelivered", "failed"))


@pytest.mark.parametrize("channel", ["email", "sms"])
@pytest.mark.parametrize(
    ("fate", "life"),
    [
        ("delivered", ["accepted", "sent", "delivered"]),
        ("bounce", ["accepted", "sent", "undelivered"]),
        ("slow", ["accepted", "sent", "delivered"]),
        ("unavailable", ["accepted", "retrying", "retrying", "failed"]),
        ("unknown", ["accepted", "unknown", "retrying", "unknown", "retrying", "unknown", "failed"]),
    ],
)
async def test_the_whole_life_is_played(lives: Lives, channel: str, fate: str, life: list[str]) -> None:
    seen = lives[channel, fate]
    assert events(seen) == life
    assert {line["provider"] for line in seen["timeline"] if line.get("provider")} == {"simulator"}


@pytest.mark.parametrize("channel", ["email", "sms"])
async def test_each_says_why(lives: Lives, channel: str) -> None:
    last = {fate: lives[channel, fate]["timeline"][-1].get("detail") or "" for fate in FATES}
    assert last["bounce"] == "simulated: no such recipient"
    assert "provider_unavailable" in last["unavailable"] and "perhaps_sent" in last["unknown"]


@pytest.mark.parametrize("channel", ["email", "sms"])
async def test_slow_is_slow(lives: Lives, channel: str) -> None:
    at = {line["event"]: datetime.fromisoformat(line["at"]) for line in lives[channel, "slow"]["timeline"]}
    assert (at["sent"] - at["accepted"]).total_seconds() >= 2


async def test_a_text_message_shows_its_parts(lives: Lives) -> None:
    seen = lives["sms", "delivered"]
    assert seen["sms"] == {"encoding": "UCS-2", "segments": 1}
    assert [line.get("detail") for line in seen["timeline"] if line["event"] == "sent"] == ["1 part of UCS-2"]


async def test_nothing_has_left_the_house(stack: Stack, lives: Lives, twilio: TwilioServer) -> None:
    assert len(lives) == 10 and twilio.messages == [] and twilio.paths == []
    assert not [caught for fate in FATES for caught in stack.catcher.mails(to=f"{fate}@simulator.test")]
    assert not (stack.folder / "logs" / "sms_simulation.log").exists()


async def test_bounce_can_be_written_to_again(stack: Stack, lives: Lives) -> None:
    """A simulator's address is never suppressed."""
    assert lives["email", "bounce"]["status"] == "undelivered"
    again = await stack.post(mail("bounce@simulator.test"))
    assert (await _ended(stack, again["id"]))["status"] == "undelivered"
