"""The fates of a request on a real Kafka and PostgreSQL; the sweeps are off, so that they hide no broken rule."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from contracts import events as e
from contracts.identity import child_id, notification_id
from contracts.status import Channel, End, Lane, Status
from contracts.topics import DUE, REQUESTED
from kit import failpoints
from kit.metrics import Metrics
from kit.postgres import Database
from services.intake.loops.group_ends import GroupEnds
from tests.kit.bus.support import until_true
from tests.services.intake.running import Place, Town, judge_of, until
from tests.services.intake.samples import OWNER, id_of

HALF_PAST = """
update tocsin.clock_offset set by = date_trunc('hour', clock_timestamp()) + interval '30 minutes' - clock_timestamp()
"""

pytestmark = pytest.mark.asyncio(loop_scope="module")

MAIL = {"channel": "email", "to": "alice@example.org", "subject": "Hello", "body": "How are you?", "source": "tests"}


@pytest_asyncio.fixture(loop_scope="module")
async def town(place: Place, database: str, folder: Path) -> AsyncIterator[Town]:
    """Kafka's topics are the module's, since they take long to make; the database is the test's own."""
    await place.forget_what_was_said()
    yield Town(place, database, folder)
    failpoints.arm("")


def mail(key: str = "k1", **fields: Any) -> dict[str, Any]:
    return MAIL | {"id": key} | fields


async def test_a_mail_is_due(town: Town) -> None:
    async with town.intake():
        await town.put(mail())
        (due,) = await town.hear(e.Due)
    assert isinstance(due, e.Due) and due.content
    assert (due.id, due.owner, due.content.to) == (id_of("k1"), OWNER, "alice@example.org")


async def test_p3_1_the_same_event_three_times_is_one_due(town: Town) -> None:
    async with town.intake():
        await town.put(mail())
        await town.settle()
        await town.put(mail(), mail())
        await town.settle()
        dues = town.heard(e.Due)
    assert len({due.ce_id for due in dues}) == len({due.model_dump_json() for due in dues}) == 1
    assert await town.owner("select count(*) from intake.notifications where outcome is null") == 1


async def test_p1_the_same_key_with_another_body_is_refused(town: Town) -> None:
    async with town.intake():
        await town.put(mail(), mail(body="Something else"))
        (refused,) = await town.hear(e.Refused)
        (due,) = await town.hear(e.Due)
    assert isinstance(refused, e.Refused) and refused.conflicts_with == id_of("k1") != refused.id
    assert isinstance(due, e.Due) and due.content and due.content.text == "How are you?"


@pytest.mark.parametrize("where", ["stage_after_commit", "stage_before_offsets"])
async def test_p3_1_the_verdict_is_stable_over_a_crash(town: Town, where: str) -> None:
    """Judged and stored, then the process dies before it has said so, or before it has noted that it has; meanwhile
    the recipient moves."""
    wanted = mail(user_id="alice", to=None)
    del wanted["to"]
    async with town.intake() as parts:
        await town.say(e.Recipient(user_id="alice", email="old@example.org"))
        await _knows(town, "old@example.org")
        failpoints.arm(f"{where}:raise")
        await town.put(wanted)
        judge = judge_of(parts)
        await until(lambda: judge.task is not None and judge.task.done())
        assert len(await town.place.listener.hear_out()) >= 0
        before = town.heard(e.Due)
        assert len(before) == (0 if where == "stage_after_commit" else 1)
        failpoints.arm("")
        await town.say(e.Recipient(user_id="alice", email="new@example.org"))
        await _knows(town, "new@example.org")
    async with town.intake():
        dues = await town.hear(e.Due, count=len(before) + 1)
    assert {due.content.to for due in dues if isinstance(due, e.Due) and due.content} == {"old@example.org"}
    assert len({due.ce_id for due in dues}) == 1


async def test_p3_1_a_hold_is_stable_over_a_crash_between_database_and_publish(town: Town) -> None:
    """Held with the last place of an hour, stored, and the process dies before it has said so: it says the same then,
    and takes no second place."""
    caps = {"limits": {"per_user": {"hour": 1}}}
    await town.owner(HALF_PAST)
    async with town.intake(**caps) as parts:
        await town.put(mail("k1"))
        await town.hear(e.Due)
        failpoints.arm("stage_after_commit:raise")
        await town.put(mail("k2"))
        judge = judge_of(parts)
        await until(lambda: judge.task is not None and judge.task.done())
        assert not town.heard(e.Scheduled)
        failpoints.arm("")
    planned = await town.owner("select planned_at from intake.notifications where reason = 'hour_limit'")
    async with town.intake(**caps):
        (held,) = await town.hear(e.Scheduled)
        await town.put(mail("k3"))
        _, next_one = await town.hear(e.Scheduled, count=2)
    assert isinstance(held, e.Scheduled) and isinstance(next_one, e.Scheduled) and next_one.at
    assert (held.id, held.why, held.at) == (id_of("k2"), "hour_limit", planned)
    assert next_one.at == planned + timedelta(hours=1)


async def test_p3_8_a_digest_is_said_again_after_a_crash_between_database_and_publish(town: Town) -> None:
    """Made and stored, its members ended, and the process dies before anybody has heard of it."""
    hourly = {"digests": {"news": {"every_seconds": 3600}}}
    await town.owner(HALF_PAST)
    async with town.intake(**hourly) as parts:
        await town.say(e.Recipient(user_id="alice", email="alice@example.org"))
        await _knows(town, "alice@example.org")
        wanted = {name: value for name, value in mail(user_id="alice", category="news").items() if name != "to"}
        await town.put(wanted, wanted | {"id": "k2"})
        first, _ = await town.hear(e.Scheduled, count=2)
        await town.owner("update tocsin.clock_offset set by = by + interval '31 minutes'")
        failpoints.arm("stage_after_commit:raise")
        await town.say(e.Ripe(id=first.subject, round=1))
        judge = judge_of(parts)
        await until(lambda: judge.task is not None and judge.task.done())
        failpoints.arm("")
        assert not town.heard(e.Due)
    async with town.intake(**hourly):
        (due,) = await town.hear(e.Due)
    assert isinstance(due, e.Due) and due.content and due.content.subject == "news: 2"
    assert await town.owner("select digest from intake.notifications where id = $1", first.subject) == due.id


async def _knows(town: Town, email: str) -> None:
    async def there() -> bool:
        return bool(await town.owner("select count(*) from intake.people where email = $1", email))

    await until_true(there)


async def test_p3_4_of_what_was_handed_over_the_sender_is_asked_to_end_it(town: Town) -> None:
    async with town.intake():
        await town.put(mail())
        await town.hear(e.Due)
        await town.put({"type": "cancel", "source": "tests", "id": "k1"})
        _, ending = await town.hear(e.Due, count=2)
    assert isinstance(ending, e.Due) and (ending.end, ending.content) == (End.CANCELLED, None)
    (record,) = [r for event, r in town.place.listener.heard if event is ending]
    assert record.topic == DUE[Channel.EMAIL, Lane.URGENT].name


async def test_p3_4_cancel_of_what_waits(town: Town) -> None:
    async with town.intake():
        later = await town.clock() + timedelta(hours=1)
        await town.put(mail(send_at=later.isoformat()))
        await town.hear(e.Scheduled)
        await town.put({"type": "cancel", "source": "tests", "id": "k1"}, mail(send_at=later.isoformat()))
        await town.hear(e.TakeBack)
        failed = await town.hear(e.Failed)
        await town.say(e.Ripe(id=id_of("k1"), round=1))
        await town.settle()
    assert {event.ce_id for event in town.heard(e.Failed, about=id_of("k1"))} == {failed[0].ce_id}
    assert not town.heard(e.Due)


async def test_p3_4_cancel_before_the_request(town: Town) -> None:
    async with town.intake():
        await town.put({"type": "cancel", "source": "tests", "id": "k1"}, topic=REQUESTED[Lane.URGENT])
        (failed,) = await town.hear(e.Failed)
        await town.put(mail())
        await town.settle()
    assert isinstance(failed, e.Failed) and failed.outcome is Status.CANCELLED
    assert not town.heard(e.Due)


async def test_p3_4_cancel_by_group_reaches_all_members_and_those_that_come_later(town: Town) -> None:
    async with town.intake():
        now = await town.clock()
        later = (now + timedelta(hours=1)).isoformat()
        members = [mail(f"m{n}", group="order-7", send_at=later) for n in range(30)]
        await town.put(*members, mail("handed", group="order-7"), mail("other", group="order-8"))
        await town.hear(e.Scheduled, e.Due, count=32)
        after = await town.clock()
        command = uuid4()
        await town.say(e.Cancel(command=command, group="order-7", accepted_at=after))
        (answer,) = await town.hear(e.GroupCancelled)
        await town.hear(e.Failed, count=30)
        ends = [due for due in await town.hear(e.Due, count=3) if isinstance(due, e.Due) and due.end]
        late = e.Requested.model_validate(_request("late", group="order-7", accepted_at=now))
        newer = e.Requested.model_validate(_request("newer", group="order-7", accepted_at=after + timedelta(seconds=1)))
        await town.say(late, newer)
        await town.hear(e.Failed, about=id_of("late"))
        await town.hear(e.Due, about=id_of("newer"))
    assert isinstance(answer, e.GroupCancelled) and answer.through == after
    assert [due.id for due in ends] == [id_of("handed")]
    assert await town.owner("select count(*) from intake.group_ends where done") == 1


def _request(key: str, **more: Any) -> dict[str, Any]:
    fields = {name: value for name, value in MAIL.items() if name != "source"}
    return {"id": id_of(key), "owner": OWNER, "channel": "email", "request": fields, **more}


async def test_p3_4_a_group_too_large_for_one_batch_is_ended_in_parts_over_a_crash(town: Town) -> None:
    async with town.intake():
        later = (await town.clock() + timedelta(hours=1)).isoformat()
        await town.put(*(mail(f"m{n}", group="g", send_at=later) for n in range(25)))
        await town.hear(e.Scheduled, count=25)
    db = await Database.open(town.database, "intake", size=2)
    await town.owner("insert into intake.group_ends (tenant, name, through) values ('default', 'g', '9999-12-31')")
    ends = GroupEnds(db, town.place.voice, Metrics(), at_once=10)
    assert await ends.once()
    await town.hear(e.Failed, count=10)
    done_to = await town.owner("select done_to from intake.group_ends")
    assert done_to is not None
    await town.owner("update intake.group_ends set done_to = null")  # as if it had died before it noted that
    while await ends.once():
        pass
    await db.close()
    failed = await town.hear(e.Failed, count=35)
    assert len({event.subject for event in failed}) == 25
    assert len({event.ce_id for event in failed}) == 25


async def test_p3_3_a_move_and_p3_2_the_ripe_of_the_old_round(town: Town) -> None:
    async with town.intake():
        now = await town.clock()
        await town.put(mail(send_at=(now + timedelta(hours=1)).isoformat()))
        await town.hear(e.Scheduled)
        await town.put(
            {"type": "move", "source": "tests", "id": "k1", "send_at": (now + timedelta(hours=2)).isoformat()}
        )
        _, moved = await town.hear(e.Scheduled, count=2)
        await town.say(e.Ripe(id=id_of("k1"), round=1))
        await town.settle()
        assert not town.heard(e.Due)
        await town.owner("update tocsin.clock_offset set by = interval '2 hours'")
        await town.say(e.Ripe(id=id_of("k1"), round=2))
        await town.hear(e.Due)
    assert isinstance(moved, e.Scheduled) and moved.round == 2 and moved.edit > 0


async def test_p3_6_an_unknown_recipient_is_rejected_once_the_directory_was_read(town: Town) -> None:
    async with town.intake():
        wanted = mail(user_id="nobody")
        del wanted["to"]
        await town.put(wanted)
        (waits,) = await town.hear(e.Scheduled)
        assert isinstance(waits, e.Scheduled) and waits.why == "unknown_recipient" and waits.at
        round = 1
        while not town.heard(e.Failed):
            await town.owner("update tocsin.clock_offset set by = by + interval '2 seconds'")
            await town.say(e.Ripe(id=id_of("k1"), round=round))
            await town.hear(e.Scheduled, e.Failed, count=round + 1)
            round += 1
    (failed,) = town.heard(e.Failed)
    assert isinstance(failed, e.Failed) and failed.reason == "unknown_recipient"


async def test_p7_nul_and_lone_surrogate_stop_nobody(town: Town) -> None:
    async with town.intake():
        await town.put(
            b'{"id": "nul", "channel": "email", "to": "a@b.de", "subject": "\\u0000", "body": "b", "source": "tests"}',
            b'{"id": "nul2", "channel": "email", "to": "a@b.de", "subject": "s", "body": "\\u0000", "source": "tests"}',
            b'{"id": "lone", "channel": "email", "to": "a@b.de", "subject": "\\ud800", "body": "b", "source": "tests"}',
            b'{"id": "long", "source": "tests", "data": %s}' % (b"1" * 4301),
            b'{"id": "\\u0000", "type": "\\u0000", "channel": "email"}',
            b"\x00\xff",
            b"[]",
            mail(),
        )
        await town.hear(e.Due, about=id_of("k1"))
        poison = await town.hear(e.Poison, count=2)
    rejected = [event for event in town.heard(e.Failed) if isinstance(event, e.Failed)]
    assert {event.reason for event in rejected} == {"invalid"} and len(rejected) == 5
    assert {id_of("nul"), id_of("lone"), id_of("long")} <= {event.id for event in rejected}
    assert len(poison) == 2


async def test_p7_what_cannot_be_met_is_rejected_with_field_and_remedy(town: Town) -> None:
    async with town.intake():
        await town.put({"id": "bad", "source": "tests", "channel": "email", "to": "nowhere", "body": "b"})
        (failed,) = await town.hear(e.Failed, about=notification_id("default", OWNER, "bad"))
    assert isinstance(failed, e.Failed) and failed.outcome is Status.REJECTED
    assert "to: is not an email address" in (failed.detail or "") and "subject: " in (failed.detail or "")


async def test_p6_3_several_channels_through_kafka(town: Town) -> None:
    async with town.intake():
        await town.say(e.Recipient(user_id="alice", email="alice@example.org"))
        await _knows(town, "alice@example.org")
        wanted = mail(channels=["email", "inapp"], user_id="alice")
        del wanted["to"], wanted["channel"]
        await town.put(wanted)
        dues = await town.hear(e.Due, count=2)
    assert {due.subject for due in dues} == {child_id(id_of("k1"), "email"), child_id(id_of("k1"), "inapp")}


async def test_a_channel_that_is_off_and_an_installation_that_is_held(town: Town) -> None:
    async with town.intake(enabled=False, sms={"enabled": False}):
        await town.put(mail(), mail("k2", channel="sms", to="+33612345678"))
        await town.hear(e.Due, about=id_of("k1"))
        (failed,) = await town.hear(e.Failed)
    assert isinstance(failed, e.Failed) and failed.reason == "channel_disabled"


async def test_p6_1_an_hour_is_said_again_and_p9_its_counts_are_published(town: Town) -> None:
    async with town.intake():
        later = (await town.clock() + timedelta(hours=1)).isoformat()
        await town.put(mail("handed"), mail("waits", send_at=later), mail("bad", to="nowhere"))
        await town.hear(e.Due, e.Scheduled, e.Failed, count=3)
        hour = await town.owner("select min(accepted_at) from intake.notifications")
        await town.say(e.Again(hour=hour))
        said = await town.hear(e.Scheduled, e.Failed, count=5)
        await until_true(lambda: _counted(town, {"accepted": 3, "final": 1}))
    assert [event.handed for event in said if isinstance(event, e.Scheduled)].count(True) == 1
    assert len(town.heard(e.Due)) == 1


async def _counted(town: Town, wanted: dict[str, int]) -> bool:
    said = [event for event in await town.place.counts.hear_out() if isinstance(event, e.ServiceStatus)]
    hours = next((event.result["hours"] for event in reversed(said) if event.state == "counts"), [])
    return {name: sum(hour[name] for hour in hours) for name in wanted} == wanted


async def test_the_body_is_stored_as_it_came(town: Town) -> None:
    async with town.intake():
        await town.put(mail())
        await town.hear(e.Due)
    body = json.loads(await town.owner("select body from intake.notifications"))
    assert body == {name: value for name, value in MAIL.items() if name != "source"}
