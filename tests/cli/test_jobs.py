"""Jobs on the command line, against a real gateway and a scheduler that the test plays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from contracts.jobs import JOBS
from contracts.topics import ALL
from tests.cli.conftest import Place
from tests.kit.bus.support import make, until_true
from tests.kit.control.support import instance

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_run_and_listed(place: Place) -> None:
    """The result in a line per service; one that nobody does is no success, and says so."""

    async def fired(_: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"fired": 7}

    stack = place.stack
    await make(stack.kafka, *ALL)
    async with instance(stack.kafka, stack.database, {"process_notifications": fired}, "scheduler"):
        done = await place.tocsin("jobs", "run", "process_notifications")
        assert done.code == 0, done.err
        assert "scheduler" in done.out and "fired 7" in done.out
    waiting = await place.tocsin("jobs", "run", "check_urgent", "--seconds", "0", "--json")
    assert waiting.code == 1 and waiting.json["state"] == "waiting"
    listed = await place.tocsin("jobs", "list")
    assert listed.code == 0 and all(job in listed.out for job in JOBS)


async def test_status_names_every_process_that_is_heard_of(place: Place) -> None:
    """Also those that nobody started here."""
    stack = place.stack
    await make(stack.kafka, *ALL)
    async with instance(stack.kafka, stack.database, {}, "scheduler"):

        async def heard() -> bool:
            seen = (await place.tocsin("status", "--json")).json["instances"]
            return any(one["service"] == "scheduler" and one["state"] == "alive" for one in seen)

        await until_true(heard)
        assert "last heard" in (await place.tocsin("status")).out
    nobody = await place.tocsin("status", "--json", GATEWAY_PORT="9")
    assert nobody.json["instances"] == [] and nobody.json["jobs"] == []


async def test_who_may_not_and_what_there_is_not(place: Place) -> None:
    """One sentence each."""
    stranger = await place.tocsin("jobs", "list", "--token", place.stack.token("alice"))
    assert stranger.code == 1 and "role admin" in stranger.err
    unknown = await place.tocsin("jobs", "run", "dance")
    assert unknown.code == 1 and "process_notifications" in unknown.err
    assert (await place.tocsin("jobs", "run", "../failed")).code == 1
