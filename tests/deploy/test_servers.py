"""The embedded Kafka and PostgreSQL lose nothing when they are killed, and forget everything when they are wiped."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import asyncpg
import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from deploy.local.kafka import Kafka, cluster_id
from deploy.local.ports import free_port
from deploy.local.postgres import LONGEST_SOCKET_PATH, SOCKET, Postgres
from tests.servers import ROOT, Session
from tests.waiting import PATIENCE, until


async def make_topic(address: str, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    await admin.create_topics([NewTopic(topic, 1, 1)])
    await admin.close()


async def topics(address: str) -> list[str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    try:
        return list(await admin.list_topics())
    finally:
        await admin.close()


async def produce(address: str, topic: str, values: list[bytes]) -> None:
    async with AIOKafkaProducer(bootstrap_servers=address, acks="all") as producer:
        for value in values:
            await producer.send_and_wait(topic, value)


async def consume(address: str, topic: str, count: int) -> list[bytes]:
    async with AIOKafkaConsumer(topic, bootstrap_servers=address, auto_offset_reset="earliest") as consumer:
        async with asyncio.timeout(PATIENCE):
            return [(await consumer.getone()).value for _ in range(count)]


async def test_kafka_killed_keeps_its_data_and_wiped_forgets_it(own_kafka: Kafka) -> None:
    """kill -9 and a start on the same port: every acknowledged record is there. Wiped: an empty broker, same port."""
    await make_topic(own_kafka.address, "kept")
    sent = [b"%d" % number for number in range(100)]
    await produce(own_kafka.address, "kept", sent)
    await asyncio.to_thread(own_kafka.kill)
    assert not own_kafka.alive and not own_kafka.answers()
    await asyncio.to_thread(own_kafka.start)
    assert await consume(own_kafka.address, "kept", 100) == sent
    with pytest.raises(RuntimeError, match="stop it before"):
        own_kafka.wipe()
    await asyncio.to_thread(own_kafka.kill)
    own_kafka.wipe()
    await asyncio.to_thread(own_kafka.start)
    assert "kept" not in await topics(own_kafka.address)


async def test_postgres_killed_keeps_what_was_committed(own_postgres: Postgres) -> None:
    """kill -9 under open connections and an open transaction: what was committed stays, the rest is gone."""
    connection = await asyncpg.connect(own_postgres.address)
    await connection.execute("create table kept (n int); insert into kept values (1)")
    await connection.execute("begin; insert into kept values (2)")
    await asyncio.to_thread(own_postgres.kill)
    await asyncio.to_thread(own_postgres.start)
    connection = await asyncpg.connect(own_postgres.address)
    assert [row["n"] for row in await connection.fetch("select n from kept")] == [1]
    await connection.close()


async def test_postgres_has_a_socket_whatever_the_path(session: Session) -> None:
    """Below its folder where that fits, elsewhere where it does not; nobody else may open it."""
    near = Postgres(session.new_folder("short"))
    assert near.socket_folder == near.state / "run"
    deep = session.new_folder("deep") / ("x" * 60) / ("y" * 60)
    far = Postgres(deep, durable=False)
    session.keep(far)
    await asyncio.to_thread(far.start)
    try:
        assert len(str(far.socket_folder / SOCKET)) <= LONGEST_SOCKET_PATH
        assert far.socket_folder.stat().st_mode & 0o077 == 0
        connection = await asyncpg.connect(far.address)
        assert await connection.fetchval("select count(*) from pg_settings where name = 'fsync'") == 1
        await connection.close()
    finally:
        far.stop()
        far.wipe()
    assert not far.socket_folder.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root must become somebody else")
async def test_postgres_started_by_root_is_not_root(own_postgres: Postgres) -> None:
    """PostgreSQL refuses to be root, so it has a user of its own, and only that user reads its folder."""
    assert own_postgres.pid is not None
    assert psutil.Process(own_postgres.pid).uids().effective != 0
    assert own_postgres.data.stat().st_mode & 0o077 == 0


SESSION = """
import sys, time
from tests.servers import Session
session = Session()
server = session.postgres()
server.start()
print(server.pid, session.folder, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_test_session_leaves_no_server_behind(number: signal.Signals) -> None:
    """The watchdog ends the servers and removes the folder, however the session ended."""
    child = subprocess.Popen([sys.executable, "-c", SESSION], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    pid, folder = child.stdout.readline().split()
    server = psutil.Process(int(pid))
    assert server.is_running()
    child.send_signal(number)
    child.wait()
    child.stdout.close()
    server.wait(timeout=PATIENCE)
    until(lambda: not Path(folder).exists())


def test_no_cluster_id_looks_like_an_option() -> None:
    """One in 64 random ones would begin with a dash, and Kafka's formatter would refuse it."""
    assert not [drawn for drawn in (cluster_id() for _ in range(2000)) if drawn.startswith("-") or len(drawn) != 22]


def test_free_ports_are_outside_the_range_of_outgoing_connections() -> None:
    """A client that tries a dead server's port must not meet itself there."""
    assert all(20000 <= free_port() < 32000 for _ in range(100))
