"""Instants that people write, with the days on which clocks change."""

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import local_time
from contracts.local_time import BadTime

PARIS = "Europe/Paris"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("text", "zone", "fold", "instant"),
    [
        ("2027-03-01T08:00:00+01:00", None, None, "2027-03-01T07:00:00+00:00"),
        ("2027-03-01T08:00:00Z", None, None, "2027-03-01T08:00:00+00:00"),
        ("2027-03-01t08:00:00.250z", None, None, "2027-03-01T08:00:00.25+00:00"),
        ("2027-03-01 08:00-05:30", None, None, "2027-03-01T13:30:00+00:00"),
        ("2027-03-01T08:00", "Europe/Paris", None, "2027-03-01T07:00:00+00:00"),
        ("2027-07-01T08:00", "Europe/Paris", None, "2027-07-01T06:00:00+00:00"),
        ("2027-07-01T08:00", "Asia/Kathmandu", None, "2027-07-01T02:15:00+00:00"),
        ("2027-07-01T08:00Z", "Europe/Paris", None, "2027-07-01T08:00:00+00:00"),
        ("2027-03-28T02:30", "Europe/Paris", 0, "2027-03-28T01:30:00+00:00"),
        ("2027-03-28T02:30", "Europe/Paris", 1, "2027-03-28T00:30:00+00:00"),
        ("2027-10-31T02:30", "Europe/Paris", 0, "2027-10-31T00:30:00+00:00"),
        ("2027-10-31T02:30", "Europe/Paris", 1, "2027-10-31T01:30:00+00:00"),
        ("2027-06-01T02:30", "Europe/Paris", 1, "2027-06-01T00:30:00+00:00"),
    ],
)
def test_an_instant(text: str, zone: str | None, fold: int | None, instant: str) -> None:
    assert local_time.instant(text, zone, fold) == at(instant)


@pytest.mark.parametrize(
    ("text", "zone", "kind", "candidates"),
    [
        ("2027-03-28T02:30", PARIS, "does not exist", ("2027-03-28T01:30:00+01:00", "2027-03-28T03:30:00+02:00")),
        ("2027-10-31T02:30", PARIS, "exists twice", ("2027-10-31T02:30:00+02:00", "2027-10-31T02:30:00+01:00")),
        ("2027-03-14T02:30", "America/New_York", "does not exist", None),
        ("2027-04-04T01:45", "Australia/Lord_Howe", "exists twice", None),
        ("2018-11-04T00:00", "America/Sao_Paulo", "does not exist", None),
    ],
)
def test_a_gap_or_an_overlap_names_both_candidates(
    text: str, zone: str, kind: str, candidates: tuple[str, str] | None
) -> None:
    with pytest.raises(BadTime, match=kind) as refused:
        local_time.instant(text, zone)
    found = refused.value.candidates
    assert len(found) == 2
    assert candidates in (None, found)
    assert all(candidate in str(refused.value) for candidate in found)
    assert {at(candidate) for candidate in found} == {local_time.instant(text, zone, fold) for fold in (0, 1)}


@pytest.mark.parametrize(
    "text",
    ["", "tomorrow", "2027-03-01", "20270301T080000Z", "2027-W09-1T08:00Z", "2027-13-01T08:00Z", "2027-02-29T08:00Z",
     "2027-03-01T25:00Z", "2027-03-01T08:00:60Z", "2027-03-01T08:00+25:00", "2027-03-01Ω08:00Z", "2027-03-01T08:00Z\n",
     "٢٠٢٧-03-01T08:00Z", "1772352000"],
)  # fmt: skip
def test_what_is_no_rfc_3339(text: str) -> None:
    with pytest.raises(BadTime, match="RFC 3339"):
        local_time.instant(text)


@pytest.mark.parametrize("text", ["0001-01-01T00:00+14:00", "9999-12-31T23:59-12:00"])
def test_what_lies_outside_the_calendar(text: str) -> None:
    with pytest.raises(BadTime, match="years"):
        local_time.instant(text)


def test_local_time_needs_a_zone() -> None:
    with pytest.raises(BadTime, match="time_zone"):
        local_time.instant("2027-03-01T08:00")


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("Europe/Pariss", PARIS),
        ("europe/paris", PARIS),
        ("Europe/Paris\x00", PARIS),
        ("America/NewYork", "America/New_York"),
        ("Asia/Katmandou", "Asia/Katmandu"),
        ("UTC+1", None),
        ("../../etc/passwd", None),
        ("right/Europe/Paris", None),
        ("localtime", None),
        ("Europe", None),
        ("\ud800", None),
        ("", None),
        ("x" * 9999, None),
    ],
)
def test_an_unknown_zone_names_the_nearest(name: str, nearest: str | None) -> None:
    with pytest.raises(BadTime, match="there is no time zone") as refused:
        local_time.zone(name)
    assert nearest is None or f"did you mean {nearest}?" in str(refused.value)
    assert str(refused.value).isprintable()


@given(st.text(max_size=40), st.none() | st.text(max_size=40), st.none() | st.integers())
def test_whatever_it_is_it_is_an_instant_or_a_bad_one(text: str, zone: str | None, fold: int | None) -> None:
    with suppress(BadTime):
        assert local_time.instant(text, zone, fold).tzinfo is UTC


WALL = st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2037, 1, 1))  # noqa: DTZ001
ZONES = [PARIS, "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Tehran"]


@given(WALL, st.sampled_from(ZONES))
def test_an_instant_is_one_at_which_the_clock_in_that_zone_shows_this(wall: datetime, zone: str) -> None:
    try:
        instant = local_time.instant(wall.isoformat(), zone)
    except BadTime as refused:
        found = refused.candidates
    else:
        found = (instant.astimezone(local_time.zone(zone)).replace(tzinfo=None).isoformat(),)
    assert len(found) == 2 or found == (wall.isoformat(),)
