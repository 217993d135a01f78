"""What strangers publish is read, or refused with a reason; nothing they write stops a reader."""

import json
from typing import Any
from uuid import UUID

import pytest

from contracts import events as e
from contracts import topics
from contracts.cloudevents import Undecodable, decode, encode
from contracts.identity import milliseconds, notification_id
from contracts.status import Lane
from contracts.topics import Topic
from tests.contracts.golden import NOON, PLACE, golden
from tests.contracts.outside import ID, NORMAL, read

MAIL = {"channel": "email", "to": "alice@example.org", "subject": "Hello", "body": "Good morning."}
LARGE = {"name": "a.pdf", "content_type": "application/pdf", "content": "A" * 720_000}
ORDER = {"source": "shop", "id": "order-77"}
WHEN = {"send_at": "2027-03-02T08:00", "time_zone": "Europe/Paris"}


def requested(body: object, topic: Topic = NORMAL, **headers: str) -> e.Requested:
    event = read(body, topic, **headers)
    assert isinstance(event, e.Requested), event
    return event


def problems(body: object, topic: Topic = NORMAL, **headers: str) -> tuple[str, ...]:
    event = read(body, topic, **headers)
    assert isinstance(event, e.Unacceptable), event
    return event.problems


# ------------------------------------------------------------------------------------------------ requests


def test_the_line_of_the_readme_works() -> None:
    """`kcat -P -t notifications.requested`: one line of JSON, no key, no headers."""
    event = requested(b'{"channel":"email","to":"you@example.org","subject":"Hello","body":"It works."}')
    assert (event.tenant, event.owner, event.lane, event.accepted_at) == ("default", "source:", Lane.NORMAL, NOON)
    assert event.id.version == 5


@pytest.mark.parametrize("one", golden("outside.request"), ids=lambda one: one.what)
def test_the_examples_are_requests(one: Any) -> None:
    assert isinstance(one.read(), e.Requested)


@pytest.mark.parametrize("one", golden("outside.cancel"), ids=lambda one: one.what)
def test_the_examples_are_cancels(one: Any) -> None:
    assert isinstance(one.read(), e.Cancel)


@pytest.mark.parametrize("one", golden("outside.move"), ids=lambda one: one.what)
def test_the_examples_are_moves(one: Any) -> None:
    assert isinstance(one.read(), e.Move)


def test_p1_id_and_source_name_it_wherever_it_stands() -> None:
    said = requested(MAIL | {"source": "shop", "id": "order-77"})
    again = decode(NORMAL, b"any", json.dumps(MAIL | {"id": "order-77", "source": "shop"}).encode(), [], PLACE)
    assert said.id == notification_id("default", "source:shop", "order-77")
    assert again == said


def test_p1_headers_come_before_the_body() -> None:
    event = requested(MAIL | {"source": "x", "id": "y"}, ce_source="shop", ce_id="order-77", ce_type="org.example.x")
    assert event.id == notification_id("default", "source:shop", "order-77")


def test_p1_a_number_is_an_id() -> None:
    assert requested(MAIL | {"id": 77}).id == requested(MAIL | {"id": "77"}).id


def test_p1_a_record_without_id_is_named_by_its_place() -> None:
    assert requested(MAIL).id == requested(MAIL).id != requested(MAIL | {"body": "Another."}).id


def test_p1_a_tenant_is_a_world_of_its_own() -> None:
    event = requested(MAIL | {"tenant": "acme", "id": "1"})
    assert event.tenant == "acme"
    assert event.id != requested(MAIL | {"id": "1"}).id


@pytest.mark.parametrize("lane", list(Lane))
def test_the_topic_is_the_lane_whatever_the_body_says(lane: Lane) -> None:
    assert requested(MAIL | {"lane": "urgent"}, topics.REQUESTED[lane]).lane is lane


def test_what_was_read_can_be_passed_on() -> None:
    event = requested(MAIL | {"id": "1", "data": {"a": None}})
    record = encode(event, "gateway")
    assert decode(NORMAL, record.key, record.value, record.headers, PLACE) == event


def test_nulls_count_as_left_out() -> None:
    event = requested(MAIL | dict.fromkeys(("type", "tenant", "id", "source", "notification_id")))
    assert (event.tenant, event.owner) == ("default", "source:")


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({}, "channel: give channel"),
        (MAIL | {"to": "nobody"}, "to: is not an email address"),
        (MAIL | {"attachments": [LARGE]}, "attachments: are larger than 512 KiB together: send a link"),
        (MAIL | {"attachments": [LARGE | {"content": "?"}]}, "attachments.0.content: is not base64"),
        (MAIL | {"colour": "red"}, "colour: is not a field here"),
        (MAIL | {"body": "\x00"}, "body: holds the character NUL"),
        (MAIL | {"tenant": "a/b"}, "tenant: holds a slash, a line break"),
        (MAIL | {"tenant": "a\x00"}, "tenant: holds a slash, a line break"),
        (MAIL | {"tenant": ["a"]}, "tenant: Input should be a valid string"),
        (MAIL | {"source": "x\n"}, "source: holds a line break"),
        (MAIL | {"source": "x" * 251}, "source: has more than 250 characters"),
        (MAIL | {"id": True}, "id: Input should be a valid string"),
        (MAIL | {"id": {"a": 1}}, "id: Input should be a valid string"),
        (MAIL | {"id": "x" * 301}, "id: has more than 300 characters"),
        (MAIL | {"type": "send"}, "type: Input should be 'request', 'cancel' or 'move'"),
        (MAIL | {"type": ["cancel"]}, "type: Input should be"),
        (MAIL | {"notification_id": "x"}, "notification_id: Input should be a valid UUID"),
    ],
)
def test_p7_a_request_that_is_an_object_is_never_poison(body: dict[str, Any], problem: str) -> None:
    assert any(line.startswith(problem) for line in problems(body)), problems(body)


UNREADABLE_OBJECTS = {
    "a number of 4,301 digits": b'{"source": "shop", "id": "order-77", "channel": "email", "data": {"n": %s}}'
    % (b"1" * 4301),
    "a lone surrogate": b'{"source": "shop", "id": "order-77", "channel": "email", "body": "\\ud800"}',
    "a lone surrogate as a name": b'{"source": "shop", "id": "order-77", "\\udfff": 1}',
    "300 levels": b'{"source": "shop", "id": "order-77", "data": %s}' % (b"[" * 300 + b"]" * 300),
}


@pytest.mark.parametrize("value", UNREADABLE_OBJECTS.values(), ids=UNREADABLE_OBJECTS)
def test_p7_an_object_that_no_reader_takes_is_rejected_under_its_id(value: bytes) -> None:
    event = read(value)
    assert isinstance(event, e.Unacceptable)
    assert event.id == notification_id("default", "source:shop", "order-77")
    assert event.problems[0].startswith("body: holds what no reader takes")


@pytest.mark.parametrize("value", UNREADABLE_OBJECTS.values(), ids=UNREADABLE_OBJECTS)
def test_p7_under_our_header_it_is_rejected_under_that_id(value: bytes) -> None:
    event = read(value, ce_type="tocsin.requested", ce_subject=ID)
    assert isinstance(event, e.Unacceptable)
    assert str(event.id) == ID


def test_p7_where_the_id_itself_is_too_long_the_place_names_it() -> None:
    event = read(b'{"id": %s}' % (b"1" * 4301))
    assert isinstance(event, e.Unacceptable)
    assert event.id == read(b'{"id": %s}' % (b"1" * 4301)).subject  # type: ignore[union-attr]


@pytest.mark.parametrize("value", [b'{"id": "a", "n": NaN}', b'{"a":' * 5000 + b"1" + b"}" * 5000, b'{"id": "\xff"}'])
def test_p7_what_is_not_json_or_nested_without_end_is_poison(value: bytes) -> None:
    with pytest.raises(Undecodable):
        read(value)


def test_p7_a_refused_request_keeps_its_name() -> None:
    event = read(MAIL | {"to": "nobody", "source": "shop", "id": "order-77", "tenant": "acme"})
    assert isinstance(event, e.Unacceptable)
    assert (event.id, event.tenant) == (notification_id("acme", "source:shop", "order-77"), "acme")


def test_p7_a_bad_part_of_the_envelope_does_not_hide_the_rest() -> None:
    event = read(MAIL | {"id": ["no"], "source": "shop", "tenant": "acme"})
    assert isinstance(event, e.Unacceptable)
    assert (event.owner, event.tenant) == ("source:shop", "acme")


@pytest.mark.parametrize(
    "value",
    [b"\xff\xfe", b"{", b"null", b"[]", b'"text"', b"7", b"NaN", b'{"a":NaN}', b"[" * 9999, b" "],
    ids=ascii,
)
def test_p7_what_is_no_object_is_poison(value: bytes) -> None:
    with pytest.raises(Undecodable):
        read(value)


# ------------------------------------------------------------------------------------------------ cancels and moves


def test_a_cancel_names_source_and_id() -> None:
    asked, event = requested(MAIL | ORDER), read({"type": "cancel"} | ORDER)
    assert isinstance(event, e.Cancel)
    assert (event.id, event.group, event.owner) == (asked.id, None, None)


def test_a_cancel_may_name_them_in_headers() -> None:
    event = read({"type": "cancel"}, ce_source="shop", ce_id="order-77", ce_type="org.example.cancel")
    assert isinstance(event, e.Cancel)
    assert event.id == notification_id("default", "source:shop", "order-77")


def test_the_id_in_the_body_of_a_cancel_comes_before_its_own_ce_id() -> None:
    event = read({"type": "cancel", "id": "order-77"}, ce_source="shop", ce_id="a new one", ce_type="x")
    assert isinstance(event, e.Cancel)
    assert event.id == notification_id("default", "source:shop", "order-77")


def test_a_cancel_of_a_group_is_that_even_with_an_id_of_its_own_in_the_headers() -> None:
    event = read({"type": "cancel", "group": "order/77"}, ce_source="shop", ce_id="c-1", ce_type="x")
    assert isinstance(event, e.Cancel)
    assert (event.id, event.group, event.owner) == (None, "order/77", "source:shop")


def test_a_move_names_its_new_instant() -> None:
    event = read({"type": "move", "notification_id": ID} | WHEN)
    assert isinstance(event, e.Move)
    assert (event.id, event.at.isoformat()) == (UUID(ID), "2027-03-02T07:00:00+00:00")
    assert event.edit == milliseconds(NOON), "a later record of Kafka is a higher edit"


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"type": "cancel"}, "notification_id: a cancel names notification_id, or source and id, or group"),
        ({"type": "cancel", "source": "shop"}, "notification_id: a cancel names"),
        ({"type": "cancel", "notification_id": 7}, "notification_id: "),
        ({"type": "cancel", "group": ""}, "group: is empty"),
        ({"type": "cancel", "group": 7}, "group: Input should be a valid string"),
        ({"type": "cancel", "group": "a\x00"}, "group: "),
        ({"type": "move", "id": "1"}, "send_at: "),
        ({"type": "move", "send_at": "2027-03-02T08:00Z"}, "notification_id: a move names notification_id"),
        ({"type": "move", "id": "1", "send_at": 7}, "send_at: Input should be a valid string"),
        ({"type": "move", "id": "1", "send_at": "soon"}, "send_at: is not a time"),
        ({"type": "move", "id": "1"} | WHEN | {"time_zone": 7}, "time_zone: Input should be"),
        ({"type": "move", "id": "1"} | WHEN | {"send_at": "2027-03-28T02:30"}, "send_at: does not exist"),
        ({"type": "move", "id": "1"} | WHEN | {"time_zone": "Paris"}, "send_at: there is no time zone"),
        ({"type": "move", "id": "1"} | WHEN | {"fold": "x"}, "fold: "),
    ],
)
def test_a_command_that_says_too_little_is_refused(body: dict[str, Any], problem: str) -> None:
    assert any(line.startswith(problem) for line in problems(body)), problems(body)


# ------------------------------------------------------------------------------------------------ ours


def test_an_event_of_ours_that_is_not_known_yet_is_passed_over() -> None:
    assert read({"anything": 1}, ce_type="tocsin.of_a_later_version") is None


def test_an_event_of_ours_that_does_not_hold_is_poison() -> None:
    with pytest.raises(Undecodable, match="round: Field required"):
        read({"id": ID}, ce_type="tocsin.ripe")


def test_p7_a_request_under_our_header_that_does_not_hold_is_rejected_under_its_id() -> None:
    event = read({"request": MAIL | {"to": "nobody"}, "tenant": "acme"}, ce_type="tocsin.requested", ce_subject=ID)
    assert isinstance(event, e.Unacceptable)
    assert (event.id, event.tenant) == (UUID(ID), "acme")
    with pytest.raises(Undecodable, match="ce_subject"):
        read({"request": MAIL}, ce_type="tocsin.requested")


def test_p1_a_request_whose_header_names_another_id_is_rejected_under_the_header() -> None:
    """Who goes by headers alone, and who reads it all, speak of one notification."""
    ours = golden("tocsin.requested")[0].read()
    said = encode(ours, "gateway")
    another = str(UUID(int=1))
    other = tuple((name, another.encode() if name == "ce_subject" else text) for name, text in said.headers)
    event = decode(topics.of_event(ours), said.key, said.value, other, PLACE)
    assert isinstance(event, e.Unacceptable)
    assert (str(event.id), event.problems) == (another, ("id: is another one than ce_subject",))


def test_only_ours_are_read_where_no_stranger_writes() -> None:
    with pytest.raises(Undecodable, match="has no header ce_type"):
        read({"a": 1}, topics.SENT)
    with pytest.raises(Undecodable, match=r"no event of notifications\.sent"):
        read({"a": 1}, topics.SENT, ce_type="org.example.sent")
