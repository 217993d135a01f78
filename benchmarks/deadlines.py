"""Deadlines: moving one costs the same whatever else is stored, and a million that wait cost nothing."""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Final

import asyncpg

from benchmarks.installation import CACHE, OURS, NotStarted
from benchmarks.machine import ROOT, Circumstances
from benchmarks.processes import cpu_seconds
from contracts import events as e
from contracts.topics import DEADLINES
from deploy.local.kafka import Kafka
from deploy.local.ports import free_port
from deploy.local.postgres import Postgres
from kit.bus.record import Received
from kit.bus.topics import TopicKeeper
from kit.postgres import Database, all_schemas, migrate
from kit.settings import KafkaSettings
from kit.stage import Message
from services.scheduler.alarm import Alarm
from services.scheduler.handlers.deadlines import Follow
from services.scheduler.shelves.considering import Considering
from services.scheduler.shelves.deadlines import Deadlines
from services.scheduler.store.timers import BY_INDEX

FEW, MANY = 1_000, 1_000_000
PEOPLE: Final = 10_000
MOVES: Final = 400
WARM_UP: Final = 100
IDLE_SECONDS: Final = 20.0
PARTITIONS: Final = 3

MOST_RATIO: Final = 1.3
"""A move among many may cost so much more than one among few."""
MOST_IDLE: Final = 0.005
"""Share of a core that a million waiting deadlines may cost more than none."""

Say = Callable[[str], None]
Move = Callable[[], Awaitable[float]]


@dataclass(frozen=True, slots=True)
class Result:
    """Seconds per move (its reminders found anew included), and shares of a core while nothing is due."""

    few: int
    many: int
    move_few: float
    move_many: float
    idle_empty: float
    idle_many: float
    where: Circumstances

    @property
    def ratio(self) -> float:
        return self.move_many / self.move_few

    @property
    def holds(self) -> bool:
        return self.ratio <= MOST_RATIO and self.idle_many - self.idle_empty <= MOST_IDLE

    def as_json(self) -> str:
        return json.dumps({"benchmark": "deadlines", **asdict(self), "ratio": self.ratio, "holds": self.holds})

    def __str__(self) -> str:
        return "\n".join(
            (
                f"moving a deadline with 5 reminders, {self.few:,} stored:  {self.move_few * 1000:6.2f} ms",
                f"the same with {self.many:,} stored:                  {self.move_many * 1000:6.2f} ms",
                f"  {self.ratio:.2f} x (at most {MOST_RATIO})",
                f"idle, none stored:       {self.idle_empty:7.2%} of a core (scheduler and PostgreSQL)",
                f"idle, {self.many:,} open:   {self.idle_many:7.2%} (at most {MOST_IDLE:.1%} more)",
                str(self.where),
                "holds" if self.holds else "FALLS SHORT",
            )
        )


async def measure(_size: int, seed: int, say: Say) -> Result:
    """With servers of its own. Raises NotStarted."""
    where = Circumstances.now(seed)
    folder = Path(tempfile.mkdtemp(prefix="tocsin-bench-"))
    postgres, kafka = Postgres(folder / "postgres"), Kafka(folder / "kafka", port=free_port(), cache=CACHE)
    try:
        await asyncio.gather(asyncio.to_thread(postgres.start), asyncio.to_thread(kafka.start))
        few, many, empty = [await _database(postgres, name) for name in ("few", "many", "empty")]
        for url, count in ((few, FEW), (many, MANY)):
            say(f"storing {count:,} deadlines")
            await _fill(url, count)
        say(f"moving {MOVES} among few and among many, in turns")
        moves = await _moves(few, many, random.Random(seed))
        idle = []
        for url in (empty, many):
            say(f"idle for {IDLE_SECONDS:.0f} s")
            idle.append(await _idle(url, kafka, postgres, folder))
    finally:
        await asyncio.gather(asyncio.to_thread(postgres.stop), asyncio.to_thread(kafka.stop))
        shutil.rmtree(folder, ignore_errors=True)
    return Result(FEW, MANY, *moves, *idle, where)


async def _database(postgres: Postgres, name: str) -> str:
    connection = await asyncpg.connect(postgres.address)
    await connection.execute(f"create database {name}")
    await connection.close()
    url = postgres.address.replace("/postgres?", f"/{name}?")
    await migrate(url, all_schemas())
    return url


async def _fill(url: str, count: int) -> None:
    """Each with one assignee and all five reminders to come, over the next year."""
    connection = await asyncpg.connect(url)
    try:
        for statement in _FILL:
            await connection.execute(statement.format(count=count, people=min(PEOPLE, count)), timeout=600)
    finally:
        await connection.close()


_FILL: Final = (
    "set search_path = scheduler, tocsin",
    """
    insert into people (tenant, user_id, time_zone, as_of, "offset")
    select 'default', 'user-' || n, 'Europe/Paris', clock(), n from generate_series(1, {people}) n
    """,
    """
    insert into deadlines (tenant, id, title, due_date, assignees, is_open, epoch, as_of, "offset")
    select 'default', n::text, 'Dossier ' || n, (clock() + interval '10 days' + n % 355 * interval '1 day')::date,
           array['user-' || 1 + n % {people}], true, 1, clock() - interval '1 hour', n
    from generate_series(1, {count}) n
    """,
    """
    insert into reminders (next_at, changed_at, through, epoch, tenant, deadline_id, user_id, plan)
    select (due_date - 7) + interval '7 hours', clock(), clock(), 1, tenant, id, assignees[1], 'default'
    from deadlines order by random()
    """,
    """
    insert into reports (tenant, user_id, next_at, planned)
    select tenant, user_id, clock() + interval '1 day', clock() + interval '1 day' from people
    """,
    "vacuum analyze people, deadlines, reminders, reports",
    "checkpoint",
)


async def _moves(few: str, many: str, dice: random.Random) -> tuple[float, float]:
    """The median of each, a move here and a move there."""
    async with _mover(few, FEW, dice) as move_few, _mover(many, MANY, dice) as move_many:
        seconds: dict[Move, list[float]] = {move_few: [], move_many: []}
        for _ in range(WARM_UP + MOVES):
            for move in (move_few, move_many):
                seconds[move].append(await move())
    return median(seconds[move_few][WARM_UP:]), median(seconds[move_many][WARM_UP:])


@asynccontextmanager
async def _mover(url: str, count: int, dice: random.Random) -> AsyncIterator[Move]:
    """Moves one at random, and has its reminders found anew: what a stage and a firing do, without Kafka."""
    db = await Database.open(url, "scheduler", size=2, settings=BY_INDEX)
    follow, shelf, offset = Follow(Alarm()), Deadlines(Considering("Europe/Paris", "18:00")), count

    async def move() -> float:
        nonlocal offset
        offset += 1
        n = dice.randint(1, count)
        now = datetime.now(UTC)
        due_at = now + timedelta(days=dice.randint(20, 360), seconds=dice.randint(0, 86_400))
        told = e.Deadline(
            id=str(n), title=f"Dossier {n}", due_at=due_at, assignees=(f"user-{1 + n % min(PEOPLE, count)}",)
        )
        message = Message(told, Received(DEADLINES.name, 0, offset, now, b"", b""))
        begun = time.perf_counter()
        async with db.transaction() as connection:
            await follow(connection, [message])
        async with db.connection() as connection:
            now = (await shelf.look(connection, None)).now
        async with db.transaction() as connection:
            jobs = await shelf.take(connection, None, now, 50)
            await shelf.settle(connection, jobs, (), now)
        took = time.perf_counter() - begun
        assert len(jobs) == 1 and not jobs[0].words
        return took

    yield move
    await db.close()


async def _idle(url: str, kafka: Kafka, postgres: Postgres, folder: Path) -> float:
    """The share of a core that a scheduler with nothing due and its database use."""
    await TopicKeeper(KafkaSettings(bootstrap_servers=kafka.address, partitions=PARTITIONS)).look()
    port = free_port()
    ours: Sequence[tuple[str, str]] = (
        ("TOCSIN_SCHEDULER_PORT", str(port)),
        ("PYTHONPATH", str(ROOT)),
        ("TOCSIN_STATE_DIR", str(folder)),
        ("TOCSIN_LOGS_DIR", str(folder / "logs")),
        ("KAFKA_BOOTSTRAP_SERVERS", kafka.address),
        ("KAFKA_PARTITIONS", str(PARTITIONS)),
        ("DATABASE_URL", url),
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith(OURS)} | dict(ours)
    process = _scheduler(folder, environment)
    try:
        await _ready(process, port)
        await asyncio.sleep(5)
        before = cpu_seconds(process.pid) + cpu_seconds(postgres.pid or 0)
        await asyncio.sleep(IDLE_SECONDS)
        return (cpu_seconds(process.pid) + cpu_seconds(postgres.pid or 0) - before) / IDLE_SECONDS
    finally:
        process.terminate()
        process.wait(timeout=15)


def _scheduler(folder: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    with (folder / "scheduler.log").open("ab") as log:
        command = [sys.executable, "-m", "services.scheduler"]
        return subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)


async def _ready(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + 60
    while not await asyncio.to_thread(_answers, port):
        if time.monotonic() > deadline or process.poll() is not None:
            raise NotStarted("the scheduler does not start")
        await asyncio.sleep(0.1)


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
