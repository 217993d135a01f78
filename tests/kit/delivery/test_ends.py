"""P5.4, P5.8 on real servers: what has expired, what is ended by request, and what a shut gate does to both."""

from __future__ import annotations

from datetime import timedelta

import asyncpg
import pytest

from contracts.events import Content, Failed, Retry, Sent
from contracts.status import End, Lane
from kit.delivery.outcomes import Halted, Unavailable, Unknown
from tests.kit.delivery.support import HOUR, NO_END, House, Takes, due, end_of, now
from tests.kit.delivery.test_claims import claimed_by_another, over

BAD_PASSWORD = Halted("provider_configuration", "535 5.7.8 bad password", alarming=True)
BUSY = Unavailable("provider_unavailable", "421")


async def test_p5_4_what_has_expired_is_not_handed_over(home: House) -> None:
    provider, one = Takes(), due(expires_at=now() - timedelta(seconds=1))
    async with home.sender(provider):
        await home.put(one)
        failed = await home.hears(one, Failed)
    assert (failed.outcome, failed.reason, failed.attempt) == ("expired", "expired", 0)
    assert provider.parcels == []


async def test_p5_4_expiry_goes_by_the_databases_clock(home: House) -> None:
    """The clock of a sender's host decides nothing."""
    owner = await asyncpg.connect(home.url)
    await owner.execute("update tocsin.clock_offset set by = '2 hours'")
    await owner.close()
    provider, one = Takes(), due()
    async with home.sender(provider):
        await home.put(one)
        assert (await home.hears(one, Failed)).outcome == "expired"
    assert provider.parcels == []


@pytest.mark.parametrize("end", End)
async def test_p5_8_an_end_before_anything_was_handed_over(home: House, end: End) -> None:
    """It overtakes what waits in a lane that is late, and what waits there finds it."""
    provider, one = Takes(), due()
    async with home.sender(provider):
        await home.put(end_of(one, end))
        failed = await home.hears(one, Failed)
        await home.put(one)
        await home.hears(one, Failed, 2)
    assert (failed.outcome, failed.reason) == (end.outcome, end.value)
    assert provider.parcels == [] and len({said.ce_id for said in home.said(one, Failed)}) == 1


async def test_p5_8_an_end_after_it_was_sent_says_so(home: House) -> None:
    one = due()
    async with home.sender(Takes()):
        await home.put(one)
        await home.hears(one, Sent)
        await home.put(end_of(one))
        await home.hears(one, Sent, 2)
    assert home.said(one, Failed) == []


async def test_p5_8_an_end_waits_for_a_live_hand_over(home: House) -> None:
    """Held with its `end`; then what the hand-over came to decides."""
    one = due()
    await claimed_by_another(home, one)
    async with home.sender(Takes()):
        await home.put(end_of(one))
        hold: Retry = await home.hears(one, Retry)
        assert hold.hold and hold.due.end is End.CANCELLED
        await over(home, one)
        await home.put(hold.due)
        failed = await home.hears(one, Failed)
    assert (failed.outcome, failed.reason, failed.unknown) == ("failed", "perhaps_sent", 1)


async def test_p5_8_an_end_between_two_attempts(home: House) -> None:
    """The retry that is under way in its timer finds the final claim."""
    provider, one = Takes(BUSY), due()
    async with home.sender(provider):
        await home.put(one)
        retry = await home.hears(one, Retry)
        await home.put(end_of(one))
        failed = await home.hears(one, Failed)
        await home.put(retry.due)
        await home.hears(one, Failed, 2)
    assert (failed.outcome, failed.try_, len(provider.parcels)) == ("cancelled", 2, 1)


async def test_p5_8_an_end_after_an_unknown_says_perhaps_sent(home: House) -> None:
    one = due()
    async with home.sender(Takes(Unknown("unknown_outcome"))):
        await home.put(one)
        await home.hears(one, Retry)
        await home.put(end_of(one))
        failed = await home.hears(one, Failed)
    assert (failed.outcome, failed.reason, failed.unknown) == ("failed", "perhaps_sent", 1)


# ------------------------------------------------------------------------------------------------------- the gate


async def test_p5_4_what_a_provider_does_not_take_now_is_kept(home: House) -> None:
    """A wrong password stops the lane; one after the other tries; when it is mended all go out, as first attempts."""
    provider, dues = Takes(BAD_PASSWORD, BAD_PASSWORD), [due() for _ in range(30)]
    async with home.sender(provider, hands=1, spare=0, pauses=NO_END) as running:
        await home.put(*dues)
        for tried in (1, 2):
            await home.until(lambda: len(provider.parcels) == tried and bool(running.engine._paused))  # noqa: B023
            running.look_again()
        for one in dues:
            sent = await home.hears(one, Sent)
            assert (sent.try_, sent.attempt, sent.unknown) == (1, 1, 0)
        await home.until(lambda: not running.engine._paused)
    assert len(provider.parcels) == 32
    assert not any(home.said(one, Retry) for one in dues)


async def test_p5_4_the_urgent_lane_is_held_through_retry(home: House) -> None:
    """The same try, no attempt used; nothing of it is paused, because an `end` must come through."""
    provider, first, urgent = Takes(BAD_PASSWORD), due(), due(Lane.URGENT)
    async with home.sender(provider, pauses=NO_END) as running:
        await home.put(first)
        await home.until(lambda: bool(running.engine._paused))
        await home.put(urgent)
        hold: Retry = await home.hears(urgent, Retry)
        assert (hold.hold, hold.due.try_, hold.attempt, hold.reason) == (True, 1, 0, "provider_configuration")
        assert hold.at > now()
        await home.put(end_of(first), end_of(urgent))
        for one in (first, urgent):
            assert (await home.hears(one, Failed)).outcome == "cancelled"
    assert len(provider.parcels) == 1 and await home.claims(first)


async def test_p5_4_nothing_is_sent_while_notifications_are_disabled(home: House) -> None:
    provider, normal, urgent = Takes(), due(), due(Lane.URGENT)
    played = due(content=Content(to="delivered@simulator.test", text="Hi."))
    async with home.sender(provider, closed_because="notifications_disabled"):
        await home.put(normal, urgent, played)
        assert (await home.hears(urgent, Retry)).reason == "notifications_disabled"
        await home.put(end_of(normal))
        assert (await home.hears(normal, Failed)).outcome == "cancelled"
    assert provider.parcels == []
    async with home.sender(provider):
        await home.put(home.said(urgent, Retry)[-1].due)
        await home.hears(urgent, Sent)
        await home.hears(played, Sent)
        await home.hears(normal, Failed, 2)


async def test_p5_4_what_expires_while_it_is_held_is_not_sent(home: House) -> None:
    provider, one, short = Takes(BAD_PASSWORD), due(), due(expires_at=now() + HOUR / 2)
    async with home.sender(provider, hands=1, spare=0, pauses=NO_END) as running:
        await home.put(one)
        await home.until(lambda: bool(running.sender._route.waiting))
        await home.put(short.model_copy(update={"lane": Lane.URGENT}))
        hold = await home.hears(short, Retry)
        await home.pass_on(HOUR * 3 / 4)
        await home.put(hold.due)
        failed = await home.hears(short, Failed)
        running.look_again()
        await home.hears(one, Sent)
    assert failed.outcome == "expired" and provider.of(short) == []
