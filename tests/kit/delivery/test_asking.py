"""What a provider never called back is asked for, a few times and by one of us at a time (P5.9)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from contracts.events import Delivered, Due, Receipt, Sent
from contracts.status import Channel
from contracts.topics import RECEIPTS
from kit.bus.consumer import Consumer
from kit.delivery.asking import Asking
from kit.delivery.awaiting import forget_awaited
from kit.delivery.called_back import CalledBack
from kit.delivery.provider import Answer
from kit.delivery.receipts import Receipts
from kit.delivery.rules import Result
from kit.delivery.store.awaiting import Awaited, await_receipts
from kit.metrics import Metrics
from kit.stage import Stage
from tests.kit.bus.support import make
from tests.kit.delivery.support import House, Takes, due

THE_SAME_SECOND = """
update paces set entries = (
    select jsonb_agg(jsonb_build_array((one ->> 0)::bigint + 3600000000, one -> 1, one -> 2))
    from jsonb_array_elements(entries::jsonb) as one
)::text
"""
"""However long a busy machine takes: what was asked counts for another hour."""
AFTER = (600.0, 1800.0, 7200.0)
TOO_EARLY = 300.0
"""Longer than it takes to look, however busy the machine is."""


class Talks(Takes):
    """A provider that can be asked, and answers from a list: a word, nothing, or with a mistake."""

    def __init__(self, *told: Answer | Exception | None, asks_per_second: int = 10) -> None:
        super().__init__(name="talks")
        self.told = list(told)
        self.ask_after = AFTER
        self.asks_per_second = asks_per_second
        self.questions: list[str] = []

    async def became(self, provider_id: str) -> Answer | None:
        self.questions.append(provider_id)
        said = self.told.pop(0) if self.told else None
        if isinstance(said, Exception):
            raise said
        return said


def meaning(receipt: Receipt) -> CalledBack | None:
    return CalledBack(Result(receipt.status)) if receipt.status in ("delivered", "undelivered") else None


def asking(home: House, provider: Any) -> Asking:
    return Asking(Channel.SMS, provider, home.database, home.publisher, meaning)


async def sent(home: House, provider: Talks, tenant: str = "default") -> Due:
    """A message that the provider has."""
    one = due(tenant=tenant)
    async with home.sender(provider):
        await home.put(one)
        await home.hears(one, Sent)
    return one


async def waiting(home: House) -> int:
    return int(await home.sql("select count(*) from awaited"))


async def passes(home: House, seconds: float) -> None:
    """The clock of planned instants goes on."""
    await home.sql("update awaited set ask_at = ask_at - $1::interval", timedelta(seconds=seconds))


@asynccontextmanager
async def called_back(home: House) -> AsyncIterator[None]:
    """Those who hear receipts, as a sender puts them together."""
    await make(home.kafka, RECEIPTS)
    receipts = Receipts(home.database, home.publisher, meaning, Metrics())
    consumer = Consumer(home.kafka, "sms_sender.receipts", [[RECEIPTS]])
    stage = Stage(
        "called_back", consumer, home.database, home.publisher, receipts.take, metrics=Metrics(),
        after=receipts.committed,
    )  # fmt: skip
    await receipts.start()
    await stage.start()
    try:
        yield
    finally:
        await stage.stop()
        await receipts.stop()


async def test_p5_9_what_was_not_called_back_is_asked_for_and_said_like_a_call(home: House) -> None:
    provider = Talks(Answer("delivered"))
    one = await sent(home, provider, tenant="acme")
    async with called_back(home):
        assert await asking(home, provider).once() == 0 and provider.questions == [], "not before its time"
        await passes(home, AFTER[0])
        assert await asking(home, provider).once() == 1
        said = await home.hears(one, Delivered)
    assert (said.tenant, said.provider, said.provider_id, provider.questions) == ("acme", "talks", "p-1", ["p-1"])


async def test_p5_9_what_was_called_back_meanwhile_is_not_asked_for(home: House) -> None:
    provider = Talks()
    one = await sent(home, provider)
    await home.sql("update claims set result = 'delivered' where id = $1", one.id)
    await passes(home, AFTER[0])
    assert await asking(home, provider).once() == 0
    assert provider.questions == [] and await waiting(home) == 0


@pytest.mark.parametrize("told", [Answer("queued"), None, RuntimeError("a mistake of its client")])
async def test_it_is_asked_ever_more_rarely_and_then_no_more(home: House, told: Answer | Exception | None) -> None:
    provider = Talks(*[told] * 10)
    await sent(home, provider)
    for n, seconds in enumerate(AFTER, start=1):
        await passes(home, seconds - TOO_EARLY)
        await asking(home, provider).once()
        assert len(provider.questions) == n - 1
        await passes(home, TOO_EARLY)
        await asking(home, provider).once()
        assert len(provider.questions) == n
    await passes(home, AFTER[-1])
    await asking(home, provider).once()
    assert len(provider.questions) == len(AFTER) and await waiting(home) == 0


async def test_one_mistake_costs_the_others_of_the_round_nothing(home: House) -> None:
    provider = Talks(RuntimeError("a mistake of its client"), Answer("delivered"))
    await sent(home, provider)
    await sent(home, provider)
    await make(home.kafka, RECEIPTS)
    await passes(home, AFTER[0])
    assert await asking(home, provider).once() == 1


async def test_all_senders_together_ask_no_faster_than_the_pace(home: House) -> None:
    provider = Talks(asks_per_second=3)
    for _ in range(5):
        await sent(home, provider)
    await passes(home, AFTER[0])
    await asking(home, provider).once()
    assert len(provider.questions) == 3
    await home.sql(THE_SAME_SECOND)
    await asking(home, provider).once()
    assert len(provider.questions) == 3
    await home.sql("update paces set entries = '[]'")  # it is over
    await asking(home, provider).once()
    assert len(provider.questions) == len(set(provider.questions)) == 5, "each once"


async def test_two_senders_ask_once(home: House) -> None:
    provider = Talks()
    for _ in range(6):
        await sent(home, provider)
    await passes(home, AFTER[0])
    await asyncio.gather(*(asking(home, provider).once() for _ in range(3)))
    assert sorted(provider.questions) == sorted(set(provider.questions)) and len(provider.questions) == 6


async def test_another_ones_messages_are_not_asked_for(home: House) -> None:
    provider, other = Talks(), Talks()
    other.name = "other"
    await sent(home, provider)
    await passes(home, AFTER[0])
    await asking(home, other).once()
    assert other.questions == [] and await waiting(home) == 1


async def test_what_was_not_recorded_after_all_is_not_asked_for(home: House) -> None:
    """Its sender died in between; what the lease's end makes of it is another try's."""
    provider = Talks()
    one = Awaited(uuid4(), 1, "talks", "p-1")
    async with home.database.connection() as connection:
        await await_receipts(connection, [(one, 1.0)])
        await await_receipts(connection, [(one, 1.0)])
    await passes(home, 1)
    await asking(home, provider).once()
    assert provider.questions == [] and await waiting(home) == 0


async def test_a_provider_that_cannot_be_asked_leaves_no_rows(home: House) -> None:
    one = due()
    async with home.sender(Takes()):
        await home.put(one)
        await home.hears(one, Sent)
    assert await waiting(home) == 0


async def test_those_of_a_provider_that_is_gone_are_forgotten(home: House) -> None:
    await sent(home, Talks())
    assert await forget_awaited(home.database) == 0
    await passes(home, timedelta(days=31).total_seconds())
    assert await forget_awaited(home.database) == 1 and await waiting(home) == 0
