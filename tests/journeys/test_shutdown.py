"""Each of the five services ends by itself within its ten seconds, in the middle of its work, and loses nothing."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.journeys.stack import SERVICES, Instance, Stack
from tests.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

BODIES: tuple[dict[str, Any], ...] = (
    {"channel": "email", "to": "ann@example.org", "subject": "s", "body": "b"},
    {"channel": "sms", "to": "+33612345678", "body": "b"},
    {"channel": "inapp", "user_id": "bob", "subject": "s", "body": "b"},
    {"channel": "email", "to": "unavailable@simulator.test", "subject": "s", "body": "b"},
)
PACE = 0.5
AT_ONCE = 20
"""Notifications of a batch; the last of the bodies fails and is tried again, so that the scheduler has its share."""


async def post_on(stack: Stack, ids: list[str]) -> None:
    """Batch after batch until cancelled; one that is not answered is asked again under the same keys."""
    while True:
        asked = [BODIES[n % len(BODIES)] | {"idempotency_key": str(uuid4())} for n in range(AT_ONCE)]
        results: list[dict[str, Any]] | None = None
        while results is None:
            try:
                answer = await stack.call("POST", "/v1/notifications/batch", json={"notifications": asked})
                results = answer.json()["results"] if answer.status_code == 202 else None
            except (httpx.HTTPError, StopIteration, RuntimeError):
                await asyncio.sleep(0.1)  # the gateway is the one that ends just now
        ids += [one["id"] for one in results]
        await asyncio.sleep(PACE)


@asynccontextmanager
async def under_load(stack: Stack) -> AsyncIterator[list[str]]:
    """What was accepted, ever more of it."""
    ids: list[str] = []
    posting = asyncio.create_task(post_on(stack, ids))
    yield ids
    posting.cancel()
    await asyncio.gather(posting, return_exceptions=True)


def lines(instance: Instance) -> list[dict[str, Any]]:
    """What it has logged in this life and those before."""
    written = instance.log.read_text(errors="replace").splitlines()
    return [json.loads(line) for line in written if line.startswith("{")]


@pytest.mark.parametrize("service", SERVICES)
async def test_ended_in_time_under_load(stack: Stack, service: str) -> None:
    """It says itself that it has stopped, and had to leave no part behind: whatever did not end within its share of the
    ten seconds would be named, and who hangs for longer is ended by force, with another exit code."""
    (instance,) = stack.of(service)
    async with under_load(stack) as ids:
        await eventually(lambda: bool(ids))
        await stack.finals(ids[:AT_ONCE], within=60)
        assert await stack.terminate(instance) == 0
        said = Counter(line["event"] for line in lines(instance))
        assert said["stopping"] == said["stopped"] == 1
        assert not said["part_did_not_stop"] and not said["part_stopped_badly"]
        stack.start(instance)
        await stack.ready([instance])
        there = len(ids)
        await eventually(lambda: len(ids) > there)
    seen = await stack.finals(ids, within=120)
    assert Counter(one["status"] for one in seen.values()) == {"sent": len(ids) * 3 // 4, "failed": len(ids) // 4}
