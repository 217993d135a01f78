"""What a history costs: mails per second with a million notifications stored, beside those of an empty database."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final

import asyncpg

from benchmarks.draining import Drained, drained
from benchmarks.installation import Installation
from benchmarks.machine import Circumstances
from benchmarks.stored import store

PROMISE: Final = 0.9
"""Of the rate of an empty database."""
STORED: Final = 1_000_000
ORIGINALS: Final = 2_000
"""Mails that warm up, and of which the history is made."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Mails per second until all are shown as sent, and what one costs each program, with so many stored."""

    stored: int
    per_second: float
    cpu_us: dict[str, float]

    @classmethod
    def of(cls, stored: int, mails: int, found: Drained) -> Pace:
        cpu_us = {name: round(seconds / mails * 1e6, 1) for name, seconds in found.cpu.items()}
        return cls(stored, round(mails / found.projected), cpu_us)

    def __str__(self) -> str:
        dearest = sorted(self.cpu_us.items(), key=lambda item: -item[1])
        each = ", ".join(f"{name} {us:,.0f}" for name, us in dearest if us >= 1)
        return (
            f"{self.per_second:,.0f} mails/s with {self.stored:,} stored\n"
            f"    CPU each: {sum(self.cpu_us.values()):,.0f} us ({each})"
        )


@dataclass(frozen=True, slots=True)
class Result:
    """What was measured."""

    mails: int
    empty: Pace
    full: Pace
    circumstances: Circumstances

    @property
    def ratio(self) -> float:
        return self.full.per_second / self.empty.per_second

    @property
    def holds(self) -> bool:
        return self.ratio >= PROMISE

    def __str__(self) -> str:
        return "\n".join(
            [
                f"growth: {self.ratio:.2f} x the mails/s of an empty database (promised: {PROMISE:g}), "
                f"{self.mails:,} mails from a filled topic",
                f"  {self.empty}",
                f"  {self.full}",
                f"  {self.circumstances}",
            ]
        )

    def as_json(self) -> str:
        return json.dumps(asdict(self) | {"ratio": self.ratio, "holds": self.holds})


async def measure(mails: int, seed: int, tell: Callable[[str], None], stored: int = STORED) -> Result:
    """Own servers, one process of each service. Raises TimeoutError when the mails do not arrive."""
    circumstances = Circumstances.now(seed)
    tell("starting Kafka, PostgreSQL and the services")
    async with Installation() as installation:
        since = await _now(installation)
        tell(f"warming up with {ORIGINALS:,} mails")
        await drained(installation, "warm", seed, ORIGINALS)
        tell("measuring without a history")
        empty = await drained(installation, "empty", seed, mails)
        tell(f"storing {stored:,} notifications")
        there = ORIGINALS + mails
        total = await store(installation.database, max(1, round(stored / there)), since)
        await drained(installation, "warm again", seed, ORIGINALS)
        tell(f"measuring with {total:,} stored")
        full = await drained(installation, "full", seed, mails)
    return Result(mails, Pace.of(there, mails, empty), Pace.of(total, mails, full), circumstances)


async def _now(installation: Installation) -> datetime:
    connection = await asyncpg.connect(installation.database)
    try:
        now: datetime = await connection.fetchval("select clock_timestamp()")
        return now
    finally:
        await connection.close()
