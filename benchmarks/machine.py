"""On what, when and of what a figure was measured: without that it says nothing."""

import os
import platform
import subprocess
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

ROOT = Path(__file__).parents[1]
LOOPS = 2_000_000


@dataclass(frozen=True, slots=True)
class Circumstances:
    """`loop_ms`: a fixed piece of Python; shared machines have phases, and it tells which one this was."""

    cpu: str
    cores: int
    memory_gb: float
    python: str
    date: str
    commit: str
    seed: int
    loop_ms: float

    @classmethod
    def now(cls, seed: int) -> Self:
        return cls(
            cpu=_cpu(),
            cores=len(os.sched_getaffinity(0)),
            memory_gb=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
            python=platform.python_version(),
            date=datetime.now(UTC).isoformat(timespec="seconds"),
            commit=_commit(),
            seed=seed,
            loop_ms=round(_loop() * 1000, 1),
        )

    def __str__(self) -> str:
        return (
            f"{self.cpu}, {self.cores} cores, {self.memory_gb:g} GB, Python {self.python}, "
            f"fixed loop {self.loop_ms:g} ms; {self.date}, commit {self.commit}, seed {self.seed}"
        )


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _commit() -> str:
    """The short hash; with a + when files have been changed since."""
    try:
        head = _git("rev-parse", "--short", "HEAD")
        return head + ("+" if _git("status", "--porcelain") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def _loop() -> float:
    begun = time.perf_counter()
    total = 0
    for number in range(LOOPS):
        total += number
    return time.perf_counter() - begun
