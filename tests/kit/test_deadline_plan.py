"""A plan becomes instants in the person's own zone, also on the days on which the clocks change."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from contracts.plan import DEFAULT, Plan, Reminder, read
from kit.deadline_plan import DueDate, coming, daily, first, instant_of, last_until, next_after

PARIS, NEW_YORK, TOKYO = ZoneInfo("Europe/Paris"), ZoneInfo("America/New_York"), ZoneInfo("Asia/Tokyo")
ANY_TIME = st.datetimes(datetime(2000, 1, 1), datetime(2060, 1, 1))  # noqa: DTZ001
ANY_ZONE = st.sampled_from([PARIS, NEW_YORK, TOKYO, ZoneInfo("Australia/Lord_Howe"), ZoneInfo("America/Sao_Paulo")])


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def rule(name: str) -> Reminder:
    return next(one for one in DEFAULT.reminders if one.rule == name)


DAY_OF_DUE = date(2027, 3, 29)
"""The Monday after the Sunday on which Paris goes to summer time."""

SEED = [
    ("week_before", "Europe/Paris", "2027-03-22 07:00"),
    ("day_before", "Europe/Paris", "2027-03-28 06:00"),
    ("same_day", "Europe/Paris", "2027-03-29 06:00"),
    ("late", "Europe/Paris", "2027-03-29 22:00"),
    ("critical", "Europe/Paris", "2027-04-01 22:00"),
    ("week_before", "America/New_York", "2027-03-22 12:00"),
    ("same_day", "America/New_York", "2027-03-29 12:00"),
    ("late", "America/New_York", "2027-03-30 04:00"),
    ("same_day", "Asia/Tokyo", "2027-03-28 23:00"),
    ("late", "Asia/Tokyo", "2027-03-29 15:00"),
]


@pytest.mark.parametrize(("name", "zone", "at"), SEED)
def test_the_plan_of_the_seed(name: str, zone: str, at: str) -> None:
    """8:00 on the person's clock, whatever the clocks did since; late when the person's day is over."""
    assert first(rule(name), DueDate(None, DAY_OF_DUE, ZoneInfo(zone))) == utc(at)


def test_an_instant_is_due_on_the_day_that_it_is_for_the_person() -> None:
    """23:30 in New York is the next day in Tokyo."""
    at = utc("2027-03-02 04:30")
    assert first(rule("same_day"), DueDate(at, None, NEW_YORK)) == utc("2027-03-01 13:00")
    assert first(rule("same_day"), DueDate(at, None, TOKYO)) == utc("2027-03-01 23:00")
    assert first(rule("late"), DueDate(at, None, TOKYO)) == at


WALLS = [
    # the clocks skip it: at the end of the gap
    ("Europe/Paris", "2027-03-28 02:30", "2027-03-28 01:00"),
    ("America/New_York", "2027-03-14 02:00", "2027-03-14 07:00"),
    ("Australia/Lord_Howe", "2027-10-03 02:15", "2027-10-02 15:30"),
    ("America/Sao_Paulo", "2018-11-04 00:00", "2018-11-04 03:00"),
    # a whole day that there was not
    ("Pacific/Apia", "2011-12-30 08:00", "2011-12-30 10:00"),
    # they show it twice: the first
    ("Europe/Paris", "2027-10-31 02:30", "2027-10-31 00:30"),
    ("America/New_York", "2027-11-07 01:00", "2027-11-07 05:00"),
    # as always
    ("Europe/Paris", "2027-07-01 08:00", "2027-07-01 06:00"),
]


@pytest.mark.parametrize(("zone", "wall", "at"), WALLS)
def test_a_gap_runs_at_its_end_and_a_fold_once(zone: str, wall: str, at: str) -> None:
    assert instant_of(datetime.fromisoformat(wall), ZoneInfo(zone)) == utc(at)


def test_critical_counts_days_of_the_calendar() -> None:
    """Three days that are 71 hours, and three that are 73."""
    spring, autumn = utc("2027-03-26 12:00"), utc("2027-10-29 12:00")
    assert first(rule("critical"), DueDate(spring, None, PARIS)) == spring + timedelta(hours=71)
    assert first(rule("critical"), DueDate(autumn, None, PARIS)) == autumn + timedelta(hours=73)


def test_urgent_is_said_on_the_hour() -> None:
    due = DueDate(None, DAY_OF_DUE, PARIS, urgent=True)
    assert next_after(rule("urgent"), due, utc("2027-03-01 10:59:59")) == utc("2027-03-01 11:00")
    assert next_after(rule("urgent"), due, utc("2027-03-01 11:00")) == utc("2027-03-01 12:00")
    assert last_until(rule("urgent"), due, utc("2027-03-01 08:00"), utc("2027-03-01 11:30")) == utc("2027-03-01 11:00")
    assert last_until(rule("urgent"), due, utc("2027-03-01 11:00"), utc("2027-03-01 11:30")) is None


def test_what_is_to_come_is_told_in_its_order() -> None:
    due = DueDate(None, DAY_OF_DUE, PARIS)
    told = [(one.reminder.rule, one.at) for one in coming(DEFAULT, due, utc("2027-03-22 07:00"))]
    assert [name for name, _ in told] == ["day_before", "same_day", "late", "critical"]
    assert [name for name, _ in told] == [name for name, _ in sorted(told, key=lambda one: one[1])]
    urgent = coming(DEFAULT, DueDate(None, DAY_OF_DUE, PARIS, urgent=True), utc("2027-03-22 07:00"))
    assert (urgent[0].reminder.rule, urgent[0].at) == ("urgent", utc("2027-03-22 08:00"))


def test_without_a_date_only_the_clock_is_left() -> None:
    assert [
        one.reminder.rule for one in coming(DEFAULT, DueDate(None, None, PARIS, urgent=True), utc("2027-03-01 00:30"))
    ] == ["urgent"]


def test_a_reminder_after_seconds_may_lie_before_the_date_and_come_again() -> None:
    before = Reminder.model_validate({"rule": "soon", "after_seconds": -1800})
    again = Reminder.model_validate({"rule": "still", "after_seconds": 0, "every_seconds": 86400})
    due = DueDate(utc("2027-03-01 12:00"), None, PARIS)
    assert first(before, due) == utc("2027-03-01 11:30")
    assert next_after(again, due, utc("2027-03-03 12:00")) == utc("2027-03-04 12:00")
    assert next_after(again, due, utc("2027-02-01 12:00")) == utc("2027-03-01 12:00")


def test_the_daily_report_once_on_each_day_of_the_person() -> None:
    assert daily("18:00", PARIS, utc("2027-03-01 16:59")) == (date(2027, 3, 1), utc("2027-03-01 17:00"))
    assert daily("18:00", PARIS, utc("2027-03-01 17:00")) == (date(2027, 3, 2), utc("2027-03-02 17:00"))
    # moved to New York after the report in Paris: not a second one on that day
    assert daily("18:00", NEW_YORK, utc("2027-03-01 17:30"), date(2027, 3, 1)) == (
        date(2027, 3, 2),
        utc("2027-03-02 23:00"),
    )
    # 2:30 on the day that has none
    assert daily("02:30", PARIS, utc("2027-03-27 12:00")) == (date(2027, 3, 28), utc("2027-03-28 01:00"))


@given(ANY_ZONE, ANY_TIME)
def test_an_instant_shows_its_wall_time_unless_the_clocks_skip_it(zone: ZoneInfo, wall: datetime) -> None:
    wall = wall.replace(microsecond=0)
    shown = instant_of(wall, zone).astimezone(zone).replace(tzinfo=None)
    assert shown == wall or (shown > wall and shown - wall < timedelta(hours=1, seconds=1))


@given(ANY_ZONE, st.dates(date(2000, 1, 2), date(2060, 1, 1)), ANY_TIME)
def test_what_comes_next_is_the_same_from_wherever_it_is_looked_at(zone: ZoneInfo, day: date, when: datetime) -> None:
    """The next instant lies after the look, and nothing of the rule between the two."""
    due, after = DueDate(None, day, zone, urgent=True), when.replace(tzinfo=UTC)
    for one in coming(DEFAULT, due, after):
        assert one.at > after
        assert next_after(one.reminder, due, one.at - timedelta(microseconds=1)) == one.at
        if one.reminder.repeats:
            assert last_until(one.reminder, due, after, one.at) == one.at


WRONG = [
    ({"rule": "x"}, "at: give at (a time of day)"),
    ({"rule": "x", "at": "8:00"}, "is a time of day"),
    ({"rule": "x", "at": "24:00"}, "is a time of day"),
    ({"rule": "x", "at": "08:00", "after_seconds": 1}, "not both"),
    ({"rule": "missed", "at": "08:00"}, "take another name"),
    ({"rule": "x", "at": "08:00", "every_seconds": 1}, "greater than or equal to 60"),
    ({"rule": "x", "at": "08:00", "channels": []}, "at least 1"),
    ({"rule": "x", "at": "08:00", "channels": ["sms", "sms"]}, "names one channel twice"),
    ({"rule": "x", "at": "08:00", "whilst": "urgent"}, "Extra inputs"),
]


@pytest.mark.parametrize(("said", "why"), WRONG)
def test_what_is_wrong_with_a_plan_is_named(said: dict[str, object], why: str) -> None:
    with pytest.raises(ValidationError) as error:
        Plan.model_validate({"reminders": [said]})
    assert why in str(error.value)


def test_the_rules_of_a_plan_have_different_names() -> None:
    same = {"rule": "x", "at": "08:00"}
    with pytest.raises(ValidationError, match="the same rule"):
        Plan.model_validate({"reminders": [same, same]})


def test_a_stored_plan_of_a_later_version_is_read() -> None:
    """Contracts grow by optional fields: what is not known yet is passed over."""
    told = {"reminders": [{"rule": "x", "at": "08:00", "colour": "red"}], "note": "later"}
    assert [one.rule for one in read(told).reminders] == ["x"]
    dumped = DEFAULT.model_dump(mode="json", exclude_none=True)
    assert read(dumped) == DEFAULT and dumped["reminders"][5]["while"] == "urgent"
