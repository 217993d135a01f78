"""What was answered with 202 is published, whatever stops, and whichever of us goes on."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from contracts import events as e
from deploy.local.kafka import Kafka
from deploy.local.ports import free_port
from kit.clock import utc_now
from kit.settings import KafkaSettings
from tests.servers import ROOT, Session, kafka_settings
from tests.services.gateway.conftest import ALICE, EMAIL, SECRET, settings_of
from tests.services.gateway.support import as_owner, others, running, until
from tests.waiting import PATIENCE


class Process:
    """A gateway as a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self.process = process
        self.http = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE)

    async def listens(self) -> None:
        async def answers() -> bool:
            try:
                return (await self.http.get("/health/live")).status_code == 200
            except httpx.TransportError:
                return False

        await until(answers, 3 * PATIENCE)

    async def post(self, key: str) -> httpx.Response:
        return await self.http.post("/v1/notifications", json=EMAIL, headers=ALICE | {"Idempotency-Key": key})


@asynccontextmanager
async def process(
    session: Session, kafka: KafkaSettings, database: str, folder: Path, failpoints: str = "", **more: str
) -> AsyncIterator[Process]:
    """`python -m services.gateway`, killed at the end if it still lives."""
    port = free_port()
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "KAFKA_TOPIC_PREFIX": kafka.topic_prefix,
        "KAFKA_PARTITIONS": str(kafka.partitions),
        "KAFKA_SESSION_TIMEOUT_MS": "6000",
        "DATABASE_URL": database,
        "JWT_SECRET": SECRET,
        "GATEWAY_PORT": str(port),
        "TOCSIN_FAILPOINTS": failpoints,
        **more,
    }
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.gateway", cwd=folder, env=environ, stdout=asyncio.subprocess.DEVNULL
    )
    session.look_after(started.pid)
    gateway = Process(started, port)
    try:
        await gateway.listens()
        yield gateway
    finally:
        await gateway.http.aclose()
        if started.returncode is None:
            started.kill()
            await started.wait()


async def test_killed_between_the_insert_and_the_answer(
    session: Session, kafka: KafkaSettings, database: str, tmp_path: Path
) -> None:
    """The client heard nothing and asks again with its key; the row it made is published once, by who comes next."""
    async with others(kafka) as judge:
        async with process(session, kafka, database, tmp_path, "outbox_after_insert:kill") as gateway:
            with pytest.raises(httpx.TransportError):
                await gateway.post("order-17")
            assert await gateway.process.wait() == 137
        async with process(session, kafka, database, tmp_path) as gateway:
            answer = await gateway.post("order-17")
            assert answer.status_code == 202
            [asked] = await judge.hear(e.Requested)
            assert str(asked.id) == answer.json()["id"]
            await judge.say(e.Sent(**asked.passed_on(), at=utc_now()))
            await judge.listen_until(lambda: as_owner(database, "select count(*) = 0 from gateway.outbox"))
            assert len(judge.of(e.Requested)) == 1


async def test_sigterm_under_load_loses_nothing(
    session: Session, kafka: KafkaSettings, database: str, tmp_path: Path
) -> None:
    async with others(kafka) as judge:
        async with process(session, kafka, database, tmp_path) as gateway:
            posts = [asyncio.create_task(gateway.post(f"order-{n}")) for n in range(200)]
            await asyncio.wait(posts, return_when=asyncio.FIRST_COMPLETED)
            gateway.process.send_signal(signal.SIGTERM)
            answers = await asyncio.gather(*posts, return_exceptions=True)
            assert await gateway.process.wait() == 0
        accepted = {
            answer.json()["id"] for answer in answers if isinstance(answer, httpx.Response) and answer.is_success
        }
        assert accepted
        async with process(session, kafka, database, tmp_path):

            async def all_published() -> bool:
                return accepted <= {str(asked.id) for asked in judge.of(e.Requested)}

            await judge.listen_until(all_published)


async def test_kafka_away_posts_are_202_and_published_later(own_kafka: Kafka, database: str, tmp_path: Path) -> None:
    """Design 4.2, also for a gateway that starts while Kafka is away."""
    kafka = kafka_settings(own_kafka.address)
    settings = settings_of(kafka, database, tmp_path)
    async with others(kafka) as judge, running(settings) as gateway:
        ids = {await gateway.post()}
        await asyncio.to_thread(own_kafka.stop)
        ids |= {await gateway.post() for _ in range(20)}
        async with running(settings) as newcomer:
            ids |= {await newcomer.post() for _ in range(20)}
            assert (await newcomer.get(ids.copy().pop()))["status"] == "accepted"

            async def ready() -> bool:
                return (await newcomer.http.get("/health/ready")).status_code == 200

            await until(ready)
        await asyncio.to_thread(own_kafka.start)

        async def all_published() -> bool:
            return ids == {str(asked.id) for asked in judge.of(e.Requested)}

        await judge.listen_until(all_published, seconds=60)
