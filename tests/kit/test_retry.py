"""When there is another attempt, and why there is none."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.retry import PATIENT, Over, RetryPolicy, moved_into, next_attempt

NOW = datetime(2027, 3, 1, 12, 0, tzinfo=UTC)
POLICY = RetryPolicy(delays=(100.0, 200.0), max_attempts=4, budget_seconds=3600.0)


def seconds(n: float) -> timedelta:
    return timedelta(seconds=n)


def after(attempts: int, policy: RetryPolicy = POLICY, **given: object) -> datetime | Over:
    told = {"now": NOW, "random": 0.0, "first_at": NOW, "expires_at": NOW + timedelta(days=3)} | given
    return next_attempt(policy, attempts, **told)  # type: ignore[arg-type]


@pytest.mark.parametrize(("attempts", "least"), [(1, 50), (2, 100), (3, 100)])
def test_p5_3_each_delay_is_drawn_between_its_half_and_its_whole(attempts: int, least: float) -> None:
    """The last delay repeats."""
    assert after(attempts) == NOW + seconds(least)
    assert after(attempts, random=0.5) == NOW + seconds(least * 1.5)


def test_p5_3_never_below_the_providers_own_word() -> None:
    assert after(1, retry_after=75.0) == NOW + seconds(75)
    assert after(1, retry_after=75.0, random=0.9) == NOW + seconds(95)


def test_p5_3_attempts_end() -> None:
    assert after(4) is Over.ATTEMPTS


def test_p5_3_so_does_the_budget_of_time() -> None:
    assert after(2, first_at=NOW - seconds(3550)) is Over.BUDGET
    assert after(1, first_at=NOW - seconds(3550)) == NOW + seconds(50)


def test_p5_3_never_at_or_after_the_expiry() -> None:
    assert after(1, expires_at=NOW + seconds(50)) is Over.EXPIRED
    assert after(1, expires_at=NOW + seconds(50.001)) == NOW + seconds(50)


def test_p5_3_moved_into_the_next_allowed_hours() -> None:
    open_, close = NOW + seconds(600), NOW + seconds(900)
    assert after(1, windows=[(open_, close)]) == open_
    assert after(1, windows=[(NOW, NOW + seconds(60)), (open_, close)]) == NOW + seconds(50)
    assert after(2, windows=[(NOW, NOW + seconds(60)), (open_, close)]) == open_
    assert after(1, windows=[(open_, close)], expires_at=open_) is Over.EXPIRED
    assert after(1, windows=[(NOW - seconds(60), NOW)]) is Over.EXPIRED


def test_hours_that_are_waited_for_use_up_no_budget() -> None:
    tomorrow = NOW + timedelta(days=1)
    assert after(1, windows=[(tomorrow, tomorrow + seconds(60))]) == tomorrow


def test_a_full_mailbox_is_tried_for_a_day() -> None:
    """Some eight attempts, and then no more."""
    at, attempts = NOW, 1
    while isinstance(found := after(attempts, PATIENT, now=at, random=0.5), datetime):
        at, attempts = found, attempts + 1
    assert found is Over.BUDGET
    assert timedelta(hours=18) < at - NOW <= timedelta(hours=24) and 5 < attempts < 15


instants = st.integers(0, 86_400).map(lambda n: NOW + timedelta(seconds=n))
windows = st.lists(st.tuples(instants, instants).filter(lambda pair: pair[0] < pair[1]), max_size=5)


@given(at=instants, windows=windows)
def test_the_hours_are_kept(at: datetime, windows: list[tuple[datetime, datetime]]) -> None:
    """The first allowed instant that is not before, or none."""
    moved = moved_into(at, windows)
    if moved is None:
        assert all(end <= at for _, end in windows)
    else:
        assert moved >= at and any(begin <= moved < end for begin, end in windows)
        assert not any(begin <= between < end for begin, end in windows for between in (at,) if between < moved)
