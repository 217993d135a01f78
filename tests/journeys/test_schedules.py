"""What comes again and again, from a POST to the bell, through kills of the scheduler and with two of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from contracts.identity import firing_id, milliseconds
from kit.settings import KafkaSettings
from tests import servers as real
from tests.journeys.stack import Stack
from tests.services.gateway.support import until
from tests.waiting import PATIENCE

SERVICES = ("intake", "scheduler", "gateway")
BELL: dict[str, Any] = {
    "every_seconds": 2,
    "time_zone": "Europe/Paris",
    "recipients": ["bob", "carol"],
    "notification": {"channel": "inapp", "subject": "plants", "body": "water them"},
    "misfire": "fire_all",
}


@pytest.fixture
def failpoints() -> str:
    return ""


@pytest.fixture
async def stack(
    session: real.Session, kafka: KafkaSettings, database: str, folder: Path, failpoints: str
) -> AsyncIterator[Stack]:
    """A gateway, intake and two schedulers."""
    async with Stack(
        kafka,
        database,
        folder,
        session.look_after,
        counts={"scheduler": 2},
        failpoints={"scheduler": failpoints},
        services=SERVICES,
    ) as stack:
        yield stack


async def make(stack: Stack, **more: Any) -> str:
    answer = await stack.call("POST", "/v1/schedules", user="alice", json=BELL | more)
    assert answer.status_code in (201, 202), answer.text
    if answer.status_code == 202:
        await stack.have_heard()
    return str(answer.json()["id"])


async def foreseen(stack: Stack, id: str, count: int) -> list[str]:
    """The ids of the notifications of the next firings, by the preview."""
    return [named(id, at, who) for at in await planned(stack, id, count) for who in ("bob", "carol")]


async def planned(stack: Stack, id: str, count: int, since: str = "") -> list[datetime]:
    """The instants of the next firings, by the preview."""
    answer = await stack.call("GET", f"/v1/schedules/{id}/preview?n={count}{since}", user="alice")
    return [datetime.fromisoformat(one["at"]) for one in answer.json()["firings"]]


def named(id: str, at: datetime, who: str) -> str:
    return str(firing_id("default", id, str(milliseconds(at)), f"user/{who}"))


async def shown(stack: Stack, who: str) -> list[str]:
    answer = await stack.call("GET", "/v1/inbox?limit=200", user=who)
    return [entry["id"] for entry in answer.json()["items"]]


async def test_what_was_foreseen_is_what_fires(stack: Stack) -> None:
    """With two schedulers, each once: to both recipients, seen by who made it, and nothing after it is deleted."""
    id = await make(stack)
    ids = await foreseen(stack, id, 3)
    done = await stack.finals(ids, within=PATIENCE)
    assert {one["status"] for one in done.values()} == {"sent"}
    for one in done.values():
        assert one["group"] == f"schedule/{id}"
    mine = await stack.call("GET", f"/v1/notifications/{ids[0]}", user="alice")
    assert mine.status_code == 200 and mine.json()["body"] == "water them"
    assert (await stack.call("DELETE", f"/v1/schedules/{id}", user="alice")).status_code in (202, 204)
    inbox = await shown(stack, "bob")
    assert len(inbox) == len(set(inbox)) and set(ids[::2]) <= set(inbox)


async def test_run_now(stack: Stack) -> None:
    """One that is switched off, twice by hand: two notifications for each recipient."""
    id = await make(stack, enabled=False)
    runs = [(await stack.call("POST", f"/v1/schedules/{id}/run", user="alice")).json() for _ in range(2)]
    ids = [one for run in runs for one in run["notifications"]]
    assert len(set(ids)) == 4
    done = await stack.finals(ids, within=PATIENCE)
    assert {one["status"] for one in done.values()} == {"sent"}
    assert len(await shown(stack, "bob")) == 2


class TestKilled:
    """Between publish and commit, and before: kill -9 with the rows in its hands."""

    @pytest.fixture(params=["firing_before_publish", "firing_after_publish"])
    def failpoints(self, request: pytest.FixtureRequest) -> str:
        return f"{request.param}:kill"

    async def test_no_second_notification(self, stack: Stack) -> None:
        """Both schedulers die over it, and the ones after them say the same ids: each person has each firing once."""
        id = await make(stack)
        ids = await foreseen(stack, id, 3)
        victims = stack.of("scheduler")
        await until(lambda: _dead(victims))
        for victim in victims:
            stack.start(victim)
        done = await stack.finals(ids, within=PATIENCE)
        assert {one["status"] for one in done.values()} == {"sent"}
        every = await planned(stack, id, 100, "&from=2026-01-01T00:00:00Z")
        for who in ("bob", "carol"):
            assert set(await shown(stack, who)) <= {named(id, at, who) for at in every}


async def _dead(victims: list[Any]) -> bool:
    return not any(victim.alive for victim in victims)
