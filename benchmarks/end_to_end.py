"""Mails per second from a filled topic until the relay has them and all are shown as sent, and what each costs."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Final, Self

from benchmarks.draining import Drained, drained
from benchmarks.installation import Installation
from benchmarks.machine import Circumstances
from deploy.local.sink import ask

PROMISE: Final = 3_000.0
"""Mails per second below which the benchmark fails."""
WARM_UP: Final = 3_000
"""Mails that are not counted: connections open, plans are made, Java is compiled."""


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
    def of(cls, mails: int, copies: int, found: Drained, at: Circumstances) -> Self:
        cpu = {name: round(seconds / mails * 1e6, 1) for name, seconds in found.cpu.items()}
        return cls(mails, copies, round(found.in_sink, 2), round(found.projected, 2), cpu, at)

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
        await drained(installation, "warm", seed, warm)
        tell(f"draining a topic of {mails:,} mails")
        found = await drained(installation, "run", seed, mails)
        summary = await ask(installation.ports["sink"])
    return Result.of(mails, summary["copies"], found, circumstances)
