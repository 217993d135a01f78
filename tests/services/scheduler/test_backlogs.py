"""Much that is due at once, and partitions that stay dead: nobody waits for what others cannot be rid of."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from contracts.status import Lane
from contracts.topics import REQUESTED
from kit.bus.publisher import Publisher
from kit.metrics import Metrics
from kit.postgres import Connection, Database
from kit.settings import KafkaSettings
from services.scheduler.alarm import Alarm
from services.scheduler.firing import BACKLOG, Firing
from services.scheduler.rules.timers import Timer
from services.scheduler.shelves.timers import Timers
from services.scheduler.store import timers as store
from tests.kit.bus.support import delete, until_true
from tests.services.scheduler.support import NOON, Listener, Owner, make, scheduled
from tests.services.scheduler.test_firing import firing
from tests.waiting import PATIENCE

SECOND = timedelta(seconds=1)
DEADLINE = PATIENCE


class Watched(Timers):
    """The shelf of the timers, and how many were asked for at each firing."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[int] = []

    async def take(self, connection: Connection, since: datetime | None, now: datetime, limit: int) -> Sequence[Timer]:
        self.asked.append(limit)
        return await super().take(connection, since, now, limit)


async def test_a_backlog_fires_in_larger_and_larger_batches(
    db: Database, owner: Owner, publisher: Publisher, listener: Listener
) -> None:
    """Nothing is behind: batches of the set size. Four times as many each time, up to a thousand; then small again."""
    shelf = Watched()
    await owner.set_clock(NOON)
    await make(db, *(scheduled(at=NOON - timedelta(milliseconds=n)) for n in range(2500)))
    one = Firing(shelf, db, publisher, Alarm(), Metrics(), batch_size=50)
    await one.start()
    await listener.hear(2500)
    await until_true(lambda: _none_left(owner))
    await make(db, scheduled(at=NOON))
    await listener.hear(2501)
    await one.stop()
    assert shelf.asked[:6] == [50, 200, 800, BACKLOG, BACKLOG, 50]
    assert one.fired == 2501


async def test_fired_by_hand(db: Database, owner: Owner, publisher: Publisher, listener: Listener) -> None:
    """All that is due now and nothing else; how many they were."""
    await owner.set_clock(NOON)
    await make(db, *(scheduled() for _ in range(1200)), scheduled(at=NOON + timedelta(hours=1)))
    one = Firing(Timers(), db, publisher, Alarm(), Metrics(), batch_size=50)
    assert (await one.fire_now()).total() == 1200
    assert (await one.fire_now()).total() == 0
    assert len(await listener.hear_out()) == 1200


async def test_p4_2_what_was_put_back_waits_apart(db: Database, owner: Owner) -> None:
    """A look for the others does not see it, and the other way round."""
    await owner.set_clock(NOON)
    fresh, unheard = scheduled(at=NOON), scheduled(at=NOON - SECOND)
    await make(db, fresh, unheard)
    await owner.connection.execute("update scheduler.timers set failures = 1 where id = $1", unheard.id)
    for put_back, id in ((False, fresh.id), (True, unheard.id)):
        async with db.transaction() as connection:
            assert (await store.look(connection, None, put_back=put_back)).due
            taken = await store.take(connection, None, NOON, 10, put_back=put_back)
            assert [timer.id for timer in taken] == [id]
            assert not (await store.look(connection, None, put_back=put_back)).due
    assert not await owner.timers()


async def test_p4_2_a_partition_that_stays_dead_costs_the_others_a_moment(
    db: Database, owner: Owner, publisher: Publisher, listener: Listener, kafka: KafkaSettings
) -> None:
    """Every firing meets it, for seconds on end: the others are not late by anything like Kafka's deadline."""
    patient = Publisher(kafka, "scheduler", deadline=DEADLINE)
    await patient.start()
    start = await owner.clock() + SECOND
    good = {(one := scheduled(lane=Lane.NORMAL, at=start + timedelta(milliseconds=10 * n))).id: one for n in range(500)}
    bad = [scheduled(lane=Lane.BULK, at=start + timedelta(milliseconds=10 * n)) for n in range(500)]
    await delete(kafka, REQUESTED[Lane.BULK])
    async with firing(db, patient):
        await make(db, *good.values(), *bad)
        await listener.hear(500)
    await patient.stop()
    lateness = [received.timestamp - (good[event.subject].at or NOON) for event, received in listener.heard]
    assert max(lateness) < DEADLINE / 2 * SECOND
    assert (await owner.timers()).keys() == {event.id for event in bad}


async def _none_left(owner: Owner) -> bool:
    return not await owner.timers()
