"""Jobs by name and who is alive, over a whole gateway and a real Kafka, with somebody who owns the rows."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from contracts import events as e
from contracts.jobs import JOBS, altogether
from contracts.topics import ALL
from kit.control.running import Work
from kit.settings import KafkaSettings
from services.gateway.handlers import operations
from tests.kit.bus.support import make
from tests.kit.control.support import instance
from tests.services.gateway.conftest import ADMIN, ADMIN_ELSEWHERE, ALICE, SECRET, House, message, settings_of
from tests.services.gateway.support import Gateway, running, until

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)


async def fired(_: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"fired": 7}


WORKS: dict[str, Work] = {"process_notifications": fired}


@pytest.fixture
async def gateway(kafka: KafkaSettings, database: str, tmp_path: Path) -> AsyncIterator[Gateway]:
    await make(kafka, *ALL)
    async with running(settings_of(kafka, database, tmp_path)) as gateway:
        yield gateway


@asynccontextmanager
async def scheduler(kafka: KafkaSettings, database: str) -> AsyncIterator[None]:
    """One that fires seven timers whenever it is told to."""
    async with instance(kafka, database, WORKS, "scheduler"):
        yield


async def run(gateway: Gateway, job: str = "process_notifications") -> httpx.Response:
    return await gateway.http.post(f"/v1/admin/jobs/{job}/run", headers=ADMIN)


async def test_run_now(gateway: Gateway, kafka: KafkaSettings, database: str) -> None:
    """The owner answers in time: 200 with the result."""
    async with scheduler(kafka, database):
        await until(lambda: _alive(gateway, "scheduler"))
        answer = await run(gateway)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["job"], told["state"], told["asked_by"]) == ("process_notifications", "done", "user:root")
    assert told["results"]["scheduler"]["result"]["fired"] == 7
    seen = await gateway.http.get(answer.headers["location"], headers=ADMIN)
    assert seen.json() == told


async def test_run_while_the_owner_is_down(kafka: KafkaSettings, database: str, tmp_path: Path) -> None:
    """202 with a place to look; done when the owner comes back."""
    await make(kafka, *ALL)
    async with running(settings_of(kafka, database, tmp_path), patience=0.1) as gateway:
        answer = await run(gateway)
        assert answer.status_code == 202
        assert answer.json()["state"] == "waiting" and answer.json()["run_id"]

        async def done() -> dict[str, Any] | None:
            told: dict[str, Any] = (await gateway.http.get(answer.headers["location"], headers=ADMIN)).json()
            return told if told["state"] == "done" else None

        async with scheduler(kafka, database):
            told = await until(done)
    assert told["results"]["scheduler"]["result"]["fired"] == 7


async def test_who_is_alive(gateway: Gateway, kafka: KafkaSettings, database: str) -> None:
    """The gateway itself, and every other process; one that has said goodbye is stopped."""
    async with scheduler(kafka, database):
        one = await until(lambda: _alive(gateway, "scheduler"))
        itself = await until(lambda: _alive(gateway, "gateway"))
    assert one["pid"] == itself["pid"] and one["version"] and one["instance"] and one["uptime_seconds"] >= 0
    await until(lambda: _alive(gateway, "scheduler", "stopped"))


async def _alive(gateway: Gateway, service: str, state: str = "alive") -> dict[str, Any] | None:
    items = (await gateway.http.get("/v1/admin/services", headers=ADMIN)).json()["items"]
    return next((one for one in items if (one["service"], one["state"]) == (service, state)), None)


async def test_only_operators(house: House) -> None:
    """An admin of another tenant is none: jobs and services are everybody's."""
    for who in (ALICE, ADMIN_ELSEWHERE):
        for method, path in (("GET", "jobs"), ("POST", "jobs/sweep/run"), ("GET", "services")):
            answer = await house.http.request(method, f"/v1/admin/{path}", headers=who)
            assert (answer.status_code, answer.json()["code"]) == (403, "operators_only")


async def test_the_configuration_shows_no_secret(house: House) -> None:
    """Neither the tokens' nor the database's; everything else as the file calls it."""
    answer = await house.http.get("/v1/admin/configuration", headers=ADMIN)
    assert answer.status_code == 200
    told = answer.json()
    assert told["jwt"]["secret"] == "***" and SECRET not in answer.text
    assert told["notifications"]["default_time_zone"] == "Europe/Paris"
    assert (await house.http.get("/v1/admin/configuration", headers=ADMIN_ELSEWHERE)).status_code == 403


async def test_an_unknown_job_is_told_the_known_ones(house: House) -> None:
    answer = await house.http.post("/v1/admin/jobs/dance/run", headers=ADMIN)
    assert answer.status_code == 404
    assert all(job in answer.json()["detail"] for job in JOBS)
    for place in ("dance/runs/x", "sweep/runs/x", f"sweep/runs/{uuid4()}"):
        assert (await house.http.get(f"/v1/admin/jobs/{place}", headers=ADMIN)).status_code == 404


async def test_without_kafka_nothing_is_promised(house: House) -> None:
    assert (await house.http.post("/v1/admin/jobs/sweep/run", headers=ADMIN)).status_code == 503


async def test_the_list_says_what_the_scheduler_told(house: House) -> None:
    """Every job is there, also those that the scheduler has not spoken of yet; the newest word counts."""
    await hears(house, _job("cleanup", 1, next_run="2027-03-02T01:00:00.000Z"), _job("cleanup", 0, next_run=None))
    items = {one["id"]: one for one in (await house.http.get("/v1/admin/jobs", headers=ADMIN)).json()["items"]}
    assert items.keys() == JOBS.keys()
    assert items["cleanup"]["next_run"] == "2027-03-02T01:00:00Z" and items["cleanup"]["status"] == "done"
    assert items["sweep"]["status"] == "waiting" and items["sweep"]["services"] == ["intake", "gateway"]


async def test_a_run_that_was_timed_is_seen_too(house: House) -> None:
    """By the answers of its owners alone; in any order, and an end stays."""
    id = uuid4()
    await hears(house, _answer(id, "intake", "done"), _answer(id, "intake", "running"))
    await hears(house, _answer(id, "intake", "failed"))
    place = f"/v1/admin/jobs/sweep/runs/{id}"
    half = (await house.http.get(place, headers=ADMIN)).json()
    assert half["state"] == "running" and half["results"]["gateway"]["state"] == "waiting"
    await hears(house, _answer(id, "gateway", "done"))
    whole = (await house.http.get(place, headers=ADMIN)).json()
    assert whole["state"] == "done" and "asked_by" not in whole


async def test_a_clean_up_says_how_many_it_deleted(house: House) -> None:
    """All parts together: notifications once, and as long as the slowest of them."""
    id = uuid4()
    counts = {"gateway": {"deleted_count": 7, "seconds": 0.5}, "intake": {"notifications": 9, "seconds": 2.0}}
    for service in JOBS["cleanup"].owners:
        result = counts.get(service, {"orders": 1, "seconds": 0.1})
        await hears(house, _status(id, service, "done", command="cleanup", result=result))
    seen = (await house.http.get(f"/v1/admin/jobs/cleanup/runs/{id}", headers=ADMIN)).json()
    assert (seen["deleted_count"], seen["duration_seconds"]) == (7, 2.0)
    assert seen["results"]["intake"]["result"]["notifications"] == 9


def test_what_comes_of_the_answers_together() -> None:
    sweep = JOBS["sweep"]
    for answers, state in (
        ({}, "waiting"),
        ({"intake": "running"}, "running"),
        ({"intake": "failed"}, "running"),
        ({"intake": "done"}, "running"),
        ({"intake": "failed", "gateway": "done"}, "failed"),
        ({"intake": "done", "gateway": "done", "scheduler": "failed"}, "done"),
    ):
        assert altogether(sweep, answers) == state, answers  # type: ignore[arg-type]


async def hears(house: House, *told: e.ServiceStatus) -> None:
    async with house.database.transaction() as connection:
        await operations.note(connection, [message(one) for one in told])


def _job(id: str, minute: int, **about: Any) -> e.ServiceStatus:
    told = {"status": "done"} | {name: value for name, value in about.items() if value}
    return _status(uuid4(), "scheduler", "job", command=id, at=NOON.replace(minute=minute), result=told)


def _answer(id: Any, service: str, state: str) -> e.ServiceStatus:
    return _status(id, service, state, command="sweep")


def _status(id: Any, service: str, state: str, **more: Any) -> e.ServiceStatus:
    said = {"correlation_id": id, "service": service, "instance": "one", "state": state, "at": NOON}
    return e.ServiceStatus.model_validate(said | more)
