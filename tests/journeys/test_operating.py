"""Jobs over the whole stack: run by hand, run although an owner is down, and every process heard of."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from contracts.jobs import JOBS
from contracts.topics import SERVICES
from kit.bus.publisher import Publisher
from kit.control.switches import Switches
from kit.postgres import Database
from tests.journeys.stack import Stack
from tests.kit.bus.support import until_true
from tests.kit.control.support import order
from tests.waiting import PATIENCE

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def run(stack: Stack, job: str) -> tuple[int, dict[str, Any]]:
    answer = await stack.call("POST", f"/v1/admin/jobs/{job}/run", admin=True)
    return answer.status_code, answer.json()


def ended(stack: Stack, told: dict[str, Any], found: dict[str, Any]) -> Callable[[], Awaitable[bool]]:
    """Whether that run has; `found` is then what came of it."""

    async def look() -> bool:
        answer = await stack.call("GET", f"/v1/admin/jobs/{told['job']}/runs/{told['run_id']}", admin=True)
        found.update(answer.json())
        return found["state"] in ("done", "failed")

    return look


async def test_every_job_is_done_by_all_its_owners(stack: Stack) -> None:
    """Whoever runs it hears from each; the list then shows when it last ran, and when it will by itself."""
    for job in JOBS.values():
        status, told = await run(stack, job.id)
        assert status in (200, 202), told
        found = dict(told)
        await until_true(ended(stack, told, found))
        assert found["state"] == "done", found
        assert found["results"].keys() == set(job.owners)
        if job.id.startswith("check_"):
            assert {"said", "open", "urgent", "late"} <= found["results"]["scheduler"]["result"].keys()

    async def listed() -> bool:
        items = {one["id"]: one for one in (await stack.call("GET", "/v1/admin/jobs", admin=True)).json()["items"]}
        seen = all(items[job]["status"] == "done" and items[job].get("last_run") for job in JOBS)
        return seen and {"cleanup", "daily_report"} == {id for id, one in items.items() if one.get("next_run")}

    await until_true(listed)


async def test_every_process_is_heard_of(stack: Stack) -> None:
    async def heard() -> bool:
        items = (await stack.call("GET", "/v1/admin/services", admin=True)).json()["items"]
        pids = {(one["service"], one["pid"]) for one in items if one["state"] == "alive"}
        return pids == {(one.service, one.process.pid) for one in stack.instances if one.process}

    await until_true(heard)
    assert {one.service for one in stack.instances} == set(SERVICES)


async def test_run_while_an_owner_is_down(stack: Stack) -> None:
    """202, and done when it is there again; a service that is killed loses no order."""
    [intake] = stack.of("intake")
    stack.kill(intake)
    status, told = await run(stack, "sweep")
    assert status == 202 and told["results"]["intake"] == {"state": "waiting"}
    stack.start(intake)
    found: dict[str, Any] = {}
    await until_true(ended(stack, told, found))
    assert found["state"] == "done" and found["results"]["intake"]["result"]["driven"] == 0


async def test_a_switch_outlives_the_process_that_heard_of_it(stack: Stack) -> None:
    """Ordered on Kafka, stored by the sender; killed and started again, it is still there."""
    voice = Publisher(stack.kafka, "gateway", deadline=PATIENCE)
    await voice.start()
    await order(voice, "pause", service="email_sender", provider="smtp")
    await voice.stop()
    database = await Database.open(stack.database, "email_sender")

    async def paused() -> bool:
        switches = Switches(database)
        await switches.look()
        return switches.is_paused("provider", "smtp")

    await until_true(paused)
    await stack.restart(stack.of("email_sender")[0])
    assert await paused()
    await database.close()
