"""Reminders by the whole installation: how late each was handed to the relay, and that none was early."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Final

import asyncpg

from benchmarks.installation import Installation
from benchmarks.machine import Circumstances
from benchmarks.mails import fill

P50: Final = 0.1
P99: Final = 0.5
"""Seconds late at 200 reminders per second."""
ALL_WITHIN: Final = 3.0
"""Seconds within which all are handed over that are due in the same second."""
AT_ONCE: Final = 10_000
LEAD: Final = timedelta(seconds=12)
"""Before the first instant: until then all are accepted and armed."""
PATIENCE: Final = 120.0


@dataclass(frozen=True, slots=True)
class Lateness:
    """Seconds from the planned instant until the relay had taken the mail; `earliest` until its hand-over began.
    `cpu_us` per reminder and program, from the first instant on."""

    what: str
    reminders: int
    p50: float
    p99: float
    latest: float
    earliest: float
    cpu_us: dict[str, float]

    def __str__(self) -> str:
        dearest = sorted(self.cpu_us.items(), key=lambda item: -item[1])
        each = ", ".join(f"{name} {us:,.0f}" for name, us in dearest if us >= 1)
        return (
            f"  {self.what}: p50 {self.p50:.3f} s, p99 {self.p99:.3f} s, the last {self.latest:.3f} s late; "
            f"the earliest hand-over {self.earliest * 1000:+.1f} ms\n"
            f"    CPU each: {sum(self.cpu_us.values()):,.0f} us ({each})"
        )


@dataclass(frozen=True, slots=True)
class Result:
    """What was measured."""

    steady: Lateness
    dense: Lateness
    at_once: Lateness
    circumstances: Circumstances

    @property
    def holds(self) -> bool:
        early = min(one.earliest for one in (self.steady, self.dense, self.at_once))
        return self.steady.p50 <= P50 and self.steady.p99 <= P99 and self.at_once.latest <= ALL_WITHIN and early >= 0

    def __str__(self) -> str:
        promised = (
            f"(promised at 200/s: p50 {P50:g} s, p99 {P99:g} s; at once: all within {ALL_WITHIN:g} s; none early)"
        )
        return "\n".join(
            [f"lateness {promised}", *map(str, (self.steady, self.dense, self.at_once)), f"  {self.circumstances}"]
        )

    def as_json(self) -> str:
        return json.dumps(asdict(self) | {"holds": self.holds})


async def measure(at_once: int, seed: int, tell: Callable[[str], None]) -> Result:
    """Own servers, one process of each service, the mail goes to the sink."""
    circumstances = Circumstances.now(seed)
    tell("starting Kafka, PostgreSQL and the services")
    async with Installation() as installation:
        connection = await asyncpg.connect(installation.database)
        runs = _Runs(installation, connection, seed)
        try:
            tell("warming up")
            await runs.take("warm", 2000, 1000)
            tell("200 reminders per second")
            steady = await runs.take("200/s", 3000, 200)
            tell("2,000 reminders per second")
            dense = await runs.take("2,000/s", 10_000, 2000)
            tell(f"{at_once:,} reminders in the same second")
            together = await runs.take(f"{at_once:,} in the same second", at_once, None)
        finally:
            await connection.close()
    return Result(steady, dense, together, circumstances)


class _Runs:
    """One after the other, each planned for when it is all armed."""

    def __init__(self, installation: Installation, connection: asyncpg.Connection[asyncpg.Record], seed: int) -> None:
        self._installation = installation
        self._connection = connection
        self._seed = seed

    async def take(self, what: str, count: int, per_second: int | None) -> Lateness:
        """So many reminders, so many a second or (None) all at one instant."""
        begin = await self._connection.fetchval("select date_trunc('second', tocsin.clock())") + LEAD
        step = timedelta(seconds=1 / per_second) if per_second else timedelta()

        def send_at(number: int) -> str:
            planned: datetime = begin + step * number
            return planned.isoformat()

        await fill(self._installation.kafka_settings, what, self._seed, count, send_at)
        end = begin + step * count + timedelta(milliseconds=1)
        async with asyncio.timeout(PATIENCE):
            await self._until("select tocsin.clock() >= $1", begin)
            before = self._installation.cpu()
            await self._until(_ALL_SENT, begin, end, count)
            after = self._installation.cpu()
        row = await self._connection.fetchrow(_LATENESS, begin, end)
        assert row is not None and row["n"] == count
        p50, p99, latest = (round(float(seconds), 4) for seconds in row["late"])
        cpu = {name: round((after[name] - before[name]) / count * 1e6, 1) for name in after}
        return Lateness(what, count, p50, p99, latest, round(float(row["earliest"]), 4), cpu)

    async def _until(self, true: str, *values: object) -> None:
        while True:
            if await self._connection.fetchval(true, *values):
                return
            await asyncio.sleep(0.2)


_OF_RUN: Final = """
from gateway.notifications n join email_sender.claims c on c.id = n.id and c.try = 1
where n.planned_at >= $1 and n.planned_at < $2 and c.result = 'sent'
"""
_ALL_SENT: Final = f"select count(*) >= $3 {_OF_RUN}"
_LATENESS: Final = f"""
select count(*) as n, min(extract(epoch from c.made_at - n.planned_at)) as earliest,
       percentile_cont(array[0.5, 0.99, 1.0]) within group (order by extract(epoch from c.at - n.planned_at)) as late
{_OF_RUN}
"""
