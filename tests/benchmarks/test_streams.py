"""What is said of streams: memory, a push in the midst of a broadcast, a crowd that comes back; and what breaks it."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from benchmarks.streams import KB_EACH, P99, RATE, STORM, WITHIN, Around, Late, Result
from tests.benchmarks.test_end_to_end import HERE

SOON = Late(0.001, 0.002)
RESULT = Result(
    connections=5000,
    kb_each=KB_EACH,
    rate=RATE,
    heard=1.0,
    read=Late(0.001, P99),
    sent=Late(0.01, 0.1),
    missing=0,
    around=Around(SOON, SOON, SOON),
    cpu_us={"gateway": 30.0},
    storm_seconds=WITHIN,
    recovered=STORM,
    again=0,
    circumstances=HERE,
)


@pytest.mark.parametrize(
    ("result", "holds"),
    [
        (RESULT, True),
        (replace(RESULT, kb_each=KB_EACH + 0.1), False),
        (replace(RESULT, read=Late(0.001, P99 + 0.001)), False),
        (replace(RESULT, heard=0.999), False),
        (replace(RESULT, missing=1), False),
        (replace(RESULT, rate=RATE * 0.9), False),
        (replace(RESULT, storm_seconds=WITHIN + 0.1), False),
        (replace(RESULT, recovered=STORM - 1), False),
    ],
    ids=[
        "kept",
        "too much memory",
        "too late",
        "not all heard",
        "somebody did not hear",
        "too few said",
        "too long",
        "somebody lost his place",
    ],
)
def test_a_promise_that_is_not_kept_fails(result: Result, holds: bool) -> None:
    assert result.holds is holds
    assert "a CPU, 2 cores" in str(result)


def test_the_hundredth_is_the_99th_percentile() -> None:
    assert Late.of([n / 1000 for n in range(100)]) == Late(0.0495, 0.099)


def test_what_never_came_is_late_for_ever() -> None:
    assert Late.of([]).p99 == math.inf
