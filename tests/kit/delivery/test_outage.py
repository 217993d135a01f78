"""The only provider is down for half an hour: nobody is lost, nobody is early, and the return is no stampede."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

import asyncpg

from contracts.events import Due, Failed, Retry, Sent
from contracts.status import Lane
from kit.delivery.outcomes import PROVIDER_UNAVAILABLE, Unavailable
from kit.delivery.provider import Parcel
from kit.delivery.rules import Policy
from kit.retry import RetryPolicy
from tests.kit.delivery.support import House, Takes, due, now

POLICY: Final = Policy(RetryPolicy((300.0, 600.0), 3, 36_000.0))
HANDS: Final = 16
MINUTE: Final = timedelta(minutes=1)


@dataclass
class Time:
    """tocsin.clock(), moved; and what the scheduler does by it."""

    home: House
    owner: asyncpg.Connection
    ahead: timedelta = field(default_factory=timedelta)

    def now(self) -> datetime:
        return now() + self.ahead

    async def passes(self, ahead: timedelta) -> None:
        self.ahead += ahead
        await self.owner.execute("update tocsin.clock_offset set by = $1", self.ahead)

    async def fire(self) -> None:
        fired: set[int] = set()
        while True:
            heard = [e for _, e in list(self.home.heard) if isinstance(e, Retry) and id(e) not in fired]
            ripe = [event for event in heard if event.at <= self.now()]
            fired.update(map(id, ripe))
            await self.home.put(*[event.due for event in ripe])
            await asyncio.sleep(0.05)


@asynccontextmanager
async def time(home: House) -> AsyncIterator[Time]:
    owner = await asyncpg.connect(home.url)
    one = Time(home, owner)
    firing = asyncio.create_task(one.fire())
    try:
        yield one
    finally:
        firing.cancel()
        await asyncio.wait([firing])
        await owner.close()


class Down(Takes):
    """Refuses every connection until it is `up`."""

    up = False

    async def hand_over(self, parcel: Parcel) -> object:  # type: ignore[override]
        if not self.up:
            self.answers.insert(0, Unavailable(PROVIDER_UNAVAILABLE, "connection refused"))
        return await super().hand_over(parcel)


async def test_down_for_half_an_hour(home: House) -> None:
    """With three attempts in a quarter of an hour each mail would have failed twice over, had they been used up."""
    provider = Down(name="main")
    dues = [*(due() for _ in range(300)), *(due(Lane.URGENT) for _ in range(20))]
    async with home.sender(provider, policy=POLICY, hands=HANDS) as running, time(home) as clock:
        await home.put(*dues)
        await home.until(lambda: bool(running.engine._paused))
        for _ in range(2):
            before = len(provider.parcels)
            await clock.passes(15 * MINUTE)
            await home.until(lambda: len(provider.parcels) > before)  # noqa: B023
        used = len(provider.parcels)
        provider.up = True
        back = clock.now()
        await home.until(lambda: running.sender._route.outlets[0].gate.is_open)
        await clock.passes(15 * MINUTE)
        for one in dues:
            sent: Sent = await home.hears(one, Sent)
            assert sent.attempt <= POLICY.retry.max_attempts
            assert not home.said(one, Failed)
            await check_schedule(home, one, back)
    assert used <= 10 + HANDS + 10, "ten in a row, those under way, and one at a time to see"
    assert provider.most <= HANDS, "no stampede"


async def check_schedule(home: House, one: Due, back: datetime) -> None:
    """Each T lies between half of the delay and all of it after the failure, and nobody is tried before his."""
    claims = await home.claims(one)
    for claim, delay in zip(claims, POLICY.retry.delays, strict=False):
        if claim["result"] == "retry":
            waits = (claim["at"] - claim["made_at"]).total_seconds()
            assert delay / 2 <= waits <= delay + 30, (waits, delay)
    for claim, after in pairwise(claims):
        assert after["made_at"] >= claim["at"]
        assert after["made_at"] <= max(claim["at"], back) + 16 * MINUTE
