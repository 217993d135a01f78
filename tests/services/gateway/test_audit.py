"""Who changed what, when, and what came of it: written before it is done, and never changed."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest

from tests.services.gateway.conftest import ADMIN, ADMIN_ELSEWHERE, ALICE, EMAIL, SERVICE, House
from tests.services.gateway.support import as_owner


async def deeds(house: House, query: str = "", who: dict[str, str] = ADMIN) -> list[dict[str, Any]]:
    answer = await house.http.get(f"/v1/admin/audit{query}", headers=who)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def test_what_an_admin_changes_is_written_down(house: House) -> None:
    """Also what he does to other people's things, and what was refused; what he looks at is not."""
    id = await house.post(EMAIL | {"group": "g"})
    made = await house.http.post("/v1/admin/api-keys", json={"name": "n", "scopes": ["send"]}, headers=ADMIN)
    await house.http.delete(f"/v1/notifications/{id}", headers=ADMIN)
    await house.http.delete("/v1/notifications?group=g", headers=ADMIN)
    await house.http.post("/v1/admin/failed/replay", json={"status": "failed"}, headers=ADMIN)
    await house.http.post("/v1/admin/failed/replay", json={"status": "nonsense"}, headers=ADMIN)
    await house.http.get("/v1/admin/failed", headers=ADMIN)
    told = [(one["method"], one["path"], one["status"], one.get("detail")) for one in await deeds(house)]
    assert told == [
        ("POST", "/v1/admin/failed/replay", 422, None),
        ("POST", "/v1/admin/failed/replay", 202, "0 replayed"),
        ("DELETE", "/v1/notifications?group=g", 202, None),
        ("DELETE", f"/v1/notifications/{id}", 202, None),
        ("POST", "/v1/admin/api-keys", 201, made.headers["location"]),
    ]
    assert {one["who"] for one in await deeds(house)} == {"user:root"}


async def test_what_others_do_is_no_deed_of_an_admin(house: House) -> None:
    id = await house.post()
    await house.http.delete(f"/v1/notifications/{id}", headers=ALICE)
    await house.http.post("/v1/admin/api-keys", json={}, headers=SERVICE)
    await house.http.post("/v1/admin/api-keys", json={})
    assert await deeds(house) == []


async def test_found_by_who_where_and_when(house: House) -> None:
    for _ in range(3):
        await house.http.delete("/v1/admin/api-keys/x", headers=ADMIN)
    await house.http.post("/v1/inbox/read-all", headers=ADMIN)
    await house.http.post("/v1/inbox/read-all", headers=ADMIN_ELSEWHERE)
    assert len(await deeds(house)) == 4
    assert len(await deeds(house, "?who=user:root&path=/v1/admin/api-keys")) == 3
    assert await deeds(house, "?who=user:alice") == await deeds(house, "?created_after=2099-01-01T00:00:00Z") == []
    assert [one["path"] for one in await deeds(house, who=ADMIN_ELSEWHERE)] == ["/v1/inbox/read-all"]
    answer = (await house.http.get("/v1/admin/audit?limit=3", headers=ADMIN)).json()
    rest = (await house.http.get(f"/v1/admin/audit?limit=3&after={answer['next']}", headers=ADMIN)).json()
    assert len(answer["items"]) == 3 and len(rest["items"]) == 1 and "next" not in rest


async def test_the_audit_is_only_added_to(house: House, database: str) -> None:
    """Not even its owner changes it by mistake."""
    await house.http.delete("/v1/admin/api-keys/x", headers=ADMIN)
    for table in ("audit", "audit_ends"):
        for statement in (f"delete from gateway.{table}", f"truncate gateway.{table} cascade"):
            with pytest.raises(asyncpg.RaiseError):
                await as_owner(database, statement)
    with pytest.raises(asyncpg.RaiseError):
        await as_owner(database, "update gateway.audit set who = 'nobody'")
    assert len(await deeds(house)) == 1


async def test_nothing_is_done_that_cannot_be_written_down(house: House, database: str) -> None:
    await as_owner(database, "alter table gateway.audit rename to audit_away")
    answer = await house.http.post("/v1/admin/api-keys", json={"name": "n", "scopes": ["send"]}, headers=ADMIN)
    assert answer.status_code == 500
    assert await as_owner(database, "select count(*) from gateway.api_keys") == 0


async def test_without_a_word_of_its_end_it_is_there_all_the_same(house: House, database: str) -> None:
    """The gateway went away over it."""
    await as_owner(database, "alter table gateway.audit_ends rename to gone")
    gone = await house.http.delete("/v1/admin/api-keys/x", headers=ADMIN)
    assert gone.status_code == 404
    await as_owner(database, "alter table gateway.gone rename to audit_ends")
    [deed] = await deeds(house)
    assert "status" not in deed
