"""The fates of a timer on a real Kafka and a real PostgreSQL: fired once, never early, never lost."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from contracts import events as e
from contracts.status import Channel, End, Lane, Status
from contracts.topics import DUE, REQUESTED
from kit import failpoints
from kit.bus.publisher import Publisher
from kit.metrics import Metrics
from kit.postgres import Connection, Database
from kit.settings import KafkaSettings
from services.scheduler.alarm import Alarm
from services.scheduler.counting import Counting
from services.scheduler.firing import Firing
from services.scheduler.rules.timers import Timer
from services.scheduler.shelves.timers import Timers
from services.scheduler.store import timers as store
from tests.kit.bus.support import delete, until_true
from tests.kit.bus.support import make as make_topics
from tests.services.scheduler.support import NOON, Listener, Owner, make, retry, scheduled

SECOND = timedelta(seconds=1)


@asynccontextmanager
async def firing(db: Database, publisher: Publisher, **more: int) -> AsyncIterator[Firing[Timer]]:
    """One scheduler at work, with both of its shelves."""
    one = Firing(Timers(), db, publisher, Alarm(), Metrics(), **{"batch_size": 50, **more})
    again = Firing(Timers(put_back=True), db, publisher, Alarm(), Metrics(), batch_size=50, firings=1)
    await one.start()
    await again.start()
    yield one
    await again.stop()
    await one.stop()


# ------------------------------------------------------------------------------------------------ fired


async def test_fired(db: Database, owner: Owner, publisher: Publisher, listener: Listener) -> None:
    """A future notification goes back to the judge in its lane, a retry to its sender, and no trace is left."""
    ripe = [scheduled(lane=lane) for lane in Lane]
    again = [retry(lane=lane) for lane in Lane]
    await owner.set_clock(NOON)
    await make(db, *ripe, *again)
    async with firing(db, publisher):
        await listener.hear(6)
    topics = {event.subject: received.topic for event, received in listener.heard}
    assert topics == {one.id: REQUESTED[one.lane].name for one in ripe} | {
        one.id: DUE[Channel.EMAIL, one.lane].name for one in again
    }
    assert {one.due.ce_id for one in again} <= {event.ce_id for event in listener.events}
    assert not await owner.timers() and not await owner.bodies()


async def test_an_end_is_fired_into_the_urgent_lane(
    db: Database, owner: Owner, publisher: Publisher, listener: Listener
) -> None:
    """P3.4: there it overtakes what waits."""
    await owner.set_clock(NOON)
    await make(db, retry(lane=Lane.BULK, end=End.CANCELLED))
    async with firing(db, publisher):
        await listener.hear(1)
    [(event, received)] = listener.heard
    assert isinstance(event, e.Due) and event.end is End.CANCELLED and event.content is None
    assert received.topic == DUE[Channel.EMAIL, Lane.URGENT].name


@pytest.mark.parametrize("host", [timedelta(hours=-1), timedelta(), timedelta(hours=1)], ids=["-1 h", "right", "+1 h"])
async def test_never_early(
    db: Database, owner: Owner, publisher: Publisher, listener: Listener, host: timedelta
) -> None:
    """Whatever this machine's clock says: only the database's counts, and nothing is late by what they differ."""
    here = await owner.connection.fetchval("select clock_timestamp()")
    await owner.set_clock(here + host)
    begin = await owner.clock()
    planned = {uuid4(): begin + timedelta(milliseconds=7 * n, microseconds=n) for n in range(100)}
    await make(db, *(scheduled(id_, at=at) for id_, at in planned.items()))
    async with firing(db, publisher):
        await listener.hear(100)
    lateness = [received.timestamp + host - planned[event.subject] for event, received in listener.heard]
    # Kafka tells whole milliseconds, rounded down, and the two servers read one clock a moment apart.
    assert min(lateness) > timedelta(milliseconds=-2)
    assert max(lateness) < timedelta(minutes=30)


async def test_not_before_its_instant_and_not_after(db: Database, owner: Owner) -> None:
    """To the microsecond: at its instant it is due, one before it is not."""
    await make(db, scheduled(at=NOON))
    async with db.transaction() as connection:
        assert await store.take(connection, None, NOON - timedelta(microseconds=1), 10) == []
        assert len(await store.take(connection, None, NOON, 10)) == 1


async def test_what_is_not_due_stays(db: Database, owner: Owner, publisher: Publisher, listener: Listener) -> None:
    """The one beside it fires."""
    due, not_due = scheduled(at=NOON), scheduled(at=NOON + timedelta(hours=1))
    await owner.set_clock(NOON)
    await make(db, due, not_due)
    async with firing(db, publisher):
        await listener.hear(1)
    assert await listener.hear_out() == [e.Ripe(id=due.id, round=1)]
    assert (await owner.timers()).keys() == {not_due.id}


async def test_a_jump_of_the_clock_is_seen(
    db: Database, owner: Owner, publisher: Publisher, listener: Listener
) -> None:
    """A process that was suspended, a database that was away: what became due meanwhile fires then."""
    await owner.set_clock(NOON)
    await make(db, *(scheduled(at=NOON + timedelta(minutes=n)) for n in range(1, 11)))
    async with firing(db, publisher):
        await owner.set_clock(NOON + timedelta(minutes=10))
        await listener.hear(10)


async def test_the_oldest_first(db: Database, owner: Owner, publisher: Publisher, listener: Listener) -> None:
    """A scheduler that comes back fires what waited longest first."""
    events = [scheduled(at=NOON + timedelta(seconds=n)) for n in range(30)]
    await owner.set_clock(NOON + timedelta(hours=1))
    await make(db, *reversed(events))
    async with db.transaction() as connection:
        taken = await store.take(connection, None, NOON + timedelta(hours=1), 10)
    assert [timer.id for timer in taken] == [event.id for event in events[:10]]


# ------------------------------------------------------------------------------------------------ once


async def test_fired_once_by_two_side_by_side(
    db: Database, database: str, owner: Owner, publisher: Publisher, listener: Listener
) -> None:
    """Two schedulers take turns on two thousand timers, and never the same one."""
    events = [scheduled(at=NOON + timedelta(milliseconds=n)) for n in range(2000)]
    await owner.set_clock(NOON + timedelta(minutes=1))
    await make(db, *events)
    other = await Database.open(database, "scheduler", size=12)
    async with firing(db, publisher), firing(other, publisher):
        await listener.hear(2000)
    await other.close()
    await listener.hear_out()
    assert sorted(listener.ids) == sorted(event.id for event in events)


async def test_one_that_another_holds_is_passed_over(
    db: Database, owner: Owner, publisher: Publisher, listener: Listener
) -> None:
    """The lock is the lease: who holds it fires it, and nobody waits for him."""
    held, free = scheduled(at=NOON - SECOND), scheduled(at=NOON)
    await owner.set_clock(NOON)
    await make(db, held, free)
    async with db.transaction() as connection:
        assert [timer.id for timer in await store.take(connection, None, NOON, 1)] == [held.id]
        async with firing(db, publisher):
            await listener.hear(1)
        assert listener.ids == [free.id]


# ------------------------------------------------------------------------------------------------ not lost


async def test_a_firing_whose_publishing_fails_stays_a_timer(
    db: Database, owner: Owner, hasty: Publisher, listener: Listener, kafka: KafkaSettings
) -> None:
    """P4.2: put back with a later instant, in the same transaction, and fired when Kafka takes it."""
    good, bad = scheduled(lane=Lane.URGENT), scheduled(lane=Lane.NORMAL)
    await owner.set_clock(NOON)
    await make(db, good, bad)
    await delete(kafka, REQUESTED[Lane.NORMAL])
    async with firing(db, hasty):
        await until_true(lambda: _put_back(owner, bad.id))
        await until_true(lambda: _only_left(owner, {bad.id}))
        row = (await owner.timers())[bad.id]
        assert row["fire_after"] > NOON == row["planned_at"]
        await make_topics(kafka, REQUESTED[Lane.NORMAL])
        await until_true(lambda: _none_left(owner))
    await listener.hear_out()
    assert set(listener.ids) == {good.id, bad.id}


async def test_a_body_is_put_back_with_its_timer(
    db: Database, owner: Owner, hasty: Publisher, listener: Listener, kafka: KafkaSettings
) -> None:
    """Nothing of what a retry has to say is lost on the way back."""
    again = retry()
    await owner.set_clock(NOON)
    await make(db, again)
    body = await owner.bodies()
    await delete(kafka, DUE[Channel.EMAIL, Lane.NORMAL])
    async with firing(db, hasty):
        await until_true(lambda: _failures(owner, 1))
    assert await owner.bodies() == body


async def test_one_bad_topic_stops_nobody(
    db: Database, owner: Owner, hasty: Publisher, listener: Listener, kafka: KafkaSettings
) -> None:
    """While hundreds of timers meet a topic that takes nothing, the others fire."""
    bad = [scheduled(lane=Lane.BULK, at=NOON - timedelta(minutes=1)) for _ in range(200)]
    good = [scheduled(lane=Lane.NORMAL) for _ in range(200)]
    await owner.set_clock(NOON)
    await make(db, *bad, *good)
    await delete(kafka, REQUESTED[Lane.BULK])
    async with firing(db, hasty, batch_size=50):
        await until_true(lambda: _only_left(owner, {event.id for event in bad}))
    await listener.hear_of({event.id for event in good})


async def test_a_record_that_is_refused_for_itself_goes_to_failed(
    db: Database, owner: Owner, publisher: Publisher, listener: Listener
) -> None:
    """P4.2: it would be refused every time; the one beside it passes."""
    large, good = retry(text="x" * 1_200_000), retry()
    await owner.set_clock(NOON)
    await make(db, large, good)
    async with firing(db, publisher):
        await listener.hear(2)
    ends = [event for event in listener.events if isinstance(event, e.Failed)]
    assert [(end.id, end.outcome, end.reason) for end in ends] == [(large.id, Status.FAILED, "refused_by_kafka")]
    assert not await owner.timers() and not await owner.bodies()


async def test_a_timer_that_cannot_speak_stops_nobody(
    db: Database, owner: Owner, publisher: Publisher, listener: Listener
) -> None:
    """A body that is gone or unreadable: it waits and is complained of, the others fire."""
    mute, garbled, good = retry(), retry(), retry()
    await owner.set_clock(NOON)
    await make(db, mute, garbled, good)
    await owner.connection.execute("delete from scheduler.bodies where id = $1", mute.id)
    await owner.connection.execute("update scheduler.bodies set retry = '?' where id = $1", garbled.id)
    async with firing(db, publisher):
        await listener.hear(1)
        await until_true(lambda: _failures(owner, 2))
    assert listener.ids == [good.id]
    assert (await owner.timers()).keys() == {mute.id, garbled.id}


@pytest.mark.parametrize(("place", "copies"), [("firing_before_publish", 1), ("firing_after_publish", 2)])
async def test_a_firing_that_breaks_is_rolled_back(
    db: Database, owner: Owner, publisher: Publisher, listener: Listener, place: str, copies: int
) -> None:
    """It fires again: what was said already is said twice, under one id."""
    ripe, again = scheduled(), retry()
    await owner.set_clock(NOON)
    await make(db, ripe, again)
    failpoints.arm(f"{place}:raise")
    async with firing(db, publisher):
        await until_true(lambda: _none_left(owner))
    await listener.hear_out()
    assert len(listener.events) == 2 * copies
    assert len({event.ce_id for event in listener.events}) == 2


async def test_a_firing_whose_connection_breaks_is_rolled_back(
    db: Database, owner: Owner, hasty: Publisher, listener: Listener, kafka: KafkaSettings
) -> None:
    """The database ends the connection while Kafka is waited for: the timers are back, and fire."""
    await owner.set_clock(NOON)
    await make(db, scheduled())
    await delete(kafka, REQUESTED[Lane.NORMAL])
    async with firing(db, hasty):
        await until_true(lambda: _somebody_fires(owner))
        await _end_firings(owner)
        await make_topics(kafka, REQUESTED[Lane.NORMAL])
        await listener.hear(1)
        await until_true(lambda: _none_left(owner))


async def test_stopped_in_the_middle(
    db: Database, owner: Owner, hasty: Publisher, listener: Listener, kafka: KafkaSettings
) -> None:
    """SIGTERM while Kafka does not answer: bounded, and the timer is still there."""
    await owner.set_clock(NOON)
    await make(db, scheduled())
    await delete(kafka, REQUESTED[Lane.NORMAL])
    async with firing(db, hasty):
        await until_true(lambda: _somebody_fires(owner))
    assert len(await owner.timers()) == 1


async def test_old_timers_that_others_arm_are_found(
    db: Database, owner: Owner, publisher: Publisher, listener: Listener
) -> None:
    """Looks do not reach back for ever, but every few seconds one does: a late word is late, not lost."""
    await owner.set_clock(NOON)
    async with firing(db, publisher, batch_size=10):
        await make(db, scheduled(at=NOON))
        await listener.hear(1)
        await make(db, *(scheduled(at=NOON - timedelta(days=1)) for _ in range(100)))
        await listener.hear(101)


async def test_a_young_table_is_read_by_its_index(db: Database) -> None:
    """Before the planner knows how many rows there are, it would sort all that is due for every batch."""
    await make(db, *(scheduled() for _ in range(2000)))
    statement = store._TAKE[False].replace("$1", "'-infinity'").replace("$2", "'infinity'").replace("$3", "100")
    async with db.connection() as connection:
        plan = "\n".join(row[0] for row in await connection.fetch(f"explain {statement}"))
    assert "Index Scan using timers_fire_after" in plan and "Sort" not in plan


async def test_the_low_watermark_holds_against_an_old_snapshot(db: Database, owner: Owner) -> None:
    """A look since the last firing reads none of the entries that an old snapshot keeps of all that was fired."""
    await owner.set_clock(NOON + timedelta(minutes=10))
    await make(db, *(scheduled(at=NOON + timedelta(milliseconds=n)) for n in range(4000)))
    async with db.transaction() as old:
        await old.execute("set transaction isolation level repeatable read")
        await old.fetchval("select count(*) from timers")
        async with db.transaction() as connection:
            await store.take(connection, None, NOON + timedelta(hours=1), 4000)
        async with db.connection() as connection:
            at_all = await _pages_of_a_look(connection, "'-infinity'")
            since = await _pages_of_a_look(connection, f"'{NOON + timedelta(minutes=5)}'")
    assert since * 10 < at_all


# ------------------------------------------------------------------------------------------------ counting


async def test_who_waits_and_who_is_late_is_counted(
    db: Database, owner: Owner, publisher: Publisher, listener: Listener
) -> None:
    """How many wait, how many are late, and how late those were that fired."""
    metrics = Metrics()
    await owner.set_clock(NOON)
    late, on_time = scheduled(at=NOON - timedelta(seconds=10)), scheduled(at=NOON + timedelta(hours=1))
    await make(db, late, on_time)
    await Counting(db, metrics).once()
    assert _value(metrics, "tocsin_timers_pending", kind="timer") == 2
    assert _value(metrics, "tocsin_timers_overdue", kind="timer") == 1
    one = Firing(Timers(), db, publisher, Alarm(), metrics, batch_size=50)
    await one.start()
    await listener.hear(1)
    await one.stop()
    by_now = (await owner.clock() - (late.at or NOON)).total_seconds()
    assert _value(metrics, "tocsin_timers_fired_total", kind="ripe") == 1
    assert 10 <= (_value(metrics, "tocsin_timer_lateness_seconds_sum", kind="ripe") or 0) < by_now


# ------------------------------------------------------------------------------------------------ help


def _value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


async def _failures(owner: Owner, timers: int) -> bool:
    """So many timers were put back at least once."""
    return len([row for row in (await owner.timers()).values() if row["failures"]]) == timers


async def _put_back(owner: Owner, id_: UUID) -> bool:
    return bool((await owner.timers())[id_]["failures"])


async def _only_left(owner: Owner, ids: set[UUID]) -> bool:
    """All others have been said, and Kafka's answer was heard; who is hasty may say some of them twice."""
    return (await owner.timers()).keys() == ids


async def _none_left(owner: Owner) -> bool:
    return not await owner.timers()


async def _somebody_fires(owner: Owner) -> bool:
    """A transaction waits for Kafka, with rows in its hands."""
    return bool(await owner.connection.fetchval(f"select exists (select {_FIRINGS})"))


async def _end_firings(owner: Owner) -> None:
    await owner.connection.execute(f"select pg_terminate_backend(pid) {_FIRINGS}")


_FIRINGS = """
from pg_stat_activity
where datname = current_database() and application_name = 'tocsin.scheduler' and state = 'idle in transaction'
"""


async def _pages_of_a_look(connection: Connection, since: str) -> int:
    """How many pages it takes to see that nothing is due since then."""
    told = await connection.fetchval(
        "explain (analyze, buffers, format json) select from timers"
        f" where failures = 0 and fire_after >= {since} and fire_after <= tocsin.clock() order by fire_after limit 1"
    )
    plan = json.loads(told)[0]["Plan"]
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


# ------------------------------------------------------------------------------------------------ restored


async def test_p9_nothing_fires_after_a_restore_before_it_is_known_what_has_changed(
    db: Database, owner: Owner, publisher: Publisher, listener: Listener
) -> None:
    """Neither by itself nor by hand; then what is left does, and what was taken back meanwhile does not."""
    caught_up = asyncio.Event()
    kept, gone = scheduled(), scheduled()
    await owner.set_clock(NOON + SECOND)
    await make(db, kept, gone)
    one = Firing(Timers(), db, publisher, Alarm(), Metrics(), batch_size=50, may_fire=caught_up.is_set)
    await one.start()
    assert not await one.fire_now() and (await owner.timers()).keys() == {kept.id, gone.id}
    await make(db, e.TakeBack(id=gone.id, round=1))
    caught_up.set()
    await listener.hear(1)
    await one.stop()
    assert [event.subject for event in listener.events] == [kept.id] and not await owner.timers()
