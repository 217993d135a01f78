"""P5.7: who was suppressed while his message waited for its next try gets none."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from contracts import events as e
from contracts.events import Content, Due, Failed, Retry, Sent
from contracts.status import Channel, Lane
from contracts.suppression import name_of
from contracts.topics import SETTINGS
from kit.bus.consumer import Consumer
from kit.bus.record import Outgoing, Received
from kit.delivery.outcomes import Outcome, Unavailable, Unknown
from kit.delivery.suppressed import Suppressed
from kit.metrics import Metrics
from kit.stage import Message, Stage
from tests.kit.bus.support import make
from tests.kit.delivery.support import House, Takes, due

AT = datetime(2027, 5, 3, 8, tzinfo=UTC)
BUSY = Unavailable("provider_unavailable", "421 4.3.2")
SILENT = Unknown("unknown_outcome", "silence")


def to(address: str, **fields: Any) -> Due:
    return due(content=Content(to=address, subject="Hello", text="Hi."), **fields)


def suppression(address: str, channel: Channel = Channel.EMAIL, **told: Any) -> e.Setting:
    value = {"reason": "hard_bounce", "code": "5.1.1", "at": AT.isoformat()} | told
    return e.Setting(what="suppression", id=name_of(channel, address), value=value)


def lifted(address: str) -> e.Tombstone:
    return e.Tombstone(path=f"suppression/{name_of(Channel.EMAIL, address)}")


async def learns(home: House, *events: e.Event, minutes: tuple[int, ...] = ()) -> None:
    """The directory's stage is told, in one batch: published so many minutes after AT."""
    messages = [
        Message(event, Received(SETTINGS.name, 0, n, AT + timedelta(minutes=minute), b"", b""))
        for n, (event, minute) in enumerate(zip(events, minutes or range(len(events)), strict=True))
    ]
    async with home.database.transaction() as connection:
        await Suppressed(Channel.EMAIL).hear(connection, messages)


@asynccontextmanager
async def waiting(home: House, one: Due, outcome: Outcome = BUSY) -> AsyncIterator[tuple[Takes, Retry]]:
    """A message whose first try failed, and the retry that the scheduler would fire."""
    provider = Takes(outcome)
    async with home.sender(provider):
        await home.put(one)
        yield provider, await home.hears(one, Retry)


@pytest.mark.parametrize("lane", list(Lane))
async def test_p5_7_a_retry_to_a_suppressed_address_ends(home: House, lane: Lane) -> None:
    """Never silently: cancelled, with the sentence of intake."""
    one = to("Gone@Example.com", lane=lane)
    async with waiting(home, one) as (provider, retry):
        await learns(home, suppression("gone@example.com"))
        await home.put(retry.due)
        failed: Failed = await home.hears(one, Failed)
    assert (failed.outcome, failed.reason, failed.try_, failed.unknown) == ("cancelled", "suppressed", 2, 0)
    assert failed.detail and failed.detail.startswith("5.1.1 on 3 May") and len(provider.parcels) == 1
    assert [row["result"] for row in await home.claims(one)] == ["retry", "cancelled"]


async def test_p5_7_so_does_a_first_try_that_waited(home: House) -> None:
    """In a lane that was late, or held by a pace: STOP came while it waited."""
    ago = datetime.now(UTC) - timedelta(hours=3)
    late, prompt, provider = to("gone@example.com", at=ago), to("here@example.com", at=ago), Takes()
    await learns(home, suppression("gone@example.com"))
    async with home.sender(provider):
        await home.put(prompt)
        await home.hears(prompt, Sent)
        await home.put(late)
        failed: Failed = await home.hears(late, Failed)
    assert (failed.outcome, failed.reason, failed.try_) == ("cancelled", "suppressed", 1)
    assert [parcel.to for parcel in provider.parcels] == ["here@example.com"]


async def test_p5_2_after_an_unknown_hand_over_nobody_says_it_was_not_sent(home: House) -> None:
    one = to("gone@example.com")
    async with waiting(home, one, SILENT) as (provider, retry):
        await learns(home, suppression("gone@example.com"))
        await home.put(retry.due)
        failed: Failed = await home.hears(one, Failed)
    assert (failed.outcome, failed.reason, failed.unknown) == ("failed", "perhaps_sent", 1)
    assert failed.detail and failed.detail.startswith("suppressed: 5.1.1") and len(provider.parcels) == 1


async def test_p5_7_everybody_else_is_tried_again(home: House) -> None:
    """In the same batch; and who was lifted before his time came."""
    here, back = to("here@example.com"), to("back@example.com")
    provider = Takes(BUSY, BUSY)
    async with home.sender(provider):
        await home.put(here, back)
        retries = [await home.hears(one, Retry) for one in (here, back)]
        await learns(home, suppression("gone@example.com"), suppression("back@example.com"))
        await learns(home, lifted("back@example.com"), minutes=(9,))
        await home.put(*[retry.due for retry in retries])
        for one in (here, back):
            assert (await home.hears(one, Sent)).try_ == 2


async def test_p5_1_a_repeat_of_what_was_sent_says_so_whoever_is_suppressed_since(home: House) -> None:
    one, provider = to("gone@example.com"), Takes()
    async with home.sender(provider):
        await home.put(one)
        await home.hears(one, Sent)
        await learns(home, suppression("gone@example.com"))
        await home.put(one)
        await home.hears(one, Sent, count=2)
    assert home.said(one, Failed) == [] and len(provider.parcels) == 1


async def test_p1_only_what_is_newer_counts(home: House) -> None:
    """In one batch and over several: a topic that was written anew brings old words."""
    address = "gone@example.com"
    await learns(home, lifted(address), suppression(address), minutes=(5, 1))
    assert await home.sql("select count(*) from suppressed where value is not null") == 0
    await learns(home, suppression(address), minutes=(3,))
    assert await home.sql("select count(*) from suppressed where value is not null") == 0
    await learns(home, suppression(address), minutes=(6,))
    assert await home.sql("select count(*) from suppressed where value is not null") == 1


async def test_the_other_channels_and_settings_are_passed_over(home: House) -> None:
    template = e.Setting(what="template", id="email/x", value={})
    await learns(home, suppression("+33612345678", Channel.SMS), template, e.Tombstone(path="template/email/x"))
    assert await home.sql("select count(*) from suppressed") == 0


async def test_what_cannot_be_read_stops_the_retry_too(home: House) -> None:
    one = to("gone@example.com", id=uuid4())
    async with waiting(home, one) as (_, retry):
        await learns(home, suppression("gone@example.com", at="yesterday"))
        await home.put(retry.due)
        assert (await home.hears(one, Failed)).detail == "by an admin"


async def test_from_kafka(home: House) -> None:
    """The stage, as a sender puts it together."""
    await make(home.kafka, SETTINGS)
    consumer = Consumer(home.kafka, "email_sender.directory", [[SETTINGS]])
    hear = Suppressed(Channel.EMAIL).hear
    stage = Stage("directory", consumer, home.database, home.publisher, hear, metrics=Metrics())
    await stage.start()
    try:
        for event, expected in ((suppression("gone@example.com"), 1), (lifted("gone@example.com"), 0)):
            await home.publisher.publish([Outgoing(SETTINGS, event)])
            await home.becomes(lambda: home.sql("select count(*) from suppressed where value is not null"), expected)
    finally:
        await stage.stop()
