"""Health and metrics over real HTTP, and ports that others hold."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from kit.health import Health
from kit.metrics import MOST_VALUES, Metrics
from kit.web_server import PortTaken, WebServer
from tests.waiting import PATIENCE


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def health(metrics: Metrics) -> Health:
    return Health("intake", metrics.registry)


@pytest.fixture
async def http(health: Health) -> AsyncIterator[httpx.AsyncClient]:
    server = WebServer(health.app, "127.0.0.1", 0, "TOCSIN_INTAKE_PORT")
    await server.start()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", timeout=PATIENCE) as client:
        yield client
    await server.stop()


async def test_alive_whatever_is_not_ready(http: httpx.AsyncClient, health: Health) -> None:
    health.ready_when("kafka", lambda: False)
    assert (await http.get("/health/live")).json() == {"service": "intake", "live": True}


async def test_ready_only_when_every_check_is_true(http: httpx.AsyncClient, health: Health) -> None:
    state = {"kafka": False, "postgresql": False}
    for name in state:
        health.ready_when(name, lambda name=name: state[name])  # type: ignore[misc]
    rows = [
        ({"kafka": False, "postgresql": False}, 503, ["kafka", "postgresql"]),
        ({"kafka": True, "postgresql": False}, 503, ["postgresql"]),
        ({"kafka": True, "postgresql": True}, 200, []),
        ({"kafka": False, "postgresql": True}, 503, ["kafka"]),
    ]
    for now, code, waiting in rows:
        state.update(now)
        answer = await http.get("/health/ready")
        assert answer.status_code == code
        assert answer.json() == {"service": "intake", "ready": code == 200, "not_ready": waiting, "degraded": []}


async def test_a_check_that_raises_is_not_ready(http: httpx.AsyncClient, health: Health) -> None:
    health.ready_when("broken", lambda: 1 / 0 > 0)
    assert (await http.get("/health/ready")).json()["not_ready"] == ["broken"]


def test_two_checks_of_one_name_are_a_mistake(health: Health) -> None:
    health.ready_when("kafka", lambda: True)
    with pytest.raises(ValueError, match="two checks are named kafka"):
        health.ready_when("kafka", lambda: True)


async def test_metrics_are_read_by_prometheus(http: httpx.AsyncClient, metrics: Metrics) -> None:
    metrics.accepted("email", "urgent", 3)
    metrics.due("email", "urgent", 2)
    metrics.sent("email", "smtp")
    metrics.failed("sms", "failed", "suppressed")
    metrics.retried("email", "transient")
    metrics.copy_flagged("email")
    metrics.unknown("email")
    metrics.late("email", [0.02, 0.7])
    metrics.poison("notifications.requested")
    metrics.batch("requests", 250, 0.02)
    metrics.batch_failed("requests")
    metrics.republished("due")
    metrics.fired("retry", 50)
    metrics.lag("intake", "notifications.requested", 12)
    metrics.oldest_open("email", 33.0)
    metrics.timers_pending("retry", 7)
    metrics.outbox_pending("request", 2)
    metrics.in_flight("email", "urgent", 8)
    answer = await http.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    samples = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
    assert samples[("tocsin_notifications_accepted_total", "email", "urgent")] == 3
    assert samples[("tocsin_notification_lateness_seconds_count", "email")] == 2
    assert samples[("tocsin_consumer_lag_records", "intake", "notifications.requested")] == 12
    assert samples[("tocsin_oldest_open_age_seconds", "email")] == 33
    assert samples[("process_cpu_seconds_total",)] > 0
    ours = {name for name, *_ in samples if name.startswith("tocsin_") and not name.endswith("_created")}
    for called in ("due", "sent", "failed", "retries", "copies_flagged"):
        assert f"tocsin_notifications_{called}_total" in ours
    assert {"tocsin_claims_unknown_total", "tocsin_poison_records_total", "tocsin_sweep_republished_total"} <= ours
    assert {"tocsin_stage_records_total", "tocsin_stage_failed_batches_total", "tocsin_timers_fired_total"} <= ours
    assert {"tocsin_timers_pending", "tocsin_outbox_pending", "tocsin_deliveries_in_flight"} <= ours
    assert {"tocsin_stage_batch_seconds_count", "tocsin_stage_batch_records_count"} <= ours


def test_no_input_makes_the_number_of_series_grow(metrics: Metrics) -> None:
    for number in range(500):
        metrics.failed("email", "failed", f"reason {number}")
    family = next(one for one in metrics.registry.collect() if one.name == "tocsin_notifications_failed")
    values = {sample.labels["reason"] for sample in family.samples}
    assert len(values) == MOST_VALUES + 1
    assert "other" in values


def test_two_services_in_one_process_do_not_share_figures() -> None:
    one, other = Metrics(), Metrics()
    one.accepted("email", "normal")
    assert one.registry.get_sample_value("tocsin_notifications_accepted_total", {"channel": "email", "lane": "normal"})
    assert not other.registry.get_sample_value(
        "tocsin_notifications_accepted_total", {"channel": "email", "lane": "normal"}
    )


async def test_a_taken_port_names_the_setting(health: Health) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortTaken, match=f"port {port} .* set TOCSIN_INTAKE_PORT to a free port"):
            await WebServer(health.app, "127.0.0.1", port, "TOCSIN_INTAKE_PORT").start()


async def test_a_stopped_server_gives_its_port_back(health: Health) -> None:
    server = WebServer(health.app, "127.0.0.1", 0, "TOCSIN_INTAKE_PORT")
    await server.start()
    async with httpx.AsyncClient(timeout=PATIENCE) as client:
        await client.get(f"http://127.0.0.1:{server.port}/health/live")
        await asyncio.wait_for(server.stop(), PATIENCE)
    again = WebServer(health.app, "127.0.0.1", server.port, "TOCSIN_INTAKE_PORT")
    await again.start()
    await again.stop()


async def test_ready_and_not_as_it_should_be(http: httpx.AsyncClient, health: Health) -> None:
    """Whoever restarts what is not ready leaves it alone; who looks sees why it does not do all it should."""
    health.degraded_while("catching_up", lambda: True)
    health.degraded_while("limping", lambda: False)
    answer = await http.get("/health/ready")
    assert answer.status_code == 200 and answer.json()["ready"] and answer.json()["degraded"] == ["catching_up"]
