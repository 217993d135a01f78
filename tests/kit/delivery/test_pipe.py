"""The pipe under load and in trouble: batches, lanes, poison, a database and a Kafka that stumble."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer

from contracts.events import Content, Failed, Poison, Retry, Sent
from contracts.status import Lane, Status
from kit.bus.publisher import PublishFailed
from kit.bus.record import Outgoing
from kit.delivery.condition import NONE
from kit.delivery.outcomes import Outcome, Unavailable, Unknown
from kit.delivery.pipe.batching import Batcher
from kit.delivery.provider import Parcel
from kit.delivery.rules import Policy
from kit.retry import RetryPolicy
from tests.kit.bus.support import commits
from tests.kit.delivery.support import LANES, Deaf, House, Takes, due, end_of
from tests.waiting import eventually

NORMAL = LANES[1]


async def test_no_statement_and_no_publish_is_per_message(home: House) -> None:
    """1,500 messages are a few dozen statements."""
    deaf, out, provider = Deaf(home.database), Counting(home.publisher), Takes()
    dues = [due() for _ in range(1500)]
    await home.put(*dues)
    async with home.sender(provider, database=deaf, publisher=out, limits=(100, 1000, 1000)):
        await home.until(lambda: len(home.heard) >= 1500)
    announcing = 20
    assert len(provider.parcels) == 1500
    assert deaf.asked < 150 + announcing and out.calls < 150


async def test_bulk_never_occupies_what_is_spared_for_the_urgent(home: House) -> None:
    """The provider hangs on bulk; a password code passes all the same."""
    provider, bulk, urgent = Takes(), [due(Lane.BULK) for _ in range(40)], due(Lane.URGENT)
    stuck = asyncio.Event()

    async def hang(parcel: Parcel) -> None:
        if parcel.due.lane is Lane.BULK:
            await stuck.wait()

    provider.then = hang
    async with home.sender(provider, hands=4, spare=1, limits=(10, 10, 20)):
        await home.put(*bulk)
        await home.until(lambda: provider.inside == 3)
        await home.put(urgent)
        await home.hears(urgent, Sent)
        assert provider.inside == 3
        stuck.set()
        await home.until(lambda: len(home.heard) == 41)
    assert provider.most == 4


async def test_a_slow_message_holds_up_no_other(home: House) -> None:
    """And what is finished behind it is not committed before it."""
    provider, slow, rest = Takes(), due(), [due() for _ in range(20)]
    stuck = asyncio.Event()

    async def hang(parcel: Parcel) -> None:
        if parcel.due.id == slow.id:
            await stuck.wait()

    provider.then = hang
    async with home.sender(provider) as running:
        await home.put(slow)
        await home.until(lambda: provider.inside == 1)
        await home.put(*rest)
        for one in rest:
            await home.hears(one, Sent)
        await running.engine._commit()
        told = await commits(home.kafka, "email_sender", NORMAL)
        ends = sum(position.offset for position in told.values() if position)
        assert ends < 21
        stuck.set()
        await home.hears(slow, Sent)
    told = await commits(home.kafka, "email_sender", NORMAL)
    assert sum(position.offset for position in told.values() if position) == 21


async def test_p7_poison_is_reported_once_and_stops_nobody(home: House) -> None:
    """What nobody can read, what nobody can deliver, and what no table can hold."""
    good = [due() for _ in range(3)]
    headers = [("ce_type", b"tocsin.due"), ("ce_subject", str(good[0].id).encode())]
    unsendable = due(content=Content(subject="no address"))
    huge = due(try_=40_000)
    bad: Sequence[tuple[bytes | None, list[tuple[str, bytes]]]] = [
        (b"\xff\xfe", headers),
        (b"{", headers),
        (b"[]", headers),
        (b'{"id": 1}', headers),
        (b"", headers),
        (due(owner="a\x00b").model_dump_json().encode(), headers),
        (good[0].model_dump_json().encode(), [("ce_type", b"somebody.elses")]),
    ]
    provider = Takes()
    async with home.sender(provider):
        kafka = AIOKafkaProducer(bootstrap_servers=home.kafka.bootstrap_servers)
        await kafka.start()
        for value, head in bad:
            await kafka.send_and_wait(home.kafka.topic_prefix + NORMAL.name, value, key=b"default/x", headers=head)
        await kafka.stop()
        await home.put(good[0], unsendable, good[1], huge, good[2])
        for one in good:
            await home.hears(one, Sent)
        await home.until(lambda: len(poison(home)) == len(bad) + 2)
    assert {report.topic for report in poison(home)} == {NORMAL.name}
    assert len(provider.parcels) == 3


def poison(home: House) -> list[Poison]:
    return [event for _, event in home.heard if isinstance(event, Poison)]


async def test_nothing_is_lost_while_the_database_drops_its_connections(home: House) -> None:
    """And nothing is handed over twice: what was in doubt is found again under its token."""
    provider, dues = Takes(), [due() for _ in range(400)]
    owner = await asyncpg.connect(home.url)

    async def slowly(parcel: Parcel) -> None:
        await asyncio.sleep(0.02)

    provider.then = slowly
    async with home.sender(provider, limits=(50, 60, 50)):
        await home.put(*dues)
        for done in (40, 120, 200, 300):
            await home.until(lambda: len(home.heard) >= done)  # noqa: B023
            await owner.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where application_name = 'tocsin.email_sender' and datname = current_database()"
            )
        for one in dues:
            assert (await home.hears(one, Sent)).unknown == 0
    await owner.close()
    assert sorted(parcel.due.id for parcel in provider.parcels) == sorted(one.id for one in dues)


async def test_a_sender_that_comes_and_goes_costs_no_copy(home: House) -> None:
    """Two rebalances under load: every message is handed over once, and nothing is unknown."""
    one, other = Takes(), Takes()
    dues = [due() for _ in range(600)]

    async def slowly(parcel: Parcel) -> None:
        await asyncio.sleep(0.01)

    one.then = other.then = slowly
    async with home.sender(one, limits=(40, 40, 40)):
        await home.put(*dues[:300])
        await home.until(lambda: len(one.parcels) > 50)
        async with home.sender(other, limits=(40, 40, 40)) as second:
            await home.until(lambda: second.engine.ready and bool(second.consumer.assigned))
            await home.put(*dues[300:])
            await home.until(lambda: len(other.parcels) > 20)
        for each in dues:
            retries = home.said(each, Retry)
            if retries and not home.said(each, Sent):
                await home.put(retries[-1].due)
            assert (await home.hears(each, Sent)).unknown == 0
    handed = [parcel.due.id for parcel in (*one.parcels, *other.parcels)]
    assert sorted(handed) == sorted(each.id for each in dues)


async def test_what_kafka_did_not_acknowledge_is_said_again_before_it_is_finished(home: House) -> None:
    provider, one = Takes(), due()
    out = Counting(home.publisher, deaf=2)
    async with home.sender(provider, publisher=out):
        await home.put(one)
        await home.hears(one, Sent)
    assert out.calls >= 3 and len(provider.parcels) == 1
    told = await commits(home.kafka, "email_sender", NORMAL)
    assert [position.offset for position in told.values() if position] == [1]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Unavailable("provider_unavailable", "y" * 300), "too_large"),
        (Unknown("unknown_outcome", "y" * 300), "perhaps_sent"),
    ],
)
async def test_p7_a_retry_that_kafka_refuses_as_too_large_ends_the_notification(
    home: House, answer: Outcome, reason: str
) -> None:
    """A retry carries its due and more: one that becomes too large gets an end, and holds up nobody."""
    wide, one = due(content=Content(to="ann@example.com", text="x" * 1_047_900)), due()
    async with home.sender(Takes(answer), hands=1, spare=0):
        await home.put(wide)
        failed = await home.hears(wide, Failed)
        await home.put(one, end_of(wide))
        await home.hears(one, Sent)
        again = await home.hears(wide, Failed, 2)
    for said in (again, failed):
        assert (said.ce_id, said.reason, said.detail) == (failed.ce_id, reason, failed.detail), "kept in the claim"
    assert (failed.outcome, failed.reason, failed.attempt) == (Status.FAILED, reason, 1)
    assert home.said(wide, Retry) == [] and poison(home) == []


async def test_a_provider_whose_client_fails_is_an_unknown(home: House) -> None:
    """Whatever it raised: nobody knows how far it came."""
    one, provider = due(), Takes()

    async def fail(parcel: Parcel) -> None:
        if parcel.try_ == 1:
            raise RuntimeError("a mistake in the client")

    provider.then = fail
    async with home.sender(provider):
        await home.put(one)
        retry = await home.hears(one, Retry)
        assert retry.unknown == 1
        await home.put(retry.due)
        assert (await home.hears(one, Sent)).unknown == 1


@pytest.mark.parametrize(
    ("address", "kind", "reason"),
    [
        ("delivered@simulator.test", Sent, None),
        ("delivered+7@simulator.test", Sent, None),
        ("slow@simulator.test", Sent, None),
        ("bounce@simulator.test", Sent, None),
        ("unavailable@simulator.test", Retry, "provider_unavailable"),
        ("unknown@simulator.test", Retry, "unknown_outcome"),
        ("+15005550001", Sent, None),
    ],
)
async def test_simulator_addresses_are_played_in_the_house(
    home: House, address: str, kind: Any, reason: str | None
) -> None:
    provider, one = Takes(), due(content=Content(to=address, text="Hi."))
    async with home.sender(provider):
        await home.put(one)
        said = await home.hears(one, kind)
    assert provider.parcels == [] and said.provider == "simulator"
    assert getattr(said, "reason", None) == reason


async def test_no_herd_on_return(home: House) -> None:
    """A hundred that failed together come back spread over half of the delay."""
    provider = Takes(*[Unavailable("provider_unavailable")] * 100)
    dues = [due() for _ in range(100)]
    policy = Policy(RetryPolicy((1000.0,), 3, 36_000.0))
    async with home.sender(provider, policy=policy, health=NONE):
        await home.put(*dues)
        at = sorted([(await home.hears(one, Retry)).at for one in dues])
    assert (at[-1] - at[0]).total_seconds() > 300


async def test_what_comes_while_work_is_under_way_is_one_batch() -> None:
    """At once while little comes, together while much does."""
    batches: list[list[int]] = []
    gate = asyncio.Event()

    async def work(batch: list[int]) -> None:
        batches.append(batch)
        await gate.wait()

    batcher = Batcher(work, lambda error: None, at_once=1, most=50)
    batcher.add([1])
    await asyncio.sleep(0)
    for n in range(2, 102):
        batcher.add([n])
    gate.set()
    await eventually(lambda: sum(map(len, batches)) == 101)
    assert [len(batch) for batch in batches] == [1, 50, 50]
    await batcher.stop()


class Counting:
    """A publisher that counts, and whose first acknowledgements get lost."""

    def __init__(self, real: Any, deaf: int = 0) -> None:
        self.real, self.source = real, real.source
        self.calls = 0
        self.deaf = deaf

    async def publish(self, out: Sequence[Outgoing]) -> None:
        if not out:
            return
        self.calls += 1
        if self.calls <= self.deaf:
            raise PublishFailed([(one, TimeoutError()) for one in out])
        await self.real.publish(out)
