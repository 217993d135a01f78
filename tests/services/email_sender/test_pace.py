"""Real senders, a real relay: together they keep its pace, also when one is killed with an allowance in hand."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import asyncpg

from contracts.events import Content, Due, Retry, Sent
from contracts.status import Channel, Lane
from contracts.topics import due_lanes
from deploy.local.catcher import Catcher
from kit.settings import KafkaSettings
from tests import servers as real
from tests.journeys.stack import Stack
from tests.kit.bus.support import make
from tests.kit.delivery.support import House, due, house, now
from tests.services.email_sender.test_crashes import KILLED, died

PACED = """
notifications:
  email:
    providers:
      - {{name: relay, type: smtp, host: 127.0.0.1, port: {port}, from_email: tocsin@example.org, security: none,
         per_day: 20}}
"""
TOGETHER = """
notifications:
  limits: {global: {minute: 10}}
"""
A_DAY = 86_400 + 900
IN_HAND = """
select coalesce(sum((entry ->> 1)::integer), 0)::integer from paces, json_array_elements(entries::json) as entry
where entry ->> 2 is not null
"""


def mail(lane: Lane = Lane.NORMAL) -> Due:
    """One that survives the days of a test."""
    return due(
        lane, expires_at=now() + timedelta(days=30), content=Content(to="ann@example.com", subject="Hello", text="Hi.")
    )


def text(lane: Lane = Lane.NORMAL) -> Due:
    return due(lane, channel=Channel.SMS, content=Content(to="+33612345678", text="x" * 400))


@asynccontextmanager
async def running(home: House, session: real.Session, config: str, **told: Any) -> AsyncIterator[Stack]:
    catcher = Catcher()
    await catcher.start()
    folder = session.new_folder("pace")
    stack = Stack(home.kafka, home.url, folder, session.look_after, catcher=catcher, **told)
    stack.config = config.format(port=catcher.port) if "{port}" in config else config
    async with stack:
        yield stack


async def time_passes(url: str, seconds: int) -> None:
    owner = await asyncpg.connect(url)
    await owner.execute(f"update tocsin.clock_offset set by = by + interval '{seconds} seconds'")
    await owner.close()


async def the_one_held(home: House, urgent: Sequence[Due]) -> Retry:
    """All but one of these are sent, whichever that is: they come by several partitions."""
    await home.put(*urgent)
    await home.until(lambda: all(home.said(one, Sent) or home.said(one, Retry) for one in urgent))
    [held] = [said[0] for one in urgent if (said := home.said(one, Retry))]
    return held


async def all_is_used(home: House, count: int) -> None:
    """Two urgent ones get what is kept for them, and a third one is held: nothing fits any more."""
    held = await the_one_held(home, [mail(Lane.URGENT) for _ in range(3)])
    assert (held.reason, held.attempt) == ("paced", 0)
    await home.until(lambda: sum(isinstance(event, Sent) for _, event in home.heard) >= count)


async def test_two_senders_and_one_relay(kafka: KafkaSettings, database: str, session: real.Session) -> None:
    mails = [mail() for _ in range(45)]
    async with house(kafka, database) as home:
        two = {"email_sender": 2}
        async with running(home, session, PACED, services=("email_sender",), counts=two) as stack:
            await home.put(*mails)
            await home.until(lambda: len(stack.catcher.mails()) >= 18)
            await all_is_used(home, 20)
            assert len(stack.catcher.mails()) == 20
            for count in (38, 47):
                await home.becomes(lambda: home.sql(IN_HAND), 0)  # all is told: what is told later counts from then on
                await time_passes(database, A_DAY)
                await home.until(lambda: len(stack.catcher.mails()) >= count)  # noqa: B023
            for one in mails:
                assert (await home.hears(one, Sent)).attempt == 1, "waiting is no attempt"
            assert len(stack.catcher.mails()) == 47


async def test_killed_with_an_allowance_in_hand(kafka: KafkaSettings, database: str, session: real.Session) -> None:
    """What it was allowed is nobody's until it has lapsed, and a day is over: never more than the pace."""
    points = {"email_sender": "delivery_after_claim:kill"}
    async with house(kafka, database) as home:
        async with running(home, session, PACED, services=("email_sender",), failpoints=points) as stack:
            [instance] = stack.instances
            await home.put(*[mail() for _ in range(8)])
            assert await died(instance) == KILLED
            in_hand = await home.sql(IN_HAND)
            assert 0 < in_hand <= 8 and not stack.catcher.mails()
            stack.start(instance)
            await home.put(*[mail() for _ in range(40)])
            await home.until(lambda: len(stack.catcher.mails()) >= 18 - in_hand)
            await all_is_used(home, 20 - in_hand)
            assert len(stack.catcher.mails()) == 20 - in_hand
            await home.becomes(lambda: home.sql(IN_HAND), in_hand)
            await time_passes(database, A_DAY)
            await home.until(lambda: len(stack.catcher.mails()) >= 38 - in_hand)


async def test_email_and_sms_keep_one_minute_together(
    kafka: KafkaSettings, database: str, session: real.Session
) -> None:
    """`limits.global.minute`: of ten a tenth is for the urgent; a text message of three parts is one of them."""
    await make(kafka, *due_lanes(Channel.SMS))
    mails, texts = [mail() for _ in range(8)], [text() for _ in range(8)]
    async with house(kafka, database) as home:
        async with running(home, session, TOGETHER, services=("email_sender", "sms_sender")) as stack:
            await home.put(*mails, *texts)
            await home.until(lambda: len(home.heard) >= 9)
            held = await the_one_held(home, [text(Lane.URGENT), text(Lane.URGENT)])
            assert held.detail and held.detail.startswith("all together: 10 a minute")
            lines = (stack.folder / "logs" / "sms_simulation.log").read_text().splitlines()
            assert len(stack.catcher.mails()) + len(lines) == 10
            assert {json.loads(line)["segments"] for line in lines} == {3}
            await home.becomes(lambda: home.sql(IN_HAND.replace("paces", "tocsin.shared_paces")), 0)
            await time_passes(database, 100)
            for each in [*mails, *texts]:
                assert (await home.hears(each, Sent)).attempt == 1
