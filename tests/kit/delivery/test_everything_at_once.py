"""Two senders, two providers, and all that can happen to them at once: none is lost, and no copy is unflagged."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Sequence
from contextlib import AsyncExitStack
from uuid import UUID

import pytest

from contracts.events import Due, Event, Failed, Receipt, Retry, Taken
from contracts.status import Lane
from kit.delivery.condition import Limits
from kit.delivery.outcomes import (
    PROVIDER_UNAVAILABLE,
    RECIPIENT_DEFERRED,
    Accepted,
    Halted,
    Outcome,
    Refused,
    Unavailable,
    Unknown,
)
from kit.delivery.pace.rules import Limit
from kit.delivery.provider import Parcel
from kit.delivery.receipts import Receipts
from kit.delivery.rules import PERHAPS_SENT, Policy
from kit.metrics import Metrics
from kit.retry import RetryPolicy
from tests.kit.delivery.support import House, Running, due, end_of
from tests.kit.delivery.test_failover import timers
from tests.kit.delivery.test_receipts import heard, meaning, receipt

MAILS = 240
TROUBLES = 12
POLICY = Policy(RetryPolicy((0.3,), 100, 3600.0))
PACES = [Limit("main", "second", 80), Limit("spare", "second", 30), Limit("spare", "minute", 400)]
HEALTH = Limits(stall_seconds=1.0)
Took = dict[UUID, list[str]]


class Moody:
    """Takes it or not, says so or not, and calls back about some. `took`: by whom it was taken, whatever was said of
    it; `calls`: what is called back, sooner or later."""

    timeout = 1.0

    def __init__(self, name: str, took: Took, luck: random.Random) -> None:
        self.name = name
        self.calm = False
        self.calls: list[Receipt] = []
        self._took = took
        self._luck = luck

    async def hand_over(self, parcel: Parcel) -> Outcome:
        chance = 0.0 if self.calm else self._luck.random()
        if chance < 0.70:
            self._took[parcel.due.id].append(self.name)
            if chance and self._luck.random() < 0.3:
                status = self._luck.choice(("sent", "delivered", "undelivered"))
                self.calls.append(receipt(parcel.due.id, status, try_=parcel.try_))
        await asyncio.sleep(0.05 * self._luck.random())
        if chance < 0.60:
            return Accepted()
        if chance < 0.66 or 0.70 <= chance < 0.75:
            return Unknown("unknown_outcome", "silence")
        if chance < 0.70:
            raise RuntimeError("its client fails")
        if chance < 0.92:
            return Unavailable(PROVIDER_UNAVAILABLE if chance < 0.87 else RECIPIENT_DEFERRED)
        return Halted("provider_quota") if chance < 0.96 else Refused("message_refused")


class Pair:
    """Two senders; one that goes is replaced. Troubles are drawn."""

    def __init__(self, home: House, stack: AsyncExitStack, *providers: Moody) -> None:
        self._home = home
        self._stack = stack
        self._providers = providers
        self.running: list[Running] = []

    async def begin(self) -> None:
        sender = self._home.sender(
            *self._providers, policy=POLICY, lease=2.5, health=HEALTH, pauses=(0.3,), paces=PACES
        )
        self.running.append(await self._stack.enter_async_context(sender))

    async def trouble(self, luck: random.Random) -> None:
        """One more of it."""
        match luck.choice(("pause", "pause", "resume", "resume", "crash", "end")):
            case "crash":
                await self.running.pop(0).crash()
                await self.begin()
            case "end":
                await self.running.pop(0).stop()
                await self.begin()
            case turn:
                self.pause(luck.randrange(2), turn == "pause")

    def pause(self, position: int, paused: bool) -> None:
        for running in self.running:
            running.sender._route.outlets[position].gate.paused = paused


@pytest.mark.parametrize("seed", range(2))
async def test_p5_nothing_is_lost_doubled_or_held_whatever_happens(home: House, seed: int) -> None:
    luck, took = random.Random(seed), defaultdict[UUID, list[str]](list)
    main, spare = Moody("main", took, luck), Moody("spare", took, luck)
    dues, called = [due(luck.choice(list(Lane))) for _ in range(MAILS)], set[UUID]()
    receipts = Receipts(home.database, home.publisher, meaning, Metrics())
    async with timers(home), AsyncExitStack() as stack:
        pair = Pair(home, stack, main, spare)
        await pair.begin()
        await pair.begin()
        await receipts.start()
        stack.push_async_callback(receipts.stop)
        for _ in range(TROUBLES):
            some = luck.sample(dues, MAILS * 3 // TROUBLES)
            await home.put(*some, *[end_of(one) for one in some if luck.random() < 0.03])
            await pair.trouble(luck)
            called |= await call_back(home, receipts, luck.sample(main.calls, len(main.calls) // 2))
            await asyncio.sleep(0.2 * luck.random())
        main.calm = spare.calm = True
        pair.pause(0, False)
        pair.pause(1, False)
        await home.put(*dues)
        for one in dues:
            await home.until(lambda: bool(ends(home, one)), 120)  # noqa: B023
        called |= await call_back(home, receipts, [*main.calls, *spare.calls])
        for id in called:
            await home.hears(id, Taken)
        last = due(Lane.BULK)
        await home.put(last)
        assert (await home.hears(last, Taken)).provider in ("main", "spare")
    for one in dues:
        judge(home, one, took[one.id])


async def call_back(home: House, receipts: Receipts, calls: Sequence[Receipt]) -> set[UUID]:
    """Early, late, or twice; about whom."""
    await heard(home, receipts, *calls)
    receipts.wake()
    return {one.id for one in calls}


def ends(home: House, one: Due) -> list[Event]:
    return [*home.said(one, Taken), *home.said(one, Failed)]


def judge(home: House, one: Due, took: list[str]) -> None:
    said = ends(home, one)
    unknown = max(event.unknown for event in (*said, *home.said(one, Retry)))
    assert len(set(took)) <= 1, "failed over, although another provider had it"
    assert len(took) - 1 <= unknown, "a copy that nobody flagged"
    sent = any(isinstance(event, Taken) for event in said)
    assert bool(took) or not sent, "sent, and no provider has it"
    if took and not sent:
        assert {event.reason for event in said if isinstance(event, Failed)} == {PERHAPS_SENT}
