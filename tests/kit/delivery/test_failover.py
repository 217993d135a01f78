"""Several providers: what one of them surely did not take another one gets; what it may have taken, no other one."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from contracts.events import Due, Retry, Sent
from contracts.status import Lane
from kit.clock import utc_now
from kit.control import store as orders
from kit.control.store import Kind, Switch
from kit.control.switches import Switches
from kit.delivery.condition import Limits
from kit.delivery.outcomes import PROVIDER_UNAVAILABLE, Accepted, Halted, Outcome, Unavailable, Unknown
from kit.delivery.pipe.claiming import PROVIDER_GONE
from kit.delivery.provider import Parcel
from kit.delivery.rules import Policy
from kit.retry import RetryPolicy
from tests.kit.delivery.support import NO_END, House, Running, Takes, due, now

DOWN = Unavailable(PROVIDER_UNAVAILABLE, "no connection")
SILENCE = Unknown("unknown_outcome", "no answer")
SECOND = timedelta(seconds=1)
QUICK = Policy(RetryPolicy((0.2,), 5, 3600.0))


def two(*answers: Outcome) -> tuple[Takes, Takes]:
    """The first gives these answers before it takes anything."""
    return Takes(*answers, name="main"), Takes(name="spare")


@asynccontextmanager
async def timers(home: House) -> AsyncIterator[None]:
    """What the scheduler does: a retry is due again when its time has come."""

    async def fire() -> None:
        fired: set[int] = set()
        while True:
            ripe = [e for _, e in list(home.heard) if isinstance(e, Retry) and id(e) not in fired and e.at <= now()]
            fired.update(map(id, ripe))
            await home.put(*[event.due for event in ripe])
            await asyncio.sleep(0.05)

    task = asyncio.create_task(fire())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_p5_3_what_was_surely_not_sent_another_provider_gets_at_once(home: House) -> None:
    """The next claim names it before it is handed over; the attempt counts."""
    (main, spare), one = two(DOWN), due()
    async with home.sender(main, spare):
        await home.put(one)
        retry: Retry = await home.hears(one, Retry)
        assert retry.at - now() < SECOND and (retry.provider, retry.instead_of) == ("main", None)
        await home.put(retry.due)
        sent: Sent = await home.hears(one, Sent)
        assert (sent.provider, sent.instead_of, sent.try_, sent.attempt, sent.unknown) == ("spare", "main", 2, 2, 0)
        assert [claim["provider"] for claim in await home.claims(one)] == ["main", "spare"]
        await home.put(retry.due)
        again: Sent = await home.hears(one, Sent, 2)
    assert again == sent, "a repeat says the same, failover included"


async def test_p5_3_after_each_has_failed_it_once_the_ordinary_delays_begin(home: House) -> None:
    main, spare = Takes(DOWN, name="main"), Takes(DOWN, name="spare")
    one, begun = due(), now()
    async with home.sender(main, spare):
        await home.put(one)
        await home.put((await home.hears(one, Retry)).due)
        retry: Retry = await home.hears(one, Retry, 2)
    assert (retry.provider, retry.instead_of, retry.attempt) == ("spare", "main", 2)
    assert retry.at - begun >= 10 * SECOND


async def test_p5_3_what_is_the_recipients_fault_is_not_failed_over(home: House) -> None:
    (main, spare), one, begun = two(Unavailable("recipient_deferred", "greylisted")), due(), now()
    async with home.sender(main, spare):
        await home.put(one)
        retry: Retry = await home.hears(one, Retry)
        assert retry.at - begun >= 5 * SECOND
        await home.put(retry.due)
        assert (await home.hears(one, Sent)).provider == "main"
    assert spare.parcels == []


async def test_p5_2_what_may_have_been_taken_is_never_failed_over(home: House) -> None:
    """It waits for its own provider by `retry`, and holds up nobody: all others go to the spare one."""
    (main, spare), one, other, begun = two(SILENCE), due(), due(), now()
    async with home.sender(main, spare) as running:
        await home.put(one)
        retry: Retry = await home.hears(one, Retry)
        assert retry.at - begun >= 5 * SECOND and retry.unknown == 1
        gate = running.sender._route.outlets[0].gate
        gate.paused = True
        await home.put(retry.due, other)
        assert (await home.hears(other, Sent)).provider == "spare"
        hold: Retry = await home.hears(one, Retry, 2)
        assert (hold.hold, hold.reason, hold.due.try_, hold.unknown) == (True, "paused", 2, 1)
        gate.paused = False
        await home.put(hold.due)
        sent: Sent = await home.hears(one, Sent)
    assert (sent.provider, sent.instead_of, sent.unknown) == ("main", None, 1)
    assert spare.of(one) == [] and [parcel.copy_possible for parcel in main.of(one)] == [False, True]


async def test_p5_2_nor_is_it_when_its_second_hand_over_surely_fails(home: House) -> None:
    (main, spare), one, begun = two(SILENCE, DOWN), due(), now()
    async with home.sender(main, spare):
        await home.put(one)
        await home.put((await home.hears(one, Retry)).due)
        retry: Retry = await home.hears(one, Retry, 2)
        assert retry.at - begun >= 5 * SECOND
        await home.put(retry.due)
        assert (await home.hears(one, Sent)).provider == "main"
    assert spare.parcels == []


async def test_p5_2_where_the_settings_name_its_provider_no_more_it_waits(home: House) -> None:
    (main, spare), one = two(SILENCE), due()
    async with home.sender(main, spare):
        await home.put(one)
        retry: Retry = await home.hears(one, Retry)
    async with home.sender(spare):
        await home.put(retry.due)
        hold: Retry = await home.hears(one, Retry, 2)
        assert (hold.hold, hold.reason) == (True, PROVIDER_GONE) and hold.detail and "main" in hold.detail
    async with home.sender(spare, main):
        await home.put(hold.due)
        assert (await home.hears(one, Sent)).provider == "main"
    assert spare.parcels == []


async def test_a_quota_or_a_wrong_password_uses_up_no_attempt(home: House) -> None:
    """The others go on, and the message is none the worse."""
    (main, spare), dues = two(Halted("provider_quota", "550 5.4.5")), [due() for _ in range(20)]
    async with home.sender(main, spare, pauses=(60.0,)):
        await home.put(*dues)
        for one in dues:
            sent = await home.hears(one, Sent)
            assert (sent.provider, sent.try_, sent.attempt, sent.instead_of) == ("spare", 1, 1, None)
    assert len(main.parcels) == 1


async def test_p5_10_fifty_failures_move_the_traffic_and_it_comes_back(home: House) -> None:
    """Each message that failed goes on at once; after ten of them nobody begins there any more."""
    (main, spare), dues = two(*[DOWN] * 50), [due() for _ in range(300)]
    async with home.sender(main, spare, limits=(100, 40, 40)) as running, timers(home):
        gate = running.sender._route.outlets[0].gate
        await home.put(*dues)
        for one in dues:
            await home.hears(one, Sent)
        assert len(main.parcels) <= 10 + 8 + 1, "ten in a row, and those that were under way"
        main.answers.clear()
        while not gate.is_open:
            one = due()
            await home.put(one)
            await home.hears(one, Sent)
        back = due()
        await home.put(back)
        assert (await home.hears(back, Sent)).provider == "main"


async def test_p5_10_a_stall_moves_the_traffic_and_what_nobody_had_begun_with(home: House) -> None:
    (main, spare), dues, urgent = two(), [due() for _ in range(40)], due(Lane.URGENT)
    main.gate = asyncio.Event()
    main.timeout = 20.0
    async with home.sender(main, spare, hands=8, spare=2, health=Limits(stall_seconds=0.3), rest=NO_END):
        await home.put(*dues)
        await home.until(lambda: len(spare.parcels) == 34)
        await home.put(urgent)
        assert (await home.hears(urgent, Sent)).provider == "spare"
        assert main.inside == 6, "who hangs is unknown until it answers, and goes nowhere else"
        main.gate.set()
        for one in dues:
            assert (await home.hears(one, Sent)).unknown == 0
    assert all(len(main.of(one)) + len(spare.of(one)) == 1 for one in dues)


async def test_one_provider_dies_in_the_middle_of_five_thousand_mails(home: House) -> None:
    """None is lost, and the only copies are those that are flagged."""
    main, spare = two()
    dues = [due() for _ in range(5000)]
    taken: Counter[Any] = Counter()
    alive = 2500

    async def dies(parcel: Parcel) -> None:
        if len(main.parcels) <= alive or len(spare.parcels) > 2000:
            main.answers.insert(0, Accepted("m"))
            taken[parcel.due.id] += 1
        elif len(main.parcels) % 3 == 0:
            main.answers.insert(0, SILENCE)
            taken[parcel.due.id] += len(main.parcels) % 2
        else:
            main.answers.insert(0, DOWN)

    async def counted(parcel: Parcel) -> None:
        taken[parcel.due.id] += 1

    main.then, spare.then = dies, counted
    async with home.sender(main, spare, policy=QUICK, hands=32, limits=(100, 500, 500)), timers(home):
        await home.put(*dues)
        sent = {one.id: await home.hears(one, Sent, seconds=120) for one in dues}
    assert set(taken) == {one.id for one in dues}, "none is lost"
    copies = {id for id, count in taken.items() if count > 1}
    assert copies <= {id for id, event in sent.items() if event.unknown}
    assert all(count - 1 <= sent[id].unknown for id, count in taken.items())
    assert len(spare.parcels) > 2000 and Counter(e.provider for e in sent.values())["main"] >= alive


# --------------------------------------------------------------------------------------------------- paused by hand


async def turn(home: House, kind: Kind, name: str, *, paused: bool) -> None:
    """As `ops.control` is written down."""
    async with home.database.connection() as connection:
        await orders.turn(connection, [Switch(kind, name, paused, utc_now(), 0)])


@asynccontextmanager
async def obeying(home: House, running: Running) -> AsyncIterator[Switches]:
    switches = Switches(home.database, running.sender.obey)
    await switches.start()
    try:
        yield switches
    finally:
        await switches.stop()


@pytest.mark.parametrize("kind", ["provider", "channel"])
async def test_p9_what_is_paused_by_hand_gets_nothing_until_it_is_resumed(home: House, kind: Kind) -> None:
    """Also over a restart; what was accepted meanwhile is there."""
    provider, first, second, urgent = Takes(name="main"), due(), due(), due(Lane.URGENT)
    name = "main" if kind == "provider" else "email"
    await turn(home, kind, name, paused=True)
    for _ in range(2):
        async with home.sender(provider) as running, obeying(home, running):
            await home.put(first, second, urgent)
            hold: Retry = await home.hears(urgent, Retry)
            assert (hold.hold, hold.reason) == (True, "paused")
            await home.until(lambda: bool(running.engine._paused))
            assert running.sender.about()["providers"][0]["state"] == "paused"
    assert provider.parcels == []
    async with home.sender(provider) as running, obeying(home, running) as switches:
        await home.until(lambda: bool(running.engine._paused))
        await turn(home, kind, name, paused=False)
        await switches.look()
        await home.hears(first, Sent)
        await home.hears(second, Sent)


async def test_p9_paused_by_hand_the_next_provider_goes_on(home: House) -> None:
    (main, spare), one = two(), due()
    await turn(home, "provider", "main", paused=True)
    async with home.sender(main, spare) as running, obeying(home, running) as switches:
        await home.put(one)
        assert (await home.hears(one, Sent)).provider == "spare"
        await turn(home, "provider", "main", paused=False)
        await switches.look()
        other: Due = due()
        await home.put(other)
        assert (await home.hears(other, Sent)).provider == "main"


async def test_who_is_asked_tells_how_each_provider_does(home: House) -> None:
    (main, spare), one = two(Halted("provider_configuration", "535 5.7.8", alarming=True)), due()
    async with home.sender(main, spare, pauses=(60.0,)) as running:
        await home.put(one)
        await home.hears(one, Sent)
        first, second = running.sender.about()["providers"]
    assert (first["name"], first["channel"], first["position"], first["state"]) == ("main", "email", 1, "shut")
    assert (first["reason"], first["detail"]) == ("provider_configuration", "535 5.7.8")
    assert (second["name"], second["state"], second["reason"]) == ("spare", "open", None)
