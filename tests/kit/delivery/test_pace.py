"""The book of a pace in PostgreSQL: several senders, one killed, a day that is used up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import asyncpg
import pytest

from kit.clock import monotonic
from kit.delivery.gate import Gate
from kit.delivery.pace.pace import LONG, LOOK, TELL, Fare, Pace, refund
from kit.delivery.pace.rules import Limit
from kit.delivery.pipe.outlet import Outlet
from kit.delivery.pipe.paying import knocked
from kit.delivery.pipe.route import Route
from kit.postgres import Database
from tests.kit.delivery.support import Takes

MINUTE = Limit("relay", "minute", 8)
DAY = Limit("relay", "day", 9)
EVERY_MINUTE = Limit("all together", "minute", 5, shared=True)


@dataclass
class Message:
    """Something to be handed over."""

    parts: int = 1
    fare: Fare | None = None


@dataclass
class Time:
    """Goes on by hand, for the senders and for the database alike."""

    owner: asyncpg.Connection
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now

    async def passes(self, seconds: float) -> None:
        self.now += seconds
        await self.owner.execute(f"update tocsin.clock_offset set by = by + interval '{seconds} seconds'")


@dataclass
class Town:
    """Senders of email and of SMS, each with a pool of its own, as processes have."""

    time: Time
    email: Database
    sms: Database

    async def allowed(
        self, pace: Pace, count: int, *, parts: int = 1, urgent: bool = False, of: Database | None = None
    ) -> list[Message]:
        """Those of so many that may go."""
        wanted = [Message(parts) for _ in range(count)]
        async with (of or self.email).connection() as connection:
            await pace.allow(connection, wanted, urgent=urgent)
        return [one for one in wanted if pace.allows(one)]

    async def handed(self, pace: Pace, count: int, **more: bool) -> int:
        """How many of so many were handed over at once."""
        allowed = await self.allowed(pace, count, **more)
        for one in allowed:
            pace.pay(one)
        return len(allowed)


@pytest.fixture
async def town(database: str) -> AsyncIterator[Town]:
    owner = await asyncpg.connect(database)
    email, sms = [await Database.open(database, name, size=4) for name in ("email_sender", "sms_sender")]
    yield Town(Time(owner), email, sms)
    await email.close()
    await sms.close()
    await owner.close()


async def test_two_senders_keep_one_pace(town: Town) -> None:
    one, other = Pace([MINUTE], town.time), Pace([MINUTE], town.time)
    assert [await town.handed(one, 3), await town.handed(other, 9), await town.handed(one, 9)] == [3, 5, 0]
    await town.time.passes(TELL)
    assert other.owes() and not one.owes(), "who asks tells"
    for pace in (one, other):
        assert await town.handed(pace, 0) == 0, "told without asking for more"
        assert not pace.owes()
    await town.time.passes(30)  # what passes by itself, meanwhile, is the database's alone
    assert await town.handed(other, 9) == 0
    await town.time.passes(31)
    assert [await town.handed(other, 4), await town.handed(one, 9)] == [4, 4]


async def test_all_at_once_they_keep_it_too(town: Town) -> None:
    """The row's lock decides who comes first."""
    paces = [Pace([MINUTE], town.time) for _ in range(4)]
    assert sum(await asyncio.gather(*(town.handed(pace, 3) for pace in paces))) == 8


async def test_what_a_killed_sender_had_in_hand_is_nobodys_until_it_has_lapsed(town: Town) -> None:
    """It may have been handed over at the last moment: until a minute after that, it counts."""
    killed, other = Pace([MINUTE], town.time), Pace([MINUTE], town.time)
    await town.allowed(killed, 6)
    assert await town.handed(other, 9) == 2
    await town.time.passes(TELL)
    await town.handed(other, 0)
    await town.time.passes(61)
    assert await town.handed(other, 9) == 2, "its own are free again"
    await town.time.passes(LONG)
    assert await town.handed(other, 9) == 6


async def test_what_lapsed_is_not_handed_over_any_more_and_goes_back(town: Town) -> None:
    pace = Pace([MINUTE], town.time)
    [late, in_time] = await town.allowed(pace, 2)
    pace.pay(in_time)
    await town.time.passes(LONG)
    assert not pace.allows(late)
    assert await town.handed(pace, 9) == 7


async def test_who_ends_in_good_order_takes_nothing_along(town: Town) -> None:
    one, other = Pace([DAY], town.time), Pace([DAY], town.time)
    for message in await town.allowed(one, 9):
        refund(message)
    async with town.email.connection() as connection:
        await one.tell(connection)
    assert await town.handed(other, 9) == 9


async def test_what_is_refunded_is_free_at_once(town: Town) -> None:
    """Such as for messages that somebody else had sent already: no day is used up by repeats."""
    one, other = Pace([DAY], town.time), Pace([DAY], town.time)
    for message in await town.allowed(one, 9):
        refund(message)
    await town.time.passes(TELL)
    await town.handed(one, 0)
    assert await town.handed(other, 9) == 9


async def test_what_the_provider_did_not_even_begin_with_costs_nothing(town: Town) -> None:
    """A wrong password uses up no day. What is in the book already stays there."""
    pace = Pace([MINUTE], town.time)
    refunds = [pace.pay(one) for one in await town.allowed(pace, 8)]
    refunds[0]()
    assert await town.handed(pace, 8) == 1
    refunds[1]()
    assert await town.handed(pace, 8) == 0


async def test_what_another_one_gets_in_the_end_costs_the_first_nothing(town: Town) -> None:
    first, second = Pace([MINUTE], town.time), Pace((), town.time)
    [moved] = await town.allowed(first, 1)
    second.pay(moved)
    assert moved.fare is None and await town.handed(first, 8) == 8


async def test_while_it_is_shut_nobody_asks(town: Town) -> None:
    """Until it opens, or until it is time to look whether it has opened sooner."""
    pace = Pace([MINUTE], town.time)
    await town.handed(pace, 8)
    await town.handed(pace, 1)
    shut = pace.shut(urgent=False)
    assert shut and shut.limit == MINUTE and shut.until == pytest.approx(town.time.now + 60, abs=1)
    async with town.email.transaction() as connection:
        await connection.execute("delete from paces")
    assert await town.handed(pace, 1) == 0, "it knows that it is shut"
    await town.time.passes(LOOK)
    assert pace.shut(urgent=False) is None and await town.handed(pace, 1) == 1


async def test_a_day_that_is_used_up_says_when_it_opens(town: Town) -> None:
    pace = Pace([MINUTE, DAY], town.time)
    assert await town.handed(pace, 8) == 8
    await town.time.passes(70)
    assert await town.handed(pace, 8) == 1
    assert await town.handed(pace, 1) == 0
    shut = pace.shut(urgent=False)
    async with town.email.connection() as connection:
        now = await connection.fetchval("select clock()")
    assert shut and shut.limit == DAY and shut.limit.words == "relay: 9 a day"
    assert (shut.opens_at - now).total_seconds() == pytest.approx(86_400 - 70, abs=900)
    await town.time.passes(86_400 + 900)
    assert await town.handed(pace, 8) == 8


async def test_urgent_ones_have_what_others_may_not_use_up(town: Town) -> None:
    day = Limit("relay", "day", 20)
    pace = Pace([day], town.time)
    assert [await town.handed(pace, 30) for _ in range(3)] == [10, 8, 0]
    assert pace.shut(urgent=False) and not pace.shut(urgent=True)
    assert await town.handed(pace, 30, urgent=True) == 2
    assert pace.shut(urgent=True)


async def test_all_channels_keep_one_pace_together(town: Town) -> None:
    """Email and SMS have a book each, and one in common; a text message of three parts is one message there."""
    email = Pace([Limit("smtp", "minute", 100), EVERY_MINUTE], town.time)
    sms = Pace([Limit("console", "minute", 100), EVERY_MINUTE], town.time)
    assert await town.handed(email, 3) == 3
    assert len(await town.allowed(sms, 9, parts=3, of=town.sms)) == 2
    shut = sms.shut(urgent=False)
    assert shut and shut.limit.words == "all together: 5 a minute"


async def test_parts_are_counted(town: Town) -> None:
    pace = Pace([MINUTE], town.time)
    assert len(await town.allowed(pace, 9, parts=3)) == 2


async def test_without_limits_nobody_is_asked() -> None:
    """Not even for a connection."""
    pace, one = Pace([], monotonic), Message()
    await pace.allow(None, [one], urgent=False)  # type: ignore[arg-type]
    assert pace.allows(one) and not pace.owes() and pace.shut(urgent=False) is None


@dataclass(eq=False)
class Held:
    """One that waits outside."""

    outlet: Outlet
    parts: int = 1
    fare: Fare | None = None
    urgent: bool = False
    ticket: Any = field(default_factory=lambda: SimpleNamespace(rank=1, wanted=True))


async def test_whose_partition_goes_while_the_book_is_asked_does_not_wait_for_the_pace(town: Town) -> None:
    """A day may pass until it opens, and the partition's next owner waits for him."""
    pace = Pace([DAY], town.time)
    outlet = Outlet(Takes(name="relay"), Gate("relay", town.time), pace)
    route: Route[Any] = Route([outlet])
    await town.handed(pace, 20)
    stays, goes = Held(outlet), Held(outlet)
    goes.ticket.wanted = False
    for one in (stays, goes):
        route.waiting.append(one)
    assert await knocked(town.email, route) == [goes]
    assert list(route.waiting) == [stays]
