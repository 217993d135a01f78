"""What can become of a message, from its `due` to the last event about it: real Kafka, real PostgreSQL."""

from __future__ import annotations

from datetime import timedelta

from contracts.events import Failed, Retry, Sent
from contracts.suppression import Cause
from kit.delivery.outcomes import Refused, Unavailable, Unknown
from tests.kit.delivery.support import House, Takes, due, now


async def test_sent(home: House) -> None:
    """Handed over once; the claim and `sent` say so."""
    provider, one = Takes(), due()
    async with home.sender(provider):
        await home.put(one)
        sent = await home.hears(one, Sent)
    assert (sent.try_, sent.attempt, sent.unknown, sent.provider, sent.provider_id) == (1, 1, 0, "fake", "p-1")
    [claim] = await home.claims(one)
    assert (claim["result"], claim["hand_overs"]) == ("sent", 1)
    assert len(provider.parcels) == 1


async def test_sent_again_is_not_sent_twice(home: House) -> None:
    """The same `due` three times: one hand-over, and the same event again for each repeat."""
    provider, one = Takes(), due()
    async with home.sender(provider):
        await home.put(one)
        await home.hears(one, Sent)
        await home.put(one, one)
        await home.hears(one, Sent, 3)
    assert len(provider.parcels) == 1
    assert len({sent.ce_id for sent in home.said(one, Sent)}) == 1


async def test_failed_when_refused(home: House) -> None:
    """The provider's reason is the end's."""
    one = due()
    async with home.sender(Takes(Refused("recipient_refused", "550 5.1.1 no such user"))):
        await home.put(one)
        failed = await home.hears(one, Failed)
    assert (failed.outcome, failed.reason, failed.detail) == ("failed", "recipient_refused", "550 5.1.1 no such user")


async def test_p3_10_failed_because_of_the_address_says_so_at_every_repeat(home: House) -> None:
    """The claim remembers it: what is said again after a crash blames the address, too."""
    one, provider = due(), Takes(Refused("recipient_refused", "550 5.1.1 no such user", Cause.HARD_BOUNCE))
    async with home.sender(provider):
        await home.put(one)
        await home.hears(one, Failed)
        await home.put(one)
        await home.hears(one, Failed, count=2)
    assert [failed.suppress for failed in home.said(one, Failed)] == ["hard_bounce"] * 2
    assert len(provider.parcels) == 1


async def test_retried_when_unavailable(home: House) -> None:
    """`retry` carries T, the first attempt's time and the bytes; its due is the next try."""
    one, provider = due(), Takes(Unavailable("provider_unavailable", "421 4.3.2"))
    async with home.sender(provider):
        await home.put(one)
        retry: Retry = await home.hears(one, Retry)
        assert (retry.hold, retry.attempt, retry.unknown, retry.due.try_) == (False, 1, 0, 2)
        assert retry.due.content == one.content
        assert timedelta(seconds=5) <= retry.at - retry.due.first_at and retry.at <= now() + timedelta(seconds=10)
        await home.put(retry.due)
        sent = await home.hears(one, Sent)
    assert (sent.try_, sent.attempt, sent.unknown) == (2, 2, 0)


async def test_unknown_is_resent_and_flagged(home: House) -> None:
    one, provider = due(), Takes(Unknown("unknown_outcome", "silence"))
    async with home.sender(provider):
        await home.put(one)
        retry: Retry = await home.hears(one, Retry)
        assert (retry.unknown, retry.due.try_, retry.provider) == (1, 2, "fake")
        await home.put(retry.due)
        sent = await home.hears(one, Sent)
    assert (sent.try_, sent.unknown) == (2, 1)
    assert [parcel.copy_possible for parcel in provider.parcels] == [False, True]
