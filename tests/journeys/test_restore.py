"""A backup is taken while notifications are under way, and put in the place of a database that is lost later (P9)."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest

from contracts.events import named
from kit.clock import utc_now
from kit.postgres import all_schemas
from tests import servers as real
from tests.cli.conftest import tocsin
from tests.journeys.stack import Stack

pytestmark = pytest.mark.asyncio(loop_scope="module")

SOME = 80
HOUR = timedelta(hours=1)
YEARS_AHEAD = "2031-01-01T08:00:00Z"
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


async def put_off(stack: Stack, *ids: str) -> None:
    """By years; returns when it is known."""
    for id in ids:
        answer = await stack.call("PATCH", f"/v1/notifications/{id}", json={"send_at": YEARS_AHEAD})
        assert answer.status_code == 202, answer.text
    for id in ids:
        await stack.wait_for(id, lambda one: one.get("send_at", "").startswith("2031"))


async def pass_time(stack: Stack) -> None:
    """Hours go by before the services come back."""
    owner = await asyncpg.connect(stack.database)
    try:
        await owner.execute("update tocsin.clock_offset set by = interval '3 hours'")
    finally:
        await owner.close()


async def shift(stack: Stack) -> timedelta:
    """How far tocsin.clock() is ahead."""
    owner = await asyncpg.connect(stack.database)
    try:
        ahead: timedelta = await owner.fetchval("select by from tocsin.clock_offset")
    finally:
        await owner.close()
    return ahead


async def epoch(stack: Stack) -> str:
    owner = await asyncpg.connect(stack.database)
    try:
        return str(await owner.fetchval("select epoch from gateway.stream_epoch"))
    finally:
        await owner.close()


async def test_p9_a_backup_in_the_place_of_a_lost_database(stack: Stack) -> None:
    """All that was accepted ends as it would have; whatever comes twice is flagged as a copy; nothing is lost, neither
    what the backup holds nor what was accepted, sent or planned after it. What was moved or cancelled after the backup
    does not fire when it once should have, although that time has come before anybody is back."""
    kept = Path(stack.folder) / "backup"
    before = await epoch(stack)
    ids: list[str] = []
    planned = (await stack.post(BODY | {"to": "planned@example.org", "send_at": YEARS_AHEAD}))["id"]
    # Urgent: read before a move, which takes the normal lane.
    soon = BODY | {"lane": "urgent", "send_at": named(utc_now() + HOUR)}
    to_move = (await stack.post(soon | {"to": "moved@example.org"}))["id"]
    to_cancel = (await stack.post(soon | {"to": "cancelled@example.org"}))["id"]
    await stack.final((await stack.post(BODY))["id"])
    await post_some(stack, ids)
    await asyncio.gather(command(stack, "backup", str(kept)), post_some(stack, ids))
    later = (await stack.post(BODY | {"to": "later@example.org", "send_at": YEARS_AHEAD}))["id"]
    bell = (await stack.post({"channel": "inapp", "user_id": "bob", "subject": "s", "body": "b"}))["id"]
    sent = (await stack.post(BODY | {"to": "sent@example.org"}))["id"]
    await stack.final(sent)
    await stack.final(bell)
    await post_some(stack, ids)
    to_move_too = (await stack.post(soon | {"to": "moved@example.org"}))["id"]
    await put_off(stack, to_move, to_move_too)
    assert (await stack.call("DELETE", f"/v1/notifications/{to_cancel}")).status_code == 202
    await stack.final(to_cancel)
    for instance in stack.instances:
        stack.kill(instance)

    await wreck(stack)
    await command(stack, "restore", str(kept), "--yes")
    # As after a restore by other tools; twice is once.
    await command(stack, "restore", str(kept), "--yes", "--positions-only")
    await pass_time(stack)
    # The scheduler is there first: whatever it says now is read before the rest.
    stack.start(stack.of("scheduler")[0])
    await stack.ready(stack.of("scheduler"))
    for instance in stack.instances:
        stack.start(instance)
    await stack.ready()

    seen = await stack.finals([*ids, sent, bell], within=120)
    assert {one["status"] for one in seen.values()} == {"sent"}
    for id in (planned, later, to_move, to_move_too):
        assert (await stack.wait_for(id, lambda one: one["status"] == "scheduled"))["send_at"].startswith("2031-01-01")
    assert (await stack.final(to_cancel))["status"] == "cancelled"
    assert not [mail for to in ("moved", "cancelled") for mail in stack.catcher.mails(to=f"{to}@example.org")]
    for service in ("intake", "scheduler"):
        assert '"caught_up"' in stack.of(service)[0].log.read_text()
    assert await epoch(stack) != before
    mails = stack.catcher.mailbox.find(limit=10_000)
    assert len({mail.message_id for mail in mails}) == len(ids) + 2
    whole = Counter(mail.message_id for mail in mails if mail.copy is None)
    assert set(whole.values()) == {1}
    assert len(stack.catcher.mails(to="sent@example.org")) == 1


async def test_p9_a_backup_in_the_place_of_a_lost_database_and_a_lost_kafka(stack: Stack) -> None:
    """What the backup holds is there and goes on; what was accepted since is gone; and nobody waits for what Kafka does
    not hold any more."""
    kept = Path(stack.folder) / "another backup"
    known = (await stack.post(BODY | {"to": "known@example.org"}))["id"]
    planned = (await stack.post(BODY | {"to": "planned@example.org", "send_at": YEARS_AHEAD}))["id"]
    await stack.final(known)
    await stack.wait_for(planned, lambda one: one["status"] == "scheduled")
    await command(stack, "backup", str(kept))
    gone = (await stack.post(BODY | {"to": "gone@example.org"}))["id"]
    await stack.final(gone)
    for instance in stack.instances:
        stack.kill(instance)

    await wreck(stack)
    await real.delete_topics(stack.kafka)
    await command(stack, "restore", str(kept), "--yes")
    for instance in stack.instances:
        stack.start(instance)
    await stack.ready()

    assert (await stack.final((await stack.post(BODY | {"to": "new@example.org"}))["id"]))["status"] == "sent"
    assert (await stack.get(planned))["status"] == "scheduled"
    assert (await stack.final(known))["status"] == "sent"
    assert (await stack.call("GET", f"/v1/notifications/{gone}")).status_code == 404
    assert len(stack.catcher.mails(to="known@example.org")) == 1
    soon = named(utc_now() + await shift(stack) + timedelta(seconds=3))
    assert (await stack.call("PATCH", f"/v1/notifications/{planned}", json={"send_at": soon})).status_code == 202
    assert (await stack.final(planned))["status"] == "sent"


async def test_p9_nobody_restores_under_services_at_work(stack: Stack) -> None:
    """Nor without having said that it is to be."""
    settings = stack.of("gateway")[0].environment
    kept = Path(stack.folder) / "backup"
    done = await tocsin("restore", str(kept), settings=settings, folder=stack.folder)
    assert done.code == 1 and "say --yes" in done.err
    done = await tocsin("restore", str(kept), "--yes", settings=settings, folder=stack.folder)
    assert done.code == 1 and "services are at work" in done.err and "tocsin.gateway" in done.err
