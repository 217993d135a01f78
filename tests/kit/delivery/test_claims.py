"""P5.1, P5.5, P5.6 on real servers: who may hand over, and whose word counts."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

from contracts.events import Due, Failed, Retry, Sent
from contracts.status import Status
from kit.delivery.gate import Pass
from kit.delivery.outcomes import Halted, Refused, Unavailable, Unknown
from kit.delivery.pipe.announcing import Announcing
from kit.delivery.provider import Parcel
from kit.delivery.rules import Attempt, Conclusion, Result
from kit.delivery.store import claims
from kit.delivery.store.claims import First, Wanted
from kit.delivery.store.results import Written
from kit.metrics import Metrics
from tests.kit.delivery.support import HOUR, NO_END, Deaf, House, Takes, due, end_of, now

CLAIM = "insert into claims as c (id, try, token, lease_until"
WAITING = "select count(*) from pg_locks where not granted and pid = $1"
BUSY = Unavailable("provider_unavailable", "421")


async def claimed_by_another(home: House, one: Due, seconds: float = 60.0, try_: int = 1) -> UUID:
    """Somebody else is handing it over, for so long."""
    token = uuid4()
    async with home.database.connection() as connection:
        attempt = Attempt(try_, try_, 0, now())
        wanted = Wanted(one.id, token, attempt, "fake", one.expires_at)
        assert await claims.claim(connection, [wanted], timedelta(seconds=seconds)) == {token}
    return token


async def over(home: House, one: Due | UUID) -> None:
    """The leases of its claims have ended."""
    id = one if isinstance(one, UUID) else one.id
    await home.sql("update claims set lease_until = clock_timestamp() - interval '1 s' where id = $1", id)


async def test_p5_1_a_live_lease_holds(home: House) -> None:
    """`retry` at the lease's end, the same try, no attempt used; the same event for each repeat."""
    provider, one = Takes(), due()
    await claimed_by_another(home, one)
    async with home.sender(provider):
        await home.put(one, one)
        await home.hears(one, Retry, 2)
    first, second = home.said(one, Retry)
    [claim] = await home.claims(one)
    assert first.hold and (first.at, first.due.try_, first.attempt) == (claim["lease_until"], 1, 1)
    assert first.ce_id == second.ce_id and provider.parcels == []


async def test_p5_1_a_lease_that_is_over_means_unknown(home: House) -> None:
    """It goes through `retry`, and the copy that follows is flagged."""
    provider, one = Takes(), due()
    await claimed_by_another(home, one)
    await over(home, one)
    async with home.sender(provider):
        await home.put(one)
        retry: Retry = await home.hears(one, Retry)
        assert (retry.hold, retry.unknown, retry.due.try_, retry.reason) == (False, 1, 2, "unknown_outcome")
        await home.put(retry.due)
        sent = await home.hears(one, Sent)
    assert (sent.unknown, [parcel.copy_possible for parcel in provider.parcels]) == (1, [True])
    assert [claim["result"] for claim in await home.claims(one)] == ["unknown", "sent"]


async def test_p5_1_two_senders_never_both_send(home: House) -> None:
    """Both get every `due` at the same time, as after a rebalance that one of them has not noticed."""
    one, other = Takes(), Takes()
    dues = [due() for _ in range(150)]
    async with home.sender(one, group="first"), home.sender(other, group="second"):
        await home.put(*dues)
        for each in dues:
            await home.hears(each, Sent)
        await home.until(lambda: len(home.heard) >= 2 * len(dues))
    handed = [parcel.due.id for parcel in (*one.parcels, *other.parcels)]
    assert sorted(handed) == sorted(each.id for each in dues)


async def test_p5_1_the_token_is_drawn_once_per_delivery(home: House) -> None:
    """A claim whose commit was not acknowledged is recognised as ours: one hand-over, nothing unknown."""
    provider, one = Takes(), due()
    deaf = Deaf(home.database, CLAIM)
    async with home.sender(provider, database=deaf):
        await home.put(one)
        sent = await home.hears(one, Sent)
    assert deaf.begins == []
    assert (sent.try_, sent.unknown, len(provider.parcels)) == (1, 0, 1)
    assert home.said(one, Retry) == []


async def test_p5_1_a_first_claim_is_made_at_once_only_where_there_is_none_of_any_try(home: House) -> None:
    """Nor for what has expired, nor where somebody was turned away: those are looked at."""
    new, claimed, resent, finished, turned = (due() for _ in range(5))
    old = due(expires_at=now() - timedelta(seconds=1))
    await claimed_by_another(home, claimed)
    await claimed_by_another(home, resent, try_=2)
    async with home.database.connection() as connection:
        await claims.finish(connection, [Written(finished.id, 1, None, Conclusion(Result.CANCELLED), "{}")])
        await claims.turn_away(connection, [(turned.id, 1, uuid4())])
        wanted = [First(one.id, uuid4(), "fake", one.expires_at) for one in (new, claimed, resent, old)]
        wanted += [First(one.id, uuid4(), "fake", one.expires_at) for one in (finished, turned)]
        won = await claims.claim_first(connection, wanted, HOUR)
        assert won and won.tokens == {wanted[0].token}
        assert await claims.claim_first(connection, wanted, HOUR) is None


async def test_p5_6_a_plain_acceptance_is_written_like_any_other(home: House) -> None:
    """By a statement of its own, under the same conditions, with the same row."""
    one, other, lost = due(), due(), due()
    at, token = now(), uuid4()
    plain = Conclusion(Result.SENT, at, 2, 1, detail="250 ok", provider_id="7")
    async with home.database.connection() as connection:
        attempt = Attempt(1, 3, 2, at)
        wanted = [Wanted(that.id, token, attempt, "fake", that.expires_at) for that in (one, other)]
        await claims.claim(connection, wanted, HOUR)
        written = [Written(that.id, 1, token, plain, "{}", "fake") for that in (one, lost)]
        assert await claims.record(connection, written) == {(one.id, 1)}
        assert await claims.record(connection, written) == {(one.id, 1)}, "its acknowledgement was lost"
        stranger = Written(other.id, 1, uuid4(), plain, "{}", "fake")
        assert await claims.record(connection, [stranger]) == set()
        general = Written(other.id, 1, token, plain._replace(segments=1), "{}", "fake")
        assert await claims.record(connection, [general]) == {(other.id, 1)}
    [first], [second] = await home.claims(one), await home.claims(other)
    differs = {"id", "lease_until", "made_at", "result_at", "segments"}
    assert {k: v for k, v in dict(first).items() if k not in differs} == {
        k: v for k, v in dict(second).items() if k not in differs
    }


async def test_p5_1_who_turns_away_after_a_claim_of_unknown_fate_deletes_it(home: House) -> None:
    """The gate shuts while the commit's acknowledgement is lost: no claim is left that its lease's end would show."""
    provider, one = Takes(), due()
    deaf = Deaf(home.database, CLAIM)
    async with home.sender(provider, database=deaf, pauses=NO_END) as running:
        gate = running.sender._route.outlets[0].gate
        deaf.meanwhile = lambda: gate.leave(Pass(0), Halted("provider_quota"))
        await home.put(one)
        await home.until(lambda: not gate.is_open and bool(running.sender._route.waiting))
        assert await home.claims(one) == [] and provider.parcels == []


def wants(one: Due, token: UUID) -> Wanted:
    return Wanted(one.id, token, Attempt(1, 1, 0, now()), "fake", one.expires_at)


async def test_p5_1_a_claim_that_commits_after_its_turning_away_is_none(home: House) -> None:
    """Its INSERT is under way on a connection that nobody listens to any more: the turning away waits for its end."""
    one, token, other = due(), uuid4(), uuid4()
    async with home.database.connection() as late, home.database.connection() as connection:
        transaction = late.transaction()
        await transaction.start()
        assert await claims.claim(late, [wants(one, token)], HOUR) == {token}
        turning_away = asyncio.create_task(claims.turn_away(connection, [(one.id, 1, token)]))
        await home.becomes(lambda: home.sql(WAITING, connection.get_server_pid()), 1)
        await transaction.commit()
        await turning_away
        assert await home.claims(one) == []
        assert await claims.claim(connection, [wants(one, other)], HOUR) == {other}


async def test_p5_1_a_claim_that_comes_after_its_turning_away_is_none(home: House) -> None:
    """Its INSERT lay on the way: it finds its token turned away, whoever had the claim meanwhile; others may claim."""
    one, token, other = due(), uuid4(), uuid4()
    async with home.database.connection() as connection:
        await claims.turn_away(connection, [(one.id, 1, token)])
        assert await claims.claim(connection, [wants(one, token)], HOUR) == set()
        assert await claims.claim(connection, [wants(one, other)], HOUR) == {other}
        await claims.unclaim(connection, [(one.id, other)])
        assert await claims.claim(connection, [wants(one, token)], HOUR) == set()
        assert await home.claims(one) == []
        assert await claims.claim(connection, [wants(one, other)], HOUR) == {other}


async def test_p5_1_who_was_turned_away_and_comes_back_claims_as_somebody_else(home: House) -> None:
    """Its provider takes something again: the key that it was turned away from does not keep it out."""
    provider, one = Takes(), due()
    deaf = Deaf(home.database, CLAIM)
    async with home.sender(provider, database=deaf, pauses=(0.1,)) as running:
        gate = running.sender._route.outlets[0].gate
        deaf.meanwhile = lambda: gate.leave(Pass(0), Halted("provider_quota"))
        await home.put(one)
        sent = await home.hears(one, Sent)
    assert (sent.try_, sent.attempt, sent.unknown) == (1, 1, 0)


async def test_p5_8_an_end_takes_the_place_of_who_was_turned_away(home: House) -> None:
    one = due()
    async with home.database.connection() as connection:
        await claims.turn_away(connection, [(one.id, 1, uuid4())])
    async with home.sender(Takes()):
        await home.put(end_of(one))
        assert (await home.hears(one, Failed)).outcome is Status.CANCELLED


async def test_p5_5_nothing_begins_that_its_lease_does_not_outlast(home: House) -> None:
    """What waited too long for a hand is given up, surely not sent, and claimed anew: no attempt is used."""
    provider, first, second = Takes(timeout=1.0), due(), due()
    provider.gate = asyncio.Event()
    async with home.sender(provider, lease=2.0, hands=1, spare=0):
        await home.put(first)
        await home.until(lambda: len(provider.parcels) == 1)
        await home.put(second)
        await home.becomes(lambda: claimed(home, second), 1)
        [before] = await home.claims(second)
        await asyncio.sleep(1.1)  # the lease itself has to run: its rest is what is looked at
        provider.gate.set()
        sent = await home.hears(second, Sent)
    [after] = await home.claims(second)
    assert (sent.try_, sent.attempt, sent.unknown, len(provider.of(second))) == (1, 1, 0, 1)
    assert after["token"] == before["token"] and after["lease_until"] > before["lease_until"]


async def test_p5_5_what_was_not_begun_is_unclaimed_at_the_end(home: House) -> None:
    """SIGTERM: what is under way ends, the rest leaves no claim, and its next owner sends it once."""
    provider, dues = Takes(), [due() for _ in range(20)]
    provider.gate = asyncio.Event()
    async with home.sender(provider, hands=2, spare=0) as running:
        await home.put(*dues)
        await home.until(lambda: len(provider.parcels) == 2)
        await home.becomes(lambda: claimed(home, *dues), 20)
        stopping = asyncio.create_task(running.stop())
        await home.becomes(lambda: claimed(home, *dues), 2)
        provider.gate.set()
        await stopping
    assert len(provider.parcels) == 2
    async with home.sender(provider):
        for one in dues:
            assert (await home.hears(one, Sent)).unknown == 0
    assert len(provider.parcels) == 20


async def claimed(home: House, *dues: Due) -> int:
    """How many claims there are for these."""
    ids = [one.id for one in dues]
    return int(await home.sql("select count(*) from claims where id = any($1::uuid[])", ids))


async def overtaken(home: House, one: Due) -> None:
    """The lease ends while the provider thinks, and somebody else finds that."""
    await over(home, one)
    await home.put(one)
    await home.hears(one, Retry)


async def test_p5_6_a_late_acceptance_is_recorded_and_said(home: House) -> None:
    """Whatever the token: the provider has it, and nobody sends it again."""
    provider, one = Takes(), due()

    async def late(parcel: Parcel) -> None:
        await overtaken(home, one)

    provider.then = late
    async with home.sender(provider):
        await home.put(one)
        sent = await home.hears(one, Sent)
        assert (sent.try_, sent.provider_id) == (1, "p-1")
        await home.put(home.said(one, Retry)[0].due)
        await home.hears(one, Sent, 2)
        await home.becomes(lambda: home.sql("select count(*) from claims where unannounced"), 0)
    assert len(provider.parcels) == 1
    [claim] = await home.claims(one)
    assert claim["result"] == "sent"


async def test_p5_6_any_other_late_result_is_dropped(home: House) -> None:
    provider, one = Takes(Refused("recipient_refused", "550 5.1.1")), due()

    async def late(parcel: Parcel) -> None:
        if parcel.try_ == 1:
            await overtaken(home, one)

    provider.then = late
    async with home.sender(provider):
        await home.put(one)
        retry = await home.hears(one, Retry)
        await home.until(lambda: provider.inside == 0)
        await home.put(retry.due)
        sent = await home.hears(one, Sent)
    assert (sent.try_, sent.unknown) == (2, 1) and home.said(one, Failed) == []
    assert [claim["result"] for claim in await home.claims(one)] == ["unknown", "sent"]


async def left_unannounced(home: House) -> Due:
    """An acceptance whose sender died between the record and the acknowledgement."""
    one = due()
    await home.sql(
        "insert into claims"
        " (id, try, lease_until, made_at, at, result, result_at, about, unannounced, unknown, provider)"
        " values ($1, 1, now(), now(), now(), 'sent', now(), $2, true, 1, 'fake')",
        one.id,
        one.model_dump_json(include=set(one.passed_on())),
    )
    return one


async def test_p5_6_what_is_left_unannounced_is_said_by_the_next_sender(home: House) -> None:
    one = await left_unannounced(home)
    async with home.sender(Takes()):
        sent = await home.hears(one, Sent)
        assert (sent.unknown, sent.owner, sent.tenant) == (1, "user:alice", "default")
        await home.becomes(lambda: home.sql("select count(*) from claims where unannounced"), 0)


async def test_a_late_acceptance_counts_as_sent_once_however_many_say_it(home: House) -> None:
    await left_unannounced(home)
    metrics = Metrics()
    await asyncio.gather(*(Announcing(home.database, home.publisher, metrics).once() for _ in range(3)))
    labels = {"channel": "email", "provider": "fake"}
    assert metrics.registry.get_sample_value("tocsin_notifications_sent_total", labels) == 1


async def test_p5_3_a_lost_answer_computes_no_second_t(home: House) -> None:
    """The result is written under the token again, the same T, and said once."""
    provider, one = Takes(BUSY), due()
    deaf = Deaf(home.database, "insert into claims as c (id, try, token, provider, result")
    async with home.sender(provider, database=deaf):
        await home.put(one)
        retry = await home.hears(one, Retry)
    [claim] = await home.claims(one)
    assert deaf.begins == [] and retry.at == claim["at"] and len(provider.parcels) == 1


async def test_p5_3_attempts_are_counted_in_the_claims(home: House) -> None:
    """Three hand-overs, unknown ones too; then the end carries the cause, or says that nobody knows."""
    provider, one, other = Takes(BUSY, BUSY, BUSY, BUSY, Unknown("unknown_outcome"), BUSY), due(), due()
    async with home.sender(provider):
        for each in (one, other):
            await home.put(each)
            await home.hears(each, Retry)
            await home.put(home.said(each, Retry)[0].due)
            await home.hears(each, Retry, 2)
            await home.put(home.said(each, Retry)[1].due)
            await home.hears(each, Failed)
    failed, perhaps = home.said(one, Failed)[0], home.said(other, Failed)[0]
    assert (failed.reason, failed.attempt, failed.try_, failed.unknown) == ("provider_unavailable", 3, 3, 0)
    assert (perhaps.reason, perhaps.attempt, perhaps.unknown) == ("perhaps_sent", 3, 1)
