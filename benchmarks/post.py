"""Notifications per second that REST accepts, beside what people would write: FastAPI and one INSERT per request."""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from subprocess import DEVNULL, Popen
from typing import Any, Final

import jwt

from benchmarks.installation import JWT_SECRET, Installation, NotStarted
from benchmarks.machine import ROOT, Circumstances
from benchmarks.processes import cpu_seconds
from deploy.local.ports import free_port, taken
from kit.clock import utc_now

TIMES: Final = 4.0
"""So many times what the peer does with the same CPU is promised for single requests: both are one process, and one
core is the most that a process of Python can use. Rates are shown beside it. They say less on a machine of two cores,
on which PostgreSQL, Kafka and the client take their share of the second one, and others perhaps of both."""
BATCHED: Final = 20_000.0
"""Notifications per second that are promised for the batch route."""
CONNECTIONS: Final = 256
"""So many that neither side ever waits for the client, nor the client for one commit to the disk."""
BATCH_CONNECTIONS: Final = 4
ITEMS: Final = 500
ROUNDS: Final = 3
PATH: Final = "/v1/notifications"
BODY: Final = {
    "channel": "email",
    "to": "customer@example.com",
    "subject": "Your order has left",
    "body": "It should arrive on Thursday.",
    "lane": "bulk",
}


@dataclass(frozen=True, slots=True)
class Figure:
    """One way to ask: notifications per second, the median of all rounds, and the CPU that each took."""

    per_second: float
    cpu_us: dict[str, float]

    def __str__(self) -> str:
        cpu = ", ".join(f"{name} {us:,.0f}" for name, us in self.cpu_us.items())
        return f"{self.per_second:>9,.0f}/s; CPU us per notification: {cpu}"


@dataclass(frozen=True, slots=True)
class Result:
    """`wrong` counts answers that were no 202."""

    ours: Figure
    batch: Figure
    peer: Figure
    wrong: int
    circumstances: Circumstances

    @property
    def times(self) -> float:
        """By the CPU of the process that answers."""
        return self.peer.cpu_us["peer"] / self.ours.cpu_us["gateway"]

    @property
    def times_by_rate(self) -> float:
        return self.ours.per_second / self.peer.per_second

    @property
    def holds(self) -> bool:
        return self.times >= TIMES and self.batch.per_second >= BATCHED and not self.wrong

    def __str__(self) -> str:
        return "\n".join(
            [
                f"post: {self.times:.1f} x FastAPI with one INSERT per request by the CPU of the process (promised: "
                f"{TIMES:g} x), {self.times_by_rate:.1f} x by rate; batch route {self.batch.per_second:,.0f}/s "
                f"(promised: {BATCHED:,.0f}/s); {self.wrong} wrong answers",
                f"  POST, one process   {self.ours}",
                f"  batches of {ITEMS}      {self.batch}",
                f"  FastAPI + INSERT    {self.peer}",
                f"  {self.circumstances}",
            ]
        )

    def as_json(self) -> str:
        times = {"times": round(self.times, 2), "times_by_rate": round(self.times_by_rate, 2)}
        return json.dumps(asdict(self) | times | {"holds": self.holds})


async def measure(count: int, seed: int, tell: Callable[[str], None]) -> Result:
    """Own servers; `count` notifications each way and round, in turns. What follows a 202 (intake, the senders) stands
    still meanwhile. Raises NotStarted."""
    circumstances = Circumstances.now(seed)
    tell("starting Kafka, PostgreSQL and the services")
    async with Installation() as installation:
        with _peer(installation) as (peer, port):
            while not taken(port):
                if peer.poll() is not None:
                    raise NotStarted("the peer does not start")
                await asyncio.sleep(0.1)
            ways = _ways(installation, peer.pid, port)
            for way in ways:
                await way.ask(max(count // 10, ITEMS))
            tell("measuring in turns")
            for _ in range(ROUNDS):
                for way in ways:
                    with installation.suspended("intake", "scheduler", "email_sender", "sms_sender"):
                        await way.measure(count)
    ours, batch, theirs = ways
    wrong = sum(way.wrong for way in ways)
    return Result(ours.figure, batch.figure, theirs.figure, wrong, circumstances)


class Way:
    """One way to ask: where, with which body, over how many connections."""

    def __init__(self, installation: Installation, server: tuple[str, int, int], path: str, body: bytes, items: int):
        """`server`: name, process id and port of who answers; `items`: notifications in one request."""
        self._installation = installation
        self._name, self._pid, self._port = server
        self._path, self._items = path, items
        self._body = installation.folder / f"body-{self._name}-{items}.json"
        self._body.write_bytes(body)
        self._rates: list[float] = []
        self._cpu: dict[str, float] = {}
        self._asked = 0
        self.wrong = 0

    async def ask(self, count: int) -> float:
        """Seconds that `count` notifications took."""
        answer = await _load(
            *("--port", str(self._port), "--path", self._path, "--token", token(), "--body", str(self._body)),
            *("--requests", str(count // self._items)),
            *("--connections", str(BATCH_CONNECTIONS if self._items > 1 else CONNECTIONS)),
        )
        self.wrong += answer["wrong"]
        return float(answer["seconds"])

    async def measure(self, count: int) -> None:
        """One round."""
        before = self._used()
        self._rates.append(count / await self.ask(count))
        self._asked += count
        for name, seconds in self._used().items():
            self._cpu[name] = self._cpu.get(name, 0.0) + seconds - before[name]

    @property
    def figure(self) -> Figure:
        cpu = {name: round(seconds / self._asked * 1e6, 1) for name, seconds in self._cpu.items()}
        return Figure(round(statistics.median(self._rates), 1), cpu)

    def _used(self) -> dict[str, float]:
        used = self._installation.cpu()
        return {self._name: cpu_seconds(self._pid)} | {name: used[name] for name in ("postgresql", "kafka")}


def _ways(installation: Installation, peer: int, port: int) -> Sequence[Way]:
    gateway = "gateway", installation.processes["gateway"].pid, installation.ports["gateway"]
    one, many = json.dumps(BODY).encode(), json.dumps({"notifications": [BODY] * ITEMS}).encode()
    return (
        Way(installation, gateway, PATH, one, 1),
        Way(installation, gateway, f"{PATH}/batch", many, ITEMS),
        Way(installation, ("peer", peer, port), PATH, one, 1),
    )


def token() -> str:
    """A machine's token, as both sides check it."""
    now = utc_now()
    claims = {"sub": "bench", "iss": "tocsin", "aud": "tocsin", "iat": now, "exp": now + timedelta(hours=1)}
    return jwt.encode(claims | {"roles": ["service"]}, JWT_SECRET, "HS256")


@contextmanager
def _peer(installation: Installation) -> Iterator[tuple[Popen[bytes], int]]:
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.peer", "--port", str(port), "--database", installation.database]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "JWT_SECRET": JWT_SECRET}
    process = Popen(command, cwd=Path(installation.folder), env=environment, stdin=DEVNULL)
    try:
        yield process, port
    finally:
        process.terminate()
        process.wait()


async def _load(*arguments: str) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.load", *arguments), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    if process.returncode:
        raise NotStarted("the load did not run to its end")
    answer: dict[str, Any] = json.loads(out)
    return answer
