"""People and deadlines that strangers publish, and whatever else comes: an event, or a reason."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from contracts import events as e
from contracts import topics
from contracts.cloudevents import Undecodable, decode, encode
from contracts.outside import Envelope
from contracts.request import NotificationRequest
from contracts.topics import Topic
from tests.contracts.golden import PLACE
from tests.contracts.outside import ID, NORMAL, read

# ------------------------------------------------------------------------------------------------ objects


def test_a_person_is_read_and_normalised() -> None:
    event = read({"user_id": "bob", "email": "bob@Example.ORG", "phone": "+33 6 12 34 56 79"}, topics.RECIPIENTS)
    assert event == e.Recipient(user_id="bob", email="bob@example.org", phone="+33612345679")


@pytest.mark.parametrize(
    "body",
    [
        {"email": "bob@example.org"},
        {"user_id": "a/b"},
        {"user_id": "bob", "tenant": "a/b"},
        {"user_id": "bob\x00"},
        {"user_id": ""},
        {"user_id": "bob", "email": "nobody"},
        {"user_id": "bob", "phone": "0612345678"},
        {"user_id": "bob", "time_zone": "Paris"},
    ],
    ids=str,
)
def test_p7_a_person_that_does_not_hold_is_poison(body: dict[str, Any]) -> None:
    with pytest.raises(Undecodable):
        read(body, topics.RECIPIENTS)


def test_an_empty_value_on_a_person_means_forget() -> None:
    assert read(b"", topics.RECIPIENTS, b"acme/bob") == e.Tombstone(tenant="acme", path="bob")
    assert read(b"", topics.RECIPIENTS, b"bob") == e.Tombstone(path="bob")
    assert decode(topics.RECIPIENTS, b"acme/bob", None, [], PLACE) == e.Tombstone(tenant="acme", path="bob")


@pytest.mark.parametrize(
    ("topic", "key"),
    [
        (NORMAL, b"default/x"),
        (topics.SETTINGS, b"x"),
        (topics.RECIPIENTS, None),
        (topics.RECIPIENTS, b"/"),
        (topics.RECIPIENTS, b"\xff"),
    ],
)
def test_p7_an_empty_value_elsewhere_is_poison(topic: Topic, key: bytes | None) -> None:
    with pytest.raises(Undecodable):
        decode(topic, key, None, [], PLACE)


# ------------------------------------------------------------------------------------------------ anything

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.datetimes().map(str),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=6,
)


FIELDS = [*NotificationRequest.model_fields, *Envelope.model_fields, *e.Recipient.model_fields]


objects = st.dictionaries(
    st.sampled_from(FIELDS), anything | st.sampled_from(["cancel", "move", "email", ID, "2027-03-02T08:00"]), max_size=6
)


headers = st.lists(
    st.tuples(
        st.sampled_from(["ce_type", "ce_id", "ce_source", "ce_subject", "traceparent", "x"]),
        st.binary(max_size=20) | st.sampled_from([b"tocsin.requested", b"tocsin.cancel", b"tocsin.ripe", ID.encode()]),
    ),
    max_size=4,
)


@settings(max_examples=400)
@given(
    st.sampled_from(topics.ALL),
    st.none() | st.binary(max_size=20),
    st.none() | st.binary(max_size=60) | objects.map(lambda body: json.dumps(body).encode()),
    headers,
)
@example(NORMAL, None, b'{"id":' + b"9" * 5000 + b"}", [])
@example(NORMAL, None, b'{"id":' + b"9" * 4000 + b"}", [])
@example(NORMAL, None, b'{"type":"move","id":"1","send_at":"2027-03-02T08:00","time_zone":7}', [])
@example(NORMAL, None, b'{"a":' * 150 + b"1" + b"}" * 150, [])
def test_p7_whatever_comes_is_an_event_or_undecodable(
    topic: Topic, key: bytes | None, value: bytes | None, said: list[tuple[str, bytes]]
) -> None:
    try:
        event = decode(topic, key, value, said, PLACE)
    except Undecodable:
        return
    if event is not None and not isinstance(event, e.Unacceptable):
        record = encode(event, "gateway")
        if isinstance(event, e.Requested):
            assert decode(topic, record.key, record.value, record.headers, PLACE) == event


def test_a_deadline_is_read_as_rest_reads_it() -> None:
    """Local time with its zone, an own plan, whose it is; what is not known is passed over."""
    body = {
        "id": 118,
        "title": "Dossier 118",
        "due_at": "2027-03-01T17:00",
        "time_zone": "Europe/Paris",
        "assignees": ["bob", "bob"],
        "source": "dossiers",
        "colour": "red",
        "plan": {"reminders": [{"rule": "x", "days": -1, "at": "08:00", "while": "urgent"}]},
    }
    found = read(body, topics.DEADLINES)
    assert isinstance(found, e.Deadline)
    assert (found.key, found.owner, found.assignees) == ("default/118", "source:dossiers", ("bob",))
    assert found.due_at == datetime(2027, 3, 1, 16, tzinfo=UTC)


@pytest.mark.parametrize("body", [{"status": "closed"}, {"urgent": True, "title": "x", "assignees": ["bob"]}])
def test_a_deadline_that_is_closed_or_urgent_needs_no_date(body: dict[str, Any]) -> None:
    assert isinstance(read({"id": "118"} | body, topics.DEADLINES), e.Deadline)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({}, "due_at: give due_at"),
        ({"due_date": "2027-02-30"}, "due_date: is not a day"),
        ({"due_date": "20270201"}, "due_date: is not a day"),
        ({"due_date": "2027-02-01", "due_at": "2027-02-01T08:00Z"}, "not both"),
        ({"due_at": "2027-02-01T08:00"}, "has no offset"),
        ({"due_at": "9999-02-01T08:00Z"}, "outside the years"),
        ({"due_date": "2027-02-01", "assignees": ["b b"]}, "assignees"),
        ({"due_date": "2027-02-01", "time_zone": "Europe/Pariss"}, "did you mean Europe/Paris"),
        ({"due_date": "2027-02-01", "id": "a/b"}, "id"),
        ({"due_date": "2027-02-01", "plan": {"reminders": [{"rule": "x"}]}}, "plan"),
    ],
)
def test_p7_a_deadline_that_does_not_hold_is_poison(body: dict[str, Any], why: str) -> None:
    """With a sentence that names the field."""
    said = {"id": "118", "title": "x", "assignees": ["bob"]} | body
    with pytest.raises(Undecodable, match=why):
        read(said, topics.DEADLINES)
