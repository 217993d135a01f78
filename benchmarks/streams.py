"""Streams: what a connection costs, how soon one person hears in the midst of a broadcast, how a crowd comes back."""

from __future__ import annotations

import asyncio
import json
import math
import statistics
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

from benchmarks.disk import Disk
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
    """Seconds from the intended instant until it is there; for ever, where nothing came."""

    p50: float
    p99: float

    @classmethod
    def of(cls, seconds: list[float]) -> Self:
        if not seconds:
            return cls(math.inf, math.inf)
        return cls(statistics.median(seconds), sorted(seconds)[int(len(seconds) * 0.99)])

    def __str__(self) -> str:
        return f"p50 {self.p50 * 1000:.1f} ms, p99 {self.p99 * 1000:.1f} ms"


@dataclass(frozen=True, slots=True)
class Around:
    """What is not ours and in it all the same; nothing of it is taken off. `crowd` and `somebody`: how late those
    processes were themselves that measure; `disk`: what a write to it took meanwhile (each read is one, by promise)."""

    crowd: Late
    somebody: Late
    disk: Late

    def __str__(self) -> str:
        return f"the crowd itself {self.crowd}; somebody himself {self.somebody}; a write to the disk {self.disk}"


@dataclass(frozen=True, slots=True)
class Result:
    """`read`: one tab reads, the other hears; `sent`: from intake's word in Kafka on. `cpu_us`: per frame;
    `missing`: of those, how many were never heard; `again`: times that somebody of the crowd was told to come back
    later."""

    connections: int
    kb_each: float
    rate: float
    heard: float
    read: Late
    sent: Late
    missing: int
    around: Around
    cpu_us: dict[str, float]
    storm_seconds: float
    recovered: int
    again: int
    circumstances: Circumstances

    @property
    def holds(self) -> bool:
        heard = self.heard >= 1 and self.rate >= 0.95 * RATE and not self.missing
        pushed = self.kb_each <= KB_EACH and self.read.p99 <= P99 and heard
        return pushed and self.storm_seconds <= WITHIN and self.recovered == STORM

    def __str__(self) -> str:
        cpu = ", ".join(f"{name} {us:,.0f}" for name, us in self.cpu_us.items())
        return "\n".join(
            [
                f"streams: {self.kb_each:.1f} KB per connection with {self.connections:,} (promised: {KB_EACH:g} KB)",
                f"  during {self.rate:,.0f} frames/s, {self.heard:.1%} of them heard: read in another tab {self.read} "
                f"(promised: p99 {P99 * 1000:g} ms); sent to one {self.sent}",
                f"  beside it: {self.around}",
                f"  CPU us per frame: {cpu}",
                f"  {STORM:,} come back at once, each with 3 missed: {self.recovered:,} recovered, {self.again:,} "
                f"refusals until then, all served in {self.storm_seconds:.1f} s (promised: {WITHIN:g} s)",
                f"  {self.circumstances}",
            ]
        )

    def as_json(self) -> str:
        return json.dumps(asdict(self) | {"holds": self.holds})


async def measure(connections: int, seed: int, tell: Callable[[str], None]) -> Result:
    """Own servers and one gateway; a crowd of `connections`, and somebody, each in a process. Raises NotStarted."""
    circumstances = Circumstances.now(seed)
    tell("starting Kafka, PostgreSQL and a gateway")
    async with Installation(("gateway",)) as installation:
        people = max(1, connections // EACH)
        tell(f"{people * EACH} connections, then {RATE:,.0f} frames/s for {SECONDS:g} s")
        told = _given(installation, seed, people=people, each=EACH, rate=RATE, seconds=SECONDS)
        crowd, somebody = await _started("listeners", "push", *told), await _started("somebody", *told)
        await asyncio.gather(_ready(crowd), _ready(somebody))
        before, disk = _used(installation), Disk(installation.folder)
        for one in (crowd, somebody):
            _go(one)
        with disk:
            target, pushed = await _answer(somebody), await _answer(crowd)
        used = {name: seconds - before[name] for name, seconds in _used(installation).items()}
        used |= {"crowd": pushed["cpu"], "somebody": target["cpu"]}
    async with Installation(("gateway",)) as installation:
        tell(f"{STORM} come back at once")
        storm = await _answer(await _started("listeners", "storm", *_given(installation, seed, people=STORM)))
    late = target["late"]
    return Result(
        connections=people * EACH,
        kb_each=pushed["kb_each"],
        rate=pushed["rate"],
        heard=pushed["heard"],
        read=Late.of(late["read"]),
        sent=Late.of(late["notification"]),
        missing=sum(target["wanted"] - len(some) for some in late.values()),
        around=Around(Late.of(pushed["delay"]), Late.of(target["delay"]), Late.of(disk.took)),
        cpu_us={name: seconds / pushed["due"] * 1e6 for name, seconds in used.items()},
        storm_seconds=storm["seconds"],
        recovered=storm["recovered"],
        again=storm["again"],
        circumstances=circumstances,
    )


def _used(installation: Installation) -> dict[str, float]:
    return {"gateway": cpu_seconds(installation.processes["gateway"].pid)} | {
        name: seconds for name, seconds in installation.cpu().items() if name in ("postgresql", "kafka")
    }


def _given(installation: Installation, seed: int, **numbers: float) -> list[str]:
    given = {
        "pid": installation.processes["gateway"].pid,
        "port": installation.ports["gateway"],
        "seed": seed,
        "partitions": PARTITIONS,
        "database": installation.database,
        "kafka": installation.kafka.address,
        **numbers,
    }
    return [f"--{name}={value}" for name, value in given.items()]


async def _started(*command: str) -> Process:
    """One of those who listen."""
    module, *options = command
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", f"benchmarks.{module}", *options, cwd=ROOT, stdin=PIPE, stdout=PIPE, limit=2**22
    )


async def _ready(process: Process) -> None:
    assert process.stdout
    if await process.stdout.readline() != b"ready\n":
        raise NotStarted("those who listen did not come so far as to hear anything")


def _go(process: Process) -> None:
    assert process.stdin
    process.stdin.write(b"go\n")


async def _answer(process: Process) -> dict[str, Any]:
    out, _ = await process.communicate()
    if process.returncode:
        raise NotStarted("those who listen did not hear to the end")
    answer: dict[str, Any] = json.loads(out)
    return answer
