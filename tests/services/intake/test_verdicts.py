"""Now, later or never: a table of requests, each with its verdict."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from contracts import events as e
from contracts.cloudevents import encode
from contracts.status import Channel, Lane, Status
from contracts.topics import MESSAGE_BYTES
from kit.rendering import Template, Unrenderable
from kit.unsubscribing import Unsubscribing
from services.intake.rules.facts import Found, Person, Policy
from services.intake.rules.row import State
from tests.services.intake.samples import ALICE, FACTS, NOON, Intake, in_, move, requested, ripe, unacceptable

WELCOME = Found(
    "welcome@3",
    Template(subject="Hi {{ name }}", text="Welcome, {{ name }}", sms="Hi", required=("name",), types={"name": "text"}),
)
BROKEN = Found("broken@1", None, Unrenderable("bad_template", "text: is no text"))
QUIET = Found("quiet@1", Template(text="{{ word }} "))
LONG = Found("long@1", Template(subject="{{ name }}", text="{% for i in range(2000) %}x{% endfor %}"))
BELLS = Found("bells@1", Template(text="{% for i in range(200) %}{{ sound }}{% endfor %}"))

KNOWN = replace(
    FACTS,
    people={
        ("default", "alice"): ALICE,
        ("default", "bob"): Person(email="bob@example.org"),
        ("default", "hans"): Person(phone="+4915123456789"),
        ("default", "carol"): Person(email="not an address", phone="0612345678"),
    },
    templates={
        ("default", "welcome"): WELCOME,
        ("default", "welcome@3"): WELCOME,
        ("default", "broken"): BROKEN,
        ("default", "broken@1"): BROKEN,
        ("default", "long"): LONG,
        ("default", "long@1"): LONG,
        ("default", "quiet"): QUIET,
        ("default", "quiet@1"): QUIET,
        ("default", "bells"): BELLS,
        ("default", "bells@1"): BELLS,
    },
    directory_until=NOON + timedelta(seconds=1),
)
NAMED: dict[str, Any] = {"user_id": "alice", "template": "welcome", "subject": None, "body": None}


@pytest.mark.parametrize(
    ("fields", "content"),
    [
        ({}, {"to": "alice@example.org", "subject": "Hello", "text": "How are you?", "locale": None}),
        ({"user_id": "alice"}, {"to": "alice@example.org", "locale": "fr"}),
        ({"user_id": "alice", "locale": "de"}, {"locale": "de"}),
        ({"to": "Alice@EXAMPLE.org"}, {"to": "Alice@example.org"}),
        ({"channel": "sms", "user_id": "alice"}, {"to": "+33612345678", "subject": None}),
        ({"channel": "sms", "to": "+33 6 12 34 56 78"}, {"to": "+33612345678"}),
        (
            {"channel": "inapp", "user_id": "nobody", "data": {"a": 1}},
            {"to": None, "data": {"a": 1}, "text": "How are you?"},
        ),
        ({"channel": "inapp", "user_id": "alice", "html": "<b>"}, {"html": None, "locale": "fr"}),
        ({**NAMED, "data": {"name": "Ann"}}, {"subject": "Hi Ann", "text": "Welcome, Ann", "template": "welcome@3"}),
        ({**NAMED, "template": "welcome@3", "data": {"name": "Ann"}}, {"template": "welcome@3", "data": None}),
        ({**NAMED, "channel": "sms", "data": {"name": "Ann"}}, {"text": "Hi", "subject": None}),
        ({"body": "{{ not a template }}"}, {"text": "{{ not a template }}"}),
        ({"reply_to": "desk@example.org", "html": "<p>"}, {"reply_to": "desk@example.org", "html": "<p>", "raw": True}),
        ({"channel": "sms", "to": "+33612345678", "html": "<p>"}, {"html": None, "raw": None}),
        ({**NAMED, "data": {"name": "Ann"}, "html": "<p>"}, {"html": None, "raw": None}),
    ],
)
def test_due_now(fields: dict[str, Any], content: dict[str, Any]) -> None:
    (due,) = Intake(KNOWN).hear(requested(**fields))
    assert isinstance(due, e.Due) and due.content and due.round == due.try_ == 1
    assert {name: getattr(due.content, name) for name in content} == content


@pytest.mark.parametrize(
    ("fields", "reason", "told"),
    [
        ({"user_id": "bob", "channel": "sms"}, "no_address", "user_id: bob has no telephone number"),
        ({"user_id": "carol"}, "bad_address", "user_id: "),
        ({"user_id": "carol", "channel": "sms"}, "bad_address", "user_id: is not an international number"),
        ({"user_id": "dave"}, "unknown_recipient", "user_id: the directory has no dave"),
        ({**NAMED, "template": "nothing"}, "unknown_template", "template: there is no nothing"),
        ({**NAMED, "template": "broken"}, "bad_template", "template: broken@1: text: is no text"),
        (NAMED, "missing_data", "template: welcome@3: data: the template needs name"),
        (
            {**NAMED, "data": {"name": 7}},
            "bad_data",
            "template: welcome@3: data: name is to be a text",
        ),
        (
            {**NAMED, "template": "long", "channel": "sms", "user_id": "hans"},
            "too_large",
            "1600 characters, this one has 2000",
        ),
        ({**NAMED, "template": "long", "data": {"name": ""}}, "invalid", "subject: an email needs one"),
        ({**NAMED, "template": "long", "data": {"name": "a\nBcc: b@c.de"}}, "invalid", "subject: holds a line break"),
        ({**NAMED, "template": "long", "data": {"name": "a" * 501}}, "too_large", "subject: has more than 500"),
        (
            {**NAMED, "template": "quiet", "channel": "sms", "user_id": "hans", "data": {"word": "\n"}},
            "invalid",
            "body: a text message needs a text",
        ),
        ({"html": "<b>" * 101}, "too_large", "html: has more than 100 elements within each other"),
        ({"channel": "sms", "to": "+33612345678"}, "country_not_allowed", "numbers of FR are not in"),
        ({"channel": "inapp", "user_id": "alice"}, "channel_disabled", "channel: inapp is switched off"),
        ({"send_at": "2040-01-01T00:00:00Z"}, "invalid", "send_at: lies more than ten years ahead"),
    ],
)
def test_never(fields: dict[str, Any], reason: str, told: str) -> None:
    policy = Policy(off=frozenset({Channel.INAPP}), countries=frozenset({"DE"}))
    (failed,) = Intake(replace(KNOWN, policy=policy)).hear(requested(**fields))
    assert isinstance(failed, e.Failed)
    assert (failed.outcome, failed.reason) == (Status.REJECTED, reason)
    assert told in (failed.detail or "")


def test_p7_what_a_template_writes_is_measured_as_json() -> None:
    """A kilobyte of control characters has six as JSON; over Kafka's limit nobody would ever hear of it."""
    intake = Intake(KNOWN)
    wanted = {"template": "bells", "subject": "Ring", "body": None}
    (due,) = intake.hear(requested("short", **wanted, data={"sound": "\x07" * 100}))
    (failed,) = intake.hear(requested("long", **wanted, data={"sound": "\x07" * 1000}))
    assert isinstance(due, e.Due) and isinstance(failed, e.Failed)
    assert (failed.outcome, failed.reason) == (Status.REJECTED, "too_large")
    assert "as JSON" in (failed.detail or "") and "link" in (failed.detail or "")


def test_p7_a_due_that_is_just_not_too_large_fits_into_the_retry_around_it() -> None:
    wanted = {"template": "bells", "subject": "Ring", "body": None, "data": {"sound": "\x07" * 765}}
    (due,) = Intake(KNOWN).hear(requested(**wanted))
    assert isinstance(due, e.Due)
    retry = e.Retry(**due.passed_on(), at=due.at, due=due, reason="unavailable", detail="x" * 2000)
    assert MESSAGE_BYTES * 0.85 < len(encode(retry, "email_sender").value or b"") < MESSAGE_BYTES


LINKS = Unsubscribing("https://n.example.org", "a secret of the tests, long enough", ["account"])
STOPPABLE = replace(
    KNOWN,
    policy=Policy(unsubscribing=LINKS, transactional=frozenset({"account"})),
    templates={
        ("default", name): Found(
            "news@1",
            Template(subject="News", text="News.{% if unsubscribe_url is defined %} {{ unsubscribe_url }}{% endif %}"),
        )
        for name in ("news", "news@1")
    },
)


@pytest.mark.parametrize(
    ("fields", "link"),
    [
        ({"user_id": "alice", "category": "news"}, LINKS.link("default", "alice", "news")),
        ({"user_id": "alice", "category": "account"}, None),
        ({"user_id": "alice"}, None),
        ({"category": "news"}, None),
        ({"user_id": "alice", "category": "news", "channel": "sms"}, None),
        ({"user_id": "alice", "category": "news", "channel": "inapp"}, None),
    ],
    ids=["category", "transactional", "no category", "no person", "text message", "inbox"],
)
def test_a_mail_that_may_be_stopped_says_how(fields: dict[str, Any], link: str | None) -> None:
    """Always by the same link, which its template may show; without a link nothing is there to show."""
    said = [Intake(STOPPABLE).hear(requested(**fields, template=name))[0] for name in (None, "news", "news")]
    contents = [due.content for due in said if isinstance(due, e.Due) and due.content]
    assert [content.unsubscribe for content in contents] == [link] * 3
    assert contents[1].text == (f"News. {link}" if link else "News.")


def test_without_an_address_of_ours_no_mail_has_a_link() -> None:
    (due,) = Intake(KNOWN).hear(requested(user_id="alice", category="news"))
    assert isinstance(due, e.Due) and due.content and due.content.unsubscribe is None


def test_simulator_numbers_are_free_of_the_country_list() -> None:
    facts = replace(KNOWN, policy=Policy(countries=frozenset({"DE"})))
    (due,) = Intake(facts).hear(requested(channel="sms", to="+15005550001"))
    assert isinstance(due, e.Due)


def test_p3_3_what_is_for_later_is_scheduled_without_a_body() -> None:
    (scheduled,) = Intake().hear(requested(send_at=in_(3600)))
    assert isinstance(scheduled, e.Scheduled)
    assert (scheduled.round, scheduled.at) == (1, NOON + timedelta(hours=1))
    assert "How are you?" not in scheduled.model_dump_json()


def test_p7_a_request_that_cannot_be_met_is_rejected_with_its_reason_and_its_repeat_is_too() -> None:
    intake = Intake()
    (failed,) = intake.hear(unacceptable())
    assert isinstance(failed, e.Failed) and failed.reason == "invalid" and "to: is not" in (failed.detail or "")
    assert intake.hear(unacceptable()) == [failed]
    (refused,) = intake.hear(unacceptable(fingerprint="cd" * 32))
    assert isinstance(refused, e.Refused) and refused.conflicts_with == failed.id


# ------------------------------------------------------------------------------------------------ P3.6 unknown


def test_p3_6_an_unknown_recipient_is_looked_up_again_after_two_seconds() -> None:
    intake = Intake(replace(FACTS, directory_until=NOON - timedelta(seconds=1)))
    (waits,) = intake.hear(requested(user_id="dave"), 0.5)
    assert isinstance(waits, e.Scheduled) and waits.why == "unknown_recipient"
    assert waits.at == NOON + timedelta(seconds=2.5)
    intake.facts = replace(intake.facts, people={("default", "dave"): Person(email="dave@example.org")})
    (due,) = intake.hear(ripe(), 3)
    assert isinstance(due, e.Due) and due.content and due.content.to == "dave@example.org"


@pytest.mark.parametrize("until", [None, -3600.0, 0.0])
def test_p3_6_it_waits_while_the_directory_has_not_been_read_past_the_request(until: float | None) -> None:
    known = None if until is None else NOON + timedelta(seconds=until)
    intake = Intake(replace(FACTS, directory_until=known))
    intake.hear(requested(user_id="dave"))
    (waits,) = intake.hear(ripe(), 2)
    assert isinstance(waits, e.Scheduled) and waits.round == 2


def test_p3_6_it_is_rejected_once_the_directory_has_been_read_past_the_request() -> None:
    intake = Intake(replace(FACTS, directory_until=NOON))
    intake.hear(requested(user_id="dave"))
    intake.facts = replace(FACTS, directory_until=NOON + timedelta(milliseconds=1))
    (failed,) = intake.hear(ripe(), 2)
    assert isinstance(failed, e.Failed) and failed.reason == "unknown_recipient"


def test_p3_6_a_clock_that_runs_ahead_delays_the_rejection_by_a_minute_at_most() -> None:
    intake = Intake(replace(FACTS, directory_until=NOON + timedelta(seconds=60)))
    (waits,) = intake.hear(requested(user_id="dave", accepted=3600))
    assert isinstance(waits, e.Scheduled)
    intake.facts = replace(FACTS, directory_until=NOON + timedelta(seconds=61))
    assert isinstance(intake.hear(ripe(), 3661)[0], e.Failed)


def test_p3_6_the_inbox_needs_no_entry_of_the_directory() -> None:
    assert isinstance(Intake().hear(requested(channel="inapp", user_id="stranger"))[0], e.Due)


# ------------------------------------------------------------------------------------------------ P3.7 expiry


@pytest.mark.parametrize(
    ("lane", "fields", "expires"),
    [
        (Lane.NORMAL, {}, 72 * 3600),
        (Lane.BULK, {}, 72 * 3600),
        (Lane.URGENT, {}, 3600),
        (Lane.URGENT, {"send_at": in_(7200)}, 3 * 3600),
        (Lane.NORMAL, {"expires_at": in_(60)}, 60),
        (Lane.NORMAL, {"send_at": in_(10), "expires_at": in_(60)}, 60),
    ],
)
def test_p3_7_the_default_counts_from_the_planned_instant(lane: Lane, fields: dict[str, Any], expires: float) -> None:
    (said,) = Intake().hear(requested(lane=lane, **fields))
    assert isinstance(said, e.Due | e.Scheduled)
    assert said.expires_at == NOON + timedelta(seconds=expires)


def test_p3_7_a_move_takes_the_default_with_it_and_an_explicit_one_stays() -> None:
    intake = Intake()
    intake.hear(requested("default", send_at=in_(60)))
    intake.hear(requested("explicit", send_at=in_(60), expires_at=in_(600)))
    intake.hear(move("default", to=7200))
    intake.hear(move("explicit", to=300))
    assert intake.row("default").expires_at == NOON + timedelta(hours=2 + 72)
    assert intake.row("explicit").expires_at == NOON + timedelta(seconds=600)


def test_p3_7_what_can_only_be_sent_too_late_expires() -> None:
    intake = Intake()
    (late,) = intake.hear(requested("late", expires_at=in_(60)), 61)
    assert isinstance(late, e.Failed) and late.outcome is Status.EXPIRED
    intake.hear(requested("ripe", send_at=in_(10), expires_at=in_(60)))
    (over,) = intake.hear(ripe("ripe"), 61)
    assert isinstance(over, e.Failed) and over.outcome is Status.EXPIRED


def test_p3_7_a_move_beyond_the_expiry_is_refused() -> None:
    intake = Intake()
    intake.hear(requested(send_at=in_(10), expires_at=in_(60)))
    (refused,) = intake.hear(move(to=61))
    assert isinstance(refused, e.MoveRefused)
    assert intake.row().state is State.WAITING


# ------------------------------------------------------------------------------------------------ P9 restored


CATCHING_UP = replace(FACTS, catching_up=True)


@pytest.mark.parametrize("fields", [{}, {"send_at": in_(60)}, {"expires_at": in_(600)}, {"user_id": "stranger"}])
def test_p9_what_is_read_again_after_a_restore_waits_though_its_time_has_come(fields: dict[str, Any]) -> None:
    """Its move, its cancel or its person may be in what is still to be read; it is judged when it is ripe."""
    intake = Intake(CATCHING_UP)
    (waits,) = intake.hear(requested(**fields), 3600)
    assert isinstance(waits, e.Scheduled) and waits.round == 1
    assert waits.at == NOON + timedelta(seconds=60 if "send_at" in fields else 0)
    (again,) = intake.hear(ripe(), 3600)
    assert isinstance(again, e.Scheduled) and again.round == 2 and again.at == waits.at


def test_p9_a_move_that_is_read_again_comes_in_time() -> None:
    intake = Intake(CATCHING_UP)
    intake.hear(requested(lane=Lane.URGENT, send_at=in_(60)), 4 * 3600)
    (moved,) = intake.hear(move(to=86400), 4 * 3600)
    intake.facts = FACTS
    assert isinstance(moved, e.Scheduled) and intake.hear(ripe(round=1), 4 * 3600) == [moved]
    assert isinstance(intake.hear(ripe(round=2), 86400)[0], e.Due)


def test_p9_what_was_read_again_and_nobody_changed_is_judged_when_it_is_ripe() -> None:
    intake = Intake(CATCHING_UP)
    intake.hear(requested(), 60)
    intake.facts = FACTS
    assert isinstance(intake.hear(ripe(), 120)[0], e.Due)
