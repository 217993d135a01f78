"""Whatever the order in which events arrive, what people see comes out the same (P2)."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import events as e
from contracts.cloudevents import encode
from contracts.identity import child_id
from contracts.request import Attachment, NotificationRequest
from contracts.status import Channel, Status
from services.gateway.rules.projection import Batch, fold
from services.gateway.rules.views import fields_of, view_of

ID = UUID("5f0d6f6e-0000-5000-8000-000000000001")
NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)
COMMON = {"id": ID, "owner": "user:alice", "accepted_at": NOW, "channel": Channel.EMAIL}
REQUEST = NotificationRequest(channel=Channel.EMAIL, to="delivered@simulator.test", subject="s", body="b")


def due(try_: int = 2, round: int = 1) -> e.Due:
    return e.Due(**COMMON, round=round, try_=try_, at=NOW, expires_at=NOW + timedelta(days=3))


def retry(**more: object) -> e.Retry:
    said = {"at": NOW, "due": due(), "reason": "unavailable", "attempt": 1} | more
    return e.Retry(**COMMON, **said)


HISTORY: list[e.Event] = [
    e.Requested(**COMMON, request=REQUEST),
    e.Scheduled(**COMMON, round=1, at=NOW + timedelta(hours=1)),
    e.Scheduled(**COMMON, round=2, edit=7, at=NOW + timedelta(hours=2), expires_at=NOW + timedelta(days=1)),
    e.Cancel(id=ID, command=UUID(int=1), accepted_at=NOW),
    retry(hold=True, due=due(1)),
    retry(unknown=1),
    e.Failed(**COMMON, outcome=Status.CANCELLED, reason="cancelled"),
    e.Sent(**COMMON, at=NOW, try_=2, unknown=1, attempt=2, provider="smtp"),
    e.Delivered(**COMMON, at=NOW, try_=2, unknown=1, attempt=2, provider="smtp"),
]


def asked(request: NotificationRequest) -> dict[str, object]:
    return request.model_dump(mode="json", exclude_defaults=True)


def told(*events: e.Event) -> Batch:
    return fold((event, NOW, None) for event in events)


def seen(batch: Batch) -> object:
    change = batch.changes[ID]
    lines = sorted({(line.event, line.n) for line in change.entries})
    return (
        change.rank,
        change.unknown,
        change.attempts,
        change.round,
        change.planned_at,
        change.expires_at,
        change.sent_at,
        change.edit,
        change.cancelled,
        change.request,
        change.provider,
        lines,
        sorted(batch.orders),
    )


@given(st.permutations(HISTORY))
def test_p2_no_order_is_assumed(events: list[e.Event]) -> None:
    assert seen(told(*events)) == seen(told(*HISTORY))


@given(st.lists(st.sampled_from(HISTORY), min_size=1))
def test_p2_status_is_the_highest_rank_seen(events: list[e.Event]) -> None:
    ranks = []
    batch = Batch()
    for n in range(1, len(events) + 1):
        batch = told(*events[:n])
        ranks.append(batch.changes[ID].rank if ID in batch.changes else 0)
    assert ranks == sorted(ranks)


@pytest.mark.parametrize("event", [event for event in HISTORY if isinstance(event, e.OfNotification)])
def test_p2_any_event_may_create_the_row(event: e.Event) -> None:
    assert told(event).changes[ID].event.owner == "user:alice"


def test_p1_a_refused_request_makes_no_row() -> None:
    first = HISTORY[0]
    assert isinstance(first, e.Requested)
    batch = told(e.Refused.of(first, "other"))
    assert not batch.changes
    assert [refusal.conflicts_with for refusal, _ in batch.refusals] == [ID]


def test_what_is_only_held_back_is_not_retrying() -> None:
    change = told(retry(hold=True, due=due(1))).changes[ID]
    assert change.rank == Status.ACCEPTED.rank
    assert [(line.event, line.try_) for line in change.entries] == [("held", 1)]


def test_a_retry_shows_the_hand_over_that_failed() -> None:
    lines = told(retry(provider="smtp", detail="421 come back")).changes[ID].entries
    assert [(x.event, x.try_, x.attempt, x.provider, x.detail) for x in lines] == [
        ("retrying", 1, 1, "smtp", "at 2027-03-01T12:00:00.000Z: unavailable: 421 come back")
    ]


def test_p2_a_copy_stays_flagged() -> None:
    """Every outcome carries the highest count of unknown hand-overs, even where their own event is lost."""
    lines = told(e.Sent(**COMMON, at=NOW, try_=2, unknown=1)).changes[ID].entries
    assert [line.event for line in lines] == ["unknown", "resent", "sent"]


def test_p5_3_where_another_provider_took_over_is_a_line_of_its_own() -> None:
    """Whichever event tells of it: of the three only one may come."""
    sent = e.Sent(**COMMON, at=NOW, try_=2, attempt=2, provider="spare", instead_of="main")
    again = retry(due=due(3), provider="spare", instead_of="main")
    ended = e.Failed(
        **COMMON, outcome=Status.FAILED, reason="provider_unavailable", try_=2, provider="spare", instead_of="main"
    )
    for event in (sent, again, ended):
        line = told(event).changes[ID].entries[0]
        assert (line.event, line.n, line.try_, line.provider, line.detail) == (
            "failed_over", "2", 2, "spare", "main failed"
        )  # fmt: skip
    assert [line.event for line in told(sent).changes[ID].entries] == ["failed_over", "sent"]


def test_a_reason_belongs_to_the_highest_status() -> None:
    change = told(
        e.Failed(**COMMON, outcome=Status.CANCELLED, reason="collapsed"),
        e.Failed(**COMMON, outcome=Status.FAILED, reason="perhaps_sent"),
        e.Failed(**COMMON, outcome=Status.EXPIRED, reason="expired"),
    ).changes[ID]
    assert (change.rank, change.reason) == (Status.FAILED.rank, "perhaps_sent")


def test_p3_1_what_is_with_a_sender_already_is_shown_as_handed_over() -> None:
    change = told(e.Scheduled(**COMMON, round=1, handed=True)).changes[ID]
    assert change.rank == Status.ACCEPTED.rank
    assert change.edit == 0
    assert [line.event for line in change.entries] == ["handed_over"]


def test_p6_3_several_channels_are_several_notifications() -> None:
    request = NotificationRequest(channels=(Channel.EMAIL, Channel.INAPP), user_id="bob", subject="s", body="b")
    asked = e.Requested(**(COMMON | {"channel": None, "user_id": "bob"}), request=request)
    changes = told(asked).changes
    parent = changes.pop(ID)
    assert parent.channels == (Channel.EMAIL, Channel.INAPP)
    assert {id: (x.channel, x.parent, x.event.user_id) for id, x in changes.items()} == {
        child_id(ID, "email"): (Channel.EMAIL, ID, "bob"),
        child_id(ID, "inapp"): (Channel.INAPP, ID, "bob"),
    }


def test_p6_6_it_is_found_by_address_and_metadata() -> None:
    request = REQUEST.model_copy(update={"to": "Anna@Example.com", "metadata": {"order": "17", "long": "é" * 40}})
    finds = dict(told(e.Requested(**COMMON, request=request)).changes[ID].finds)
    assert finds["to"] == "anna@example.com"
    assert finds["metadata.order"] == "17"
    assert len(finds["metadata.long"]) == 64


@pytest.mark.parametrize(
    "kept",
    [
        view_of(REQUEST),
        view_of(REQUEST, json.dumps({"source": "shop", "id": 17, "tenant": "t"} | asked(REQUEST)).encode()),
        view_of(REQUEST, encode(e.Requested(**COMMON, request=REQUEST), "gateway").value),
    ],
    ids=["a request", "a record of a stranger", "an event of ours"],
)
def test_p1_what_was_asked_for_is_found_in_whatever_is_kept_of_it(kept: str) -> None:
    assert NotificationRequest.model_validate(fields_of(kept)) == REQUEST


def test_contents_of_attachments_are_not_shown() -> None:
    file = Attachment(name="a.txt", content_type="text/plain", content="aGVsbG8=")
    request = REQUEST.model_copy(update={"attachments": (file,)})
    record = encode(e.Requested(**COMMON, request=request), "gateway").value
    assert fields_of(view_of(request, record))["attachments"] == [{"name": "a.txt", "content_type": "text/plain"}]
