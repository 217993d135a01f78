"""How a provider is doing: told late enough to be true, and soon enough to help."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st

from kit.delivery.condition import LIMITS, NONE, Condition, Kind
from kit.delivery.gate import REST, Gate
from kit.delivery.outcomes import PROVIDER_UNAVAILABLE, Accepted, Unavailable

DOWN: Final = Unavailable(PROVIDER_UNAVAILABLE)

Ends = list[tuple[float, bool]]
ends: st.SearchStrategy[Ends] = st.lists(st.tuples(st.floats(0, 30), st.booleans()), max_size=200)
"""Seconds since the one before, and whether the provider is to blame."""


def begin(condition: Condition, now: float) -> None:
    condition.begun(lambda: now)


def played(story: Ends) -> tuple[Condition, float]:
    condition, now = Condition(), 1000.0
    for after, bad in story:
        now += after
        begin(condition, now)
        condition.ended(now, 0.1, bad=bad)
    return condition, now


@given(ends)
def test_p5_10_few_failures_are_no_ailment(story: Ends) -> None:
    condition, now = played(story)
    if sum(bad for _, bad in story) < 10:
        assert condition.ailment(now) is None


@given(ends)
def test_p5_10_what_is_long_ago_is_forgotten(story: Ends) -> None:
    condition, now = played([*story, (0.0, False)])
    assert condition.ailment(now + 64.0) is None


@given(ends)
def test_p5_10_fifty_failures_in_a_row_within_a_minute_are_always_one(story: Ends) -> None:
    condition, now = played([*story, *[(1.0, True)] * 50])
    found = condition.ailment(now)
    assert found and found.kind is Kind.DOWN and found.total


@given(ends)
def test_p5_10_where_the_rest_is_well_a_tenth_of_failures_is_needed(story: Ends) -> None:
    """Among thousands of good ones, fifty bad ones are noise."""
    condition, now = played(story)
    for n in range(3000):
        begin(condition, now)
        condition.ended(now, 0.1, bad=n % 60 == 0)
    assert condition.ailment(now) is None


@given(ends)
def test_for_some_nothing_is_an_ailment(story: Ends) -> None:
    condition = Condition(NONE)
    for _, bad in [*story, *[(1.0, True)] * 100]:
        begin(condition, 0.0)
        condition.ended(0.0, 99.0, bad=bad)
    begin(condition, 0.0)
    assert condition.ailment(1e6) is None


outages = st.lists(st.tuples(st.floats(0.5, 5), st.booleans(), st.integers(0, 2**32)), min_size=1, max_size=60)
"""Seconds it lasts, whether the provider works, some luck."""


@settings(max_examples=50)
@given(st.floats(1, 30), st.floats(0.1, 0.9))
def test_p5_10_traffic_does_not_flap(period: float, works: float) -> None:
    """A provider goes and comes back for five minutes, ten hand-overs a second: its gate turns a dozen times."""
    now = 0.0
    shut: list[float] = []
    gate = Gate("smtp", lambda: now, turned=lambda is_open: shut.append(now) if not is_open else None)
    while now < 300.0:
        now += 0.1
        gate.look()
        if entered := gate.enter():
            gate.leave(entered, Accepted() if now % period < works * period else DOWN, now - 0.05)
    assert all(second - first >= rest for (first, second), rest in zip(pairwise(shut), REST, strict=False))
    assert len(shut) <= 12


@given(outages, st.floats(0, 1))
def test_p5_10_traffic_is_back_within_its_longest_rest(weather: list[tuple[float, bool, int]], share: float) -> None:
    now = 0.0
    gate = Gate("smtp", lambda: now)
    for lasts, works, _ in weather:
        for n in range(int(lasts * 10)):
            now += 0.1
            if entered := gate.enter():
                gate.leave(entered, Accepted() if works and n % 100 >= share * 100 else DOWN, now - 0.05)
    well_since = now
    while not gate.is_open:
        now += 0.1
        if entered := gate.enter():
            gate.leave(entered, Accepted(), now - 0.05)
        assert now - well_since <= REST[-1] + 1.0
    assert LIMITS.window == 60.0
