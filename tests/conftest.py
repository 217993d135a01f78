"""What every test may ask for: a real Kafka, a real PostgreSQL, and a corner of each for itself alone.

`TOCSIN_TEST_KAFKA` (host:port) and `TOCSIN_TEST_DATABASE` (the owner's URL) name servers to use instead of own ones.
"""

from __future__ import annotations

import gc
import os
from collections.abc import AsyncIterator, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from deploy.local.kafka import Kafka
from deploy.local.postgres import Postgres
from kit import failpoints
from kit.settings import KafkaSettings
from tests import needs, sharing
from tests import servers as real

SHARED = pytest.StashKey[sharing.Shared]()


def pytest_configure() -> None:
    """How long an example takes, or is thought out, says how busy the machine is, and nothing of us."""
    patient = {"deadline": None, "suppress_health_check": [hypothesis.HealthCheck.too_slow]}
    hypothesis.settings.register_profile("patient", **patient)
    hypothesis.settings.load_profile("patient")


def pytest_sessionstart(session: pytest.Session) -> None:
    if sharing.has_workers(session.config):
        session.config.stash[SHARED] = sharing.Shared.start()


def pytest_unconfigure(config: pytest.Config) -> None:
    if SHARED in config.stash:
        config.stash[SHARED].close()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> sharing.Scheduling:
    return sharing.Scheduling(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is collected stays to the end: looking through it for garbage takes as long as collecting it."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    for need in needs.of(item):
        needs.demand(need)


@dataclass(frozen=True, slots=True)
class Servers:
    """Where the session's servers are: Kafka's host:port and the PostgreSQL owner's URL."""

    kafka: str
    database: str


@pytest.fixture(scope="session")
def session() -> Iterator[real.Session]:
    """The session's folder and watchdog: `session.look_after(pid)` for every process a test starts."""
    session = real.Session()
    yield session
    session.close()


@pytest.fixture(scope="session")
def kafka_address(session: real.Session) -> str:
    """The session's Kafka, started when the first test asks."""
    return os.environ.get(sharing.KAFKA) or _started(session.kafka(real.LastingKafka)).address


@pytest.fixture(scope="session")
def postgres_url(session: real.Session) -> str:
    """The session's PostgreSQL, started when the first test asks: the owner's URL of the database `postgres`."""
    return os.environ.get(sharing.DATABASE) or _started(session.postgres()).address


@pytest.fixture(scope="session")
def servers(kafka_address: str, postgres_url: str) -> Servers:
    """Both servers of the session."""
    return Servers(kafka_address, postgres_url)


@pytest.fixture
async def kafka(kafka_address: str) -> AsyncIterator[KafkaSettings]:
    """The session's Kafka with a topic prefix of this test's own; what it created is deleted afterwards."""
    settings = real.kafka_settings(kafka_address, real.LATE_MISSED_MS)
    yield settings
    await real.delete_topics(settings)


@pytest.fixture(scope="session")
def template(postgres_url: str) -> Iterator[str]:
    """The migrated database that each test's own one is copied from; several workers have one together."""
    if shared := os.environ.get(sharing.TEMPLATE):
        yield shared
        return
    with real.migrated_template(postgres_url) as name:
        yield name


@pytest.fixture
async def database(postgres_url: str, template: str) -> AsyncIterator[str]:
    """The owner's URL of a fresh, migrated database for this test alone."""
    async with real.copied_database(postgres_url, template) as url:
        yield url


@pytest.fixture
def own_kafka(session: real.Session) -> Iterator[Kafka]:
    """A running Kafka that this test may stop, kill and wipe (`await asyncio.to_thread(own_kafka.kill)`)."""
    with session.own_kafka() as kafka:
        yield kafka


@pytest.fixture
def own_postgres(session: real.Session) -> Iterator[Postgres]:
    """A running PostgreSQL that this test may stop and kill."""
    with session.own_postgres() as postgres:
        yield postgres


@pytest.fixture(autouse=True)
def _disarmed() -> Iterator[None]:
    """No failpoint outlives the test that armed it."""
    yield
    failpoints.arm("")


@pytest.fixture
def folder(session: real.Session) -> Path:
    """An empty folder with a short path (unix sockets fit) that goes with the session."""
    return session.new_folder("test")


def _started(server: real.AnyServer) -> real.AnyServer:
    server.start()
    return server
