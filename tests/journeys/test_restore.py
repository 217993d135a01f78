"""A backup is taken while notifications are under way, and put in the place of a database that is lost later (P9)."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import asyncpg
import pytest

from kit.postgres import all_schemas
from tests.cli.conftest import tocsin
from tests.journeys.stack import Stack

pytestmark = pytest.mark.asyncio(loop_scope="module")

SOME = 80
BODY = {"channel": "email", "to": "ann@example.org", "subject": "s", "body": "b"}


async def command(stack: Stack, *arguments: str) -> str:
    """The command line, for this stack."""
    settings = {name: value for name, value in stack.of("gateway")[0].environment.items() if name.isupper()}
    done = await tocsin(*arguments, settings=settings, folder=stack.folder, seconds=90)
    assert done.code == 0, done.err
    return done.out


async def post_some(stack: Stack, ids: list[str]) -> None:
    """One after the other; what becomes of them is not waited for."""
    for _ in range(SOME):
        ids.append((await stack.post(BODY))["id"])


async def wreck(stack: Stack) -> None:
    """Nothing is left in the database."""
    owner = await asyncpg.connect(stack.database)
    try:
        for schema in (*all_schemas(), "tocsin"):
            await owner.execute(f"drop schema {schema} cascade")
    finally:
        await owner.close()


async def epoch(stack: Stack) -> str:
    owner = await asyncpg.connect(stack.database)
    try:
        return str(await owner.fetchval("select epoch from gateway.stream_epoch"))
    finally:
        await owner.close()


async def test_p9_a_backup_in_the_place_of_a_lost_database(stack: Stack) -> None:
    """All that was accepted ends as it would have; whatever comes twice is flagged as a copy; nothing is lost, neither
    what the backup holds nor what was accepted, sent or planned after it."""
    kept = Path(stack.folder) / "backup"
    before = await epoch(stack)
    ids: list[str] = []
    planned = (await stack.post(BODY | {"to": "planned@example.org", "send_at": "2031-01-01T08:00:00Z"}))["id"]
    await stack.final((await stack.post(BODY))["id"])
    await post_some(stack, ids)
    await asyncio.gather(command(stack, "backup", str(kept)), post_some(stack, ids))
    later = (await stack.post(BODY | {"to": "later@example.org", "send_at": "2031-01-01T08:00:00Z"}))["id"]
    bell = (await stack.post({"channel": "inapp", "user_id": "bob", "subject": "s", "body": "b"}))["id"]
    sent = (await stack.post(BODY | {"to": "sent@example.org"}))["id"]
    await stack.final(sent)
    await stack.final(bell)
    await post_some(stack, ids)
    for instance in stack.instances:
        stack.kill(instance)

    await wreck(stack)
    await command(stack, "restore", str(kept), "--yes")
    # As after a restore by other tools; twice is once.
    await command(stack, "restore", str(kept), "--yes", "--positions-only")
    for instance in stack.instances:
        stack.start(instance)
    await stack.ready()

    seen = await stack.finals([*ids, sent, bell], within=120)
    assert {one["status"] for one in seen.values()} == {"sent"}
    for id in (planned, later):
        assert (await stack.wait_for(id, lambda one: one["status"] == "scheduled"))["send_at"].startswith("2031-01-01")
    assert await epoch(stack) != before
    mails = stack.catcher.mailbox.find(limit=10_000)
    assert len({mail.message_id for mail in mails}) == len(ids) + 2
    whole = Counter(mail.message_id for mail in mails if mail.copy is None)
    assert set(whole.values()) == {1}
    assert len(stack.catcher.mails(to="sent@example.org")) == 1


async def test_p9_nobody_restores_under_services_at_work(stack: Stack) -> None:
    """Nor without having said that it is to be."""
    settings = stack.of("gateway")[0].environment
    kept = Path(stack.folder) / "backup"
    done = await tocsin("restore", str(kept), settings=settings, folder=stack.folder)
    assert done.code == 1 and "say --yes" in done.err
    done = await tocsin("restore", str(kept), "--yes", settings=settings, folder=stack.folder)
    assert done.code == 1 and "services are at work" in done.err and "tocsin.gateway" in done.err
