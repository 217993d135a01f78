"""The sweep drives what is lost, not what is late (P3.9), on a real Kafka and PostgreSQL."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio

from contracts import events as e
from contracts.status import End, Status
from contracts.topics import EMAIL_SENDER, SCHEDULER, Group
from kit.bus.consumer import Consumer
from kit.bus.record import EPOCH, reached
from kit.bus.served import served
from kit.clock import utc_now
from kit.metrics import Metrics
from kit.postgres import Database
from services.intake.app import served_by
from services.intake.loops.sweep import Sweep
from services.intake.rules.facts import Policy
from services.intake.rules.sweeping import SweepPace
from tests.kit.bus.support import joined, until_true
from tests.services.intake.running import Place, Town
from tests.services.intake.samples import id_of
from tests.services.intake.test_fates import mail

pytestmark = pytest.mark.asyncio(loop_scope="module")

IMPATIENT = SweepPace(slack=timedelta(0), pause=timedelta(hours=1))


class Swept(Town):
    """A town with a sweep that a test calls by hand, and with readers that read and say nothing."""

    sweep: Sweep

    async def read(self, group: Group) -> None:
        """Everything that is there, by that group, which commits it and is silent."""
        consumer, begun = Consumer(self.kafka, group.name, [group.topics]), utc_now()

        async def all_is_read() -> bool:
            await consumer.commit(reached(await consumer.poll(500, 0.1)))
            return (await served(self.kafka, group.name, group.topics) or EPOCH) >= begun

        async with joined(consumer):
            await until_true(all_is_read)

    async def drives(self) -> list[e.Event]:
        """What one sweep says."""
        before = len(await self.place.listener.hear_out())
        await self.sweep.once()
        return (await self.place.listener.hear_out())[before:]


@pytest_asyncio.fixture(loop_scope="module")
async def town(place: Place, database: str, folder: Path) -> AsyncIterator[Swept]:
    await place.forget_what_was_said()
    town = Swept(place, database, folder)
    db = await Database.open(database, "intake", size=4)
    town.sweep = Sweep(db, place.voice, served_by(place.kafka), Policy(), Metrics(), IMPATIENT)
    yield town
    await db.close()


@asynccontextmanager
async def handed(town: Swept) -> AsyncIterator[e.Due]:
    """One mail of which the sender has said nothing."""
    async with town.intake():
        key = uuid4().hex
        await town.put(mail(key))
        (due,) = await town.hear(e.Due)
        assert isinstance(due, e.Due) and due.id == id_of(key)
        yield due


async def test_p3_9_a_lost_row_is_driven_as_it_was_stored_and_then_left_alone(town: Swept) -> None:
    async with handed(town) as due:
        assert await town.drives() == [], "its lane is only late"
        await town.read(EMAIL_SENDER)
        assert await town.drives() == [due]
        await town.read(EMAIL_SENDER)
        assert await town.drives() == [], "the pause doubles"


async def test_p3_9_a_row_that_cannot_be_said_any_more_stops_no_other(town: Swept) -> None:
    """Its request does not hold by the rules of today: it rests, the other is driven in the same sweep."""
    async with handed(town) as due:
        key = uuid4().hex
        await town.put(mail(key))
        await town.hear(e.Due, about=id_of(key))
    await town.owner("update intake.notifications set body = $2 where id = $1", id_of(key), b"[7]")
    await town.owner("update intake.notifications set since = since - interval '1 s' where id = $1", id_of(key))
    await town.read(EMAIL_SENDER)
    assert await town.drives() == [due]
    assert await town.owner("select sweeps from intake.notifications where id = $1", id_of(key)) == 1


async def test_p3_9_what_ended_is_not_driven(town: Swept) -> None:
    async with handed(town) as due:
        await town.read(EMAIL_SENDER)
        await town.say(e.Sent(**due.passed_on(), at=due.at))
        await _until_ended(town)
        assert await town.drives() == []


async def test_p3_9_an_answer_that_intake_has_not_read_is_no_loss(town: Swept) -> None:
    async with handed(town) as due:
        pass
    await town.read(EMAIL_SENDER)
    await town.say(e.Sent(**due.passed_on(), at=due.at))
    assert await town.drives() == []
    async with town.intake():
        await _until_ended(town)
    assert await town.drives() == []


async def test_p3_9_a_retry_that_was_announced_is_no_loss(town: Swept) -> None:
    async with handed(town) as due:
        await town.read(EMAIL_SENDER)
        soon = await town.clock() + timedelta(hours=1)
        before = await town.owner("select since from intake.notifications")
        await town.say(e.Retry(**due.passed_on(), at=soon, due=due, reason="unavailable"))
        await _until(town, "select since > $1 from intake.notifications", before)
        assert await town.drives() == []


async def test_p3_9_what_was_asked_to_end_says_so_in_the_urgent_lane(town: Swept) -> None:
    async with handed(town) as due:
        await town.say(e.Cancel(command=uuid4(), id=due.id, accepted_at=due.at))
        await town.hear(e.Due, count=2)
        await town.read(EMAIL_SENDER)
        (ending,) = await town.drives()
    assert isinstance(ending, e.Due) and (ending.end, ending.content) == (End.CANCELLED, None)


async def test_p3_9_a_waiting_row_is_scheduled_again_past_its_instant(town: Swept) -> None:
    async with town.intake():
        later = await town.clock() + timedelta(minutes=10)
        await town.put(mail(uuid4().hex, send_at=later.isoformat()))
        (scheduled,) = await town.hear(e.Scheduled)
        await town.read(SCHEDULER)
        assert await town.drives() == [], "its time has not come"
        await town.owner("update tocsin.clock_offset set by = interval '11 minutes'")
        assert await town.drives() == [scheduled]
        assert await town.drives() == []


async def test_p3_7_what_is_open_long_past_its_expiry_ends(town: Swept) -> None:
    async with handed(town) as due:
        later = await town.clock() + timedelta(hours=1)
        await town.put(mail("waits", send_at=later.isoformat()))
        await town.hear(e.Scheduled)
        await town.owner("update tocsin.clock_offset set by = interval '73 hours'")
        said = [event for event in await town.drives() if not isinstance(event, e.Scheduled)]
        assert [type(event) for event in said] == [e.Due], "the sender is asked, behind no lane"
        assert isinstance(said[0], e.Due) and (said[0].id, said[0].end) == (due.id, End.EXPIRED)
        await town.owner("update tocsin.clock_offset set by = interval '74 hours'")
        failed, taken_back = sorted(await town.drives(), key=lambda event: event.ce_type)
        assert isinstance(failed, e.Failed) and failed.outcome is Status.EXPIRED
        assert isinstance(taken_back, e.TakeBack)
        assert await town.drives() == []


async def _until_ended(town: Swept) -> None:
    await _until(town, "select bool_and(state = 'ended') from intake.notifications")


async def _until(town: Swept, query: str, *values: object) -> None:
    async def true() -> bool:
        return bool(await town.owner(query, *values))

    await until_true(true)
