"""What is written today must be readable for ever: the examples are the judge."""

import json
import uuid
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary_event  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from contracts import events as e
from contracts.cloudevents import encode
from contracts.identity import child_id, uuid5
from tests.contracts.golden import Golden, everything, golden

OURS = [one for one in everything() if one.name.startswith("tocsin.")]
TOLD = [one for one in OURS if one.body is not None]

every_example = pytest.mark.parametrize("one", OURS, ids=lambda one: f"{one.name}: {one.what}")
every_told_example = pytest.mark.parametrize("one", TOLD, ids=lambda one: f"{one.name}: {one.what}")


def source(one: Golden) -> str:
    return dict(one.headers)["ce_source"].decode().removeprefix("/tocsin/")


@every_example
def test_an_example_survives_reading_and_writing(one: Golden) -> None:
    event = one.read()
    written = encode(event, source(one))
    assert event.ce_type == one.name
    assert (written.key, written.headers) == (one.key, one.headers)
    assert (None if written.value is None else json.loads(written.value)) == one.body


@every_told_example
def test_a_reader_passes_over_what_it_does_not_know(one: Golden) -> None:
    assert one.read(of_a_later_version={"deep": [1, None]}) == one.read()


@every_example
def test_keys_begin_with_the_tenant(one: Golden) -> None:
    event = one.read()
    assert event.key.startswith(event.tenant + "/")
    assert (one.body or {"tenant": "default"})["tenant"] == event.tenant


@every_told_example
def test_a_stranger_reads_our_headers(one: Golden) -> None:
    """The `cloudevents` package is the judge: attributes and data as any consumer finds them."""
    written = encode(one.read(), source(one))
    assert written.value is not None
    judged = from_binary_event(KafkaMessage(headers=dict(written.headers), key=written.key, value=written.value))
    assert judged.get_specversion() == "1.0"
    assert judged.get_type() == one.name
    assert judged.get_source() == f"/tocsin/{source(one)}"
    assert UUID(judged.get_id()) == one.read().ce_id
    assert UUID(judged.get_subject() or "") == one.read().subject


def test_ids_tell_all_examples_apart() -> None:
    steps = {(event.subject, event.ce_type, event.n) for event in (one.read() for one in OURS)}
    assert len({one.read().ce_id for one in OURS}) == len(steps)


def test_p1_repeating_a_step_repeats_its_id_and_the_next_step_has_another() -> None:
    [due, *_] = [one.read() for one in golden("tocsin.due")]
    assert isinstance(due, e.Due)
    assert due.ce_id == golden("tocsin.due")[0].read().ce_id
    later = due.model_copy(update={"at": due.at + timedelta(hours=1), "content": None})
    assert later.ce_id == due.ce_id, "what it says does not count, what step it is does"
    steps = [due, due.model_copy(update={"try_": 2}), due.model_copy(update={"round": 2})]
    steps += [due.model_copy(update={"end": "cancelled"})]
    assert len({step.ce_id for step in steps}) == len(steps)


def test_p1_a_hold_is_named_by_the_end_of_the_lease() -> None:
    hold = next(one.read() for one in golden("tocsin.retry") if "lease" in one.what)
    assert isinstance(hold, e.Retry)
    other = hold.model_copy(update={"at": hold.at + timedelta(milliseconds=1)})
    failed = hold.model_copy(update={"hold": False})
    assert len({hold.ce_id, other.ce_id, failed.ce_id}) == 3


def test_p1_the_refusal_of_another_body_has_an_id_of_its_own() -> None:
    request = golden("tocsin.requested")[0].read()
    assert isinstance(request, e.Requested)
    refused = e.Refused.of(request, "a" * 64)
    assert refused.id == child_id(request.id, "a" * 64) != request.id
    assert refused.conflicts_with == request.id
    assert e.Refused.of(request, "b" * 64).id != refused.id


def test_every_event_of_a_notification_can_be_the_first_that_a_reader_sees() -> None:
    for one in TOLD:
        event = one.read()
        if isinstance(event, e.OfNotification):
            assert event.passed_on().keys() >= {"id", "tenant", "owner", "accepted_at", "lane", "channel", "user_id"}


def test_events_do_not_change() -> None:
    event = TOLD[0].read()
    with pytest.raises(ValueError, match="frozen"):
        event.tenant = "other"  # type: ignore[misc]


def test_instants_are_shown_in_utc_with_milliseconds() -> None:
    assert e.named(datetime(2027, 3, 1, 7, 0, 0, 120_999, tzinfo=UTC)) == "2027-03-01T07:00:00.120Z"


@given(st.uuids(), st.text(alphabet=st.characters(codec="utf-8")))
def test_our_uuid5_is_that_of_the_standard(namespace: UUID, name: str) -> None:
    assert uuid5(namespace, name) == uuid.uuid5(namespace, name)
