"""The real Kafka and PostgreSQL of a test session: its own ones on free ports, or those the environment names."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import psutil
from aiokafka.admin import AIOKafkaAdminClient

from deploy.local.kafka import Kafka
from deploy.local.ports import free_port
from deploy.local.postgres import Postgres
from deploy.local.server import Server
from kit.postgres import all_schemas, migrate
from kit.settings import KafkaSettings

T = TypeVar("T")
AnyServer = TypeVar("AnyServer", bound=Server)

ROOT = Path(__file__).parent.parent
CACHE = Path(os.environ.get("TOCSIN_TEST_CACHE", ROOT / ".tocsin" / "cache"))
PARTITIONS = 3
MEMORY = Path("/dev/shm")
"""Where Linux keeps files in memory. A container may have 64 MB of it."""
SOON_MISSED_MS = 6000
"""After so long Kafka misses a reader that was killed, in tests that kill some."""
LATE_MISSED_MS = 30_000
"""In those that kill none: as in an installation, and longer than a busy machine lets one stand still."""
ROOM = 4 << 30
"""Bytes that must be free there: several times what servers of a whole run have held at once."""


class LastingKafka(Kafka):
    """One that nobody kills: it need not be missed within three seconds, as it would be on a busy machine while it is
    there, and for that moment take nothing from anybody."""

    def _configure(self, name: str, data: Path) -> Path:
        file = super()._configure(name, data)
        with file.open("a", encoding="ascii") as properties:
            properties.write("broker.session.timeout.ms=60000\n")
        return file


class Session:
    """What one test session runs: servers on temporary data, and a watchdog that outlives us and ends them."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="tocsin-test-"))
        self._data = Path(tempfile.mkdtemp(prefix="tocsin-test-", dir=data_home(os.environ.get("TMPDIR"))))
        self._servers: list[Server] = []
        self._watchdog = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("watchdog.py"))],
            stdin=subprocess.PIPE,
            start_new_session=True,
            text=True,
        )
        for folder in (self.folder, self._data):
            self._tell(f"folder {folder}")

    def look_after(self, pid: int, number: signal.Signals = signal.SIGKILL) -> None:
        """That process ends, by this signal, when this session ends, however it ends."""
        self._tell(f"process {pid} {int(number)}")

    def kafka(self, kind: type[Kafka] = Kafka) -> Kafka:
        """A Kafka of its own, not started yet."""
        return self.keep(kind(self._data_folder("kafka"), port=free_port(), cache=CACHE, partitions=PARTITIONS))

    @contextmanager
    def own_kafka(self) -> Iterator[Kafka]:
        """A running one that tests may stop, kill and wipe."""
        kafka = self.kafka()
        kafka.start()
        yield kafka
        kafka.kill()

    @contextmanager
    def own_postgres(self) -> Iterator[Postgres]:
        """A running one that tests may stop and kill."""
        postgres = self.postgres()
        postgres.start()
        yield postgres
        postgres.stop()

    def postgres(self) -> Postgres:
        """A PostgreSQL of its own, not started yet."""
        return self.keep(Postgres(self._data_folder("postgres"), durable=False))

    def new_folder(self, name: str) -> Path:
        """A fresh folder that goes with the session."""
        return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.folder))

    def _data_folder(self, name: str) -> Path:
        return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self._data))

    def close(self) -> None:
        """Ends the servers; the watchdog kills what is left and removes the folder."""
        for server in self._servers:
            # Kafka would take seconds to put its data in order, which goes with the folder.
            server.kill() if isinstance(server, Kafka) else server.stop()
        assert self._watchdog.stdin is not None
        self._watchdog.stdin.close()
        self._watchdog.wait(timeout=30)

    def keep(self, server: AnyServer) -> AnyServer:
        """Looks after a server from its next start on."""
        # SIGQUIT ends PostgreSQL at once and lets it give its shared memory back; a killed one would leave it.
        number = signal.SIGQUIT if isinstance(server, Postgres) else signal.SIGKILL
        server.on_spawn = lambda pid: self.look_after(pid, number)
        self._servers.append(server)
        return server

    def _tell(self, line: str) -> None:
        assert self._watchdog.stdin is not None
        self._watchdog.stdin.write(line + "\n")
        self._watchdog.stdin.flush()


def data_home(chosen: str | None, memory: Path = MEMORY, room: int = ROOM) -> Path | None:
    """The folder for the data of servers: in memory where there is room, else (None) where temporary files are, as
    also where somebody has chosen a place for these (TMPDIR).

    Kafka waits for the disk at each partition that it makes, and the tests make some ten thousand.
    """
    if chosen or not os.access(memory, os.W_OK):
        return None
    return memory if min(shutil.disk_usage(memory).free, psutil.virtual_memory().available) >= room else None


def blocking(work: Coroutine[object, object, T]) -> T:
    """Runs a coroutine from a synchronous fixture, in a thread, so that no test's event loop is touched."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(asyncio.run, work).result()


def kafka_settings(bootstrap_servers: str, session_timeout_ms: int = SOON_MISSED_MS) -> KafkaSettings:
    """Settings whose topics and groups no other test shares."""
    return KafkaSettings(
        bootstrap_servers=bootstrap_servers,
        topic_prefix=f"t{uuid.uuid4().hex[:8]}.",
        partitions=PARTITIONS,
        replication=1,
        session_timeout_ms=session_timeout_ms,
    )


async def delete_topics(kafka: KafkaSettings) -> None:
    """Deletes every topic with the settings' prefix, so that long sessions do not fill the broker."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await admin.start()
    try:
        mine = [topic for topic in await admin.list_topics() if topic.startswith(kafka.topic_prefix)]
        if mine:
            await admin.delete_topics(mine)
    finally:
        await admin.close()


def other_database(url: str, database: str) -> str:
    """The same server's URL with another database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))


@contextmanager
def migrated_template(owner: str) -> Iterator[str]:
    """The name of a database that has every schema; copies of it are made in a moment."""
    name = f"template_{uuid.uuid4().hex[:12]}"
    blocking(_execute(owner, f"create database {name}"))
    try:
        blocking(migrate(other_database(owner, name), all_schemas()))
        yield name
    finally:
        blocking(_execute(owner, f"drop database if exists {name} with (force)"))


@asynccontextmanager
async def empty_database(owner: str) -> AsyncIterator[str]:
    """The URL of a fresh database that nobody has migrated, dropped afterwards."""
    async with copied_database(owner, "template0") as url:
        yield url


@asynccontextmanager
async def copied_database(owner: str, template: str) -> AsyncIterator[str]:
    """The URL of a fresh copy of the template, dropped afterwards.

    Copied as files: by way of the log it costs twice as much, and so does the drop.
    """
    name = f"test_{uuid.uuid4().hex[:12]}"
    await _execute(owner, f"create database {name} template {template} strategy file_copy")
    try:
        yield other_database(owner, name)
    finally:
        await _execute(owner, f"drop database if exists {name} with (force)")


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
