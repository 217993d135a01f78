"""The figures of a failover hold only when each of them does; the relay does what it says."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from benchmarks.failover import MOSTLY, Fault, Relay, Result, carried, turns
from benchmarks.machine import Circumstances
from kit.delivery.outcomes import Accepted, Unavailable, Unknown
from tests.services.email_sender.test_smtp import parcel, smtp
from tests.waiting import eventually

HERE = Circumstances("a CPU", 2, 8.0, "3.11", "2027-03-01", "abcdef", 1, 5.7)
KEPT = Fault("stalls", moved_after=10.0, back_after=60.0, turns=2, strayed=0, lost=0, copies=0)


@pytest.mark.parametrize(
    ("change", "holds"),
    [
        ({}, True),
        ({"moved_after": 10.1}, False),
        ({"back_after": 60.1}, False),
        ({"turns": 4}, False),
        ({"turns": 0}, False),
        ({"strayed": 1}, False),
        ({"lost": 1}, False),
        ({"copies": 1}, False),
    ],
    ids=["kept", "late", "late back", "to and fro", "never moved", "an unknown moved", "lost", "a copy"],
)
def test_falling_short_fails(change: dict[str, Any], holds: bool) -> None:
    assert Result((KEPT, replace(KEPT, **change)), HERE).holds is holds


def at(second: float, count: int) -> list[tuple[str, float]]:
    """So many that come within that second."""
    return [("ann@example.com", second + n / count) for n in range(count)]


def test_it_has_the_load_when_most_came_within_a_second() -> None:
    assert carried([*at(0, 100), *at(1, MOSTLY - 1), *at(5, 100)], since=1.0) == 5 + (MOSTLY - 1) / 100
    assert carried(at(0, 100), since=1.0) is None


def test_one_that_sees_whether_it_works_again_is_no_turn() -> None:
    main = [*at(0, 100), *at(1, 3), *at(2, 1), *at(4, 100)]
    spare = [*at(1, 97), *at(2, 99), *at(3, 2)]
    assert turns(main, spare, until=5.0) == 2 and turns(main, spare, until=3.0) == 1


async def test_the_relay_takes_fails_and_stalls() -> None:
    async with Relay() as relay, smtp(relay.port) as provider:
        assert isinstance(await provider.hand_over(parcel("ann@example.com")), Accepted)
        relay.be("fails")
        assert isinstance(await provider.hand_over(parcel("ben@example.com")), Unavailable)
        relay.be("stalls")
        hanging = asyncio.create_task(provider.hand_over(parcel("cleo@example.com")))
        await eventually(lambda: bool(relay.silent))
        relay.be("takes")
        assert isinstance(await hanging, Unknown)
        assert isinstance(await provider.hand_over(parcel("dora@example.com")), Accepted)
    assert [to for to, _ in relay.came] == ["ann@example.com", "dora@example.com"]
    assert relay.silent == {"cleo@example.com"}
