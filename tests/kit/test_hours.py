"""Operating hours less quiet hours: a table of clocks, and a walker that looks at the clock every minute."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kit.hours import AHEAD, DAYS, Calendar, allowed, day_around, hour_around, next_time, span
from kit.retry import Window, moved_into

PARIS = "Europe/Paris"
MONDAY = datetime(2027, 3, 1, tzinfo=UTC)
WORK = Calendar((span("08:00", "20:00", DAYS[:5]),), PARIS)
NIGHT = Calendar((span("22:00", "07:00"),), PARIS)
BEFORE_SPRING = datetime(2027, 3, 27, 12, tzinfo=UTC)
BEFORE_AUTUMN = datetime(2027, 10, 30, 12, tzinfo=UTC)


def at(text: str, zone: str = "UTC") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def first(opened: Calendar | None, quiet: Calendar | None, now: datetime) -> datetime | None:
    windows = allowed(opened, quiet, now)
    return now if windows is None else moved_into(now, windows)


def test_without_hours_it_is_always_allowed() -> None:
    assert allowed(None, None, MONDAY) is None
    assert allowed(Calendar((span("00:00", "24:00"),), PARIS), None, MONDAY) is None


@pytest.mark.parametrize(
    ("opened", "quiet", "now", "then"),
    [
        (WORK, None, at("2027-03-01T08:00", PARIS), at("2027-03-01T08:00", PARIS)),
        (WORK, None, at("2027-03-01T07:59:59", PARIS), at("2027-03-01T08:00", PARIS)),
        (WORK, None, at("2027-03-01T19:59:59", PARIS), at("2027-03-01T19:59:59", PARIS)),
        (WORK, None, at("2027-03-01T20:00", PARIS), at("2027-03-02T08:00", PARIS)),
        (WORK, None, at("2027-03-05T20:00", PARIS), at("2027-03-08T08:00", PARIS)),  # a weekend
        (WORK, None, at("2027-03-26T21:00", PARIS), at("2027-03-29T08:00", PARIS)),  # with a change of the clocks
        (None, NIGHT, at("2027-03-01T21:59", PARIS), at("2027-03-01T21:59", PARIS)),
        (None, NIGHT, at("2027-03-01T22:00", PARIS), at("2027-03-02T07:00", PARIS)),
        (None, NIGHT, at("2027-03-02T03:00", PARIS), at("2027-03-02T07:00", PARIS)),
        (WORK, NIGHT, at("2027-03-02T03:00", PARIS), at("2027-03-02T08:00", PARIS)),
        # Two people's clocks: quiet until 07:00 in New York is 13:00 in Paris.
        (
            WORK,
            Calendar((span("22:00", "07:00"),), "America/New_York"),
            at("2027-03-02T08:00", PARIS),
            at("2027-03-02T13:00", PARIS),
        ),
        # Quiet from Saturday 22:00 only: Sunday morning belongs to Saturday's night.
        (
            None,
            Calendar((span("22:00", "09:00", ["sat"]),), PARIS),
            at("2027-03-07T08:00", PARIS),
            at("2027-03-07T09:00", PARIS),
        ),
        (
            None,
            Calendar((span("22:00", "09:00", ["sat"]),), PARIS),
            at("2027-03-08T08:00", PARIS),
            at("2027-03-08T08:00", PARIS),
        ),
        # 02:30 does not exist on that night: the hours begin where the clock goes on, at 03:00.
        (
            Calendar((span("02:30", "05:00"),), PARIS),
            None,
            at("2027-03-28T00:00", PARIS),
            at("2027-03-28T03:00", PARIS),
        ),
        # Midnight itself is skipped in Cairo; the day begins at 01:00.
        (
            Calendar((span("00:00", "12:00", ["fri"]),), "Africa/Cairo"),
            None,
            at("2027-04-29T20:00", "Africa/Cairo"),
            at("2027-04-30T01:00", "Africa/Cairo"),
        ),
    ],
)
def test_the_first_allowed_instant(
    opened: Calendar | None, quiet: Calendar | None, now: datetime, then: datetime
) -> None:
    assert first(opened, quiet, now) == then


def test_what_the_clock_shows_twice_is_inside_twice() -> None:
    """Paris, 31 October 2027: 03:00 becomes 02:00. Nobody who asked for silence until 02:30 is woken at the first."""
    quiet = Calendar((span("22:00", "02:30"),), PARIS)
    windows = allowed(None, quiet, at("2027-10-31T00:00"))
    assert windows is not None
    assert windows[:2] == (
        (at("2027-10-31T00:30"), at("2027-10-31T01:00")),
        (at("2027-10-31T01:30"), at("2027-10-31T21:00")),
    )


def test_hours_without_overlap_leave_nothing() -> None:
    assert allowed(WORK, Calendar((span("07:30", "20:30"),), PARIS), MONDAY) == ()


def test_all_windows_of_a_week() -> None:
    windows = allowed(WORK, NIGHT, MONDAY)
    assert windows is not None and len(windows) == 5
    assert all(end - begin == timedelta(hours=12) for begin, end in windows)


def test_from_and_to_must_differ() -> None:
    with pytest.raises(ValueError, match="24:00"):
        span("08:00", "08:00")


@pytest.mark.parametrize(
    ("after", "shown", "then"),
    [
        (at("2027-03-01T17:59", PARIS), "18:00", at("2027-03-01T18:00", PARIS)),
        (at("2027-03-01T18:00", PARIS), "18:00", at("2027-03-02T18:00", PARIS)),
        (at("2027-03-27T18:00", PARIS), "18:00", at("2027-03-28T18:00", PARIS)),
        (at("2027-10-30T12:00", PARIS), "02:30", at("2027-10-31T00:30")),
        (at("2027-10-31T00:30"), "02:30", at("2027-11-01T02:30", PARIS)),
        (at("2027-03-01T12:00", PARIS), "24:00", at("2027-03-02T00:00", PARIS)),
        (at("2027-03-27T12:00", PARIS), "02:30", at("2027-03-28T03:00", PARIS)),
    ],
)
def test_the_next_time_that_a_clock_shows(after: datetime, shown: str, then: datetime) -> None:
    assert next_time(after, shown, PARIS) == then


def test_a_day_has_the_hours_that_it_has() -> None:
    begin, end = day_around(at("2027-03-28T12:00", PARIS), PARIS)
    assert (begin, end) == (at("2027-03-28T00:00", PARIS), at("2027-03-29T00:00", PARIS))
    assert end - begin == timedelta(hours=23)
    assert hour_around(at("2027-03-28T12:34:56.789"))[1] == at("2027-03-28T13:00")


# ------------------------------------------------------------------------------------------------ the minute walker

ZONES = ("UTC", PARIS, "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Africa/Cairo", "Pacific/Apia")

minutes = st.integers(0, 24 * 60 - 1).map(lambda m: f"{m // 60:02}:{m % 60:02}")
ends = minutes | st.just("24:00")
day_sets = st.sets(st.sampled_from(DAYS), min_size=1)
spans = st.tuples(minutes, ends, day_sets).filter(lambda told: told[0] != told[1]).map(lambda told: span(*told))
calendars = st.builds(Calendar, st.lists(spans, min_size=1, max_size=3).map(tuple), st.sampled_from(ZONES))
moments = st.integers(0, 300 * 24 * 60).map(lambda n: MONDAY + timedelta(minutes=n))


def is_inside(calendar: Calendar, at: datetime) -> bool:
    """What a person who looks at the clock on his wall would say."""
    shown = at.astimezone(ZoneInfo(calendar.time_zone)).replace(tzinfo=None)
    minute = shown.hour * 60 + shown.minute
    return any(
        (shown.weekday() in one.days and one.start <= minute < one.end)
        or ((shown.weekday() - 1) % 7 in one.days and one.start <= minute + 24 * 60 < one.end)
        for one in calendar.spans
    )


@settings(max_examples=60)
@given(opened=st.none() | calendars, quiet=st.none() | calendars, now=moments)
@example(opened=Calendar((span("02:30", "02:45"),), PARIS), quiet=None, now=BEFORE_SPRING)
@example(opened=Calendar((span("02:30", "02:45"),), PARIS), quiet=None, now=BEFORE_AUTUMN)
@example(opened=WORK, quiet=NIGHT, now=BEFORE_AUTUMN)
def test_the_minute_walker_agrees(opened: Calendar | None, quiet: Calendar | None, now: datetime) -> None:
    windows = allowed(opened, quiet, now)
    inside = windows if windows is not None else ((now, now + AHEAD),)
    place = 0
    for n in range(7 * 24 * 60):
        minute = now + timedelta(minutes=n)
        while place < len(inside) and inside[place][1] <= minute:
            place += 1
        said = place < len(inside) and inside[place][0] <= minute
        walked = (opened is None or is_inside(opened, minute)) and not (quiet is not None and is_inside(quiet, minute))
        assert said == walked, minute


@given(opened=calendars, quiet=calendars, now=moments)
def test_windows_lie_in_order_within_the_week(opened: Calendar, quiet: Calendar, now: datetime) -> None:
    windows: tuple[Window, ...] = allowed(opened, quiet, now) or ()
    edges = [edge for window in windows for edge in window]
    assert edges == sorted(set(edges))
    assert all(now <= edge <= now + AHEAD for edge in edges)
