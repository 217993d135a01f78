"""One request that makes several notifications: channels at once, steps of an escalation (P3.8, P6.3)."""

from datetime import timedelta
from typing import Any

from contracts import events as e
from contracts.identity import child_id
from contracts.status import Channel
from services.intake.rules.facts import GroupEnd
from services.intake.rules.hearing import acknowledged
from services.intake.rules.row import State
from tests.services.intake.samples import (
    FACTS,
    LATER,
    NOON,
    Intake,
    again,
    at,
    cancel,
    id_of,
    kinds,
    move,
    requested,
)

# ------------------------------------------------------------------------------------------------ P6.3 several channels

BOTH: dict[str, Any] = {"channels": ["email", "inapp"], "user_id": "alice"}


def test_p6_3_several_channels_are_one_notification_each_under_the_parent_as_group() -> None:
    intake = Intake()
    email, inapp = intake.hear(requested(**BOTH))
    parent = id_of("k1")
    assert isinstance(email, e.Due) and isinstance(inapp, e.Due)
    assert (email.id, inapp.id) == (child_id(parent, "email"), child_id(parent, "inapp"))
    assert email.group == inapp.group == str(parent)
    assert intake.row().state is State.SPLIT
    assert intake.hear(requested(**BOTH)) == [email, inapp]


def test_p6_3_the_same_key_with_another_body_is_refused_for_the_parent_too() -> None:
    intake = Intake()
    intake.hear(requested(**BOTH))
    assert kinds(intake.hear(requested(channels=["email"], user_id="alice"))) == ["request.refused"]
    assert kinds(intake.hear(requested())) == ["request.refused"]


def test_p6_3_a_cancel_of_the_parent_ends_all_of_them() -> None:
    intake = Intake()
    intake.hear(requested(**BOTH, **LATER))
    assert kinds(intake.hear(cancel())) == ["failed", "take_back"] * 2


def test_p6_3_a_cancel_that_came_before_its_request_ends_all_of_them() -> None:
    intake = Intake()
    intake.hear(cancel())
    assert kinds(intake.hear(requested(**BOTH))) == ["failed", "failed"]
    assert kinds(intake.hear(requested(**BOTH))) == ["failed", "failed"]


def test_p6_3_a_move_of_the_parent_moves_all_of_them() -> None:
    intake = Intake()
    intake.hear(requested(**BOTH, **LATER))
    said = intake.hear(move(to=7200))
    assert [event.at for event in said if isinstance(event, e.Scheduled)] == [NOON + timedelta(hours=2)] * 2
    early = Intake()
    early.hear(move(to=7200))
    said = early.hear(requested(**BOTH, **LATER))
    assert [event.at for event in said if isinstance(event, e.Scheduled)] == [NOON + timedelta(hours=2)] * 2


def test_p6_3_a_cancel_of_the_parent_as_a_group_reaches_members_that_come_later() -> None:
    group = {("default", str(id_of("k1"))): [GroupEnd(None, NOON)]}
    assert kinds(Intake(FACTS.__class__(groups=group)).hear(requested(**BOTH, group="order-7"))) == ["failed", "failed"]


def test_p6_1_again_of_the_parent_is_again_of_all_of_them() -> None:
    intake = Intake()
    intake.hear(requested(**BOTH))
    assert kinds(intake.hear(again())) == ["scheduled", "scheduled"]


# ------------------------------------------------------------------------------------------------ P3.8 escalation

CALL: dict[str, Any] = {
    "channel": "inapp",
    "user_id": "alice",
    "escalate": [{"after_seconds": 60, "channel": "email"}, {"after_seconds": 120, "channel": "sms"}],
}


def test_p3_8_the_steps_of_an_escalation_wait_at_their_instants() -> None:
    intake = Intake()
    inapp, email, sms = intake.hear(requested(**CALL))
    assert isinstance(inapp, e.Due) and isinstance(email, e.Scheduled) and isinstance(sms, e.Scheduled)
    assert (email.channel, email.at) == (Channel.EMAIL, NOON + timedelta(seconds=60))
    assert (sms.channel, sms.at) == (Channel.SMS, NOON + timedelta(seconds=120))
    assert email.group == sms.group == str(inapp.id)
    (due,) = intake.hear(e.Ripe(id=email.id, round=1), 60)
    assert isinstance(due, e.Due) and due.content and due.content.to == "alice@example.org"


def test_p3_8_who_has_read_it_is_not_called_again() -> None:
    intake = Intake()
    _, email, sms = intake.hear(requested(**CALL))
    steps = acknowledged(intake.row(), intake.rows, FACTS, at(30))
    assert [kinds(list(step.said)) for step in steps] == [["failed", "take_back"]] * 2
    assert {step.row.id for step in steps if step.row} == {email.subject, sms.subject}
    assert all(step.row and step.row.reason == "acknowledged" for step in steps)
    intake.rows |= {step.row.id: step.row for step in steps if step.row}
    repeated = acknowledged(intake.row(), intake.rows, FACTS, at(31))
    assert [step.said[0] for step in repeated] == [step.said[0] for step in steps]


def test_p3_8_a_cancel_and_a_move_of_the_first_concern_its_steps() -> None:
    intake = Intake()
    intake.hear(requested(**CALL, **LATER))
    moved = intake.hear(move(to=7200))
    assert [event.at for event in moved if isinstance(event, e.Scheduled)] == [
        NOON + timedelta(seconds=7200 + after) for after in (0, 60, 120)
    ]
    assert kinds(intake.hear(cancel())) == ["failed", "take_back"] * 3
