"""What is said of streams: memory, a push in the midst of a broadcast, a crowd that comes back; and what breaks it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.streams import KB_EACH, P99, RATE, STORM, WITHIN, Late, Result
from tests.benchmarks.test_end_to_end import HERE

RESULT = Result(5000, KB_EACH, RATE, 1.0, Late(0.001, P99), Late(0.01, 0.1), {"gateway": 30.0}, WITHIN, STORM, 0, HERE)


@pytest.mark.parametrize(
    ("result", "holds"),
    [
        (RESULT, True),
        (replace(RESULT, kb_each=KB_EACH + 0.1), False),
        (replace(RESULT, read=Late(0.001, P99 + 0.001)), False),
        (replace(RESULT, heard=0.999), False),
        (replace(RESULT, rate=RATE * 0.9), False),
        (replace(RESULT, storm_seconds=WITHIN + 0.1), False),
        (replace(RESULT, recovered=STORM - 1), False),
    ],
    ids=["kept", "too much memory", "too late", "not all heard", "too few said", "too long", "somebody lost his place"],
)
def test_a_promise_that_is_not_kept_fails(result: Result, holds: bool) -> None:
    assert result.holds is holds
    assert "a CPU, 2 cores" in str(result)


def test_the_hundredth_is_the_99th_percentile() -> None:
    assert Late.of([n / 1000 for n in range(100)]) == Late(0.0495, 0.099)
