"""One screen for all of it, and the same as it changes; a gateway is real, what else there is the test plays."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from datetime import UTC, datetime

import pytest

from cli.status import Heard, Picture, lines
from client.operations import ServiceSeen
from contracts.topics import ALL, SERVICES
from tests.cli.conftest import OURS, Place
from tests.journeys.stack import ROOT
from tests.kit.bus.support import make, until_true
from tests.kit.control.support import instance
from tests.waiting import PATIENCE

pytestmark = pytest.mark.asyncio(loop_scope="module")

AT = datetime(2027, 3, 1, tzinfo=UTC)
TIMERS = {"timers": {"timer": {"pending": 7, "overdue": 1}}}


async def test_one_screen_has_all_of_it(place: Place) -> None:
    """Services, lanes that are behind, timers, jobs and providers; and what other programs know stays as it was."""
    await make(place.stack.kafka, *ALL)
    async with instance(place.stack.kafka, place.stack.database, {}, "scheduler", about=lambda: TIMERS):

        async def told() -> bool:
            return (await place.tocsin("status", "--json")).json["timers"] == TIMERS["timers"]

        await until_true(told)
        await place.tocsin("send", "--to", "delivered@simulator.test", "--subject", "s", "--body", "b")

        async def behind() -> bool:
            lag = (await place.tocsin("status", "--json")).json["lag"]
            return {"notifications.requested": 1} in [one["lanes"] for one in lag if one["name"] == "intake"]

        await until_true(behind)
        screen = (await place.tocsin("status")).out
        for words in ("consumer group", "notifications.requested", "timers", "process_notifications", "console"):
            assert words in screen, screen
    shape = (await place.tocsin("status", "--json")).json
    assert {"name", "pid", "ready", "port"} <= shape["services"][0].keys()
    assert {"name", "pid", "address"} <= shape["servers"][0].keys()


async def test_where_nothing_is_started_from_it_goes_by_what_is_heard() -> None:
    """In an image, or below systemd: ready when one of each service says so."""
    alive = [ServiceSeen(service=one, instance=f"{one}/1", state="alive", heard_at=AT) for one in SERVICES]
    picture = Picture(None, Heard(alive), [])
    assert picture.ready and picture.told()["ready"] and picture.told()["services"] == []
    assert "what is heard of:" in list(lines(picture))
    assert not Picture(None, Heard(alive[1:]), []).ready
    waits = alive[0].model_copy(update={"not_ready": ("kafka",)})
    assert not Picture(None, Heard([waits, *alive[1:]]), []).ready
    assert "nobody is heard of" in "".join(lines(Picture(None, Heard(), None)))


async def test_without_kafka_the_rest_is_shown(place: Place) -> None:
    seen = await place.tocsin("status", KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:9")
    assert seen.code == 1 and "Kafka does not answer" in seen.out and "process_notifications" in seen.out


async def test_it_is_watched_until_somebody_has_seen_enough(place: Place) -> None:
    """Two pictures, and Ctrl-C is no error."""
    [gateway] = place.stack.of("gateway")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli.main", "status", "--watch"),
        cwd=place.stack.folder,
        env=clean | gateway.environment | {"PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout
    async with asyncio.timeout(PATIENCE):
        for _ in range(2):
            while not (await process.stdout.readline()).startswith(b"gateway"):
                pass
        process.send_signal(signal.SIGINT)
        rest, _ = await process.communicate()
    assert process.returncode == 0, rest
