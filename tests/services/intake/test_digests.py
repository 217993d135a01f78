"""P3.8: notifications of a category become one per person and window; members and digest can be ended before."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from contracts import events as e
from contracts.request import SMS_CHARACTERS
from contracts.status import Channel, Lane, Status
from contracts.suppression import Suppression
from kit.hours import span
from kit.postgres import Database
from kit.rendering import Template
from services.intake.rules.facts import DigestRule, Facts, Found, Person, Policy, Wishes
from services.intake.rules.limits import Caps
from services.intake.rules.suppressing import suppression_name
from tests.services.intake.samples import FACTS, NOON, Intake, cancel, id_of, in_, move, requested, ripe
from tests.services.intake.support import Desk

HOURLY = {"news": DigestRule(Channel.EMAIL, every=timedelta(hours=1))}
NEWS: dict[str, Any] = {"user_id": "alice", "category": "news"}
ENDS = 3600.0
"""Seconds after NOON at which the window is over."""


def facts(**policy: Any) -> Facts:
    return replace(FACTS, policy=Policy(**({"digests": HOURLY} | policy)), usage=type(FACTS.usage)())


def waits(said: list[e.Event]) -> datetime | None:
    (event,) = said
    assert isinstance(event, e.Scheduled) and event.why == "digest"
    return event.at


def digests(said: list[e.Event]) -> list[e.Due]:
    return [event for event in said if isinstance(event, e.Due)]


def reasons(said: list[e.Event]) -> dict[UUID, str]:
    return {event.id: event.reason for event in said if isinstance(event, e.Failed)}


def test_p3_8_members_wait_for_the_end_and_become_one() -> None:
    intake = Intake(facts())
    for n in range(3):
        wanted = requested(f"k{n}", accepted=n, subject=f"Title {n}", body=f"Text {n}", **NEWS)
        assert waits(intake.hear(wanted, n)) == NOON + timedelta(hours=1)
    said = intake.hear(ripe("k1"), ENDS)
    (due,) = digests(said)
    assert due.content and (due.user_id, due.content.subject, due.content.category) == ("alice", "news: 3", "news")
    assert due.content.text == "Title 0\nText 0\n\nTitle 1\nText 1\n\nTitle 2\nText 2"
    assert reasons(said) == {id_of(f"k{n}"): "merged" for n in range(3)}
    assert intake.row("k0").detail == f"into {due.id}"
    assert [event.handed for event in said if isinstance(event, e.Scheduled)] == [True]


def test_p3_1_only_the_member_that_made_it_says_it_again() -> None:
    intake = Intake(facts())
    for n in range(2):
        intake.hear(requested(f"k{n}", **NEWS), n)
    said = intake.hear(ripe("k0"), ENDS)
    again = intake.hear(ripe("k0"), ENDS + 1)
    assert {event.ce_id for event in digests(again)} == {event.ce_id for event in digests(said)}
    assert digests(again)[0] == digests(said)[0]
    (failed,) = intake.hear(ripe("k1"), ENDS + 1)
    assert isinstance(failed, e.Failed) and (failed.outcome, failed.reason) == (Status.CANCELLED, "merged")


def test_a_digest_belongs_to_the_trace_of_the_oldest_that_has_one() -> None:
    intake = Intake(facts())
    for n, trace in enumerate([None, f"00-{'a' * 32}-{'1' * 16}-01", f"00-{'b' * 32}-{'1' * 16}-01"]):
        intake.hear(requested(f"k{n}", accepted=n, **NEWS).model_copy(update={"trace": trace}), n)
    (due,) = digests(intake.hear(ripe("k2"), ENDS))
    assert due.trace == f"00-{'a' * 32}-{'1' * 16}-01"


def test_the_template_gets_the_members() -> None:
    text = "{% for item in items %}{{ item.subject }};{% endfor %}"
    found = Found("weekly@1", Template(subject="{{ count }} of {{ category }}", text=text))
    how = {"news": DigestRule(Channel.EMAIL, every=timedelta(hours=1), template="weekly")}
    known = replace(facts(digests=how), templates={("default", "weekly"): found, ("default", "weekly@1"): found})
    intake = Intake(known)
    for n in range(2):
        intake.hear(requested(f"k{n}", accepted=n, subject=f"T{n}", **NEWS), n)
    (due,) = digests(intake.hear(ripe("k0"), ENDS))
    assert due.content and (due.content.subject, due.content.text) == ("2 of news", "T0;T1;")


def test_the_daily_one_goes_by_the_clock_of_the_person() -> None:
    intake = Intake(facts(digests={"news": DigestRule(Channel.EMAIL, at="18:00")}))
    assert waits(intake.hear(requested(**NEWS))) == datetime(2027, 3, 1, 17, tzinfo=UTC)
    intake.facts = replace(intake.facts, people={("default", "alice"): Person("a@example.org", time_zone="Asia/Tokyo")})
    assert waits(intake.hear(requested("k2", **NEWS))) == datetime(2027, 3, 2, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("heard", "over"),
    [
        pytest.param("2027-03-27T12:00Z", "2027-03-28T01:00Z", id="the gap's end, where there is no half past two"),
        pytest.param("2027-03-28T01:00Z", "2027-03-29T00:30Z", id="behind the gap's end it is tomorrow's"),
        pytest.param("2027-10-31T00:29Z", "2027-10-31T00:30Z", id="of two the first"),
        pytest.param("2027-10-31T00:31Z", "2027-11-01T01:30Z", id="between the two it is tomorrow's, and ends once"),
        pytest.param("2027-10-31T01:30Z", "2027-11-01T01:30Z", id="the second one ends nothing"),
    ],
)
def test_the_daily_one_where_the_clocks_change(heard: str, over: str) -> None:
    """Paris, at half past two: none on 28 March 2027, two on 31 October."""
    intake = Intake(facts(digests={"news": DigestRule(Channel.EMAIL, at="02:30")}, time_zone="Europe/Paris"))
    seconds = (datetime.fromisoformat(heard) - NOON).total_seconds()
    wanted = requested(accepted=seconds, **NEWS)
    assert waits(intake.hear(wanted, seconds)) == datetime.fromisoformat(over)


@pytest.mark.parametrize(
    ("lane", "fields"),
    [
        (Lane.URGENT, NEWS),
        (Lane.NORMAL, NEWS | {"category": "other"}),
        (Lane.NORMAL, NEWS | {"channel": "inapp"}),
        (Lane.NORMAL, {"category": "news"}),
        (Lane.NORMAL, NEWS | {"expires_at": in_(1800)}),
        (Lane.NORMAL, NEWS | {"attachments": [{"name": "a", "content_type": "text/plain", "content": "YQ=="}]}),
    ],
)
def test_what_goes_by_itself(lane: Lane, fields: dict[str, Any]) -> None:
    """Urgent; another category, channel or no person; what would be too old by then; what carries files."""
    (due,) = Intake(facts()).hear(requested(lane=lane, **fields))
    assert isinstance(due, e.Due)


def test_a_member_that_is_cancelled_or_moved_before_the_end_is_not_in_it() -> None:
    intake = Intake(facts())
    for key in ("stays", "cancelled", "moved"):
        intake.hear(requested(key, subject=key, **NEWS))
    intake.hear(cancel("cancelled"))
    intake.hear(move("moved", to=ENDS + 60))
    (due,) = digests(intake.hear(ripe("stays"), ENDS))
    assert due.content and due.content.subject == "stays"
    assert waits(intake.hear(ripe("moved", round=2), ENDS + 60)) == NOON + timedelta(hours=2)


def test_of_members_under_one_key_only_the_newest_is_in_it() -> None:
    intake = Intake(facts())
    for n in range(2):
        intake.hear(requested(f"k{n}", accepted=n, subject=f"T{n}", collapse_key="c", **NEWS), n)
    (due,) = digests(intake.hear(ripe("k1"), ENDS))
    assert due.content and due.content.subject == "T1"


def test_a_digest_that_was_cancelled_before_is_not_sent() -> None:
    intake = Intake(facts())
    intake.hear(requested("k1", **NEWS))
    digest = intake.row("k1").digest
    assert digest
    intake.hear(cancel("k1").model_copy(update={"id": digest}))
    said = intake.hear(ripe("k1"), ENDS)
    assert reasons(said) == {id_of("k1"): "merged", digest: "cancelled"} and not digests(said)


def test_a_member_that_comes_late_is_in_another_of_its_window() -> None:
    """Its transaction was still under way when the digest was made."""
    intake = Intake(facts())
    for key in ("k1", "late"):
        intake.hear(requested(key, **NEWS))
    late = intake.rows.pop(id_of("late"))
    (first,) = digests(intake.hear(ripe("k1"), ENDS))
    intake.rows[late.id] = late
    (second,) = digests(intake.hear(ripe("late"), ENDS + 1))
    assert second.id != first.id and intake.row("late").detail == f"into {second.id}"
    assert digests(intake.hear(ripe("late"), ENDS + 2)) == [second]


def test_a_digest_by_text_message_is_cut_to_what_one_holds() -> None:
    """Five of 400 characters; and one that alone is longer."""
    intake = Intake(facts(digests={"news": DigestRule(Channel.SMS, every=timedelta(hours=1))}))
    for n in range(5):
        intake.hear(requested(f"k{n}", accepted=n, channel="sms", subject=None, body=str(n) * 400, **NEWS), n)
    (due,) = digests(intake.hear(ripe("k0"), ENDS))
    assert due.content and due.content.text
    assert due.content.text.startswith("0" * 400 + "\n\n1") and due.content.text.endswith("\n\n(+ 2)")
    assert len(due.content.text) <= SMS_CHARACTERS


@pytest.mark.parametrize("text", [None, "{{ nothing.here }}"])
def test_a_digest_whose_template_is_gone_or_fails_goes_without(text: str | None) -> None:
    how = {"news": DigestRule(Channel.EMAIL, every=timedelta(hours=1), template="weekly")}
    found = Found("weekly@1", Template(subject="{{ count }}", text=text))
    known = {("default", name): found for name in ("weekly", "weekly@1")} if text else {}
    intake = Intake(replace(facts(digests=how), templates=known, directory_until=NOON + timedelta(days=1)))
    intake.hear(requested("k1", subject="T1", body="B1", **NEWS))
    (due,) = digests(intake.hear(ripe("k1"), ENDS))
    assert due.content and due.content.text == "T1\nB1"


def test_where_the_digest_cannot_be_sent_its_members_go_alone() -> None:
    """Their data together are too large for one: each has its own verdict, and none is merged into nothing."""
    intake = Intake(facts(digests={"news": DigestRule(Channel.INAPP, every=timedelta(hours=1))}))
    for n in range(3):
        intake.hear(requested(f"k{n}", accepted=n, channel="inapp", data={"long": "x" * 400_000}, **NEWS), n)
    said = intake.hear(ripe("k1"), ENDS)
    assert {due.id for due in digests(said)} == {id_of(f"k{n}") for n in range(3)} and not reasons(said)


def test_the_digest_is_judged_like_any_other() -> None:
    """The person has gone meanwhile; or it is over a cap, of which the members took no place."""
    intake = Intake(facts())
    intake.hear(requested("k1", **NEWS))
    intake.facts = replace(intake.facts, people={}, directory_until=NOON + timedelta(days=1))
    assert "unknown_recipient" in reasons(intake.hear(ripe("k1"), ENDS)).values()
    intake = Intake(facts(caps=Caps(day=1)))
    for key in ("k1", "k2"):
        intake.hear(requested(key, **NEWS))
    assert digests(intake.hear(ripe("k1"), ENDS))
    (held,) = intake.hear(requested("k3", user_id="alice"), ENDS)
    assert isinstance(held, e.Scheduled) and held.why == "day_limit"


# ------------------------------------------------------------------------------------------------ held

QUIET = Wishes(quiet=(span("12:30", "20:00"),))
MORNING = datetime(2027, 3, 1, 19, tzinfo=UTC)
"""When alice's quiet hours are over."""
OPENS = (MORNING - NOON).total_seconds()


def held_at_its_end(*keys: str, **fields: Any) -> Intake:
    """Members whose window ends within alice's quiet hours, and the end has come."""
    intake = Intake(replace(facts(), wishes={("default", "alice"): QUIET}))
    for n, key in enumerate(keys):
        intake.hear(requested(key, accepted=n, subject=key, **(NEWS | fields)), n)
    said = intake.hear(ripe(keys[0]), ENDS)
    assert [(event.why, event.at) for event in said if isinstance(event, e.Scheduled)] == [
        ("quiet_hours", MORNING)
    ] * len(keys)
    return intake


def test_p3_8_a_digest_that_is_held_is_made_when_it_may_go() -> None:
    intake = held_at_its_end("k1", "k2")
    assert intake.hear(ripe("k2"), ENDS + 1) == intake.hear(ripe("k2"), ENDS + 2) != []
    said = intake.hear(ripe("k2", round=2), OPENS)
    assert [due.id for due in digests(said)] == [intake.row("k2").digest]
    assert reasons(said) == {id_of("k1"): "merged", id_of("k2"): "merged"}


def test_p3_8_who_is_cancelled_while_it_is_held_is_not_in_it() -> None:
    intake = held_at_its_end("k1", "k2")
    assert reasons(intake.hear(cancel("k1"), ENDS + 60)) == {id_of("k1"): "cancelled"}
    (due,) = digests(intake.hear(ripe("k2", round=2), OPENS))
    assert due.content and due.content.subject == "k2"


def test_p3_5_who_is_outdone_while_it_is_held_is_not_in_it() -> None:
    intake = held_at_its_end("k1", collapse_key="c")
    intake.hear(requested("k2", accepted=ENDS + 60, subject="k2", collapse_key="c", **NEWS), ENDS + 60)
    assert intake.row("k1").reason == "collapsed"
    assert not digests(intake.hear(ripe("k1", round=2), OPENS))


def test_p3_7_who_would_be_too_old_when_it_may_go_ends_when_it_is_held() -> None:
    intake = Intake(replace(facts(), wishes={("default", "alice"): QUIET}))
    intake.hear(requested("k1", expires_at=in_(ENDS + 600), **NEWS))
    assert reasons(intake.hear(ripe("k1"), ENDS)) == {id_of("k1"): "expired"}


@pytest.mark.parametrize("reason", ["opted_out", "suppressed"])
def test_p3_8_nothing_goes_to_who_is_not_to_be_written_to_any_more(reason: str) -> None:
    intake = held_at_its_end("k1", "k2")
    gone = Wishes(opted_out=frozenset({("news", Channel.EMAIL)})) if reason == "opted_out" else Wishes()
    name = suppression_name("alice@example.org")
    stopped = {("default", name): Suppression(reason="hard_bounce", at=NOON)} if reason == "suppressed" else {}
    intake.facts = replace(intake.facts, wishes={("default", "alice"): gone}, suppressed=stopped)
    said = intake.hear(ripe("k2", round=2), OPENS)
    assert reasons(said) == {id_of("k1"): reason, id_of("k2"): reason} and not digests(said)


def test_p3_1_a_digest_over_a_cap_keeps_the_place_that_it_was_promised() -> None:
    """The hour is full, and so is the next one for everybody who comes later."""
    intake = Intake(facts(caps=Caps(hour=1)))
    for key in ("k1", "k2"):
        intake.hear(requested(key, accepted=60, **NEWS), 60)
    intake.hear(requested("other", accepted=ENDS, user_id="alice"), ENDS)
    next_hour = NOON + timedelta(hours=2)
    for event in intake.hear(ripe("k1"), ENDS + 1):
        assert isinstance(event, e.Scheduled) and (event.why, event.at) == ("hour_limit", next_hour)
    (later,) = intake.hear(requested("later", accepted=ENDS + 2, user_id="alice"), ENDS + 2)
    assert isinstance(later, e.Scheduled) and later.at == next_hour + timedelta(hours=1)
    assert len(digests(intake.hear(ripe("k1", round=2), 2 * ENDS))) == 1


# ------------------------------------------------------------------------------------------------ PostgreSQL

START = datetime(2027, 3, 1, 12, 30, tzinfo=UTC)


async def show(database: str, at: datetime) -> None:
    owner = await asyncpg.connect(database)
    await owner.execute("update tocsin.clock_offset set by = $1 - clock_timestamp()", at)
    await owner.close()


async def test_p3_8_two_intakes_make_one_digest(db: Database, database: str) -> None:
    """The members' timers fire at once, in batches of both; whoever is first makes it, and a repeat says it again."""
    await show(database, START)
    desks = [Desk(db, Policy(digests=HOURLY)) for _ in range(4)]
    await desks[0].learn(e.Recipient(user_id="alice", email="alice@example.org"))
    keys = [f"k{n}" for n in range(12)]
    await desks[0].hear(*(requested(key, **NEWS).model_copy(update={"accepted_at": START}) for key in keys))
    await show(database, START + timedelta(minutes=31))
    batches = [[ripe(key) for key in keys[n::4]] for n in range(4)]
    said = await asyncio.gather(*(desk.hear(*batch) for desk, batch in zip(desks, batches, strict=True)))
    made = [event for events in said for event in digests(events)]
    assert len({due.id for due in made}) == 1
    content = made[0].content
    assert content and content.subject == "news: 12"
    states = await desks[0].query("select state, reason, count(*) as n from notifications group by 1, 2 order by 1")
    assert [(row["state"], row["reason"], row["n"]) for row in states] == [("ended", "merged", 12), ("handed", None, 1)]
    again = [event for batch in batches for event in digests(await desks[0].hear(*batch))]
    assert [due.ce_id for due in again] == [made[0].ce_id]
    assert again[0] == made[0]


async def test_p3_8_many_people_at_one_time_all_get_theirs_that_day(db: Database, database: str) -> None:
    """Their timers fire person after person, a batch at a time, which is more than one batch gathered once."""
    await show(database, START)
    desk = Desk(db, Policy(digests={"news": DigestRule(Channel.EMAIL, at="18:00")}))
    people = [f"u{n}" for n in range(300)]
    await desk.learn(*(e.Recipient(user_id=one, email=f"{one}@example.org") for one in people))
    keys = [f"{n}-{one}" for n in range(4) for one in people]
    wanted = [requested(key, user_id=key[2:], category="news") for key in keys]
    await desk.hear(*(one.model_copy(update={"accepted_at": START}) for one in wanted))
    await show(database, datetime(2027, 3, 1, 17, 0, 1, tzinfo=UTC))
    said = [event for n in range(0, len(keys), 400) for event in await desk.hear(*map(ripe, keys[n : n + 400]))]
    assert not [event for event in said if isinstance(event, e.Scheduled) and not event.handed]
    contents = [due.content for due in {due.id: due for due in digests(said)}.values()]
    assert [content.subject for content in contents if content] == ["news: 4"] * len(people)


def test_p9_a_digest_is_not_made_while_its_members_are_read_again() -> None:
    """One of them may have been cancelled since the backup; they keep their place in it."""
    intake = Intake(facts())
    for n in range(2):
        intake.hear(requested(f"k{n}", subject=f"Title {n}", **NEWS))
    intake.facts = replace(facts(), catching_up=True)
    assert waits(intake.hear(ripe("k0"), ENDS)) == NOON + timedelta(hours=1)
    intake.hear(cancel("k1"))
    intake.facts = facts()
    said = intake.hear(ripe("k0", round=2), ENDS)
    assert reasons(said) == {id_of("k0"): "merged"} and len(digests(said)) == 1
