"""What the rules say of two timers is what happens to the rows of PostgreSQL, in batches and side by side."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID, uuid4

from contracts import events as e
from contracts.status import End
from kit.postgres import Database
from services.scheduler import arming
from services.scheduler.rules import timers as rules
from services.scheduler.rules.timers import Change, Timer
from services.scheduler.store import timers as store
from tests.kit.bus.support import until_true
from tests.services.scheduler.support import NOON, Owner, change, make, retry, scheduled


async def test_a_batch_is_armed(db: Database, owner: Owner) -> None:
    """Future notifications without a body, retries with theirs."""
    waiting, again = [scheduled() for _ in range(300)], [retry() for _ in range(200)]
    await make(db, *waiting, *again)
    timers = await owner.timers()
    assert timers.keys() == {event.id for event in (*waiting, *again)}
    assert (await owner.bodies()).keys() == {event.id for event in again}


async def test_p4_1_a_repeat_changes_nothing(db: Database, owner: Owner) -> None:
    """Kafka may say it twice."""
    events = [scheduled(), retry()]
    await make(db, *events)
    before = await owner.timers()
    await make(db, *events)
    assert await owner.timers() == before


async def test_p4_1_an_older_round_is_ignored(db: Database, owner: Owner) -> None:
    """A move was heard before what it moved."""
    id_ = uuid4()
    await make(db, scheduled(id_, round=2, at=NOON))
    await make(db, scheduled(id_, round=1, at=NOON - timedelta(hours=1)))
    row = (await owner.timers())[id_]
    assert (row["round"], row["fire_after"]) == (2, NOON)


async def test_p4_1_a_new_plan_erases_the_body_of_the_old_one(db: Database, owner: Owner) -> None:
    """A body lies as long as its timer, no longer."""
    id_ = uuid4()
    await make(db, retry(id_, round=1, try_=3))
    await make(db, scheduled(id_, round=2))
    assert (await owner.timers())[id_]["kind"] == "ripe"
    assert await owner.bodies() == {}


async def test_p4_1_the_body_is_that_of_the_timer_that_stays(db: Database, owner: Owner) -> None:
    """An older try that comes late does not put its words into the mouth of a newer one."""
    id_ = uuid4()
    await make(db, retry(id_, try_=3, text="the third"))
    await make(db, retry(id_, try_=2, text="the second"))
    assert b"the third" in (await owner.bodies())[id_]
    await make(db, retry(id_, try_=4, text="the fourth"))
    assert b"the fourth" in (await owner.bodies())[id_]


async def test_p4_3_take_back_deletes_what_waits(db: Database, owner: Owner) -> None:
    """And leaves a retry alone: that one is for the claims to judge."""
    waiting, again = scheduled(), retry()
    await make(db, waiting, again)
    await make(db, *(e.TakeBack(id=event.id, round=1) for event in (waiting, again)), e.TakeBack(id=uuid4(), round=1))
    assert (await owner.timers()).keys() == {again.id}
    assert (await owner.bodies()).keys() == {again.id}


async def test_p4_3_an_end_merges_with_the_timer_that_is_there(db: Database, owner: Owner) -> None:
    """The end is what will be said, at the earlier time, under the higher try."""
    id_ = uuid4()
    await make(db, retry(id_, try_=5, at=NOON))
    await make(db, retry(id_, try_=2, at=NOON + timedelta(hours=1), end=End.CANCELLED))
    row = (await owner.timers())[id_]
    assert (row["try"], row["fire_after"], row["ends"]) == (5, NOON, True)
    assert b'"end":"cancelled"' in (await owner.bodies())[id_]
    await make(db, retry(id_, try_=6, at=NOON - timedelta(hours=1)))
    row = (await owner.timers())[id_]
    assert (row["try"], row["fire_after"], row["ends"]) == (6, NOON - timedelta(hours=1), True)
    assert b'"end":"cancelled"' in (await owner.bodies())[id_]


async def test_p4_3_handed_arms_nothing(db: Database, owner: Owner) -> None:
    """It is an answer for the gateway."""
    async with db.transaction() as connection:
        found = rules.change(scheduled(handed=True), b"")
        await arming.make(connection, [found] if found else [])
    assert await owner.timers() == {}


async def test_what_is_armed_and_taken_back_in_one_batch(db: Database, owner: Owner) -> None:
    """The order of one id counts, whatever the others do."""
    gone, kept = uuid4(), uuid4()
    await make(db, scheduled(gone), e.TakeBack(id=kept, round=1), e.TakeBack(id=gone, round=1), scheduled(kept))
    assert (await owner.timers()).keys() == {kept}


async def test_arming_waits_for_a_firing_that_has_the_timer(db: Database, owner: Owner) -> None:
    """It fires, and what was asked for meanwhile is armed anew, whether it was put back or not."""
    for is_put_back in (False, True):
        id_ = uuid4()
        await make(db, scheduled(id_, round=1))
        async with db.transaction() as firing:
            taken = await store.take(firing, None, NOON, 10)
            moving = asyncio.create_task(make(db, scheduled(id_, round=2, at=NOON + timedelta(days=1))))
            await _someone_waits_for_a_lock(owner)
            if is_put_back:
                await store.put_back(firing, [rules.failed_again(timer) for timer in taken])
        await moving
        assert (await owner.timers())[id_]["round"] == 2


async def _someone_waits_for_a_lock(owner: Owner) -> None:
    await until_true(
        lambda: owner.connection.fetchval(
            "select exists (select from pg_locks join pg_stat_activity using (pid)"
            " where not granted and locktype = 'transactionid' and datname = current_database())"
        )
    )


async def test_p4_the_rows_are_what_the_rules_say(db: Database, owner: Owner) -> None:
    """Random batches about five notifications: rows and bodies are those of the pure rules, change by change."""
    dice = random.Random(20)
    ids = [uuid4() for _ in range(5)]
    expected: dict[UUID, Timer] = {}
    for _ in range(60):
        batch = [_anything(dice, dice.choice(ids)) for _ in range(dice.randint(1, 12))]
        await make(db, *batch)
        _expect(expected, [change(event) for event in batch])
        assert {row["id"]: _seen(row) for row in (await owner.timers()).values()} == {
            id_: (t.kind, t.round, t.try_, t.fire_after, t.planned_at, t.ends) for id_, t in expected.items()
        }
        assert await owner.bodies() == {id_: t.body for id_, t in expected.items() if t.body is not None}


async def test_two_schedulers_arm_the_same_side_by_side(db: Database, owner: Owner) -> None:
    """After a rebalance two may have the same batch: one waits for the other, and nothing is lost."""
    ids = [uuid4() for _ in range(50)]
    dice = random.Random(7)
    batches = [[scheduled(id_, round=round) for id_ in dice.sample(ids, 50)] for round in range(1, 9)]
    await asyncio.gather(*(make(db, *batch) for batch in batches))
    assert {row["round"] for row in (await owner.timers()).values()} == {8}


def _anything(dice: random.Random, id_: UUID) -> e.Event:
    at = NOON + timedelta(seconds=dice.randint(0, 5))
    match dice.randint(0, 3):
        case 0:
            return scheduled(id_, round=dice.randint(1, 3), at=at)
        case 1:
            return e.TakeBack(id=id_, round=dice.randint(1, 3))
        case 2:
            return retry(id_, round=dice.randint(1, 3), try_=dice.randint(1, 3), at=at, text=str(dice.random()))
        case _:
            return retry(id_, round=dice.randint(1, 3), try_=dice.randint(1, 3), at=at, end=dice.choice(list(End)))


def _expect(expected: dict[UUID, Timer], changes: Sequence[Change]) -> None:
    of_id: dict[UUID, list[Change]] = defaultdict(list)
    for one in changes:
        of_id[one.id].append(one)
    for id_, some in of_id.items():
        left = rules.after(expected.pop(id_, None), some)
        if left:
            expected[id_] = left


def _seen(row: object) -> tuple[object, ...]:
    return tuple(row[name] for name in ("kind", "round", "try", "fire_after", "planned_at", "ends"))  # type: ignore[index]
