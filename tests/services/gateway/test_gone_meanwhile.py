"""What somebody looked up goes before he has its lock: he is told that it is not there, or has changed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import httpx
import pytest

from tests.services.gateway.conftest import ADMIN, ALICE, BELL, EMAIL, House, due_of
from tests.services.gateway.support import as_owner, until

WAITING = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
HOOKS = "/v1/admin/webhooks"


async def behind(house: House, statement: str, ask: Callable[[], Awaitable[httpx.Response]]) -> httpx.Response:
    """The answer of who comes to the lock of this statement, which is committed while he waits."""
    owner = await asyncpg.connect(house.settings.database_url)
    try:
        async with owner.transaction():
            await owner.execute(statement)
            asking = asyncio.ensure_future(ask())
            await until(lambda: as_owner(house.settings.database_url, WAITING))
        return await asking
    finally:
        await owner.close()


@pytest.mark.parametrize(("method", "body"), [("DELETE", None), ("PATCH", {"send_at": "2031-01-01T08:00:00Z"})])
async def test_cleaned_up_while_it_is_cancelled_or_moved(house: House, method: str, body: Any) -> None:
    """It had ended: there is nothing to stop, and nothing is kept."""
    id = await house.post(EMAIL | {"send_at": "2030-01-01T08:00:00Z"})
    gone = f"delete from gateway.outbox where id = '{id}'; delete from gateway.notifications where id = '{id}'"
    answer = await behind(
        house, gone, lambda: house.http.request(method, f"/v1/notifications/{id}", json=body, headers=ALICE)
    )
    assert answer.status_code == 202, answer.text
    async with house.database.connection() as connection:
        assert await connection.fetchval("select count(*) from outbox") == 0


async def test_cleaned_up_while_it_is_rewritten(house: House) -> None:
    id = await house.post(BELL)
    await house.shows(due_of(id))
    gone = f"""
        select from gateway.people for update; delete from gateway.inbox where id = '{id}'"""
    answer = await behind(
        house, gone, lambda: house.http.put(f"/v1/inbox/{id}", json={"title": "another"}, headers=ALICE)
    )
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def made(house: House) -> str:
    answer = await house.http.post(HOOKS, json={"url": "https://example.org/"}, headers=ADMIN)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def test_a_webhook_that_is_changed_while_it_is_deleted_keeps_what_waits(house: House) -> None:
    """Refused is refused: a delete that names the version before takes no delivery with it."""
    id = await made(house)
    assert (await house.http.post(f"{HOOKS}/{id}/test", headers=ADMIN)).status_code == 202
    changed = f"update gateway.webhooks set version = version + 1 where id = '{id}'"
    answer = await behind(
        house, changed, lambda: house.http.delete(f"{HOOKS}/{id}", headers=ADMIN | {"If-Match": '"1"'})
    )
    assert (answer.status_code, answer.json()["code"]) == (412, "stale")
    waiting = (await house.http.get(f"{HOOKS}/{id}/deliveries", headers=ADMIN)).json()["items"]
    assert [one["state"] for one in waiting] == ["pending"]


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_a_webhook_that_is_deleted_meanwhile_is_not_there(house: House, method: str) -> None:
    """Without `If-Match` there is no version that could be stale."""
    id = await made(house)
    body = {"url": "https://example.org/"} if method == "PUT" else None
    answer = await behind(
        house,
        f"delete from gateway.webhooks where id = '{id}'",
        lambda: house.http.request(method, f"{HOOKS}/{id}", json=body, headers=ADMIN),
    )
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
