"""The figures of a slow relay hold only when each of them does; the relay is as slow as it says."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from benchmarks import slow_relay
from benchmarks.latency import Spread
from benchmarks.machine import Circumstances
from benchmarks.slow_relay import URGENT_MS, Result, SlowRelay
from kit.delivery.outcomes import Accepted
from tests.services.email_sender.test_smtp import parcel, smtp

HERE = Circumstances("a CPU", 2, 8.0, "3.11", "2027-03-01", "abcdef", 1, 5.7)
RESULT = Result(2500, 95.0, 200, Spread(100, 250.0, 1000.0, URGENT_MS), HERE)


@pytest.mark.parametrize(
    ("change", "holds"),
    [({}, True), ({"per_second": 94.9}, False), ({"urgent": Spread(100, 250.0, 1000.1, URGENT_MS)}, False)],
    ids=["kept", "too few", "urgent ones wait"],
)
def test_falling_short_fails(change: dict[str, Any], holds: bool) -> None:
    assert replace(RESULT, **change).holds is holds


async def test_it_takes_each_mail_and_answers_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slow_relay, "ANSWERS_AFTER", 0.05)
    async with SlowRelay() as relay, smtp(relay.port, timeout=20.0, connections=3) as provider:
        said = await asyncio.gather(*(provider.hand_over(parcel(f"u{n}@example.com")) for n in range(9)))
        assert all(isinstance(one, Accepted) for one in said)
        assert sorted(to for to, _ in relay.came) == [f"u{n}@example.com" for n in range(9)]
        assert relay.connections <= 3
