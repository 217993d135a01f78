"""Urgent ones wait for small batches only."""

from datetime import UTC, datetime

from contracts.status import Lane
from contracts.topics import REQUESTED
from kit.bus.record import Received
from kit.pacing import QUIET, Growing


def of(lane: Lane) -> list[Received]:
    return [Received(REQUESTED[lane].name, 0, 1, datetime(2027, 3, 1, tzinfo=UTC), None, b"{}")]


def test_batches_are_large_while_nothing_urgent_comes() -> None:
    pace = Growing(250, 1000)
    assert pace.limit(0.0) == 1000
    pace.came(of(Lane.BULK), 1.0)
    assert pace.limit(1.0) == 1000


def test_an_urgent_one_makes_them_small_for_a_while() -> None:
    pace = Growing(250, 1000)
    pace.came(of(Lane.URGENT), 10.0)
    assert pace.limit(10.0) == pace.limit(10.0 + QUIET / 2) == 250
    pace.came(of(Lane.BULK), 11.0)
    assert pace.limit(10.0 + QUIET) == 1000
