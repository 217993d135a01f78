"""The checks of a request, a row each: REST and Kafka share them, so they are tried once."""

from base64 import b64encode
from hashlib import sha256
from typing import Any

import pytest
from pydantic import ValidationError

from contracts.cloudevents import encode, problems_of
from contracts.events import Requested
from contracts.request import Attachment, NotificationRequest
from contracts.status import Channel
from tests.contracts.golden import golden

MAIL = {"channel": "email", "to": "alice@example.org", "subject": "Hello", "body": "Good morning."}
SMS = {"channel": "sms", "to": "+33612345678", "body": "Good morning."}
BELL = {"channel": "inapp", "user_id": "alice", "subject": "Hello", "body": "Good morning."}
PARIS = "Europe/Paris"
PDF = {"name": "a.pdf", "content_type": "application/pdf", "content": "AAAA"}
DEEP: dict[str, Any] = {"a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": {"i": 1}}}}}}}}}


@pytest.mark.parametrize(
    "body",
    [
        MAIL,
        SMS,
        BELL,
        MAIL | {"body": "é" * 200_000},
        MAIL | {"subject": "Prix : 10 €, c'est Ñoël 🎄"},
        MAIL | {"subject": "with a\ttab"},
        MAIL | {"body": None, "html": "<p>Hello</p>"},
        MAIL | {"subject": None, "body": None, "template": "welcome", "data": {"name": "Alice"}},
        SMS | {"body": "x" * 1600},
        BELL | {"channel": None, "channels": ["inapp", "email", "sms"]},
        BELL | {"subject": None},
        MAIL | {"send_at": "2027-03-01T08:00:00+01:00", "expires_at": "2027-03-01T07:00:01Z"},
        MAIL | {"send_at": "2027-03-28T02:30", "time_zone": "Europe/Paris", "fold": 0},
        MAIL | {"to": "delivered@simulator.test"},
        MAIL | {"attachments": [PDF, PDF | {"name": "été 2027.ics", "content_type": "text/calendar; method=REQUEST"}]},
        MAIL | {"metadata": {f"k{n}": "é" * 32 for n in range(8)}},
        MAIL | {"reply_to": "orders@example.org", "locale": "fr-FR", "group": "order/4711", "collapse_key": "é 1"},
        BELL | {"escalate": [{"after_seconds": 60, "channel": "email"}, {"after_seconds": 300, "channel": "sms"}]},
    ],
    ids=lambda body: ", ".join(body),
)
def test_this_may_be_asked_for(body: dict[str, Any]) -> None:
    NotificationRequest.model_validate(body)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({}, "channel: give channel"),
        ({"channel": "fax"}, "channel: Input should be 'email', 'sms' or 'inapp'"),
        (MAIL | {"colour": "red"}, "colour: is not a field here"),
        (MAIL | {"channels": ["email"]}, "channel: give channel, or channels"),
        (MAIL | {"channel": None, "channels": []}, "channel: give channel, or channels"),
        (BELL | {"channel": None, "channels": ["sms", "sms"]}, "channels: names one channel twice"),
        (MAIL | {"channel": None, "channels": ["email", "sms"]}, "user_id: several channels need user_id"),
        (MAIL | {"to": None}, "to: give either to"),
        (MAIL | {"user_id": "alice"}, "to: give either to"),
        (MAIL | {"to": ""}, "to: is empty"),
        (MAIL | {"to": "nobody"}, "to: is not an email address"),
        (MAIL | {"to": "+33612345678"}, "to: is not an email address"),
        (MAIL | {"to": "a@example.org\r\nBcc: b@example.org"}, "to: is not an email address"),
        (MAIL | {"to": "a\x00@example.org"}, "to: is not an email address"),
        (MAIL | {"to": '"a b"@example.org'}, "to: is not an email address: Quoting"),
        (MAIL | {"to": "a@\u0430pple.com"}, "to: its domain mixes alphabets"),
        (SMS | {"to": "0612345678"}, "to: is not an international number"),
        (SMS | {"to": "alice@example.org"}, "to: is not an international number"),
        (BELL | {"user_id": None, "to": "alice@example.org"}, "user_id: the channel inapp needs user_id"),
        (BELL | {"user_id": "a/b"}, "user_id: holds more than letters, digits"),
        (BELL | {"user_id": "alice\n"}, "user_id: holds more than letters, digits"),
        (BELL | {"user_id": "x" * 65}, "user_id: has more than 64 characters: shorten it"),
        (MAIL | {"subject": None}, "subject: an email needs a subject"),
        (MAIL | {"subject": "Hello\r\nBcc: b@example.org"}, "subject: holds a line break"),
        (MAIL | {"subject": "Hello\nthere"}, "subject: holds a line break"),
        (MAIL | {"subject": "Hello\x00"}, "subject: holds a line break or control character"),
        (MAIL | {"subject": "Hello\u2028there"}, "subject: holds a line break"),
        (MAIL | {"subject": "Hello\x85there"}, "subject: holds a line break"),
        (MAIL | {"subject": "x" * 501}, "subject: has more than 500 characters: shorten it"),
        (MAIL | {"body": None}, "body: give body"),
        (SMS | {"body": None, "html": "<p>x</p>"}, "body: give body"),
        (BELL | {"channel": None, "channels": ["email", "sms"], "body": None, "html": "<p>x</p>"}, "body: give body"),
        (MAIL | {"body": "nul \x00"}, "body: holds the character NUL"),
        (MAIL | {"html": "nul \x00"}, "html: holds the character NUL"),
        (MAIL | {"html": "é" * 32_769}, "html: is larger than 64 KiB"),
        (SMS | {"body": "x" * 1601}, "body: a text message holds at most 1600 characters, this one has 1601"),
        (SMS | {"body": " \n"}, "body: a text message needs a text"),
        (BELL | {"channel": None, "channels": ["inapp", "sms"], "body": ""}, "body: a text message needs a text"),
        (MAIL | {"group": "a\x00"}, "group: holds a line break or control character"),
        (MAIL | {"collapse_key": "a\nb"}, "collapse_key: holds a line break or control character"),
        (MAIL | {"data": {"a": ["\x00"]}}, "data: holds the character NUL"),
        (MAIL | {"data": {"a\x00": 1}}, "data: holds the character NUL"),
        (MAIL | {"data": DEEP}, "data: is nested more than 8 levels deep"),
        (MAIL | {"metadata": {f"k{n}": "v" for n in range(9)}}, "metadata: has more than 8 entries: leave some out"),
        (MAIL | {"metadata": {"k": "é" * 33}}, "metadata: k: holds at most 64 bytes"),
        (MAIL | {"metadata": {"k": "\x00"}}, "metadata: k: holds at most 64 bytes, and no NUL"),
        (MAIL | {"metadata": {"a key": "v"}}, "metadata.a key.[key]: holds more than letters"),
        (MAIL | {"send_at": "tomorrow"}, "send_at: is not a time"),
        (MAIL | {"send_at": "2027-03-01T08:00"}, "send_at: has no offset"),
        (MAIL | {"send_at": "2027-03-28T02:30", "time_zone": PARIS}, "send_at: does not exist in Europe/Paris"),
        (MAIL | {"send_at": "2027-10-31T02:30", "time_zone": PARIS}, "send_at: exists twice in Europe/Paris"),
        (
            MAIL | {"time_zone": "Europe/Pari"},
            "time_zone: there is no time zone “Europe/Pari”; did you mean Europe/Paris",
        ),
        (MAIL | {"fold": 2}, "fold: Input should be 0 or 1"),
        (MAIL | {"expires_at": "2027-03-01"}, "expires_at: is not a time"),
        (MAIL | {"send_at": "2027-03-01T08:00Z", "expires_at": "2027-03-01T08:00Z"}, "expires_at: must lie after"),
        (SMS | {"attachments": [PDF]}, "attachments: only an email"),
        (MAIL | {"attachments": [PDF | {"name": "../a.pdf"}]}, "attachments.0.name: is a file's name without a folder"),
        (MAIL | {"attachments": [PDF | {"name": "a\r\nb"}]}, "attachments.0.name: holds a line break"),
        (MAIL | {"attachments": [PDF | {"name": ".."}]}, "attachments.0.name: is a file's name"),
        (MAIL | {"attachments": [PDF | {"name": "a\u202efdp.exe"}]}, "attachments.0.name: turns the writing round"),
        (MAIL | {"attachments": [PDF | {"content": "%%%"}]}, "attachments.0.content: is not base64"),
        (MAIL | {"attachments": [PDF | {"content_type": "pdf"}]}, "attachments.0.content_type: is a media type"),
        (MAIL | {"attachments": [PDF | {"content_type": "Message/rfc822"}]}, "attachments.0.content_type: is a media"),
        (MAIL | {"attachments": [PDF | {"content_type": "a/b\r\nX: y"}]}, "attachments.0.content_type: holds a line"),
        (MAIL | {"attachments": [PDF | {"content": "AA\r\nAA"}]}, "attachments.0.content: is not base64 in one piece"),
        (MAIL | {"attachments": [PDF] * 11}, "attachments: has more than 10 entries: leave some out"),
        (MAIL | {"reply_to": "nobody"}, "reply_to: is not an email address"),
        (MAIL | {"reply_to": "a@example.org\r\nX: y"}, "reply_to: holds a line break"),
        (MAIL | {"lane": "express"}, "lane: Input should be"),
        (MAIL | {"locale": "Français"}, "locale: is not a language: write it like fr"),
        (BELL | {"escalate": [{"after_seconds": 0, "channel": "sms"}]}, "escalate.0.after_seconds: Input should be"),
    ],
)
def test_this_is_refused_with_the_field_and_a_reason(body: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError) as refused:
        NotificationRequest.model_validate(body)
    assert any(line.startswith(problem) for line in problems_of(refused.value)), problems_of(refused.value)


def test_attachments_have_half_a_mebibyte_together() -> None:
    half = PDF | {"content": b64encode(b"x" * 256 * 1024).decode()}
    NotificationRequest.model_validate(MAIL | {"attachments": [half, half | {"name": "b.pdf"}]})
    with pytest.raises(ValidationError, match="512 KiB"):
        NotificationRequest.model_validate(MAIL | {"attachments": [half, half, PDF]})


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(ValidationError) as refused:
        NotificationRequest.model_validate({"channel": "email", "to": "nobody"})
    assert [line.partition(":")[0] for line in problems_of(refused.value)] == ["to", "body", "subject"]


def test_p1_the_same_request_has_the_same_fingerprint() -> None:
    first = NotificationRequest.model_validate(MAIL | {"data": {"a": 1, "b": {"c": 2, "d": 3}}})
    same = {"data": {"b": {"d": 3, "c": 2}, "a": 1}, "lane": "normal", "html": None}
    assert NotificationRequest.model_validate(same | MAIL).fingerprint == first.fingerprint
    for other in ({"body": "Good evening."}, {"lane": "urgent"}, {"data": {"a": 1}}, {"data": None}):
        assert NotificationRequest.model_validate(MAIL | same | other).fingerprint != first.fingerprint


SPELT: list[dict[str, Any]] = [
    {},
    {"lane": "normal"},
    {"lane": "bulk"},
    {"html": None},
    {"lane": "normal", "html": "<p>"},
]


@pytest.mark.parametrize("spelt", SPELT)
def test_p1_the_fingerprint_is_of_what_differs_from_the_defaults(spelt: dict[str, Any]) -> None:
    """Pinned to its definition: rows keep it for 35 days, over every upgrade."""
    request = NotificationRequest.model_validate(MAIL | spelt)
    assert request.fingerprint == sha256(request.model_dump_json(exclude_defaults=True).encode()).hexdigest()


def test_p1_the_fingerprint_survives_the_way_through_kafka() -> None:
    for one in golden("tocsin.requested"):
        event = one.read()
        assert isinstance(event, Requested)
        asked = NotificationRequest.model_validate(event.request.model_dump(exclude_unset=True))
        assert asked.fingerprint == event.request.fingerprint
        assert encode(event, "gateway").value is not None


def test_the_channels_of_a_request() -> None:
    assert NotificationRequest.model_validate(SMS).all_channels == (Channel.SMS,)
    several = NotificationRequest.model_validate(BELL | {"channel": None, "channels": ["inapp", "sms"]})
    assert several.all_channels == (Channel.INAPP, Channel.SMS)


def test_a_request_does_not_change_after_the_check() -> None:
    request = NotificationRequest.model_validate(MAIL)
    with pytest.raises(ValidationError, match="frozen"):
        request.to = "somebody@example.org"  # type: ignore[misc]
    with pytest.raises(ValidationError, match="frozen"):
        Attachment.model_validate(PDF).name = "b.pdf"  # type: ignore[misc]
