"""Firing timers: how many a second, and that it costs the same however many wait, and whoever forgets a transaction."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Final

from benchmarks.machine import Circumstances
from benchmarks.servers import Servers, servers
from benchmarks.timer_table import BATCH, SPREAD, TimerTable
from kit.bus.publisher import Publisher
from kit.metrics import Metrics
from services.scheduler.alarm import Alarm
from services.scheduler.firing import Firing
from services.scheduler.rules.timers import Timer
from services.scheduler.shelves.timers import Timers

PROMISE: Final = 50_000.0
"""Timers deleted, read and committed per second."""
GROWTH: Final = 1.3
"""How many times dearer a firing may be than with FEW pending."""
SNAPSHOT: Final = 1.5
"""How many times dearer while somebody keeps an old snapshot open."""
FEW: Final = 10_000
ROUNDS: Final = 9
WHOLE: Final = 50_000
"""Timers that are fired with all that belongs to it."""
BATCH_SIZE: Final = 50
"""The setting's default."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Microseconds per timer, of the store alone, with so many pending."""

    pending: int
    us: float


@dataclass(frozen=True, slots=True)
class Result:
    """What was measured; the whole firing publishes to Kafka and waits for its acknowledgement."""

    few: Cost
    many: Cost
    with_snapshot: Cost
    whole_per_second: float
    whole_cpu_us: float
    circumstances: Circumstances

    @property
    def per_second(self) -> float:
        return 1e6 / self.many.us

    @property
    def growth(self) -> float:
        return self.many.us / self.few.us

    @property
    def snapshot(self) -> float:
        return self.with_snapshot.us / self.many.us

    @property
    def holds(self) -> bool:
        return self.per_second >= PROMISE and self.growth <= GROWTH and self.snapshot <= SNAPSHOT

    def __str__(self) -> str:
        return "\n".join(
            [
                f"timers: {self.per_second:,.0f}/s fired with {self.many.pending:,} pending (promised: "
                f"{PROMISE:,.0f}); the store alone, in transactions of {BATCH:,}",
                f"  per timer: {self.few.us:.1f} us with {self.few.pending:,} pending, {self.many.us:.1f} us with "
                f"{self.many.pending:,}: {self.growth:.2f} x (promised: {GROWTH:g})",
                f"  with an old snapshot held open: {self.with_snapshot.us:.1f} us, {self.snapshot:.2f} x (promised: "
                f"{SNAPSHOT:g})",
                f"  whole firings, published to Kafka and acknowledged: {self.whole_per_second:,.0f}/s, "
                f"{WHOLE:,} due at once, {self.whole_cpu_us:.0f} us of the scheduler's CPU each",
                f"  {self.circumstances}",
            ]
        )

    def as_json(self) -> str:
        figures = {"per_second": round(self.per_second), "growth": self.growth, "snapshot": self.snapshot}
        return json.dumps(asdict(self) | figures | {"holds": self.holds})


async def measure(pending: int, seed: int, tell: Callable[[str], None]) -> Result:
    """Own servers; first with FEW timers pending, then with `pending`."""
    circumstances = Circumstances.now(seed)
    tell("starting Kafka and PostgreSQL")
    async with servers() as there, TimerTable.opened(there.database, seed) as table:
        await table.fill_up(FEW)
        await table.cost(2)  # connections open, plans are made
        tell(f"firing with {FEW:,} pending")
        few = Cost(FEW, round(await table.cost(ROUNDS), 2))
        tell(f"filling up to {pending:,} pending")
        await table.fill_up(pending)
        tell(f"firing with {pending:,} pending")
        many = Cost(pending, round(await table.cost(ROUNDS), 2))
        tell("firing with an old snapshot held open")
        async with table.old_snapshot(there.database):
            with_snapshot = Cost(pending, round(await table.cost(ROUNDS), 2))
        tell(f"firing {WHOLE:,} to Kafka")
        seconds, cpu = await _whole(there, table)
    per_second, cpu_us = round(WHOLE / seconds), round(cpu / WHOLE * 1e6, 1)
    return Result(few, many, with_snapshot, per_second, cpu_us, circumstances)


async def _whole(there: Servers, table: TimerTable) -> tuple[float, float]:
    """Seconds, and of them this process's CPU, by the scheduler's own firing; a few thousand first to warm up."""
    publisher = Publisher(there.kafka, "scheduler")
    await publisher.start()
    alarm = Alarm()
    firing = Firing(Timers(), table.db, publisher, alarm, Metrics(), batch_size=BATCH_SIZE)
    try:
        await table.make_due(WHOLE // 10)
        await firing.start()
        await _fired(firing, WHOLE // 10)
        await firing.stop()
        before = firing.fired
        alarm.armed(await table.make_due(WHOLE) - SPREAD)
        begun, used = time.perf_counter(), time.process_time()
        await firing.start()
        await _fired(firing, before + WHOLE)
        return time.perf_counter() - begun, time.process_time() - used
    finally:
        await firing.stop()
        await publisher.stop()


async def _fired(firing: Firing[Timer], count: int) -> None:
    async with asyncio.timeout(120):
        while True:
            if firing.fired >= count:
                return
            await asyncio.sleep(0.01)
