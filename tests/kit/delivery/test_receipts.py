"""What is called back comes early, late, twice and in any order: what is said is the same (P5.9)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import permutations
from uuid import UUID, uuid4

import pytest

from contracts.events import Delivered, Due, Failed, Receipt, Retry, Sent, Taken, Undelivered
from contracts.suppression import Cause
from contracts.topics import RECEIPTS
from kit.bus.consumer import Consumer
from kit.bus.record import Outgoing, Received
from kit.delivery.called_back import Callbacks, CalledBack
from kit.delivery.outcomes import Accepted, Refused, Unknown
from kit.delivery.receipts import Receipts, forget_receipts
from kit.delivery.rules import Policy, Result
from kit.metrics import Metrics
from kit.stage import Message, Stage
from tests.kit.bus.support import make
from tests.kit.delivery.support import SOON, House, Takes, due, end_of

AT = datetime(2027, 3, 1, 7, tzinfo=UTC)


def meaning(receipt: Receipt) -> CalledBack | None:
    if receipt.status == "complained":
        return CalledBack(Result.DELIVERED, Cause.COMPLAINT)
    if receipt.status not in ("sent", "delivered", "undelivered"):
        return None
    return CalledBack(Result(receipt.status), Cause.HARD_BOUNCE if receipt.code == "5.1.1" else None)


def receipt(
    id: UUID, status: str, *, minute: int = 0, code: str | None = None, try_: int = 1, name: str | None = None
) -> Receipt:
    """`name`: what the provider calls the message."""
    at = AT + timedelta(minutes=minute)
    said = {"id": id, "channel": "sms", "try": try_, "provider": "fake", "status": status, "code": code}
    return Receipt.model_validate(said | {"received_at": at, "provider_id": name})


async def heard(home: House, receipts: Receipts, *said: Receipt) -> None:
    """The stage is told, in one batch."""
    messages = [Message(one, Received(RECEIPTS.name, 0, n, AT, b"", b"")) for n, one in enumerate(said)]
    async with home.database.transaction() as connection:
        await receipts.take(connection, messages)


async def sent(home: House) -> Due:
    """A message that a provider has, and of which that is said."""
    one = due()
    async with home.sender(Takes(Accepted("p-1", segments=2, encoding="UCS-2"))):
        await home.put(one)
        await home.hears(one, Sent)
    return one


async def results(home: House, one: Due) -> list[str | None]:
    return [row["result"] for row in await home.claims(one)]


async def waiting(home: House) -> int:
    return int(await home.sql("select count(*) from receipts"))


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
async def receipts(home: House, metrics: Metrics) -> Receipts:
    return Receipts(home.database, home.publisher, meaning, metrics)


@pytest.mark.parametrize(("status", "kind"), [("delivered", Delivered), ("undelivered", Undelivered)])
async def test_p5_9_what_was_called_back_is_said(
    home: House, receipts: Receipts, metrics: Metrics, status: str, kind: type[Delivered | Undelivered]
) -> None:
    one = await sent(home)
    await heard(home, receipts, receipt(one.id, status, code="30005"))
    assert await receipts.once() == 1
    labels = {"channel": one.channel or "", "provider": "fake"}
    assert metrics.registry.get_sample_value(f"tocsin_notifications_{status}_total", labels) == 1
    event = await home.hears(one, kind)
    assert (event.provider, event.provider_id, event.segments, event.encoding) == ("fake", "p-1", 2, "UCS-2")
    assert (event.at, event.detail, event.owner, event.try_, event.attempt) == (AT, "30005", one.owner, 1, 1)
    assert await results(home, one) == [status] and await waiting(home) == 0


async def test_what_says_nothing_new_is_nothing(home: House, receipts: Receipts) -> None:
    one = await sent(home)
    await heard(home, receipts, receipt(one.id, "queued"), receipt(one.id, "sent"))
    assert await receipts.once() == 0 and await results(home, one) == ["sent"] and await waiting(home) == 0


@pytest.mark.parametrize("order", list(permutations(["sent", "undelivered", "delivered"])))
@pytest.mark.parametrize("told", ["in one batch", "one by one", "before anything is said"])
async def test_p5_9_in_any_order_the_furthest_stays(
    home: House, receipts: Receipts, order: Sequence[str], told: str
) -> None:
    one = await sent(home)
    said = [receipt(one.id, status, minute=n) for n, status in enumerate(order)]
    for batch in [said] if told == "in one batch" else [[word] for word in said]:
        await heard(home, receipts, *batch)
        if told == "one by one":
            await receipts.once()
    await receipts.once()
    assert await results(home, one) == ["delivered"] and await waiting(home) == 0
    await home.hears(one, Delivered)
    assert len({event.ce_id for event in home.said(one, Delivered)}) == 1


async def test_p5_9_twice_is_said_in_the_same_words(home: House, receipts: Receipts) -> None:
    one = await sent(home)
    for minute in (0, 5):
        await heard(home, receipts, receipt(one.id, "delivered", minute=minute))
        assert await receipts.once() == 1
    await home.hears(one, Delivered, count=2)
    first, second = home.said(one, Delivered)
    assert first == second and first.at == AT


async def test_p3_10_what_came_back_for_good_blames_the_address(home: House, receipts: Receipts) -> None:
    for code, cause in (("5.1.1", "hard_bounce"), ("5.2.2", None)):
        one = await sent(home)
        await heard(home, receipts, receipt(one.id, "undelivered", code=code))
        await receipts.once()
        assert (await home.hears(one, Undelivered)).suppress == cause


async def test_p5_9_a_complaint_is_said_though_it_was_delivered_before(home: House, receipts: Receipts) -> None:
    """By the same event once more: whoever has it in the timeline sees no second one."""
    one = await sent(home)
    for status in ("delivered", "complained", "delivered", "complained"):
        await heard(home, receipts, receipt(one.id, status))
        await receipts.once()
    await home.hears(one, Delivered, count=4)
    assert [said.suppress for said in home.said(one, Delivered)] == [None, "complaint", None, "complaint"]
    assert len({said.ce_id for said in home.said(one, Delivered)}) == 1 and await waiting(home) == 0


async def test_p5_9_the_weightier_of_a_batch_stays(home: House, receipts: Receipts) -> None:
    one = await sent(home)
    said = [receipt(one.id, status) for status in ("complained", "delivered", "undelivered")]
    await heard(home, receipts, *said)
    await heard(home, receipts, receipt(one.id, "delivered"))
    assert await receipts.once() == 1
    assert (await home.hears(one, Delivered)).suppress == "complaint"


BLAMES = Callbacks(Result.UNDELIVERED, AT, "5.1.1", "hard_bounce")


@pytest.mark.parametrize(
    "called_back", list(permutations([Callbacks(Result.SENT, AT), BLAMES, Callbacks(Result.DELIVERED, AT, "250")]))
)
def test_p5_9_what_blames_the_address_stays_beside_what_is_further(called_back: Sequence[Callbacks]) -> None:
    first, second, third = called_back
    assert first.and_then(second).and_then(third) == Callbacks(Result.DELIVERED, AT, "250", "hard_bounce")


@pytest.mark.parametrize("codes", [("5.1.1", None), (None, "5.1.1")])
@pytest.mark.parametrize("told", ["in one batch", "one by one", "said one by one"])
async def test_p5_9_what_blames_the_address_is_said_in_any_order(
    home: House, receipts: Receipts, codes: Sequence[str | None], told: str
) -> None:
    one = await sent(home)
    statuses = ["undelivered" if code else "delivered" for code in codes]
    said = [receipt(one.id, status, code=code) for status, code in zip(statuses, codes, strict=True)]
    for batch in [said] if told == "in one batch" else [[word] for word in said]:
        await heard(home, receipts, *batch)
        if told == "said one by one":
            await receipts.once()
    await receipts.once()
    await home.hears(one, Delivered)
    await home.until(lambda: "hard_bounce" in [said.suppress for said in home.said(one, Taken)])
    assert await results(home, one) == ["delivered"] and await waiting(home) == 0


async def test_p5_9_one_that_is_early_waits_until_the_sending_is_written_down(home: House, receipts: Receipts) -> None:
    one, provider = due(), Takes()

    async def calls_back_before_it_answers(_: object) -> None:
        await heard(home, receipts, receipt(one.id, "delivered"))
        assert await receipts.once() == 0

    provider.then = calls_back_before_it_answers
    async with home.sender(provider):
        await home.put(one)
        await home.hears(one, Sent)
        assert await waiting(home) == 1
        assert await receipts.once() == 1
    await home.hears(one, Delivered)


async def test_p5_9_a_late_acceptance_is_said_before_what_became_of_it(home: House, receipts: Receipts) -> None:
    one = await sent(home)
    await home.sql("update claims set unannounced = true where id = $1", one.id)
    await heard(home, receipts, receipt(one.id, "delivered"))
    assert await receipts.once() == 0
    await home.sql("update claims set unannounced = false where id = $1", one.id)
    assert await receipts.once() == 1


async def test_p5_9_what_kafka_does_not_have_is_said_again(home: House, receipts: Receipts) -> None:
    """The process died between the claim and the word."""
    one = await sent(home)
    await heard(home, receipts, receipt(one.id, "delivered"))
    await home.sql("update claims set result = 'delivered', at = $2 where id = $1", one.id, AT)
    assert await receipts.once() == 1
    assert (await home.hears(one, Delivered)).at == AT


async def unheard(home: House, on_unknown: str = "resend") -> tuple[Due, Retry | Failed]:
    """A message whose provider took it and did not answer, and what was said of that."""
    one, policy = due(), Policy(SOON, "fail" if on_unknown == "fail" else "resend")
    async with home.sender(Takes(Unknown("unknown_outcome", "silence")), policy=policy):
        await home.put(one)
        return one, await home.hears(one, Failed if on_unknown == "fail" else Retry)


async def announced(home: House, one: Due, receipts: Receipts, provider: Takes) -> Sent:
    """What a sender makes of what is proven: its event, and that of the receipt after it."""
    async with home.sender(provider):
        event: Sent = await home.hears(one, Sent)
        await home.becomes(lambda: home.sql("select count(*) from claims where unannounced"), 0)
        await receipts.once()
    return event


@pytest.mark.parametrize("status", ["sent", "delivered", "undelivered"])
@pytest.mark.parametrize("on_unknown", ["resend", "fail"])
async def test_p5_9_a_receipt_proves_what_nobody_knew(
    home: House, receipts: Receipts, status: str, on_unknown: str
) -> None:
    """Whatever it says: who speaks of it has it. It is no copy, and nothing of it is left."""
    one, _ = await unheard(home, on_unknown)
    await heard(home, receipts, receipt(one.id, status, code="5.1.1"))
    assert await receipts.once() == 0, "`sent` comes first"
    event = await announced(home, one, receipts, Takes())
    assert (event.try_, event.unknown, event.provider, event.attempt) == (1, 0, "fake", 1)
    assert await results(home, one) == [status] and await waiting(home) == 0
    if status == "undelivered":
        assert (await home.hears(one, Undelivered)).suppress == "hard_bounce"


@pytest.mark.parametrize("names", [("SM7", None), (None, "SM7"), ("SM7", "SM7")])
async def test_p5_9_what_is_proven_has_its_providers_name_for_it(
    home: House, metrics: Metrics, names: Sequence[str | None]
) -> None:
    """And is asked for by that name like any other, should nothing more be called back."""
    receipts = Receipts(home.database, home.publisher, meaning, metrics, {"fake": 60.0})
    one, _ = await unheard(home)
    for name in names:
        await heard(home, receipts, receipt(one.id, "sent", name=name))
    await receipts.once()
    assert (await announced(home, one, receipts, Takes())).provider_id == "SM7"
    asked = "select provider || ' ' || provider_id from awaited where id = $1 and try = 1 and ask_at > tocsin.clock()"
    assert await home.sql(asked, one.id) == "fake SM7"


async def test_p5_9_what_is_proven_before_its_next_try_is_not_sent_again(home: House, receipts: Receipts) -> None:
    one, retry = await unheard(home)
    await heard(home, receipts, receipt(one.id, "sent"))
    await receipts.once()
    provider = Takes()
    async with home.sender(provider):
        assert isinstance(retry, Retry)
        await home.put(retry.due)
        await home.hears(one, Sent, 2)
    assert provider.parcels == [] and {event.unknown for event in home.said(one, Sent)} == {0}


async def test_p5_9_a_copy_stays_flagged_when_both_are_known_to_be_taken(home: House, receipts: Receipts) -> None:
    one, retry = await unheard(home)
    async with home.sender(Takes()):
        assert isinstance(retry, Retry)
        await home.put(retry.due)
        await home.hears(one, Sent)
        await heard(home, receipts, receipt(one.id, "sent"))
        await receipts.once()
        await home.hears(one, Sent, 2)
    assert {(event.try_, event.unknown) for event in home.said(one, Sent)} == {(1, 1), (2, 1)}


async def test_p5_9_what_was_asked_to_end_is_shown_as_taken_once_it_is_proven(home: House, receipts: Receipts) -> None:
    one, _ = await unheard(home)
    async with home.sender(Takes()):
        await home.put(end_of(one))
        assert (await home.hears(one, Failed)).reason == "perhaps_sent"
    await heard(home, receipts, receipt(one.id, "delivered"))
    await receipts.once()
    event = await announced(home, one, receipts, Takes())
    assert (event.try_, event.unknown) == (1, 0)
    await home.hears(one, Delivered)


async def test_p5_9_what_was_refused_is_proven_by_nothing(home: House, receipts: Receipts) -> None:
    """Also not where the hand-over before it is unknown: that is another claim."""
    one, retry = await unheard(home)
    async with home.sender(Takes(Refused("message_refused"))):
        assert isinstance(retry, Retry)
        await home.put(retry.due)
        assert (await home.hears(one, Failed)).reason == "perhaps_sent"
    await heard(home, receipts, receipt(one.id, "delivered", try_=2))
    assert await receipts.once() == 0 and await results(home, one) == ["unknown", "failed"]


async def test_p5_9_that_a_provider_has_what_it_took_is_no_news(home: House, receipts: Receipts) -> None:
    one = await sent(home)
    await heard(home, receipts, receipt(one.id, "sent"))
    assert await waiting(home) == 0


async def test_p5_1_a_repeat_of_what_was_delivered_says_delivered(home: House, receipts: Receipts) -> None:
    one = await sent(home)
    await heard(home, receipts, receipt(one.id, "delivered"))
    await receipts.once()
    provider = Takes()
    async with home.sender(provider):
        await home.put(one)
        await home.hears(one, Delivered, count=2)
    assert provider.parcels == []


async def test_a_receipt_of_nobody_is_forgotten_in_the_end(home: House, receipts: Receipts) -> None:
    await heard(home, receipts, receipt(uuid4(), "delivered"))
    assert await receipts.once() == 0 and await waiting(home) == 1
    await home.sql("update receipts set received_at = clock_timestamp() - interval '31 days'")
    assert await forget_receipts(home.database) == 1 and await waiting(home) == 0


async def test_from_kafka_to_kafka(home: House, receipts: Receipts) -> None:
    """The stage and the loop, as a sender puts them together."""
    one = await sent(home)
    await make(home.kafka, RECEIPTS)
    consumer = Consumer(home.kafka, "sms_sender.receipts", [[RECEIPTS]])
    stage = Stage(
        "called_back",
        consumer,
        home.database,
        home.publisher,
        receipts.take,
        metrics=Metrics(),
        after=receipts.committed,
    )
    await receipts.start()
    await stage.start()
    try:
        await home.publisher.publish([Outgoing.of(receipt(one.id, "delivered"))])
        await home.hears(one, Delivered)
    finally:
        await stage.stop()
        await receipts.stop()
