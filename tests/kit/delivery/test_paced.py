"""A provider is given no more than its pace, by however many senders; who is over it waits, and uses no attempt."""

from __future__ import annotations

from datetime import timedelta

import asyncpg
import pytest
from structlog.testing import capture_logs

from contracts.events import Content, Retry, Sent
from contracts.status import Lane
from kit.clock import monotonic
from kit.delivery.outcomes import PROVIDER_UNAVAILABLE, Accepted, Outcome, Unavailable, Unknown
from kit.delivery.pace.rules import Limit
from kit.delivery.provider import Parcel
from tests.kit.delivery.support import House, Takes, due, now
from tests.waiting import eventually

SECOND = Limit("fake", "second", 20)
MINUTE = Limit("fake", "minute", 20)
DAY = Limit("fake", "day", 20)
DOWN = Unavailable(PROVIDER_UNAVAILABLE, "no connection")
SILENCE = Unknown("unknown_outcome", "no answer")


class Timed(Takes):
    """Remembers when each was handed over."""

    def __init__(self, log: list[float], **told: str) -> None:
        super().__init__(**told)
        self.log = log

    async def hand_over(self, parcel: Parcel) -> Accepted:
        self.log.append(monotonic())
        await super().hand_over(parcel)
        return Accepted()


def most_in(log: list[float], seconds: float) -> int:
    """The most in any stretch of so many seconds."""
    return max(sum(begin <= at < begin + seconds for at in log) for begin in log)


async def test_a_pace_is_kept_and_everything_comes(home: House) -> None:
    log: list[float] = []
    dues = [due() for _ in range(50)]
    async with home.sender(Timed(log), paces=[SECOND]):
        await home.put(*dues)
        for one in dues:
            sent = await home.hears(one, Sent)
            assert (sent.try_, sent.attempt, home.said(one, Retry)) == (1, 1, []), "no attempt is used by waiting"
    assert len(log) == 50 and most_in(log, 1.0) <= 20


async def test_two_senders_together_keep_the_pace(home: House) -> None:
    """Each reads some of the partitions; who of them sends a mail makes no difference to its provider."""
    log: list[float] = []
    dues = [due() for _ in range(60)]
    async with home.sender(Timed(log), paces=[SECOND]) as one, home.sender(Timed(log), paces=[SECOND]) as other:
        for each in (one, other):
            await home.until(lambda each=each: bool(each.engine.ready and each.consumer.assigned))  # type: ignore[misc]
        await home.put(*dues)
        for one_due in dues:
            await home.hears(one_due, Sent)
    assert most_in(log, 1.0) <= 20


async def test_no_question_is_per_message(home: House) -> None:
    """A batch asks once: what was allowed stands in the book in one piece."""
    provider, dues = Takes(), [due() for _ in range(300)]
    wide = Limit("fake", "minute", 100_000)
    before = await home.sql("select xact_commit from pg_stat_database where datname = current_database()")
    async with home.sender(provider, paces=[wide], limits=(100, 500, 500)):
        await home.put(*dues)
        await home.until(lambda: len(home.heard) >= 300)
    after = await home.sql("select xact_commit from pg_stat_database where datname = current_database()")
    assert len(provider.parcels) == 300 and after - before < 150


async def test_bulk_that_waits_holds_up_no_normal_one_that_comes_later(home: House) -> None:
    """There is so much of it that some still waits, however long the other one is on its way; it is not waited for."""
    log: list[float] = []
    bulk, normal = [due(Lane.BULK) for _ in range(120)], due()
    async with home.sender(Timed(log), paces=[Limit("fake", "second", 4)]):
        await home.put(*bulk)
        await home.until(lambda: len(log) >= 4)
        await home.put(normal)
        await home.hears(normal, Sent)
        assert len(home.heard) < 120, "it overtook those that wait"


async def test_an_urgent_one_has_room_that_bulk_cannot_use_up(home: House) -> None:
    """Of a minute's and a day's pace a tenth is left to it; beyond that it waits through `retry`, on the same try."""
    provider = Takes()
    bulk, urgent = [due(Lane.BULK) for _ in range(30)], [due(Lane.URGENT) for _ in range(3)]
    async with home.sender(provider, paces=[MINUTE]):
        await home.put(*bulk)
        await home.until(lambda: len(provider.parcels) == 18)
        await home.put(*urgent[:2])
        for one in urgent[:2]:
            await home.hears(one, Sent)
        await home.put(urgent[2])
        held = await home.hears(urgent[2], Retry)
    assert (held.hold, held.reason, held.due.try_, held.attempt) == (True, "paced", 1, 0)
    assert held.detail.startswith("fake: 20 a minute, and all of it is used until ")
    assert held.at - now() < timedelta(seconds=70)
    assert await home.claims(urgent[2]) == [] and len(provider.parcels) == 20


async def test_a_day_that_is_used_up_opens_when_it_is_over(home: House) -> None:
    """By the clock that tests set: nothing is lost, nothing is sent meanwhile, and no attempt is used."""
    provider = Takes()
    dues = [due(expires_at=due().at + timedelta(days=3)) for _ in range(25)]
    owner = await asyncpg.connect(home.url)
    async with home.sender(provider, paces=[DAY]):
        await home.put(*dues)
        await home.until(lambda: len(home.heard) == 18)
        assert len(provider.parcels) == 18
        await home.becomes(lambda: home.sql("select entries not like '%-%' from paces"), True)
        await owner.execute("update tocsin.clock_offset set by = by + interval '24 hours 20 minutes'")
        for one in dues:
            sent = await home.hears(one, Sent)
            assert (sent.try_, sent.attempt) == (1, 1)
    await owner.close()
    assert len(provider.parcels) == 25


async def test_what_is_over_a_day_goes_to_the_next_provider(home: House) -> None:
    """Urgent ones have what is kept for them at the first; it is shown when that opens."""
    first, second = Takes(name="first"), Takes(name="second")
    ordinary, urgent = [due() for _ in range(25)], [due(Lane.URGENT) for _ in range(3)]
    async with home.sender(first, second, paces=[Limit("first", "day", 20)]) as running:
        await home.put(*ordinary)
        await home.until(lambda: len(home.heard) == 25)
        assert (len(first.parcels), len(second.parcels)) == (18, 7)
        for one in urgent:
            await home.put(one)
            await home.hears(one, Sent)
        shown, other = running.sender.about()["providers"]
    assert [home.said(one, Sent)[0].provider for one in urgent] == ["first", "first", "second"]
    assert (shown["name"], shown["state"], shown["reason"]) == ("first", "used_up", "day")
    assert shown["detail"].startswith("first: 20 a day") and shown["opens_at"] > "2026"
    assert (other["state"], other["opens_at"]) == ("open", None)


async def test_a_minute_is_waited_for_though_there_is_another_provider(home: House) -> None:
    """Who is preferred stays so."""
    first, second, log = Takes(name="first"), Takes(name="second"), [due() for _ in range(25)]
    async with home.sender(first, second, paces=[Limit("first", "second", 10)]):
        await home.put(*log)
        for one in log:
            assert (await home.hears(one, Sent)).provider == "first"
    assert second.parcels == []


async def test_p5_2_what_only_one_provider_may_have_waits_for_its_pace(home: House) -> None:
    """Its hand-over is unknown: no other one gets it, though the day is used up; nobody waits with it."""
    first, second = Takes(Unknown("unknown_outcome"), name="first"), Takes(name="second")
    one, others = due(), [due() for _ in range(3)]
    async with home.sender(first, second, paces=[Limit("first", "day", 1)]):
        await home.put(one)
        retry: Retry = await home.hears(one, Retry)
        await home.put(*others)
        for each in others:
            assert (await home.hears(each, Sent)).provider == "second"
        await home.put(retry.due)
        held: Retry = await home.hears(one, Retry, 2)
    assert (held.hold, held.reason, held.unknown, held.due.try_) == (True, "paced", 1, 2)
    assert len(first.parcels) == 1 and len(second.parcels) == 3


@pytest.mark.parametrize("answer", [DOWN, SILENCE], ids=["failed by the first", "perhaps had by the second"])
async def test_who_goes_elsewhere_waits_for_that_pace_alone(home: House, answer: Outcome) -> None:
    """The second one's minute is used up by who came first; what the first takes goes on meanwhile."""
    first, second = Takes(DOWN, DOWN, name="first"), Takes(Accepted(), answer, name="second")
    before, one, others = due(), due(), [due() for _ in range(5)]
    used_up = Limit("second", "minute", 1 if answer is DOWN else 2)
    async with home.sender(first, second, paces=[used_up]):
        for each in (before, one):
            await home.put(each)
            await home.put((await home.hears(each, Retry)).due)
            if each is before:
                await home.hears(before, Sent)
        if answer is SILENCE:
            await home.put((await home.hears(one, Retry, 2)).due)
        held: Retry = await home.hears(one, Retry, 2 if answer is DOWN else 3)
        await home.put(*others)
        for each in others:
            assert (await home.hears(each, Sent)).provider == "first"
    assert (held.hold, held.reason, held.unknown) == (True, "paced", int(answer is SILENCE))
    assert len(second.parcels) == used_up.most


async def test_parts_of_text_messages_are_counted(home: House) -> None:
    """Three parts each: six of them are eighteen, and the seventh waits."""
    provider = Takes()
    dues = [due(content=Content(to="+33612345678", text="x" * 400)) for _ in range(8)]
    async with home.sender(provider, paces=[MINUTE], parts_of=lambda one: len(one.content.text) // 150 + 1):
        await home.put(*dues)
        await home.until(lambda: len(home.heard) == 6)
        await home.put(due(Lane.URGENT, content=Content(to="+33612345678", text="x")))
        await home.until(lambda: len(home.heard) == 7)
    assert len(provider.parcels) == 7, "two more would fit, and the next one that waits has three"


async def test_what_is_repeated_uses_nothing_up(home: House) -> None:
    """A due that comes twice is answered by its claim, and its fare is refunded."""
    provider, dues = Takes(), [due() for _ in range(9)]
    async with home.sender(provider, paces=[MINUTE]):
        for times in range(1, 5):
            await home.put(*dues)
            for one in dues:
                await home.hears(one, Sent, times)
        more = [due() for _ in range(9)]
        await home.put(*more)
        for one in more:
            await home.hears(one, Sent)
    assert len(provider.parcels) == 18


async def test_a_book_that_cannot_be_read_is_no_messages_fault(home: House) -> None:
    """Until it can be read they wait: nothing goes unpaced, and nothing is poison."""
    provider, one, urgent = Takes(), due(), due(Lane.URGENT)
    owner = await asyncpg.connect(home.url)
    await owner.execute("alter table email_sender.paces rename to gone")
    async with home.sender(provider, paces=[MINUTE]):
        with capture_logs() as logged:
            await home.put(one, urgent)
            # Three times would make it a batch's fault.
            await eventually(lambda: [line["event"] for line in logged].count("pace_not_asked") > 5)
        assert provider.parcels == [] and home.heard == []
        await owner.execute("alter table email_sender.gone rename to paces")
        for each in (one, urgent):
            assert (await home.hears(each, Sent)).attempt == 1
    await owner.close()


async def test_simulated_ones_are_not_paced(home: House) -> None:
    dues = [due(content=Content(to="delivered@simulator.test", text="Hi.")) for _ in range(30)]
    async with home.sender(Takes(), paces=[MINUTE]):
        await home.put(*dues)
        for one in dues:
            await home.hears(one, Sent)
    assert await home.sql("select count(*) from paces") == 0
