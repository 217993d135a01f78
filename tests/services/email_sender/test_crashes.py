"""The service as a process, killed at the worst moments; the mail catcher says what came of it."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from contracts.events import Content, Due, Retry, Sent
from contracts.status import Lane
from kit.settings import KafkaSettings
from tests import servers as real
from tests.journeys.stack import Instance, Stack
from tests.kit.delivery.support import House, due, house
from tests.kit.delivery.test_claims import over
from tests.waiting import PATIENCE

KILLED = 137


async def died(instance: Instance) -> int:
    """The exit code, as soon as it is gone."""
    assert instance.process
    return await asyncio.to_thread(instance.process.wait, PATIENCE)


def to(name: str, lane: Lane = Lane.NORMAL) -> Due:
    return due(lane, content=Content(to=f"{name}@example.com", subject=name, text="Hi."))


async def driven(home: House, one: Due) -> Sent:
    """What the scheduler does: says each `retry` again when its time has come, here at once. Until it is sent."""
    done = 0
    while not home.said(one, Sent):
        retry: Retry = await home.hears(one, Retry, done + 1)
        done = len(home.said(one, Retry))
        if retry.hold:
            await over(home, one)
        await home.put(retry.due)
        await home.until(lambda: len(home.said(one, Retry)) > done or bool(home.said(one, Sent)))  # noqa: B023
    sent: Sent = home.said(one, Sent)[-1]
    return sent


@pytest.mark.parametrize(
    ("failpoint", "before", "after", "flagged"),
    [
        ("delivery_after_claim", 0, 1, 1),
        ("provider_accepted", 1, 2, 1),
        ("delivery_after_result", 1, 1, 0),
        ("delivery_before_offsets", 1, 1, 0),
    ],
)
async def test_killed_at_a_named_place(
    kafka: KafkaSettings,
    database: str,
    session: real.Session,
    failpoint: str,
    before: int,
    after: int,
    flagged: int,
) -> None:
    """Nothing is lost; a copy exists only between "accepted" and "recorded", and it is flagged."""
    one, folder = to("ann"), session.new_folder("crash")
    points = {"email_sender": f"{failpoint}:kill"}
    async with house(kafka, database) as home:
        async with Stack(
            kafka, database, folder, session.look_after, services=("email_sender",), failpoints=points
        ) as stack:
            [instance] = stack.instances
            await home.put(one)
            assert await died(instance) == KILLED
            assert len(stack.catcher.mails()) == before
            stack.start(instance)
            if after == 1 and flagged == 0:
                sent = await home.hears(one, Sent)
            else:
                sent = await driven(home, one)
            mails = stack.catcher.mails()
    assert len(mails) == after and sum(mail.copy is not None for mail in mails) == flagged == sent.unknown
    assert len({mail.message_id for mail in mails}) == 1


async def test_sigterm_under_load_costs_nothing(kafka: KafkaSettings, database: str, session: real.Session) -> None:
    """Five restarts of one of two senders: nothing lost, no copy."""
    dues = [to(f"n{n}", list(Lane)[n % 3]) for n in range(600)]
    async with house(kafka, database) as home:
        async with Stack(
            kafka,
            database,
            session.new_folder("restarts"),
            session.look_after,
            services=("email_sender",),
            counts={"email_sender": 2},
        ) as stack:
            for n, instance in enumerate(stack.instances * 2):
                await home.put(*dues[n * 150 : (n + 1) * 150])
                assert await stack.terminate(instance) == 0
                stack.start(instance)
                await stack.ready([instance])
            for one in dues:
                sent = home.said(one, Sent)[-1] if home.said(one, Sent) else await driven(home, one)
                assert sent.unknown == 0
            counts = Counter(mail.message_id for mail in stack.catcher.mails())
    assert len(counts) == 600 and set(counts.values()) == {1}
