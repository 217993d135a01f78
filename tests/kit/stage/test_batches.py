"""The fates of a batch: done once, or done again from its start, as often as it takes."""

import asyncio
from collections.abc import Sequence

import asyncpg
from structlog.testing import capture_logs

from contracts.events import Ripe
from contracts.status import Lane
from contracts.topics import REQUESTED, SCHEDULED
from kit import failpoints
from kit.bus.record import Outgoing
from kit.postgres import Connection
from kit.stage import Message
from tests.kit.bus.support import IDS, make
from tests.kit.stage.support import TOPIC, Judge, World, ce_ids, died
from tests.waiting import PATIENCE, eventually


async def test_judged_stored_published_committed(world: World) -> None:
    """The way of a batch that nothing happens to."""
    heard: list[Outgoing] = []
    await world.put(IDS[:40])
    async with world.stage(Judge(), after=heard.extend) as stage:
        assert len(await world.said(SCHEDULED, 40)) == 40
        await world.committed(40)
        assert stage.ready
    assert sorted(await world.judged()) == sorted(IDS[:40])
    assert sorted(one.event.subject for one in heard) == sorted(IDS[:40])
    assert world.counted("stage_records_total", stage="judge") == 40


async def test_after_a_crash_between_database_and_publishing_it_is_done_again(world: World) -> None:
    """Nothing was published and nothing committed: the next one says what was stored."""
    failpoints.arm("stage_after_commit:raise")
    await world.put(IDS[:10])
    async with world.stage(Judge()) as stage:
        await died(stage)
        stored = await world.judged()
        assert await world.offsets() == 0
    assert stored
    async with world.stage(Judge()):
        records = await world.said(SCHEDULED, 10)
        await world.committed(10)
    assert len(records) == 10
    assert sorted(await world.judged()) == sorted(IDS[:10])


async def test_after_a_crash_before_the_offsets_the_same_events_come_again(world: World) -> None:
    """Id for id, so that everyone can see the repeat (P1)."""
    failpoints.arm("stage_before_offsets:raise")
    await world.put(IDS[:1])
    async with world.stage(Judge()) as stage:
        await died(stage)
        assert await world.offsets() == 0
    async with world.stage(Judge()):
        await world.committed(1)
    records = await world.said(SCHEDULED, 2)
    assert len(records) == 2
    assert len(set(ce_ids(records))) == 1


async def test_a_connection_error_keeps_the_batch(world: World) -> None:
    """As often as it takes; not ready meanwhile, and nobody is suspected."""
    judge = Judge(*(ConnectionError("gone") for _ in range(4)))
    await world.put(IDS[:5])
    async with world.stage(judge) as stage:
        await eventually(lambda: bool(judge.calls) and not stage.ready, PATIENCE)
        await world.committed(5)
        await eventually(lambda: stage.ready, PATIENCE)
    assert sorted(await world.judged()) == sorted(IDS[:5])
    assert world.counted("stage_failed_batches_total", stage="judge") >= 4
    assert world.counted("poison_records_total", topic=TOPIC.name) == 0


async def test_a_database_that_cuts_us_off_keeps_the_batch(world: World) -> None:
    """The real thing: the backend is terminated in the middle of the transaction."""
    cut = [True, True]

    class Cut(Judge):
        async def __call__(self, connection: Connection, batch: Sequence[Message]) -> Sequence[Outgoing]:
            out = await super().__call__(connection, batch)
            if cut:
                cut.pop()
                owner = await asyncpg.connect(world.url)
                await owner.execute("select pg_terminate_backend($1)", connection.get_server_pid())
                await owner.close()
                await connection.execute("select 1")
            return out

    await world.put(IDS[:5])
    async with world.stage(Cut()):
        await world.committed(5)
    assert sorted(await world.judged()) == sorted(IDS[:5])


async def test_a_failed_publishing_repeats_the_same_events(world: World) -> None:
    """The topic is missing at first: the batch is done again from its start, and says the same, id for id."""
    judge = Judge()
    judge.says = lambda event: Outgoing(REQUESTED[Lane.BULK], Ripe(id=event.subject, round=2))
    await world.put(IDS[:3])
    async with world.stage(judge, deadline=0.5) as stage:
        await eventually(lambda: len(judge.calls) >= 2, PATIENCE)
        assert not stage.ready
        assert await world.offsets() == 0
        await make(world.kafka, REQUESTED[Lane.BULK])
        await world.committed(3)
    records = await world.said(REQUESTED[Lane.BULK], 3)
    assert set(ce_ids(records)) == {str(Ripe(id=id, round=2).ce_id).encode() for id in IDS[:3]}


async def test_a_stop_finishes_the_batch_under_way(world: World) -> None:
    """Published and committed before the group is left: a deploy repeats nothing."""
    judge = Judge()
    judge.gate = asyncio.Event()
    await world.put(IDS[:3])
    async with world.stage(judge, batch=500, finish=PATIENCE) as stage:
        await judge.entered.wait()
        stopping = asyncio.create_task(stage.stop())
        await asyncio.sleep(0)
        judge.gate.set()
        await stopping
        done = sum(map(len, judge.calls))
        assert await world.offsets() == done
    assert len(await world.said(SCHEDULED, done)) == done


async def test_a_stop_during_trouble_waits_for_nothing(world: World) -> None:
    """The database is away: the batch is left for the next one, and is not given the time that one under way gets."""
    judge = Judge(*(ConnectionError("gone") for _ in range(1000)))
    await world.put(IDS[:3])
    async with world.stage(judge) as stage:
        await eventually(lambda: len(judge.calls) >= 5, PATIENCE)
        with capture_logs() as logged:
            await stage.stop()
    assert "batch_left_at_stop" not in [line["event"] for line in logged]
    assert await world.offsets() == 0


async def test_at_a_rebalance_the_batch_under_way_is_finished_first(world: World) -> None:
    """The newcomer finds it committed, and nothing is done twice."""
    judge, other = Judge(), Judge()
    judge.gate = asyncio.Event()
    await world.put(IDS[:30])
    async with world.stage(judge) as first:
        await judge.entered.wait()
        async with world.stage(other):
            judge.gate.set()
            await world.committed(30)
            await eventually(lambda: first.ready, PATIENCE)
    judged = [message.event.subject for call in [*judge.calls, *other.calls] for message in call]
    assert sorted(judged) == sorted(IDS[:30])
