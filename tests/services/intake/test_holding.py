"""Whether the recipient wants it, and when: hours, quiet hours, opt-outs and limits, each with its verdict."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contracts import events as e
from contracts.status import Channel, Held, Lane, Status
from kit.hours import DAYS, Calendar, span
from services.intake.rules.facts import Facts, Person, Policy, Wishes
from services.intake.rules.limits import Caps, Place, Usage
from services.intake.rules.row import State
from services.intake.rules.sweeping import look_at
from tests.services.intake.samples import FACTS, NOON, Intake, at, cancel, in_, move, requested, ripe

PARIS = "Europe/Paris"
EVENING = Calendar((span("18:00", "22:00"),), PARIS)
"""It is 13:00 in Paris at NOON, a Monday."""
OPENS = datetime(2027, 3, 1, 17, tzinfo=UTC)
ALICE: dict[str, Any] = {"user_id": "alice"}


def facts(wishes: Wishes | None = None, **policy: Any) -> Facts:
    known = {("default", "alice"): wishes} if wishes else {}
    return replace(FACTS, policy=Policy(**policy), wishes=known, usage=type(FACTS.usage)())


def held(said: list[e.Event]) -> tuple[str | None, datetime | None]:
    (event,) = said
    assert isinstance(event, e.Scheduled)
    return event.why, event.at


def is_due(said: list[e.Event]) -> e.Due:
    (event,) = said
    assert isinstance(event, e.Due) and event.content
    return event


def ended(said: list[e.Event]) -> tuple[Status, str, str]:
    (event,) = said
    assert isinstance(event, e.Failed)
    return event.outcome, event.reason, event.detail or ""


# ------------------------------------------------------------------------------------------------ hours


def test_it_is_held_until_the_channel_opens_and_goes_then() -> None:
    intake = Intake(facts(hours={Channel.EMAIL: EVENING}))
    assert held(intake.hear(requested())) == ("operating_hours", OPENS)
    due = is_due(intake.hear(ripe(), 5 * 3600))
    assert due.windows is not None and due.windows[0] == (OPENS, OPENS + timedelta(hours=4))
    assert len(due.windows) == 7


def test_p5_3_windows_travel_with_due_and_a_repeat_says_the_same() -> None:
    intake = Intake(facts(hours={Channel.EMAIL: Calendar((span("08:00", "20:00"),), PARIS)}))
    due = is_due(intake.hear(requested()))
    assert due.windows is not None and due.windows[0][1] == datetime(2027, 3, 1, 19, tzinfo=UTC)
    intake.facts = facts()
    assert intake.hear(requested(), 3600) == [due]


def test_other_channels_have_their_own_hours() -> None:
    due = is_due(Intake(facts(hours={Channel.SMS: EVENING})).hear(requested()))
    assert due.windows is None


def test_urgent_passes() -> None:
    wishes = Wishes(quiet=(span("00:00", "24:00"),))
    intake = Intake(facts(wishes, hours={Channel.EMAIL: EVENING}))
    assert is_due(intake.hear(requested(lane=Lane.URGENT, **ALICE))).windows is None


def test_quiet_hours_go_by_the_clock_of_the_person() -> None:
    intake = Intake(facts(Wishes(quiet=(span("12:30", "14:00"),)), time_zone="Asia/Tokyo"))
    assert held(intake.hear(requested(**ALICE))) == ("quiet_hours", datetime(2027, 3, 1, 13, tzinfo=UTC))


def test_the_inbox_disturbs_nobody() -> None:
    intake = Intake(facts(Wishes(quiet=(span("00:00", "24:00"),))))
    assert is_due(intake.hear(requested(channel="inapp", **ALICE))).windows is None


def test_hours_without_overlap_are_a_rejection_that_names_both() -> None:
    intake = Intake(facts(Wishes(quiet=(span("17:00", "23:00"),)), hours={Channel.EMAIL: EVENING}))
    status, reason, detail = ended(intake.hear(requested(**ALICE)))
    assert (status, reason) == (Status.REJECTED, "no_allowed_hours")
    assert "alice's quiet hours" in detail and "notifications.hours.email" in detail
    intake = Intake(facts(Wishes(quiet=(span("00:00", "24:00"),))))
    assert ended(intake.hear(requested(**ALICE)))[1] == "no_allowed_hours"


def test_p3_7_what_is_held_lives_from_the_opening_on_but_an_explicit_end_is_kept() -> None:
    opens = Calendar((span("08:00", "20:00", ["sat"]),), PARIS)
    intake = Intake(facts(hours={Channel.EMAIL: opens}))
    intake.hear(requested())
    saturday = datetime(2027, 3, 6, 7, tzinfo=UTC)
    assert (intake.row().planned_at, intake.row().expires_at) == (saturday, saturday + timedelta(hours=72))
    status, reason, detail = ended(intake.hear(requested("k2", expires_at="2027-03-03T00:00:00Z")))
    assert (status, reason) == (Status.EXPIRED, "expired")
    assert "2027-03-06T07:00:00.000Z" in detail and "operating_hours" in detail


def test_what_was_asked_for_at_night_is_judged_when_it_is_ripe_and_then_held() -> None:
    intake = Intake(facts(Wishes(quiet=(span("22:00", "07:00"),))))
    assert held(intake.hear(requested(send_at=in_(12 * 3600), **ALICE)))[0] is None
    why, until = held(intake.hear(ripe(), 12 * 3600))
    assert (why, until, intake.row().round) == ("quiet_hours", datetime(2027, 3, 2, 6, tzinfo=UTC), 2)
    intake.facts = facts()
    assert is_due(intake.hear(ripe(round=2), 18 * 3600)).round == 2


def test_what_is_held_can_be_moved_and_cancelled() -> None:
    intake = Intake(facts(hours={Channel.EMAIL: EVENING}))
    intake.hear(requested())
    assert held(intake.hear(move(to=7200))) == (None, NOON + timedelta(hours=2))
    assert held(intake.hear(ripe(round=2), 7200)) == ("operating_hours", OPENS)
    assert isinstance(intake.hear(cancel())[0], e.Failed)


# ------------------------------------------------------------------------------------------------ opt-outs

NO_NEWS = Wishes(frozenset({("news", Channel.EMAIL), ("security", Channel.EMAIL)}))


def test_opted_out_is_rejected_with_the_remedy() -> None:
    intake = Intake(facts(NO_NEWS))
    status, reason, detail = ended(intake.hear(requested(category="news", **ALICE)))
    assert (status, reason) == (Status.REJECTED, "opted_out")
    assert "alice does not want news by email" in detail


@pytest.mark.parametrize(
    "fields",
    [
        {"category": "news", "channel": "sms", **ALICE},
        {"category": "offers", **ALICE},
        {"category": "security", **ALICE},
        {**ALICE},
        {"category": "news"},
    ],
)
def test_what_is_wanted_goes(fields: dict[str, Any]) -> None:
    """Another channel, another category, a transactional one, none, and an address that is nobody's."""
    is_due(Intake(facts(NO_NEWS, transactional=frozenset({"security"}))).hear(requested(**fields)))


def test_opt_outs_are_judged_when_it_is_due_as_they_are_then() -> None:
    intake = Intake(facts(NO_NEWS))
    assert held(intake.hear(requested(category="news", send_at=in_(60), **ALICE)))[0] is None
    intake.facts = facts()
    intake.hear(requested("k2", category="news", send_at=in_(60), **ALICE))
    is_due(intake.hear(ripe(), 60))
    intake.facts = facts(NO_NEWS)
    assert ended(intake.hear(ripe("k2"), 60))[1] == "opted_out"


def test_p5_7_what_was_judged_is_not_asked_again() -> None:
    """Neither by a repeat: a sender that has it tries again whatever the person wishes meanwhile."""
    intake = Intake(facts(caps=Caps(hour=1)))
    first = intake.hear(requested(category="news", **ALICE))
    intake.facts = facts(NO_NEWS)
    assert intake.hear(requested(category="news", **ALICE), 60) == first


# ------------------------------------------------------------------------------------------------ limits


def test_over_the_hour_it_is_later_not_never() -> None:
    intake = Intake(facts(caps=Caps(hour=2)))
    for key in ("k1", "k2"):
        is_due(intake.hear(requested(key), 600))
    for n in range(2):
        assert held(intake.hear(requested(f"k{3 + n}"), 600)) == ("hour_limit", NOON + timedelta(hours=1))
    assert held(intake.hear(requested("k5"), 600)) == ("hour_limit", NOON + timedelta(hours=2))


def test_who_was_promised_a_place_is_not_overtaken() -> None:
    intake = Intake(facts(caps=Caps(hour=1)))
    is_due(intake.hear(requested("k1")))
    intake.hear(requested("k2"))
    assert held(intake.hear(requested("new"), 3600.5)) == ("hour_limit", NOON + timedelta(hours=2))
    is_due(intake.hear(ripe("k2"), 3601))
    is_due(intake.hear(ripe("new"), 7201))
    assert held(intake.hear(requested("k4"), 7202))[1] == NOON + timedelta(hours=3)


def test_a_place_is_only_good_in_its_own_hour() -> None:
    """The timer came an hour late: the cap of the hour that it is now holds, too."""
    intake = Intake(facts(caps=Caps(hour=1)))
    is_due(intake.hear(requested("k1")))
    intake.hear(requested("k2"))
    is_due(intake.hear(requested("k3"), 7200))
    assert held(intake.hear(ripe("k2"), 7201)) == ("hour_limit", NOON + timedelta(hours=3))


def test_the_day_is_that_of_the_recipient() -> None:
    intake = Intake(facts(caps=Caps(day=1)))
    is_due(intake.hear(requested("k1", **ALICE)))
    assert held(intake.hear(requested("k2", **ALICE))) == ("day_limit", datetime(2027, 3, 1, 23, tzinfo=UTC))
    assert held(intake.hear(requested("k3", **ALICE))) == ("day_limit", datetime(2027, 3, 2, 23, tzinfo=UTC))


def test_all_channels_of_a_person_count_and_other_people_do_not() -> None:
    intake = Intake(facts(caps=Caps(hour=1)))
    is_due(intake.hear(requested("k1", channel="inapp", **ALICE)))
    assert held(intake.hear(requested("k2", **ALICE)))[0] == "hour_limit"
    is_due(intake.hear(requested("k3", to="bob@example.org")))
    assert held(intake.hear(requested("k4", to="Bob@example.org")))[0] == "hour_limit"


def test_urgent_counts_but_is_not_held() -> None:
    intake = Intake(facts(caps=Caps(hour=1)))
    for key in ("k1", "k2"):
        is_due(intake.hear(requested(key, lane=Lane.URGENT)))
    assert held(intake.hear(requested("k3")))[0] == "hour_limit"


def test_the_place_lies_within_the_hours() -> None:
    night = Wishes(quiet=(span("14:00", "18:00"),))
    intake = Intake(facts(night, caps=Caps(hour=1)))
    is_due(intake.hear(requested("k1", **ALICE)))
    assert held(intake.hear(requested("k2", **ALICE))) == ("hour_limit", OPENS)


def test_p3_1_a_repeat_is_not_counted_again_and_what_is_not_sent_not_at_all() -> None:
    intake = Intake(facts(caps=Caps(hour=2)))
    for _ in range(3):
        is_due(intake.hear(requested("k1")))
    ended(intake.hear(requested("k2", to="+33612345678", channel="sms", expires_at="2027-03-01T11:00:00Z")))
    is_due(intake.hear(requested("k3")))
    assert held(intake.hear(requested("k4")))[0] == "hour_limit"


def test_p3_5_what_is_stillborn_takes_no_place() -> None:
    intake = Intake(facts(caps=Caps(hour=2)))
    is_due(intake.hear(requested("new", accepted=1, collapse_key="stock"), 2))
    ended(intake.hear(requested("old", collapse_key="stock"), 2))
    is_due(intake.hear(requested("k3"), 2))


def test_a_move_gives_up_its_place() -> None:
    intake = Intake(facts(caps=Caps(hour=1)))
    is_due(intake.hear(requested("k1")))
    intake.hear(requested("k2"))
    intake.hear(move("k2", to=3 * 3600))
    assert intake.row("k2").reason is None
    is_due(intake.hear(ripe("k2", round=2), 3 * 3600))
    assert held(intake.hear(requested("k3"), 3 * 3600))[0] == "hour_limit"


def test_a_flood_waits_without_a_promise_beyond_a_month() -> None:
    intake = Intake(facts(caps=Caps(day=1)))
    said = [intake.hear(requested(f"k{n}", **ALICE)) for n in range(34)]
    is_due(said[0])
    why, until = held(said[-1])
    assert why == "limits" and until is not None and until > NOON + timedelta(days=31)
    assert intake.row("k33").state is State.WAITING
    assert held(said[5])[0] == "day_limit"


def test_a_flood_to_one_person_looks_at_each_hour_of_the_month_once() -> None:
    """His quiet hours are many, and all places of the month are taken: the next thousand do not search it again."""
    looks = Counter[str]()

    class Counted(Usage):
        def full(self, place: Place, caps: Caps) -> Held | None:
            looks[place.hour] += 1
            return super().full(place, caps)

    quiet = Wishes(quiet=tuple(span(f"{hour:02}:30", f"{hour:02}:31") for hour in range(20)))
    intake = Intake(replace(facts(quiet, caps=Caps(hour=1)), usage=Counted()))
    for n in range(1000):
        intake.hear(requested(f"k{n}", **ALICE))
    assert held(intake.hear(requested("last", **ALICE)))[0] == "limits"
    del looks[f"{NOON:%Y-%m-%dT%H}"]  # whether there is room now is asked of each
    assert max(looks.values()) <= 2


def test_a_place_is_never_given_where_no_hours_are_left() -> None:
    """The channel opens once more within the month, and that hour is full."""
    closed = Calendar((span("12:00", "13:00", ["mon"]),), "UTC")
    intake = Intake(facts(hours={Channel.EMAIL: closed}, caps=Caps(hour=1)))
    for n in range(5):
        intake.hear(requested(f"k{n}", **ALICE))
    assert held(intake.hear(requested("last", **ALICE))) == ("limits", NOON + timedelta(days=31))


def test_p7_where_a_rule_fails_that_one_is_rejected_and_the_others_go() -> None:
    """Nobody has checked the zone of this person, whom the limits are about to ask for his day."""
    known = {("default", "alice"): Person("alice@example.org", time_zone="Europe/Atlantis")}
    intake = Intake(replace(facts(caps=Caps(day=1)), people=known))
    outcome, reason, detail = ended(intake.hear(requested("k1", **ALICE)))
    assert (outcome, reason) == (Status.REJECTED, "internal") and "BadTime" in detail and "Atlantis" not in detail
    is_due(intake.hear(requested("k2")))


@pytest.mark.parametrize("days", [["mon"], list(DAYS)])
def test_p3_9_what_is_held_is_not_lost_before_its_time(days: list[str]) -> None:
    intake = Intake(facts(hours={Channel.EMAIL: Calendar((span("18:00", "22:00", days),), PARIS)}))
    intake.hear(requested())
    assert look_at(intake.row(), at(60)) == OPENS
