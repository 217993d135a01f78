"""Much at once inside a partition; committed is only what is finished without a gap."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.status import Channel
from contracts.status import Lane as LaneName
from contracts.topics import DUE, Topic
from kit.bus.consumer import Consumer
from kit.bus.record import Outgoing, Received
from kit.clock import monotonic
from kit.engine import Engine, Share, Tenure, Ticket
from kit.metrics import Metrics
from kit.settings import KafkaSettings
from tests.kit.bus.support import IDS, commits, delete, make, publisher
from tests.kit.delivery.support import due
from tests.waiting import PATIENCE, eventually

URGENT, NORMAL, BULK = (DUE[Channel.EMAIL, lane] for lane in LaneName)
GROUP = "email_sender"
NOW = datetime(2027, 3, 1, tzinfo=UTC)


# -------------------------------------------------------------------------------------------------------- one tenure


def tenure(*offsets: int) -> Tenure:
    made = Tenure(offsets[0])
    for offset in offsets:
        made.admit(offset, NOW + timedelta(seconds=offset))
    return made


def test_only_the_contiguous_prefix_counts() -> None:
    one = tenure(4, 5, 6)
    one.finish(5)
    assert one.news() is None
    one.finish(4)
    assert one.news() == (6, NOW + timedelta(seconds=5))
    assert one.news() is None, "said once"
    one.finish(6)
    assert one.news() == (7, NOW + timedelta(seconds=6))


def test_p9_a_lane_that_is_dying_takes_nothing_in() -> None:
    """Given back to us after a rebalance whose commit was cut short, its records must be worked on."""
    share = Share(0, (URGENT,), 10)
    one = Engine.__new__(Engine)
    one._tenures, one._share_of = {(URGENT.name, 0): tenure(4)}, {URGENT.name: share}
    one._tenures[URGENT.name, 0].dying = True
    again = Received(URGENT.name, 0, 4, NOW + timedelta(seconds=4), b"", b"")
    ticket = one._admit(again)
    assert ticket is not None and ticket.wanted


def test_offsets_have_gaps() -> None:
    """Compaction and transactions leave holes: what counts is what was delivered."""
    one = tenure(4, 9, 20)
    one.finish(9)
    one.finish(4)
    assert one.news() == (10, NOW + timedelta(seconds=9))


def test_what_is_in_flight_is_known() -> None:
    one = tenure(4, 5)
    one.finish(5)
    assert one.knows(4, NOW + timedelta(seconds=4)) and one.knows(5, NOW + timedelta(seconds=5))
    assert not one.knows(6, NOW)


def test_an_offset_below_what_was_finished_is_another_topic() -> None:
    """So is the same offset with another time."""
    one = tenure(4, 5)
    one.finish(4)
    assert one.is_of_another_topic(4, NOW) and one.is_of_another_topic(5, NOW)
    assert not one.is_of_another_topic(6, NOW)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_never_ahead_of_what_is_unfinished(gaps: list[int], luck: random.Random) -> None:
    offsets = [sum(gaps[: n + 1]) for n in range(len(gaps))]
    one, open_ = tenure(*offsets), set(offsets)
    for offset in luck.sample(offsets, len(offsets)):
        one.finish(offset)
        open_.remove(offset)
        assert all(one.high <= left for left in open_)
    assert one.high == offsets[-1] + 1


# ------------------------------------------------------------------------------------------------------ real Kafka


class Hands:
    """Keeps the tickets until the test ends them; releases, when told to let go, those it did not begin with."""

    def __init__(self) -> None:
        self.tickets: list[Ticket] = []
        self.begun: set[UUID] = set()
        self.closed: Collection[Topic] = ()
        self.let_go_of = 0

    def take(self, tickets: Sequence[Ticket]) -> None:
        self.tickets.extend(tickets)

    def let_go(self) -> None:
        self.let_go_of += 1
        kept = []
        for ticket in self.tickets:
            if id_of(ticket) in self.begun:
                kept.append(ticket)
            else:
                ticket.release()
        self.tickets = kept

    def held(self) -> Collection[Topic]:
        return self.closed

    def finish(self, *ids: UUID) -> None:
        for ticket in [ticket for ticket in self.tickets if id_of(ticket) in ids]:
            self.tickets.remove(ticket)
            ticket.finish()

    @property
    def ids(self) -> list[UUID]:
        return [id_of(ticket) for ticket in self.tickets]


def id_of(ticket: Ticket) -> UUID:
    event = ticket.received.event(NORMAL)
    assert event is not None
    return event.subject


@asynccontextmanager
async def engine(kafka: KafkaSettings, work: Hands, limits: Sequence[int] = (10, 100, 100)) -> AsyncIterator[Engine]:
    lanes = [[URGENT], [NORMAL], [BULK]]
    one = Engine(
        Consumer(kafka, GROUP, lanes),
        lanes,
        work,
        name="email",
        limits=limits,
        metrics=Metrics(),
        clock=monotonic,
        stop_seconds=PATIENCE,
    )
    await one.start()
    yield one
    await one.stop()


@pytest.fixture
async def topics(kafka: KafkaSettings) -> KafkaSettings:
    """One partition each, so that there is an order to look at."""
    one = kafka.model_copy(update={"partitions": 1})
    await make(one, URGENT, NORMAL, BULK)
    return one


async def put(kafka: KafkaSettings, ids: Sequence[UUID], topic: Topic = NORMAL) -> None:
    async with publisher(kafka) as out:
        await out.publish([Outgoing(topic, due(id=id)) for id in ids])


async def committed(kafka: KafkaSettings, topic: Topic = NORMAL) -> int | None:
    found = (await commits(kafka, GROUP, topic))[0]
    return found.offset if found else None


async def commit_is(kafka: KafkaSettings, offset: int, topic: Topic = NORMAL) -> None:
    deadline = monotonic() + PATIENCE
    while (found := await committed(kafka, topic)) != offset:
        assert monotonic() < deadline, f"committed {found}, not {offset}"
        await asyncio.sleep(0.05)


async def test_a_finished_one_behind_an_unfinished_one_is_not_committed(topics: KafkaSettings) -> None:
    work, ids = Hands(), IDS[:5]
    async with engine(topics, work):
        await put(topics, ids)
        await eventually(lambda: len(work.tickets) == 5)
        work.finish(*ids[1:3])
        work.finish(ids[0])
        await commit_is(topics, 3)
        work.finish(ids[4])
        work.finish(ids[3])
        await commit_is(topics, 5)


async def test_what_was_not_finished_comes_again(topics: KafkaSettings) -> None:
    """At a stop, too: what nobody began with is released, and not committed."""
    work, ids = Hands(), IDS[:4]
    async with engine(topics, work):
        await put(topics, ids)
        await eventually(lambda: len(work.tickets) == 4)
        work.finish(ids[0], ids[2])
    assert await committed(topics) == 1
    again = Hands()
    async with engine(topics, again):
        await eventually(lambda: again.ids == ids[1:])


async def test_what_is_under_way_may_end_before_the_stop(topics: KafkaSettings) -> None:
    work, ids = Hands(), IDS[:3]
    async with engine(topics, work) as one:
        await put(topics, ids)
        await eventually(lambda: len(work.tickets) == 3)
        work.begun = {ids[0]}
        stopping = asyncio.create_task(one.stop())
        await eventually(lambda: work.let_go_of > 0)
        assert not stopping.done() and not work.tickets[0].wanted
        work.finish(ids[0])
        await stopping
    assert await committed(topics) == 1


async def test_no_more_is_under_way_than_a_lane_may_have_and_the_others_flow(topics: KafkaSettings) -> None:
    """Bulk is full; urgent and normal have shares of their own."""
    work = Hands()
    async with engine(topics, work, limits=(10, 10, 20)):
        await put(topics, IDS[:60], BULK)
        await eventually(lambda: len(work.tickets) == 20)
        await put(topics, IDS[60:65], URGENT)
        await put(topics, IDS[65:70], NORMAL)
        await eventually(lambda: len(work.tickets) == 30)
        assert work.ids[:20] == IDS[:20]
        work.finish(*IDS[:20])
        await eventually(lambda: len(work.tickets) == 30 and IDS[39] in work.ids)


async def test_a_full_lane_is_paused_and_read_on_later(topics: KafkaSettings) -> None:
    work = Hands()
    async with engine(topics, work, limits=(10, 5, 10)) as one:
        await put(topics, IDS[:12])
        await eventually(lambda: NORMAL in one._paused)
        work.finish(*IDS[:5])
        await eventually(lambda: IDS[9] in work.ids)
        assert work.ids == IDS[5:10]


async def test_a_held_lane_is_not_read_while_the_others_are(topics: KafkaSettings) -> None:
    work = Hands()
    work.closed = (NORMAL, BULK)
    async with engine(topics, work):
        await put(topics, IDS[:3])
        await put(topics, IDS[3:5], URGENT)
        await eventually(lambda: work.ids == IDS[3:5])
        work.closed = ()
        await eventually(lambda: work.ids == [*IDS[3:5], *IDS[:3]])


async def test_lanes_die_at_revoke(topics: KafkaSettings) -> None:
    """A late finisher finds no tenure and commits nothing; the record is somebody else's."""
    first, second = Hands(), Hands()
    two = topics.model_copy(update={"partitions": 1})
    async with engine(two, first) as one:
        await put(two, IDS[:1])
        await eventually(lambda: len(first.tickets) == 1)
        [ticket] = first.tickets
        first.begun = {IDS[0]}
        await one._revoked()
        assert not ticket.wanted and one._tenures == {}
        ticket.finish()
        await one._commit()
        first.tickets.clear()
    assert await committed(two) is None
    async with engine(two, second):
        await eventually(lambda: second.ids == IDS[:1])


async def test_a_second_engine_takes_over_what_the_first_did_not_finish(topics: KafkaSettings) -> None:
    """Three partitions, two members, nothing missing, nothing committed that is not finished."""
    work, other = Hands(), Hands()
    await put(topics, IDS[:6], NORMAL)
    async with engine(topics, work):
        await eventually(lambda: len(work.tickets) == 6)
        work.finish(*IDS[:2])
        await commit_is(topics, 2)
        async with engine(topics, other):
            await eventually(lambda: {*work.ids, *other.ids} == set(IDS[2:6]) and work.let_go_of > 0)


async def test_p9_a_topic_made_anew_is_read_from_its_beginning(topics: KafkaSettings) -> None:
    """Old offsets hide nothing, and what is still under way of the old topic commits nothing in the new one."""
    work = Hands()
    async with engine(topics, work):
        await put(topics, IDS[:5])
        await eventually(lambda: len(work.tickets) == 5)
        work.finish(*IDS[:3])
        await commit_is(topics, 3)
        await delete(topics, NORMAL)
        await make(topics, NORMAL)
        await put(topics, IDS[10:12])
        await eventually(lambda: IDS[11] in work.ids)
        work.finish(IDS[3], IDS[4])
        work.finish(IDS[10])
        await commit_is(topics, 1)
