"""A clean-up that is stopped anywhere, by a full disk or a kill, has lost nothing, and the next one goes on."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from kit.archive.records import Wanted
from kit.archive.searching import search
from kit.clock import utc_now
from kit.control.running import CannotBeDone
from kit.postgres import Database, alone
from services.gateway.handlers.cleaning import ALONE, Bounds
from tests.servers import ROOT
from tests.services.gateway.cleaned import age, cleaning, hear, ids, sent
from tests.services.gateway.conftest import EMAIL, House
from tests.services.gateway.support import as_owner
from tests.waiting import PATIENCE


async def test_a_full_disk_deletes_nothing(house: House, archive: Path) -> None:
    """The run says so, and the next one goes on when there is room."""
    id = str(uuid4())
    await hear(house, 31, sent(id, 31))
    full = fill(archive)
    with pytest.raises(CannotBeDone, match=r"archive.*cannot be written"):
        await cleaning(house, archive).clean_up()
    assert await ids(house) == {id}
    full.unlink()
    assert (await cleaning(house, archive).clean_up())["deleted_count"] == 1


def fill(archive: Path) -> Path:
    """The file of this day lies where nothing fits."""
    archive.mkdir()
    file = archive / f"gateway-{utc_now().date()}.jsonl.gz"
    file.symlink_to("/dev/full")
    return file


async def test_two_gateways_clean_one_after_the_other(house: House, archive: Path) -> None:
    await hear(house, 31, sent(uuid4(), 31))
    async with alone(house.database, ALONE) as ours:
        assert ours
        told = await cleaning(house, archive).clean_up()
        assert (told["deleted_count"], told["detail"]) == (0, "another gateway is at it")
    assert (await cleaning(house, archive).clean_up())["deleted_count"] == 1


async def test_a_run_has_bounds_and_the_next_one_goes_on(house: House, archive: Path) -> None:
    await hear(house, 31, *(sent(uuid4(), 31) for _ in range(5)))
    bounds = Bounds(at_once=2, notifications=3)
    told = [await cleaning(house, archive, bounds).clean_up() for _ in range(2)]
    assert [one["deleted_count"] for one in told] == [4, 1]
    assert "the next run goes on" in told[0]["detail"] and "detail" not in told[1]


SCRIPT = """
import asyncio, sys
from pathlib import Path
from kit.metrics import Metrics
from kit.postgres import Database
from kit.settings import CleanupSettings
from services.gateway.handlers.cleaning import Bounds, Cleaning

async def main():
    database = await Database.open(sys.argv[1], "gateway")
    await Cleaning(database, CleanupSettings(), Path(sys.argv[2]), Metrics(), bounds=Bounds(at_once=2)).clean_up()

asyncio.run(main())
"""


@pytest.mark.parametrize("where", ["archive_after_data", "cleanup_after_archive", "cleanup_after_delete"])
async def test_killed_anywhere_the_next_run_goes_on(house: House, archive: Path, where: str) -> None:
    """Each notification is in the table or in the archive at any time, and in the end once in the archive."""
    known = {str(uuid4()) for _ in range(5)}
    await hear(house, 31, *(sent(id, 31) for id in known))
    environ = os.environ | {"TOCSIN_FAILPOINTS": f"{where}:kill@2", "PYTHONPATH": str(ROOT)}
    run = [sys.executable, "-c", SCRIPT, house.settings.database_url, str(archive)]
    killed = await asyncio.create_subprocess_exec(*run, env=environ)
    assert await killed.wait() == 137
    assert await ids(house) | {one["id"] for one in search(archive, Wanted(), 10)} == known
    async with asyncio.timeout(PATIENCE):
        # The server needs a moment to miss who was killed: until then another gateway is at it.
        while "detail" in await cleaning(house, archive).clean_up():
            pass
    assert await ids(house) == set()
    assert sorted(one["id"] for one in search(archive, Wanted(), 10)) == sorted(known)


@asynccontextmanager
async def second(house: House) -> AsyncIterator[Database]:
    database = await Database.open(house.settings.database_url, "gateway", size=2)
    yield database
    await database.close()


async def test_alone_ends_with_whoever_was(house: House) -> None:
    """Who died over it holds nobody up."""
    async with second(house) as other:
        async with alone(other, "anything") as first, alone(house.database, "anything") as then:
            assert (first, then) == (True, False)
        async with alone(house.database, "anything") as then:
            assert then


async def test_gateways_that_do_not_share_their_archive_clean_nothing_up(house: House, archive: Path) -> None:
    """And no erasure says that it is complete; one that is not heard of any more does not count."""
    id = await house.post(EMAIL)
    await hear(house, 40, sent(id, 40))
    await age(house, id, 40)
    instance = "insert into gateway.instances values ('gateway', '{0}', '{1}', now(), '{{\"archive\": \"{0}\"}}')"
    for name, state in (("here", "alive"), ("there", "alive"), ("nowhere", "stopped")):
        await as_owner(house.settings.database_url, instance.format(name, state))
    with pytest.raises(CannotBeDone, match="archive to 2 folders"):
        await cleaning(house, archive).clean_up()
    await as_owner(house.settings.database_url, "update gateway.instances set state = 'stopped' where name = 'there'")
    assert (await cleaning(house, archive).clean_up())["deleted_count"] == 1
