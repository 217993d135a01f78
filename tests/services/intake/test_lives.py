"""What events make of a notification, one after the other (P1, P3.1-P3.5, P3.8, P6.1, P6.3)."""

from datetime import timedelta
from typing import Any

import pytest

from contracts import events as e
from contracts.status import End, Lane, Status
from contracts.topics import REQUESTED, of_event
from services.intake.rules.facts import FOR_EVER, GroupEnd
from services.intake.rules.hearing import heard, postponed
from services.intake.rules.row import State
from tests.services.intake.samples import (
    FACTS,
    LATER,
    NOON,
    Intake,
    again,
    at,
    cancel,
    handed,
    id_of,
    in_,
    kinds,
    move,
    requested,
    ripe,
    sent,
    unacceptable,
)


def waiting(**fields: Any) -> Intake:
    intake = Intake()
    assert kinds(intake.hear(requested(**LATER, **fields))) == ["scheduled"]
    return intake


# ------------------------------------------------------------------------------------------------ P1, P3.1


def test_p1_the_same_key_with_another_body_is_refused_and_changes_nothing() -> None:
    intake, _ = handed()
    before = intake.row()
    (refused,) = intake.hear(requested(body="another"))
    assert isinstance(refused, e.Refused)
    assert refused.id != before.id and refused.conflicts_with == before.id
    assert intake.row() is before
    assert intake.hear(requested(body="another"))[0].ce_id == refused.ce_id


def test_p1_the_refusal_of_what_cannot_be_met_is_one_too() -> None:
    intake, _ = handed()
    (refused,) = intake.hear(unacceptable())
    assert isinstance(refused, e.Refused) and refused.conflicts_with == id_of("k1")


def test_p3_1_a_repeat_says_the_same_event_for_event() -> None:
    intake, due = handed()
    assert intake.hear(requested(), 100) == [due]
    later = waiting()
    assert later.hear(requested(**LATER), 100)[0].ce_id == later.hear(requested(**LATER), 200)[0].ce_id


def test_p3_1_a_repeat_says_what_was_judged_although_the_world_has_changed() -> None:
    intake, due = handed(user_id="alice")
    intake.facts = Intake().facts.__class__(policy=FACTS.policy)
    assert intake.hear(requested(user_id="alice")) == [due]


def test_p3_1_the_repeat_of_an_ended_one_is_its_outcome() -> None:
    intake, due = handed()
    told = sent(due, provider="smtp")
    intake.rows[due.id] = heard(intake.row(), told, told.model_dump_json().encode())
    assert intake.hear(requested()) == [told]
    assert intake.hear(ripe()) == [told]
    assert intake.hear(cancel()) == [told]


def test_p3_1_a_handed_row_keeps_the_end_it_was_asked_for() -> None:
    intake, _ = handed()
    (ending,) = intake.hear(cancel(), 1)
    assert intake.hear(requested(), 2) == [ending]
    assert intake.hear(ripe(), 3) == [ending]


def test_p3_1_said_again_by_the_gateway_a_handed_row_says_scheduled_alone() -> None:
    intake, _ = handed()
    for said in (intake.hear(requested(again=True)), intake.hear(again())):
        (event,) = said
        assert isinstance(event, e.Scheduled) and event.handed and event.at is None


def test_p3_1_said_again_what_was_never_judged_is_judged_as_new() -> None:
    assert kinds(Intake().hear(requested(again=True))) == ["due"]


def test_p3_1_again_of_an_unknown_id_is_nothing() -> None:
    assert Intake().hear(again()) == []


# ------------------------------------------------------------------------------------------------ P3.2, P3.3


def test_p3_2_ripe_opens_a_row_that_waits_at_that_round() -> None:
    intake = waiting()
    (due,) = intake.hear(ripe(), 3600)
    assert isinstance(due, e.Due) and due.at == NOON + timedelta(hours=1)


def test_p3_2_ripe_of_an_old_round_opens_nothing() -> None:
    intake = waiting()
    intake.hear(move(to=7200))
    before = intake.row()
    for seconds in (3600, 7200):
        assert kinds(intake.hear(ripe(round=1), seconds)) == ["scheduled"]
        assert intake.row() is before
    assert kinds(intake.hear(ripe(round=2), 7200)) == ["due"]


def test_p3_2_an_earlier_ripe_is_a_repeat() -> None:
    intake = waiting()
    due = intake.hear(ripe(), 3600)
    assert intake.hear(ripe(), 4000) == due


def test_p3_2_ripe_of_an_unknown_id_is_nothing() -> None:
    assert Intake().hear(ripe()) == []


def test_p3_2_a_timer_that_fires_too_early_sends_nothing() -> None:
    intake = waiting()
    (again_later,) = intake.hear(ripe(), 3599)
    assert isinstance(again_later, e.Scheduled)
    assert (again_later.round, again_later.at) == (2, NOON + timedelta(hours=1))


def test_p3_2_address_and_template_are_those_of_the_day_it_is_sent() -> None:
    intake = waiting(user_id="alice")
    moved = {("default", "alice"): FACTS.people["default", "alice"].__class__(email="new@example.org")}
    intake.facts = FACTS.__class__(people=moved)
    (due,) = intake.hear(ripe(), 3600)
    assert isinstance(due, e.Due) and due.content and due.content.to == "new@example.org"


def test_p3_3_a_move_raises_the_round() -> None:
    intake = waiting()
    (moved,) = intake.hear(move(edit=1, to=60))
    assert isinstance(moved, e.Scheduled)
    assert (moved.round, moved.edit, moved.at) == (2, 1, NOON + timedelta(seconds=60))


def test_p1_only_a_higher_edit_counts() -> None:
    intake = waiting()
    second = intake.hear(move(edit=2, to=60))
    assert intake.hear(move(edit=1, to=7200)) == second
    assert intake.hear(move(edit=2, to=7200)) == second
    assert kinds(intake.hear(move(edit=3, to=7200))) == ["scheduled"]


def test_p3_3_a_move_of_what_no_longer_waits_is_refused() -> None:
    intake, _ = handed()
    (refused,) = intake.hear(move(edit=4))
    assert isinstance(refused, e.MoveRefused) and refused.edit == 4
    ended = waiting()
    ended.hear(cancel())
    assert kinds(ended.hear(move())) == ["move_refused", "failed"]


def test_p1_a_move_of_an_unknown_id_is_remembered() -> None:
    intake = Intake()
    assert intake.hear(move(edit=2, to=7200)) == []
    assert intake.hear(move(edit=1, to=60)) == []
    (scheduled,) = intake.hear(requested(**LATER))
    assert isinstance(scheduled, e.Scheduled)
    assert (scheduled.at, scheduled.edit) == (NOON + timedelta(hours=2), 2)


# ------------------------------------------------------------------------------------------------ P3.4


def test_p3_4_a_waiting_row_ends_and_its_timer_is_taken_back() -> None:
    intake = waiting()
    failed, taken_back = intake.hear(cancel(reason="changed my mind"))
    assert isinstance(failed, e.Failed) and isinstance(taken_back, e.TakeBack)
    assert (failed.outcome, failed.reason) == (Status.CANCELLED, "changed my mind")
    assert intake.hear(ripe(), 3600) == [failed]


def test_p3_4_a_handed_row_is_ended_by_the_sender_alone() -> None:
    intake, _ = handed(lane=Lane.BULK)
    (ending,) = intake.hear(cancel())
    assert isinstance(ending, e.Due)
    assert (ending.end, ending.content) == (End.CANCELLED, None)
    assert of_event(ending).lane is Lane.URGENT
    assert intake.row().state is State.HANDED


def test_p3_4_the_first_end_that_was_asked_for_stays() -> None:
    intake, _ = handed()
    intake.hear(cancel(reason="first"))
    (ending,) = intake.hear(cancel(reason="second"))
    assert isinstance(ending, e.Due) and ending.end_reason == "first"


def test_p3_4_said_again_a_cancel_under_way_is_not_driven() -> None:
    intake, _ = handed()
    intake.hear(cancel())
    (event,) = intake.hear(cancel(again=True))
    assert isinstance(event, e.Scheduled) and event.handed


def test_p3_4_the_cancel_of_an_unknown_id_is_answered_at_once_and_remembered() -> None:
    intake = Intake()
    (failed,) = intake.hear(cancel())
    assert isinstance(failed, e.Failed) and failed.outcome is Status.CANCELLED
    assert intake.hear(cancel()) == [failed]
    (ended,) = intake.hear(requested())
    assert isinstance(ended, e.Failed) and ended.outcome is Status.CANCELLED
    assert intake.row().fingerprint is not None
    assert kinds(intake.hear(requested(body="other"))) == ["request.refused"]


def test_p3_4_a_cancel_beats_a_remembered_move() -> None:
    intake = Intake()
    intake.hear(move())
    intake.hear(cancel())
    assert kinds(intake.hear(requested(**LATER))) == ["failed"]


def test_p3_4_another_tenant_cancels_nothing() -> None:
    intake, due = handed()
    assert intake.hear(cancel(tenant="other")) == []
    assert intake.hear(requested()) == [due]


def test_p3_4_nor_does_what_another_tenant_has_left_behind() -> None:
    intake = Intake()
    intake.hear(cancel(tenant="other"))
    assert kinds(intake.hear(requested())) == ["due"]


@pytest.mark.parametrize(
    ("end", "ends"),
    [
        (GroupEnd(None, NOON), True),
        (GroupEnd(None, NOON + timedelta(seconds=5)), True),
        (GroupEnd(None, FOR_EVER), True),
        (GroupEnd(None, NOON - timedelta(milliseconds=1)), False),
        (GroupEnd("source:tests", NOON), True),
        (GroupEnd("user:somebody-else", NOON), False),
    ],
)
def test_p3_4_a_member_that_comes_after_its_groups_cancel(end: GroupEnd, ends: bool) -> None:
    intake = Intake(FACTS.__class__(groups={("default", "order-7"): [end]}))
    assert kinds(intake.hear(requested(group="order-7"), 9)) == (["failed"] if ends else ["due"])


# ------------------------------------------------------------------------------------------------ P3.5


def test_p3_5_only_the_newest_of_several_unsent_ones_is_sent() -> None:
    intake = Intake()
    key: dict[str, Any] = {"collapse_key": "stock"}
    intake.hear(requested("old", accepted=0, **key, **LATER))
    said = intake.hear(requested("new", accepted=1, **key, **LATER))
    assert kinds(said) == ["scheduled", "failed", "take_back"]
    assert intake.row("old").reason == "collapsed" and intake.row("old").outcome is Status.CANCELLED
    assert intake.row("new").is_open


def test_p3_5_the_order_in_which_they_arrive_decides_nothing() -> None:
    intake = Intake()
    intake.hear(requested("new", accepted=1, collapse_key="stock"))
    (failed,) = intake.hear(requested("old", accepted=0, collapse_key="stock"))
    assert isinstance(failed, e.Failed) and failed.reason == "collapsed"
    assert intake.row("new").end is None


def test_p3_5_a_handed_older_one_is_asked_to_end() -> None:
    intake = Intake()
    intake.hear(requested("old", accepted=0, collapse_key="stock"))
    due, ending = intake.hear(requested("new", accepted=1, collapse_key="stock"))
    assert isinstance(due, e.Due) and due.content
    assert isinstance(ending, e.Due) and ending.end is End.COLLAPSED


@pytest.mark.parametrize(
    "other", [{"to": "bob@example.org"}, {"collapse_key": "price"}, {"channel": "sms", "to": "+33612345678"}]
)
def test_p3_5_another_person_key_or_channel_is_another_matter(other: dict[str, Any]) -> None:
    intake = Intake()
    intake.hear(requested("old", collapse_key="stock"))
    assert kinds(intake.hear(requested("new", accepted=1, **{"collapse_key": "stock", **other}))) == ["due"]


def test_p3_5_one_request_for_several_channels_does_not_collapse_itself() -> None:
    said = Intake().hear(requested(channels=["email", "sms"], user_id="alice", collapse_key="stock"))
    assert kinds(said) == ["due", "due"]


def test_p3_5_a_repeat_collapses_nothing() -> None:
    intake = Intake()
    first = intake.hear(requested("old", collapse_key="stock"))
    assert intake.hear(requested("old", collapse_key="stock")) == first


def test_p3_5_one_that_is_rejected_collapses_nothing() -> None:
    intake = Intake()
    intake.hear(requested("old", collapse_key="stock", user_id="alice"))
    intake.facts = FACTS.__class__()
    intake.hear(requested("new", accepted=1, collapse_key="stock", user_id="alice", expires_at=in_(-1)))
    assert intake.row("old").end is None


# ------------------------------------------------------------------------------------------------ what is heard


def test_p2_the_highest_outcome_and_the_highest_count_of_unknowns_are_kept() -> None:
    intake, due = handed()
    row = intake.row()
    failed = e.Failed(**due.passed_on(), outcome=Status.FAILED, reason="refused", unknown=2)
    delivered = e.Delivered(**due.passed_on(), at=NOON)
    for event in (failed, delivered, sent(due)):
        row = heard(row, event, event.model_dump_json().encode())
    assert (row.state, row.outcome, row.unknown) == (State.ENDED, Status.DELIVERED, 2)
    intake.rows[due.id] = row
    (said,) = intake.hear(requested())
    assert isinstance(said, e.Delivered) and said.unknown == 2


def test_p3_9_a_retry_postpones_what_is_open_and_nothing_else() -> None:
    intake, due = handed()
    row = intake.row()
    later = postponed(row, NOON + timedelta(seconds=300), at(1))
    assert later.since == NOON + timedelta(seconds=300)
    assert postponed(later, NOON + timedelta(seconds=200), at(1)) is later
    ended = heard(row, told := sent(due), told.model_dump_json().encode())
    assert postponed(ended, NOON + timedelta(seconds=300), at(1)) is ended


def test_urgent_comes_first() -> None:
    assert list(REQUESTED) == [Lane.URGENT, Lane.NORMAL, Lane.BULK]
