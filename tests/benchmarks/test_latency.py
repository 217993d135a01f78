"""What is said of the time that mails take."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.latency import POST_MS, PRODUCED_MS, Arrivals, Result, Spread
from tests.benchmarks.test_end_to_end import HERE

QUICK = Spread(100, 1.0, 2.0, POST_MS)
RESULT = Result(QUICK, replace(QUICK, promised=PRODUCED_MS), HERE)


def test_the_half_and_the_slowest_hundredth() -> None:
    spread = Spread.of([number / 1000 for number in range(1000)], POST_MS)
    assert (spread.count, spread.p50, spread.p99) == (1000, 500.0, 990.0)


@pytest.mark.parametrize(
    ("result", "holds"),
    [
        (RESULT, True),
        (replace(RESULT, posted=replace(QUICK, p50=POST_MS[0] + 1)), False),
        (replace(RESULT, produced=replace(QUICK, p99=PRODUCED_MS[1] + 1, promised=PRODUCED_MS)), False),
    ],
    ids=["kept", "a slow half", "slow stragglers"],
)
def test_a_promise_that_is_not_kept_fails(result: Result, holds: bool) -> None:
    assert result.holds is holds
    assert "a CPU, 2 cores" in str(result)


async def test_a_mail_arrives_when_it_first_came() -> None:
    """A copy that comes later changes nothing."""
    arrivals = Arrivals()
    arrivals.add(b"To: a@example.com\r\nMessage-ID: <1>", 1)
    first = await arrivals.of("a@example.com")
    arrivals.add(b"To: a@example.com\r\nMessage-ID: <1>", 1)
    assert await arrivals.of("a@example.com") == first
