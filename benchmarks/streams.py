"""Streams: what a connection costs, how soon one person hears in the midst of a broadcast, how a crowd comes back."""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

from benchmarks.installation import PARTITIONS, Installation, NotStarted
from benchmarks.machine import ROOT, Circumstances
from benchmarks.processes import cpu_seconds

KB_EACH: Final = 20.0
P99: Final = 0.010
RATE: Final = 10_000.0
"""Frames per second that everybody hears meanwhile."""
STORM: Final = 2_000
WITHIN: Final = 10.0
"""Seconds in which so many are served who come back at once."""
EACH: Final = 20
"""Streams of one person: a frame is written once, and to all of these."""
SECONDS: Final = 20.0


@dataclass(frozen=True, slots=True)
class Late:
    """Seconds from the intended instant until the frame is there."""

    p50: float
    p99: float

    @classmethod
    def of(cls, seconds: list[float]) -> Self:
        return cls(statistics.median(seconds), sorted(seconds)[int(len(seconds) * 0.99)])

    def __str__(self) -> str:
        return f"p50 {self.p50 * 1000:.1f} ms, p99 {self.p99 * 1000:.1f} ms"


@dataclass(frozen=True, slots=True)
class Result:
    """`read`: one tab reads, the other hears; `sent`: from intake's word in Kafka on. `cpu_us`: per frame;
    `again`: times that somebody of the crowd was told to come back later."""

    connections: int
    kb_each: float
    rate: float
    heard: float
    read: Late
    sent: Late
    cpu_us: dict[str, float]
    storm_seconds: float
    recovered: int
    again: int
    circumstances: Circumstances

    @property
    def holds(self) -> bool:
        pushed = self.kb_each <= KB_EACH and self.read.p99 <= P99 and self.heard >= 1 and self.rate >= 0.95 * RATE
        return pushed and self.storm_seconds <= WITHIN and self.recovered == STORM

    def __str__(self) -> str:
        cpu = ", ".join(f"{name} {us:,.0f}" for name, us in self.cpu_us.items())
        return "\n".join(
            [
                f"streams: {self.kb_each:.1f} KB per connection with {self.connections:,} (promised: {KB_EACH:g} KB)",
                f"  during {self.rate:,.0f} frames/s, {self.heard:.1%} of them heard: read in another tab {self.read} "
                f"(promised: p99 {P99 * 1000:g} ms); sent to one {self.sent}",
                f"  CPU us per frame: {cpu}",
                f"  {STORM:,} come back at once, each with 3 missed: {self.recovered:,} recovered, {self.again:,} "
                f"refusals until then, all served in {self.storm_seconds:.1f} s (promised: {WITHIN:g} s)",
                f"  {self.circumstances}",
            ]
        )

    def as_json(self) -> str:
        return json.dumps(asdict(self) | {"holds": self.holds})


async def measure(connections: int, seed: int, tell: Callable[[str], None]) -> Result:
    """Own servers and one gateway; a crowd of `connections` in a process of its own. Raises NotStarted."""
    circumstances = Circumstances.now(seed)
    tell("starting Kafka, PostgreSQL and a gateway")
    async with Installation(("gateway",)) as installation:
        people = max(1, connections // EACH)
        tell(f"{people * EACH} connections, then {RATE:,.0f} frames/s for {SECONDS:g} s")
        before = _used(installation)
        pushed = await _crowd(installation, "push", seed, people=people, each=EACH, rate=RATE, seconds=SECONDS)
        cpu = {name: (used - before[name]) / pushed["due"] * 1e6 for name, used in _used(installation).items()}
    async with Installation(("gateway",)) as installation:
        tell(f"{STORM} come back at once")
        storm = await _crowd(installation, "storm", seed, people=STORM)
    return Result(
        connections=people * EACH,
        kb_each=pushed["kb_each"],
        rate=pushed["rate"],
        heard=pushed["heard"],
        read=Late.of(pushed["late"]["read"]),
        sent=Late.of(pushed["late"]["notification"]),
        cpu_us=cpu,
        storm_seconds=storm["seconds"],
        recovered=storm["recovered"],
        again=storm["again"],
        circumstances=circumstances,
    )


def _used(installation: Installation) -> dict[str, float]:
    return {"gateway": cpu_seconds(installation.processes["gateway"].pid)} | {
        name: seconds for name, seconds in installation.cpu().items() if name in ("postgresql", "kafka")
    }


async def _crowd(installation: Installation, what: str, seed: int, **numbers: float) -> dict[str, Any]:
    gateway = installation.processes["gateway"].pid, installation.ports["gateway"]
    given = {
        "pid": gateway[0],
        "port": gateway[1],
        "seed": seed,
        "partitions": PARTITIONS,
        "database": installation.database,
        "kafka": installation.kafka.address,
        **numbers,
    }
    options = [f"--{name}={value}" for name, value in given.items()]
    command = [sys.executable, "-m", "benchmarks.listeners", what, *options]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    if process.returncode:
        raise NotStarted("the crowd did not hear to the end")
    answer: dict[str, Any] = json.loads(out)
    return answer
