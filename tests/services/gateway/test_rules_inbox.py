"""The inbox row is the claim: decided once, and said again ever after (P6.2, P5.8)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from contracts import events as e
from contracts.status import Channel, End, Status
from services.gateway.rules.inbox import Claim, answer, decide, fold

NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)


def due(number: int = 1, **more: object) -> e.Due:
    said: dict[str, object] = {
        "id": UUID(int=number),
        "owner": "user:alice",
        "user_id": "bob",
        "channel": Channel.INAPP,
        "accepted_at": NOW,
        "round": 1,
        "at": NOW,
        "expires_at": NOW + timedelta(hours=1),
        "content": e.Content(subject="t", text="b"),
    }
    return e.Due.model_validate(said | more)


END = due(content=None, end=End.COLLAPSED)


@pytest.mark.parametrize(
    ("asked", "outcome", "reason"),
    [
        (due(), Status.SENT, None),
        (due(expires_at=NOW + timedelta(microseconds=1)), Status.SENT, None),
        (due(expires_at=NOW), Status.EXPIRED, "expired"),
        (END, Status.CANCELLED, "collapsed"),
        (due(content=None, end=End.EXPIRED), Status.EXPIRED, "expired"),
        (due(content=None, end=End.CANCELLED, end_reason="acknowledged"), Status.CANCELLED, "acknowledged"),
        (due(user_id=None), Status.FAILED, "nothing_to_show"),
    ],
)
def test_what_becomes_of_an_entry(asked: e.Due, outcome: Status, reason: str | None) -> None:
    assert decide(asked, NOW) == (outcome, reason)


def test_p6_2_a_repeat_says_the_same_event() -> None:
    claim = Claim(due().id, Status.SENT, None, NOW, 7)
    said = answer(due(), claim)
    assert said.ce_id == answer(END, claim).ce_id
    assert isinstance(said, e.Sent) and said.offset == 7


def test_p5_8_an_end_is_said_with_its_reason() -> None:
    said = answer(due(), Claim(due().id, Status.CANCELLED, "collapsed", NOW))
    assert isinstance(said, e.Failed)
    assert (said.outcome, said.reason) == (Status.CANCELLED, "collapsed")


def test_p5_8_an_end_stops_what_it_meets_in_its_batch() -> None:
    assert fold([due(), due(2), END, due()]) == [END, due(2)]
