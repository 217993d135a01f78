"""What comes next is never now, never before, and never left out; and what was missed is made up for as was said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.recurrence import BadRule, Policy, Rule, caught_up, preview
from kit.recurrence.misfire import CAP, GRACE

PARIS = ZoneInfo("Europe/Paris")
ZONES = [
    "UTC",
    "Europe/Paris",
    "America/New_York",
    "Australia/Lord_Howe",
    "Antarctica/Troll",
    "America/Sao_Paulo",
    "Africa/Casablanca",
    "Pacific/Apia",
    "Asia/Gaza",
    "Pacific/Chatham",
    "Asia/Kolkata",
    "America/St_Johns",
]
CRONS = [
    "0 0 * * *",
    "30 2 * * *",
    "0,30 1-3 * * *",
    "*/20 * * * *",
    "15 */3 * * *",
    "30 1 1 * *",
    "0 2 * * 5L",
    "5 1 L 3,10 *",
]
NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)

instants = st.timedeltas(timedelta(0), 35 * 365 * DAY).map(lambda since: datetime(2005, 1, 1, tzinfo=UTC) + since)
rules = st.one_of(
    st.builds(Rule, zone=st.sampled_from(ZONES).map(ZoneInfo), cron=st.sampled_from(CRONS)),
    st.builds(Rule, zone=st.just(PARIS), every_seconds=st.integers(1, 10**6), anchor=instants),
)


@given(rule=rules, then=instants, later=st.timedeltas(timedelta(0), 3 * DAY))
@settings(max_examples=400)
def test_the_next_one_is_after_and_none_is_left_out(rule: Rule, then: datetime, later: timedelta) -> None:
    """From any instant before it, it is the same one."""
    at = rule.after(then)
    assert at is not None and at > then and at.utcoffset() == timedelta(0)
    between = rule.after(then + later)
    assert between is not None
    assert between == at if then + later < at else between > at


@given(rule=rules, then=instants)
@settings(max_examples=200)
def test_preview_is_what_then_fires(rule: Rule, then: datetime) -> None:
    shown = preview(rule, then, 4)
    assert [one.at for one in shown] == sorted({one.at for one in shown})
    for before, one in zip([then, *(one.at for one in shown)], shown, strict=False):
        assert rule.after(before) == one.at == one.local.astimezone(UTC)


@given(
    every=st.integers(1, 5000),
    late=st.timedeltas(timedelta(0), 40 * HOUR),
    policy=st.sampled_from(["fire_once", "skip", "fire_all"]),
    first=st.integers(0, 3),
)
@settings(max_examples=400)
def test_each_fires_once_as_its_policy_says(every: int, late: timedelta, policy: Policy, first: int) -> None:
    """Against a list of all: the newest one of the last minute fires, of the others what the policy makes up for."""
    rule = Rule(PARIS, every_seconds=every, anchor=NOON)
    due = NOON + (first + 1) * every * SECOND
    now = due + late
    all_ = [due + n * every * SECOND for n in range(int(late.total_seconds()) // every + 1)]
    fresh = now - all_[-1] <= GRACE
    wanted = {"fire_once": all_[-1:], "skip": all_[-1:] if fresh else [], "fire_all": all_[-CAP:]}[policy]
    caught = caught_up(rule, policy, due, now)
    fired, at = [], caught.next
    while at is not None and at <= now:
        fired.append(at)
        at = rule.after(at)
    assert fired == wanted
    assert caught.left_out == (len(wanted) < len(all_))
    assert caught.missed == (len(all_) > 1 or not fresh)


def test_a_year_of_missed_minutes_is_not_walked_through() -> None:
    rule = Rule(PARIS, "* * * * *")
    now = NOON + 366 * DAY
    assert caught_up(rule, "fire_once", NOON, now).next == now
    caught = caught_up(rule, "fire_all", NOON, now)
    assert caught.next == now - (CAP - 1) * timedelta(minutes=1) and caught.left_out


def test_bounds_may_be_firings_themselves() -> None:
    begin, end = NOON + HOUR, NOON + 3 * HOUR
    hourly = Rule(PARIS, "0 * * * *", starts_at=begin, ends_at=end)
    assert list(hourly.firings(NOON)) == [begin, begin + HOUR, end]
    every = Rule(PARIS, every_seconds=3600, anchor=NOON, starts_at=begin + SECOND, ends_at=end)
    assert list(every.firings(NOON)) == [begin + SECOND, begin + HOUR + SECOND]


@pytest.mark.parametrize("zone", ["Europe/Paris", "UTC", "Pacific/Apia"])
@pytest.mark.parametrize("cron", ["0 0 * * *", "*/5 * * * *", "0 0 29 2 *"])
def test_there_is_no_year_10000(zone: str, cron: str) -> None:
    assert Rule(ZoneInfo(zone), cron).after(datetime(9999, 12, 31, 23, 59, 30, tzinfo=UTC)) is None


def test_an_interval_ends_with_the_calendar() -> None:
    rule = Rule(PARIS, every_seconds=86400, anchor=NOON)
    assert rule.after(datetime(9999, 12, 31, 23, 59, tzinfo=UTC)) is None


BAD: list[tuple[dict[str, Any], str, str]] = [
    ({}, "cron", "either cron or every_seconds"),
    ({"cron": "* * * * *", "every_seconds": 5}, "cron", "either"),
    ({"every_seconds": 0}, "every_seconds", "from 1 to"),
    ({"every_seconds": -5}, "every_seconds", "from 1 to"),
    ({"cron": "* * * * * *"}, "cron", "six fields"),
    ({"cron": "* * *"}, "cron", "3 fields"),
    ({"cron": "0 0 * * FRI#L"}, "cron", "5L"),
    ({"cron": "0 0 30 2 *"}, "cron", "never fire"),
    ({"cron": "0 0 31 4,6,9,11 *"}, "cron", "never fire"),
    ({"cron": "60 * * * *"}, "cron", "minute “60”"),
    ({"cron": "0 24 * * *"}, "cron", "hour “24”"),
    ({"cron": "0 0 * FEV *"}, "cron", "month “FEV”"),
    ({"cron": "0 0 * * 5L/2"}, "cron", "day of week"),
    ({"cron": "0 0 * * 5#6"}, "cron", "day of week"),
    ({"cron": "*/0 * * * *"}, "cron", "minute"),
    ({"cron": "9" * 5000 + " * * * *"}, "cron", "five fields"),
    ({"cron": ""}, "cron", "five fields"),
    ({"cron": "٣ * * * *"}, "cron", "five fields"),
    ({"cron": "* * * * *", "starts_at": NOON, "ends_at": NOON - SECOND}, "ends_at", "before starts_at"),
]


@pytest.mark.parametrize(("given", "field", "sentence"), BAD, ids=[str(n) for n in range(len(BAD))])
def test_what_is_no_rule_is_refused(given: dict[str, Any], field: str, sentence: str) -> None:
    with pytest.raises(BadRule) as refused:
        Rule(PARIS, **given).check()
    assert refused.value.field == field and sentence in str(refused.value)


@given(st.text(alphabet="0123456789*/,-LW#FRIJAN ", max_size=30))
@settings(max_examples=500)
def test_any_text_is_a_rule_or_a_sentence(text: str) -> None:
    """Nothing else is raised, and what is taken can be asked."""
    rule = Rule(PARIS, text)
    try:
        rule.check()
    except BadRule:
        return
    at = rule.after(NOON)
    assert at is None or at > NOON


@pytest.mark.parametrize(
    ("cron", "then", "notes"),
    [
        ("30 2 * * *", datetime(2027, 3, 27, 12, tzinfo=UTC), ["gap", None]),
        ("0 3 * * *", datetime(2027, 3, 27, 12, tzinfo=UTC), [None, None]),
        ("0 2,3 * * *", datetime(2027, 3, 28, 0, tzinfo=UTC), ["gap", None]),
        ("30 2 * * *", datetime(2027, 10, 30, 12, tzinfo=UTC), ["overlap", None]),
        ("30 * * * *", datetime(2027, 10, 31, 0, tzinfo=UTC), ["overlap", "overlap", None]),
        ("30 * * * *", datetime(2027, 3, 28, 0, tzinfo=UTC), [None, None]),
    ],
)
def test_gaps_and_overlaps_are_marked(cron: str, then: datetime, notes: list[str | None]) -> None:
    assert [one.note for one in preview(Rule(PARIS, cron), then, len(notes))] == notes
