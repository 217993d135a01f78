"""A batch in one transaction on a real PostgreSQL: what is stored is what was judged, and what a repeat says."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from contracts import events as e
from contracts.identity import child_id
from contracts.status import Channel, End, Lane, Status
from kit.postgres import Database
from services.intake.rules.facts import Policy
from services.intake.rules.row import State
from services.intake.store import counts
from tests.kit.bus.support import until_true
from tests.services.intake.samples import again, cancel, id_of, move, requested, ripe, unacceptable
from tests.services.intake.support import Desk


def kinds(said: list[e.Event]) -> list[str]:
    return [event.ce_type.removeprefix("tocsin.") for event in said]


async def now(desk: Desk) -> Any:
    return (await desk.query("select clock() as now"))[0]["now"]


async def asked(
    desk: Desk, key: str = "k1", *, lane: Lane = Lane.NORMAL, later: float = 0, **fields: Any
) -> e.Requested:
    """A request of this moment, by the database's clock."""
    moment = await now(desk)
    if later:
        fields["send_at"] = (moment + timedelta(seconds=later)).isoformat()
    return requested(key, lane=lane, **fields).model_copy(update={"accepted_at": moment})


async def test_p3_1_what_is_read_back_is_what_was_judged(desk: Desk) -> None:
    request = await asked(desk, user_id="alice", collapse_key="stock", group="g", later=60)
    await desk.learn(e.Recipient(user_id="alice", email="alice@example.org", locale="fr"))
    (scheduled,) = await desk.hear(request)
    (due,) = await desk.hear(await asked(desk, "k2", user_id="alice"))
    assert isinstance(scheduled, e.Scheduled) and isinstance(due, e.Due)
    waiting, handed = await desk.row("k1"), await desk.row("k2")
    assert (waiting.state, waiting.round, waiting.collapse_key) == (State.WAITING, 1, "stock")
    assert handed.frozen and (handed.frozen.to, handed.frozen.locale) == ("alice@example.org", "fr")
    assert await desk.hear(request) == [scheduled]


async def test_p3_1_three_times_in_one_batch_is_said_once(desk: Desk) -> None:
    request = await asked(desk)
    (due,) = await desk.hear(request, request, request)
    assert await desk.hear(request) == [due]
    assert (await desk.query("select count(*) as n from notifications"))[0]["n"] == 1


async def test_p1_same_key_other_body_in_the_same_batch(desk: Desk) -> None:
    first = await asked(desk)
    assert kinds(await desk.hear(first, await asked(desk, body="other"))) == ["due", "request.refused"]


async def test_p3_1_content_is_the_same_although_the_directory_has_changed(desk: Desk) -> None:
    await desk.learn(e.Recipient(user_id="alice", email="old@example.org"))
    await desk.learn(template("welcome@1", text="Version one, {{ name }}"), template("welcome", current=1))
    request = await asked(desk, user_id="alice", template="welcome", data={"name": "Ann"})
    first = await desk.hear(request)
    await desk.learn(e.Recipient(user_id="alice", email="new@example.org"))
    await desk.learn(
        template("welcome@1", text="Another one"), template("welcome@2", text="Two"), template("welcome", current=2)
    )
    assert await desk.hear(request) == first
    await desk.learn(e.Tombstone(path="template/welcome@1"), e.Tombstone(path="template/welcome"))
    assert await desk.hear(request) == first
    (due,) = first
    assert isinstance(due, e.Due) and due.content
    assert (due.content.to, due.content.text) == ("old@example.org", "Version one, Ann")


def template(name: str, **value: Any) -> e.Setting:
    return e.Setting(what="template", id=name, value=value)


async def test_p1_the_directory_takes_only_what_is_newer(desk: Desk) -> None:
    await desk.learn(e.Recipient(user_id="alice", email="new@example.org"))
    await desk.learn(e.Recipient(user_id="alice", email="old@example.org"), as_of=await now(desk) - timedelta(days=900))
    (due,) = await desk.hear(await asked(desk, user_id="alice"))
    assert isinstance(due, e.Due) and due.content and due.content.to == "new@example.org"
    await desk.learn(e.Tombstone(path="alice"))
    (waits,) = await desk.hear(await asked(desk, "k2", user_id="alice"))
    assert isinstance(waits, e.Scheduled) and waits.why == "unknown_recipient"
    assert desk.watch.asked == 1


async def test_p3_2_ripe_reads_the_request_again(desk: Desk, database: str) -> None:
    request = await asked(desk, later=3600, html="<p>", metadata={"a": "b"})
    await desk.hear(request)
    assert (await desk.row()).planned_at
    owner = await asyncpg.connect(database)
    await owner.execute("update tocsin.clock_offset set by = interval '61 minutes'")
    await owner.close()
    (due,) = await desk.hear(ripe())
    assert isinstance(due, e.Due) and due.content and due.content.html == "<p>"
    assert await desk.hear(ripe()) == [due]


async def test_p3_4_a_stub_makes_way_for_its_request(desk: Desk) -> None:
    (first,) = await desk.hear(cancel())
    assert (await desk.row()).is_stub
    (second,) = await desk.hear(await asked(desk))
    assert isinstance(first, e.Failed) and isinstance(second, e.Failed)
    assert first.ce_id == second.ce_id
    row = await desk.row()
    assert not row.is_stub and row.outcome is Status.CANCELLED and row.owner == "source:tests"


async def test_p1_a_remembered_move_makes_way_for_its_request(desk: Desk) -> None:
    moment = await now(desk)
    assert await desk.hear(move(edit=3).model_copy(update={"at": moment + timedelta(hours=1)})) == []
    (scheduled,) = await desk.hear(await asked(desk))
    assert isinstance(scheduled, e.Scheduled) and scheduled.edit == 3


async def test_p3_4_a_cancel_by_group_raises_its_time_and_never_lowers_it(desk: Desk) -> None:
    moment = await now(desk)
    command = cancel(group="order-7").model_copy(update={"id": None, "accepted_at": moment})
    (answer,) = await desk.hear(command)
    (older,) = await desk.hear(command.model_copy(update={"accepted_at": moment - timedelta(hours=1)}))
    (for_ever,) = await desk.hear(command.model_copy(update={"for_ever": True}))
    assert isinstance(answer, e.GroupCancelled) and isinstance(older, e.GroupCancelled)
    assert answer.through == older.through == moment
    assert isinstance(for_ever, e.GroupCancelled) and for_ever.through is None
    assert kinds(await desk.hear(await asked(desk, group="order-7"))) == ["failed"]
    assert kinds(await desk.hear(await asked(desk, "k2", group="order-8"))) == ["due"]


async def test_p3_4_a_cancel_of_an_owners_group_leaves_the_others(desk: Desk) -> None:
    command = cancel(group="g", owner="user:bob", for_ever=True).model_copy(update={"id": None})
    await desk.hear(command)
    assert kinds(await desk.hear(await asked(desk, group="g"))) == ["due"]


async def test_p3_5_collapsed_across_batches(desk: Desk) -> None:
    await desk.hear(await asked(desk, "old", collapse_key="stock", later=60))
    said = await desk.hear(await asked(desk, "new", collapse_key="stock", later=60))
    assert kinds(said) == ["scheduled", "failed", "take_back"]
    assert (await desk.row("old")).reason == "collapsed"
    said = await desk.hear(
        await asked(desk, "newer", collapse_key="stock"), await asked(desk, "newest", collapse_key="stock")
    )
    assert [(await desk.row(key)).reason for key in ("new", "newer", "newest")] == ["collapsed", "collapsed", None]
    assert (await desk.row("newer")).end is End.COLLAPSED


async def test_p6_3_children_and_parent_are_written_together(desk: Desk) -> None:
    request = await asked(desk, channels=["email", "inapp"], user_id="alice", group="mine")
    await desk.learn(e.Recipient(user_id="alice", email="alice@example.org"))
    first = await desk.hear(request)
    assert kinds(first) == ["due", "due"] and await desk.hear(request) == first
    child = await desk.row(child_id(id_of("k1"), Channel.INAPP))
    assert (child.parent, child.group, child.channel) == (id_of("k1"), "mine", Channel.INAPP)
    assert kinds(await desk.hear(again())) == ["scheduled", "scheduled"]
    assert [event.end for event in await desk.hear(cancel()) if isinstance(event, e.Due)] == [End.CANCELLED] * 2


async def test_p3_8_who_reads_it_ends_what_was_to_follow(desk: Desk) -> None:
    steps = [{"after_seconds": 60, "channel": "email"}]
    request = await asked(desk, channel="inapp", user_id="alice", escalate=steps)
    due, scheduled = await desk.hear(request)
    assert isinstance(due, e.Due) and isinstance(scheduled, e.Scheduled)
    read = e.InboxChanged(**due.passed_on(), change="read", at=due.at, offset=1)
    failed, taken_back = await desk.told(read)
    assert isinstance(failed, e.Failed) and failed.reason == "acknowledged"
    assert isinstance(taken_back, e.TakeBack)
    assert (await desk.told(read))[0] == failed


@pytest.mark.parametrize(("change", "reason"), [("archived", "acknowledged"), ("recalled", "recalled")])
async def test_p3_8_so_does_who_archives_it_and_who_takes_it_back(desk: Desk, change: str, reason: str) -> None:
    """Nothing follows what was dealt with, nor what is not meant any more; why is what happened first."""
    steps = [{"after_seconds": 60, "channel": "email"}, {"after_seconds": 120, "channel": "email"}]
    due, *_ = await desk.hear(await asked(desk, channel="inapp", user_id="alice", escalate=steps))
    assert isinstance(due, e.Due)
    common = due.passed_on() | {"at": due.at}
    updated, first, read = (
        e.InboxChanged.model_validate(common | {"change": one, "offset": n})
        for n, one in enumerate(("updated", change, "read"), start=2)
    )
    assert await desk.told(updated) == []
    ends = [said for said in await desk.told(first, read) if isinstance(said, e.Failed)]
    assert [end.reason for end in ends] == [reason, reason]
    assert [said for said in await desk.told(read) if isinstance(said, e.Failed)] == ends


async def test_p3_8_who_reads_it_ends_steps_that_the_same_batch_speaks_of(desk: Desk) -> None:
    steps = [{"after_seconds": 60, "channel": "email"}]
    request = await asked(desk, channel="inapp", user_id="alice", escalate=steps)
    due, scheduled = await desk.hear(request)
    assert isinstance(due, e.Due) and isinstance(scheduled, e.Scheduled)
    read = e.InboxChanged(**due.passed_on(), change="read", at=due.at, offset=1)
    elsewhere = e.Failed(**(scheduled.passed_on() | {"id": id_of("other")}), outcome=Status.FAILED, reason="refused")
    of_the_step = e.InboxChanged(**scheduled.passed_on(), change="archived", at=due.at, offset=2)
    failed, _ = await desk.told(of_the_step, elsewhere, read)
    assert isinstance(failed, e.Failed) and failed.reason == "acknowledged"


async def test_p3_3_a_move_of_the_whole_passes_by_what_has_ended(desk: Desk) -> None:
    await desk.learn(e.Recipient(user_id="alice", email="alice@example.org", phone="+33612345678"))
    moment = await now(desk)
    at = (moment + timedelta(hours=1)).isoformat()
    escalate = [{"after_seconds": 60, "channel": "email"}]
    whole = await asked(desk, channel="inapp", user_id="alice", send_at=at, escalate=escalate)
    _, step = await desk.hear(whole)
    assert isinstance(step, e.Scheduled)
    await desk.hear(cancel().model_copy(update={"id": step.id}))
    later = moment + timedelta(hours=2)
    moved = await desk.hear(e.Move(command=uuid4(), id=id_of("k1"), edit=9, at=later, accepted_at=moment))
    assert [event.at for event in moved if isinstance(event, e.Scheduled)] == [later]


async def test_outcomes_are_kept_for_who_asks_again(desk: Desk) -> None:
    request = await asked(desk)
    (due,) = await desk.hear(request)
    assert isinstance(due, e.Due)
    sent = e.Sent(**due.passed_on(), at=due.at, provider="smtp", detail="250 ok")
    failed = e.Failed(**due.passed_on(), outcome=Status.FAILED, reason="refused", unknown=1)
    assert await desk.told(failed, sent, failed) == []
    row = await desk.row()
    assert (row.state, row.outcome, row.unknown) == (State.ENDED, Status.SENT, 1)
    assert await desk.hear(request) == [sent.model_copy(update={"unknown": 1})]
    (placed,) = await desk.query("select pile, look_at from notifications")
    assert (placed["pile"], placed["look_at"]) == (None, None)


async def test_p7_what_cannot_be_met_is_stored_whatever_is_in_it(desk: Desk) -> None:
    event = unacceptable().model_copy(update={"problems": ("type: is not “\x00\x1b[31m”",)})
    (failed,) = await desk.hear(event)
    assert isinstance(failed, e.Failed) and "\x00" not in (failed.detail or "")


async def test_again_of_an_hour_is_handed_on(desk: Desk) -> None:
    moment = await now(desk)
    assert await desk.hear(e.Again(hour=moment)) == []
    assert desk.hours == [moment]


async def test_p9_the_counts_tell_accepted_and_final(desk: Desk) -> None:
    request = await asked(desk)
    (due,) = await desk.hear(request, request)
    assert isinstance(due, e.Due)
    await desk.hear(cancel("stranger").model_copy(update={"accepted_at": due.accepted_at}))
    await desk.told(e.Sent(**due.passed_on(), at=due.at), e.Delivered(**due.passed_on(), at=due.at))
    (counted,) = await desk.query("select sum(accepted) as accepted, sum(final) as final from hours")
    assert (counted["accepted"], counted["final"]) == (2, 2)
    await desk.hear(await asked(desk, "stranger"))
    (counted,) = await desk.query("select sum(accepted) as accepted, sum(final) as final from hours")
    assert (counted["accepted"], counted["final"]) == (2, 2)


async def test_p9_an_open_one_without_a_row_is_missed(desk: Desk) -> None:
    """Counts and rows are of one moment: whatever they differ by is lost."""
    due, _ = await desk.hear(await asked(desk), await asked(desk, "k2"))
    assert isinstance(due, e.Due)
    await desk.told(e.Sent(**due.passed_on(), at=due.at))
    async with desk.db.connection() as connection:
        assert await counts.open_now(connection) == counts.Open(counted=1, rows=1)
        many = await counts.open_now(connection, most=0)
        assert (many, many.missing, many.best) == (counts.Open(1, None), 0, 1), "too many to be looked at"
        await connection.execute("delete from notifications where id = $1", id_of("k2"))
        found = await counts.open_now(connection)
        assert (found, found.missing, found.best) == (counts.Open(1, 0), 1, 0)


async def test_what_is_repeated_is_counted(desk: Desk) -> None:
    request = await asked(desk)
    await desk.hear(request, request)
    await desk.hear(request, await asked(desk, "k2"))
    assert desk.metrics.registry.get_sample_value("tocsin_requests_repeated_total", {"lane": "normal"}) == 2


async def test_two_that_accept_the_same_at_once(db: Database, database: str) -> None:
    """The second waits for the first, finds its row there, and judges its batch again."""
    one, other = Desk(db), Desk(db)
    request = await asked(one)
    async with db.transaction() as connection:
        first = await one.judge.handle(connection, one.messages([request]))
        task = asyncio.create_task(other.hear(request))
        await _waits_for_a_lock(database)
    with pytest.raises(asyncpg.SerializationError):
        await task
    assert await other.hear(request) == [said.event for said in first]


async def test_p3_4_a_group_cancel_waits_for_members_under_way(db: Database, database: str) -> None:
    member, canceller = Desk(db), Desk(db)
    command = cancel(group="g", for_ever=True).model_copy(update={"id": None})
    async with db.transaction() as connection:
        await member.judge.handle(connection, member.messages([await asked(member, group="g")]))
        task = asyncio.create_task(canceller.hear(command))
        await _waits_for_a_lock(database)
    assert kinds(await task) == ["group_cancelled"]


async def _waits_for_a_lock(database: str) -> None:
    owner = await asyncpg.connect(database)
    query = "select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"

    async def waiting() -> bool:
        return bool(await owner.fetch(query))

    await until_true(waiting)
    await owner.close()


async def test_channels_that_are_off(db: Database) -> None:
    desk = Desk(db, Policy(off=frozenset({Channel.EMAIL})))
    (failed,) = await desk.hear(await asked(desk))
    assert isinstance(failed, e.Failed) and failed.reason == "channel_disabled"
    assert (
        desk.metrics.registry.get_sample_value(
            "tocsin_notifications_failed_total",
            {"channel": "email", "outcome": "rejected", "reason": "channel_disabled"},
        )
        == 1
    )
