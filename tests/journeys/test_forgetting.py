"""Somebody is forgotten: afterwards no table of any service holds an address or a word of it, and all has an end."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest

from tests.journeys.stack import SERVICES, Answer, Stack
from tests.services.gateway.support import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

ADDRESS, OLD = "zelda.private@example.com", "unavailable@simulator.test"
SECRET = "zelda's diagnosis"
MARKS = (ADDRESS, OLD, SECRET)

TABLES = """
select format('%I.%I', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = any($1::text[]) and c.relkind = 'r'
"""


async def say(stack: Stack, **more: Any) -> str:
    asked = {"channel": "email", "subject": SECRET, "body": SECRET, "metadata": {"who": SECRET}} | more
    return str((await stack.post(asked))["id"])


async def put(stack: Stack, path: str, body: Any, method: str = "PUT") -> Answer:
    answer = await stack.call(method, path, admin=True, user="root", json=body)
    assert answer.status_code in (200, 201, 202), answer.text
    return dict(answer.json())


async def erased(stack: Stack, user_id: str, addresses: list[str]) -> Answer:
    """Orders it; the report, once all services have answered."""
    asked = {"addresses": addresses}
    answer = await stack.call("POST", f"/v1/admin/people/{user_id}/erase", admin=True, user="root", json=asked)
    assert answer.status_code in (200, 202), answer.text

    async def report() -> Answer | None:
        seen = await stack.call("GET", answer.headers["location"], admin=True, user="root")
        told: Answer = seen.json()
        return told if told["state"] in ("done", "failed") else None

    return await until(report)


async def where_it_stands(stack: Stack, words: tuple[str, ...] = MARKS) -> list[str]:
    """The tables of all services that hold one of these words, as text or as bytes."""
    connection = await asyncpg.connect(stack.database)
    try:
        tables = [row[0] for row in await connection.fetch(TABLES, list(SERVICES))]
        looked_for = [f"%{word}%" for word in words] + [f"%{word.encode().hex()}%" for word in words]
        held = [
            table
            for table in tables
            if await connection.fetchval(
                f"select exists (select from {table} t where t::text ilike any($1))", looked_for
            )
        ]
    finally:
        await connection.close()
    return held


async def test_p8_nothing_of_a_person_stays_but_ids_and_outcomes(stack: Stack) -> None:
    await put(stack, "/v1/recipients/zelda", {"email": ADDRESS, "locale": "fr"})
    await put(stack, "/v1/recipients/zelda/preferences", {"categories": {"news": {"email": False}}})
    notification = {"channel": "email", "subject": "s", "body": "happy new year"}
    yearly = {"cron": "0 8 1 1 *", "notification": notification}
    both = await put(stack, "/v1/schedules", yearly | {"recipients": ["zelda", "bob"]}, "POST")
    alone = await put(stack, "/v1/schedules", yearly | {"recipients": [{"to": ADDRESS}]}, "POST")
    due = {"title": "t", "due_date": "2031-01-01", "assignees": ["zelda", "bob"]}
    await put(stack, "/v1/deadlines/d1", due)
    sent = [
        await say(stack, user_id="zelda"),
        await say(stack, to=ADDRESS),
        await say(stack, channel="inapp", user_id="zelda"),
    ]
    later = [
        await say(stack, user_id="zelda", send_at="2031-01-01T08:00:00Z", collapse_key="k"),
        await say(stack, to=ADDRESS, send_at="2031-01-01T08:00:00Z"),
        await say(stack, user_id="zelda", channels=["email", "inapp"], channel=None, send_at="2031-01-01T08:00:00Z"),
    ]
    retried = await say(stack, to=OLD)
    bobs = await say(stack, channel="inapp", user_id="bob", subject="s", body="bob's own", metadata={})
    for id in (*sent, bobs):
        assert (await stack.final(id))["status"] == "sent"
    await stack.wait_for(retried, lambda seen: seen["status"] in ("retrying", "failed"))
    for id in later[:2]:
        await stack.wait_for(id, lambda seen: seen["status"] == "scheduled")
    await stack.wait_for(later[2], lambda seen: {child["status"] for child in seen["children"]} == {"scheduled"})

    async def everywhere() -> bool:
        return {table.partition(".")[0] for table in await where_it_stands(stack)} >= {"gateway", "intake", "scheduler"}

    await until(everywhere)

    report = await erased(stack, "zelda", [OLD])

    assert report["state"] == "done" and report["results"].keys() == set(SERVICES), report
    assert report["results"]["intake"]["result"]["notifications"] >= 6, report
    for id in later[:2]:
        seen = await stack.final(id)
        assert (seen["status"], seen["reason"]) == ("cancelled", "forgotten")
    await stack.wait_for(later[2], lambda seen: {child["status"] for child in seen["children"]} == {"cancelled"})
    assert (await stack.final(retried))["status"] in ("cancelled", "failed")
    for id in sent:
        seen = await stack.final(id)
        assert seen["status"] == "sent" and not {"to", "subject", "body", "metadata"} & seen.keys()
    schedule = await stack.call("GET", f"/v1/schedules/{both['id']}", admin=True)
    assert schedule.json()["recipients"] == ["bob"]
    assert (await stack.call("GET", f"/v1/schedules/{alone['id']}", admin=True)).status_code == 404
    assert (await stack.call("GET", "/v1/deadlines/d1", admin=True)).json()["assignees"] == ["bob"]
    kept = await stack.get(bobs)
    assert kept and kept["body"] == "bob's own"

    async def gone() -> bool:
        return await where_it_stands(stack) == []

    await until(gone)


async def test_p8_an_empty_entry_of_the_directory_forgets_too(stack: Stack) -> None:
    """Whoever writes it: REST or Kafka. Nobody asked for a report; everything of the person is gone all the same."""
    await put(stack, "/v1/recipients/wanda", {"email": "wanda.private@example.com"})
    id = await say(stack, user_id="wanda", body="wanda's diagnosis", subject="s", metadata=None)
    assert (await stack.final(id))["status"] == "sent"
    gone = await stack.call("DELETE", "/v1/recipients/wanda", admin=True)
    assert gone.status_code in (202, 204)

    async def forgotten() -> bool:
        return await where_it_stands(stack, ("wanda.private@example.com", "wanda's diagnosis")) == []

    await until(forgotten)
    seen = await stack.get(id)
    assert seen and seen["status"] == "sent"
