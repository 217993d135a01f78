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
from contracts.status import Channel, Lane, Status
from kit.postgres import Database
from kit.rendering import Template
from services.intake.rules.facts import DigestRule, Facts, Found, Person, Policy
from services.intake.rules.limits import Caps
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


def test_a_member_that_comes_late_is_in_the_next_one() -> None:
    """Its transaction was still under way when the digest was made."""
    intake = Intake(facts())
    for key in ("k1", "late"):
        intake.hear(requested(key, **NEWS))
    late = intake.rows.pop(id_of("late"))
    intake.hear(ripe("k1"), ENDS)
    intake.rows[late.id] = late
    assert waits(intake.hear(ripe("late"), ENDS + 1)) == NOON + timedelta(hours=2)


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
