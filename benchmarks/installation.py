"""A whole installation for one measurement: own servers, one process of each service, a sink for the mail."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from benchmarks.machine import ROOT
from benchmarks.processes import cpu_seconds
from deploy.local.kafka import Kafka
from deploy.local.ports import free_port, taken
from deploy.local.postgres import Postgres
from deploy.local.server import tail
from kit.bus.topics import TopicKeeper
from kit.postgres import all_schemas, migrate
from kit.settings import KafkaSettings

SERVICES: Final = ("intake", "scheduler", "email_sender", "sms_sender", "gateway")
CACHE: Final = Path(os.environ.get("TOCSIN_TEST_CACHE", ROOT / ".tocsin" / "cache"))
PARTITIONS: Final = 12
PATIENCE: Final = 60.0
"""Seconds that anything may take to start."""
JWT_SECRET: Final = "of no use to anybody, for the stack goes with the benchmark"
OURS: Final = ("TOCSIN_", "KAFKA_", "SMTP_", "SMS_", "JWT_", "GATEWAY_", "NOTIFICATION_", "DATABASE_")


class NotStarted(Exception):
    """Something does not start; the text holds the end of its log."""


class Installation:
    """`async with Installation() as installation:` everything runs and is ready; afterwards nothing is left."""

    def __init__(
        self, services: Sequence[str] = SERVICES, *, sink: int | None = None, settings: Mapping[str, str] | None = None
    ) -> None:
        """`services`: those that shall run; `sink`: the port of one that is there already; `settings` of theirs beside
        those that any installation needs."""
        self.settings = dict(settings or {})
        self.services = tuple(services)
        self.folder = Path(tempfile.mkdtemp(prefix="tocsin-bench-"))
        self.kafka = Kafka(self.folder / "kafka", port=free_port(), cache=CACHE, partitions=PARTITIONS)
        self.postgres = Postgres(self.folder / "postgres")
        self.ports = {name: free_port() for name in ("sink", *self.services)}
        self.ports |= {"sink": sink} if sink else {}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def kafka_settings(self) -> KafkaSettings:
        return KafkaSettings(bootstrap_servers=self.kafka.address, partitions=PARTITIONS)

    @property
    def database(self) -> str:
        """The owner's URL."""
        return self.postgres.address

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await asyncio.to_thread(self._end)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self._end)

    async def _start(self) -> None:
        await asyncio.gather(asyncio.to_thread(self.kafka.start), asyncio.to_thread(self.postgres.start))
        await migrate(self.database, all_schemas())
        await TopicKeeper(self.kafka_settings).look()
        if not taken(self.ports["sink"]):
            self._run("sink", [sys.executable, "-m", "deploy.local.sink", "--port", str(self.ports["sink"])])
        for service in self.services:
            self._run(service, [sys.executable, "-m", f"services.{service}"])
        await self._until(["sink"], lambda name: taken(self.ports[name]))
        await self._until(self.services, self._ready)

    def _run(self, name: str, command: list[str]) -> None:
        with self._log(name).open("ab") as log:
            self.processes[name] = subprocess.Popen(
                command,
                cwd=self.folder,
                env=self._environment(name),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _environment(self, name: str) -> dict[str, str]:
        own_port = "GATEWAY_PORT" if name == "gateway" else f"TOCSIN_{name.upper()}_PORT"
        kept = {key: value for key, value in os.environ.items() if not key.startswith(OURS)}
        settings = {
            own_port: str(self.ports[name]),
            "PYTHONPATH": str(ROOT),
            "TOCSIN_STATE_DIR": str(self.folder),
            "TOCSIN_LOGS_DIR": str(self.folder / "logs"),
            "KAFKA_BOOTSTRAP_SERVERS": self.kafka.address,
            "KAFKA_PARTITIONS": str(PARTITIONS),
            "DATABASE_URL": self.database,
            "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": str(self.ports["sink"]),
            "SMTP_SECURITY": "none",
            "JWT_SECRET": JWT_SECRET,
            **self.settings,
        }
        return kept | (settings if name in SERVICES else {"PYTHONPATH": str(ROOT)})

    async def _until(self, names: Iterable[str], holds: Callable[[str], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        for name in names:
            while not await asyncio.to_thread(holds, name):
                if time.monotonic() > deadline or self.processes[name].poll() is not None:
                    raise NotStarted(f"{name} does not start; its log ends with: {tail(self._log(name), 12)}")
                await asyncio.sleep(0.1)

    def _ready(self, service: str) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[service]}/health/ready", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    @contextmanager
    def suspended(self, *services: str) -> Iterator[None]:
        """These services stand still meanwhile (shorter than a Kafka session), so that they find a full topic."""
        for service in services:
            self.processes[service].send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            for service in services:
                self.processes[service].send_signal(signal.SIGCONT)

    def cpu(self) -> dict[str, float]:
        """CPU seconds used so far, by program; the servers with all their processes."""
        pids = {name: process.pid for name, process in self.processes.items()}
        pids |= {"kafka": self.kafka.pid or 0, "postgresql": self.postgres.pid or 0}
        return {name: cpu_seconds(pid) for name, pid in pids.items()}

    def _end(self) -> None:
        for process in self.processes.values():
            process.send_signal(signal.SIGCONT)
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.kafka.stop()
        self.postgres.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
