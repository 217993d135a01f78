"""Every panel of every dashboard has something to show, once the services have done a little of everything."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from deploy.grafana.asking import NONE_YET, WINDOW, quantile
from deploy.grafana.boards import BOARDS
from deploy.grafana.panels import Panel
from kit.clock import utc_now
from kit.settings import KafkaSettings
from tests import servers as real
from tests.journeys.prometheus import Prometheus, answered, eventually
from tests.journeys.stack import Stack
from tests.waiting import PATIENCE

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.needs("prometheus")]

CONFIG = """
notifications:
  email: {retry: {max_attempts: 3, retry_delay_seconds: 1}}
  sms:
    retry: {max_attempts: 3, retry_delay_seconds: 1}
    providers: [{name: main, type: console, per_second: 100, per_day: 10000}]
gateway: {webhooks: {allow_http: true, private_networks: [127.0.0.0/8]}}
"""
FATES = ("delivered", "bounce", "slow", "unavailable", "unknown")
RECENT = "1h"
"""In the place of Grafana's $__rate_interval: longer than the test goes on, so that nothing is over by then."""
IN_NEED_ONLY = {"Said again", "Batches done again"}
"""What shows only while Kafka or PostgreSQL is away (tests/chaos/ has those)."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def prometheus(
    session: real.Session, kafka_address: str, postgres_url: str, template: str
) -> AsyncIterator[Prometheus]:
    """Over all five services, with a provider that has a pace; they have done everything twice, once for the rates."""
    kafka: KafkaSettings = real.kafka_settings(kafka_address)
    async with real.copied_database(postgres_url, template) as database:
        async with Stack(kafka, database, session.new_folder("panels"), session.look_after, config=CONFIG) as stack:
            async with Prometheus(stack, session.new_folder("prometheus")) as prometheus:
                await to_be_told(stack)
                async with listening(stack):
                    await demo(stack, "first")
                    await answered(prometheus, ["max(tocsin_notifications_sent_total{provider='simulator'})"])
                    await demo(stack, "second")
                    yield prometheus
    await real.delete_topics(kafka)


async def demo(stack: Stack, run: str) -> None:
    """A little of everything that people do, and of what goes wrong."""
    for to in (*(f"{fate}@simulator.test" for fate in FATES), "ann@example.org"):
        await stack.post({"channel": "email", "to": to, "subject": "s", "body": "b"})
    for to in (*(f"+1500555000{n}" for n in range(1, 6)), "+33612345678"):
        await stack.post({"channel": "sms", "to": to, "body": "b", "lane": "urgent"})
    bell = {"channel": "inapp", "user_id": "bob", "subject": "s", "body": "b"}
    shown = [await stack.post(bell, key=run) for _ in range(2)]  # the second one is a repeat
    soon, later = [(utc_now() + timedelta(seconds=n)).isoformat() for n in (2, 3600)]
    fired, never = [await stack.post(bell | {"send_at": at}) for at in (soon, later)]
    ticking = {"every_seconds": 1, "time_zone": "UTC", "recipients": ["bob"], "ends_at": later}
    told = await stack.call("POST", "/v1/schedules", json=ticking | {"notification": {"channel": "inapp", "body": "b"}})
    assert told.is_success, told.text
    await stack.call("DELETE", f"/v1/notifications/{never['id']}")
    cleaned = await stack.call("POST", "/v1/admin/jobs/cleanup/run", admin=True)
    assert cleaned.is_success, cleaned.text
    await poison(stack)
    await too_talkative(stack)
    await stack.finals([one["id"] for one in (*shown, fired, never)], PATIENCE)


async def to_be_told(stack: Stack) -> None:
    """A webhook that leads to where nobody takes it."""
    told = await stack.call("POST", "/v1/admin/webhooks", admin=True, json={"url": f"{stack.url}/health/live"})
    assert told.is_success, told.text


async def poison(stack: Stack) -> None:
    """What nobody can read, where only our own services write."""
    producer = AIOKafkaProducer(bootstrap_servers=stack.kafka.bootstrap_servers)
    await producer.start()
    try:
        await producer.send_and_wait(f"{stack.kafka.topic_prefix}notifications.sent", b"\xff no event")
    finally:
        await producer.stop()


async def too_talkative(stack: Stack) -> None:
    """A client that is closed for what it says."""
    async with listening(stack) as socket:
        try:
            while True:
                await socket.send("?")
                await asyncio.sleep(0)
        except ConnectionClosed:
            return


@asynccontextmanager
async def listening(stack: Stack) -> AsyncIterator[Any]:
    """Bob's stream."""
    ticket = (await stack.call("POST", "/v1/stream/tickets", user="bob")).json()["ticket"]
    async with connect(f"{stack.url.replace('http', 'ws')}/v1/stream?ticket={ticket}", open_timeout=PATIENCE) as socket:
        yield socket


def asked(true: Callable[[Panel], bool]) -> Iterator[str]:
    """The queries of these panels, as Prometheus takes them: what stands for nothing yet is taken away."""
    for board in BOARDS:
        for panel in board.panels:
            if true(panel):
                yield from (query.replace(WINDOW, RECENT).removesuffix(NONE_YET) for query, _ in panel.asks)


async def test_no_panel_is_empty(prometheus: Prometheus) -> None:
    empty = await answered(prometheus, list(asked(lambda panel: panel.title not in IN_NEED_ONLY)))
    assert empty == [], "\n".join(empty)


async def test_beside_what_took_long_stands_its_trace(prometheus: Prometheus) -> None:
    trace = uuid4().hex
    body = {"channel": "email", "to": "ann@example.org", "subject": "s", "body": "b"}
    headers = {"traceparent": f"00-{trace}-{trace[:16]}-01"}
    await prometheus.stack.call("POST", "/v1/notifications", json=body, headers=headers)
    slowest, _ = quantile(0.99, "tocsin_notification_end_to_end_seconds", "channel")

    async def found() -> bool:
        return trace in await prometheus.traces(slowest.replace(WINDOW, RECENT))

    await eventually(found)


async def test_what_shows_in_need_only_is_a_question_all_the_same(prometheus: Prometheus) -> None:
    needy = list(asked(lambda panel: panel.title in IN_NEED_ONLY))
    assert len(needy) == len(IN_NEED_ONLY)
    for query in needy:
        await prometheus.ask(query)
