"""Mails per second from a filled topic until the relay has them and all are shown as sent, and what each costs."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Final, Self

import asyncpg

from benchmarks.installation import SERVICES, Installation
from benchmarks.machine import Circumstances
from benchmarks.mails import fill
from contracts.status import Status
from deploy.local.sink import ask

PROMISE: Final = 3_000.0
"""Mails per second below which the benchmark fails."""
WARM_UP: Final = 3_000
"""Mails that are not counted: connections open, plans are made, Java is compiled."""
SLOWEST: Final = 300.0
"""Mails per second below which nobody waits for the end."""
SHOWN_AS_SENT: Final = "select count(*) from gateway.notifications where rank >= $1"


@dataclass(frozen=True, slots=True)
class Result:
    """What was measured. `cpu_us` is per mail and program."""

    mails: int
    copies: int
    in_the_sink_after: float
    projected_after: float
    cpu_us: dict[str, float]
    circumstances: Circumstances

    @classmethod
    def of(
        cls, mails: int, copies: int, in_sink: float, projected: float, used: dict[str, float], at: Circumstances
    ) -> Self:
        cpu = {name: round(seconds / mails * 1e6, 1) for name, seconds in used.items()}
        return cls(mails, copies, round(in_sink, 2), round(projected, 2), cpu, at)

    @property
    def per_second(self) -> float:
        return self.mails / self.projected_after

    @property
    def holds(self) -> bool:
        return self.per_second >= PROMISE and self.copies == 0

    def __str__(self) -> str:
        dearest = sorted(self.cpu_us.items(), key=lambda item: -item[1])
        return "\n".join(
            [
                f"end to end: {self.per_second:,.0f} mails/s (promised: {PROMISE:,.0f}), {self.mails:,} mails from a "
                f"filled topic, {self.copies} copies",
                f"  all in the sink after {self.in_the_sink_after:.2f} s, all projected as sent after "
                f"{self.projected_after:.2f} s",
                f"  CPU per mail: {sum(self.cpu_us.values()):,.0f} us",
                *(f"    {name:<13}{us:>8,.0f} us" for name, us in dearest),
                f"  {self.circumstances}",
            ]
        )

    def as_json(self) -> str:
        return json.dumps(asdict(self) | {"per_second": round(self.per_second), "holds": self.holds})


async def measure(mails: int, seed: int, tell: Callable[[str], None]) -> Result:
    """Own servers, one process of each service, `mails` mails. Raises TimeoutError when they do not arrive."""
    circumstances = Circumstances.now(seed)
    tell("starting Kafka, PostgreSQL and the services")
    async with Installation() as installation:
        warm = min(WARM_UP, mails)
        tell(f"warming up with {warm:,} mails")
        await fill(installation.kafka_settings, "warm", seed, warm)
        await _all_sent(installation, warm, warm)
        tell(f"filling the topic with {mails:,} mails")
        with installation.suspended("intake", "gateway"):
            await fill(installation.kafka_settings, "run", seed, mails)
            before = installation.cpu()
            begun = time.monotonic()
        tell("measuring")
        sunk, projected = await _all_sent(installation, warm + mails, mails)
        after = installation.cpu()
        summary = await ask(installation.ports["sink"])
    used = {name: after[name] - before[name] for name in (*SERVICES, "kafka", "postgresql", "sink")}
    return Result.of(mails, summary["copies"], sunk - begun, projected - begun, used, circumstances)


async def _all_sent(installation: Installation, total: int, new: int) -> tuple[float, float]:
    """When the sink had `total` different mails, and when the gateway showed as many as sent."""
    connection = await asyncpg.connect(installation.database)

    async def in_the_sink() -> int:
        return (await ask(installation.ports["sink"]))["distinct"]

    async def shown() -> int:
        return int(await connection.fetchval(SHOWN_AS_SENT, Status.SENT.rank))

    try:
        async with asyncio.timeout(60 + new / SLOWEST):
            return await _reached(in_the_sink, total), await _reached(shown, total)
    finally:
        await connection.close()


async def _reached(count: Callable[[], Awaitable[int]], total: int) -> float:
    """When it did."""
    while True:
        if await count() >= total:
            return time.monotonic()
        await asyncio.sleep(0.05)
