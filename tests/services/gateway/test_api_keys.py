"""API keys: shown once, kept as hashes, good for their scopes, and nobody's within seconds of being revoked."""

from __future__ import annotations

import asyncio
import base64
from datetime import timedelta
from pathlib import Path
from typing import Any

from kit.clock import utc_now
from kit.settings import KafkaSettings
from services.gateway.http.access import key_ring
from services.gateway.http.access.key_ring import KeyRing
from services.gateway.http.problems import Problem
from services.gateway.rules import keys
from tests.services.gateway.conftest import ADMIN, ADMIN_ELSEWHERE, ALICE, EMAIL, House, bearer, opened, settings_of
from tests.services.gateway.support import as_owner, until
from tests.services.gateway.test_http_auth import LINKS, SIGNED, TICKETED, routes

ALL_SCOPES = list(keys.SCOPES)


async def made(house: House, scopes: list[str] = ALL_SCOPES, name: str = "billing", **more: Any) -> dict[str, Any]:
    answer = await house.http.post("/v1/admin/api-keys", json={"name": name, "scopes": scopes} | more, headers=ADMIN)
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


def by(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


async def test_a_key_is_shown_once_and_kept_as_a_hash(house: House, database: str) -> None:
    told = await made(house)
    assert told["key"].startswith("tk_") and told["shown"] == told["key"][:9]
    listed = (await house.http.get("/v1/admin/api-keys", headers=ADMIN)).json()["items"]
    assert [(one["id"], one["name"], one["created_by"]) for one in listed] == [(told["id"], "billing", "user:root")]
    assert "key" not in listed[0]
    kept = await as_owner(database, "select row_to_json(k)::text from gateway.api_keys k")
    assert told["key"][9:] not in kept and keys.digest(told["key"]).hex() in kept


async def test_it_sends_and_sees_what_its_name_has_sent(house: House) -> None:
    """Keys of one name are one caller: a new one takes the place of an old one."""
    first, second, other = await made(house), await made(house), await made(house, name="crm")
    id = await house.post(EMAIL, by(first["key"]))
    assert (await house.get(id, by(second["key"])))["id"] == id
    assert (await house.http.get(f"/v1/notifications/{id}", headers=by(other["key"]))).status_code == 404
    used = (await house.http.get("/v1/admin/api-keys", headers=ADMIN)).json()["items"]
    assert {one["id"] for one in used if "last_used_at" in one} == {first["id"], second["id"], other["id"]}


async def test_without_the_scope_403(house: House) -> None:
    """Every route that there is, with a key of each scope and with one of all: what is no key's business stays shut."""
    each = {scope: by((await made(house, [scope]))["key"]) for scope in ALL_SCOPES}
    for method, path in sorted(await routes(house)):
        if (method, path) in SIGNED | LINKS | TICKETED:
            continue  # nobody needs a token there
        where = path.replace("{id}", "0").replace("{user_id}", "bob").replace("{name}", "n")
        wanted = keys.needed(method, where)
        for scope, headers in each.items():
            answer = await house.http.request(method, where, headers=headers)
            shut = answer.status_code == 403 and answer.json()["code"] in ("scope_missing", "not_for_keys")
            assert shut == (scope != wanted), (method, path, scope, answer.text)


def test_which_scope_opens_what() -> None:
    for method, path, scope in (
        ("POST", "/v1/notifications", "send"),
        ("POST", "/v1/notifications/batch", "send"),
        ("GET", "/v1/notifications/1", "read"),
        ("DELETE", "/v1/notifications", "send"),
        ("POST", "/v1/notificationsx", None),
        ("PUT", "/v1/deadlines/1", "deadlines"),
        ("GET", "/v1/schedules/preview", "schedules"),
        ("PUT", "/v1/recipients/bob/preferences", "directory"),
        ("POST", "/v1/admin/alerts", "alerts"),
        ("GET", "/v1/admin/templates/x", "read"),
        ("PUT", "/v1/admin/templates/x", None),
        ("POST", "/v1/admin/api-keys", None),
        ("GET", "/v1/admin/failed", None),
        ("POST", "/v1/stream/tickets", None),
        ("GET", "/", None),
    ):
        assert keys.needed(method, path) == scope, (method, path)


async def test_revoked_here_at_once_and_elsewhere_within_seconds(
    house: House, database: str, nowhere: KafkaSettings, tmp_path: Path
) -> None:
    told = await made(house)
    async with opened(settings_of(nowhere, database, tmp_path)) as other:
        for gateway in (house, other):
            assert (await gateway.http.get("/v1/stats", headers=by(told["key"]))).status_code == 200
        for _ in range(2):  # twice is once
            gone = await house.http.delete(f"/v1/admin/api-keys/{told['id']}", headers=ADMIN)
            assert gone.status_code == 204
        assert (await house.http.get("/v1/stats", headers=by(told["key"]))).status_code == 401

        async def refused() -> bool:
            return (await other.http.get("/v1/stats", headers=by(told["key"]))).status_code == 401

        await until(refused)
    [seen] = (await house.http.get("/v1/admin/api-keys", headers=ADMIN)).json()["items"]
    assert "revoked_at" in seen


async def test_a_key_is_believed_for_as_long_as_is_said_and_that_is_seconds(house: House, database: str) -> None:
    told = await made(house)
    rings = [KeyRing(house.database, believed=seconds) for seconds in (0.0, 3600.0)]
    assert [await refusal(ring, told["key"]) for ring in rings] == [200, 200]
    await as_owner(database, "update gateway.api_keys set revoked_at = clock_timestamp()")
    assert [await refusal(ring, told["key"]) for ring in rings] == [401, 200]
    assert key_ring.BELIEVED <= 5


async def test_expired_keys_are_nobodys(house: House, database: str) -> None:
    told = await made(house, expires_at=(utc_now() + timedelta(hours=1)).isoformat())
    await as_owner(database, "update gateway.api_keys set expires_at = clock_timestamp()")
    answer = await house.http.get("/v1/stats", headers=by(told["key"]))
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")


async def test_what_is_no_key_costs_no_look(house: House) -> None:
    """Its sum is wrong, or its form: nobody asks the database. A real one asks once, however many come at once."""
    ring = KeyRing(house.database)
    right = (await made(house))["key"]
    for wrong in (
        "tk_",
        "tk_x",
        right[:-1],
        f"{right}0",
        right[:-1] + chr(ord(right[-1]) ^ 1),
        right.upper(),
        "tk_" + "é" * 48,
    ):
        assert await refusal(ring, wrong) == 401, wrong
    assert ring.looks == 0
    callers = await asyncio.gather(*(ring.caller(right) for _ in range(200)))
    assert ring.looks == 1 and {caller.owner for caller in callers} == {"user:key:billing"}


async def test_unknown_keys_are_looked_up_once_and_not_many_a_second(house: House) -> None:
    """Who tries many finds out nothing and stops nobody: what is known goes on without a look."""
    ring = KeyRing(house.database, believed=3600)
    right = (await made(house))["key"]
    await ring.caller(right)
    unknown = keys.made(bytes(keys.SECRET_BYTES))
    assert [await refusal(ring, unknown) for _ in range(3)] == [401, 401, 401]
    assert ring.looks == 2
    many = [keys.made(n.to_bytes(keys.SECRET_BYTES, "big")) for n in range(1, 4 * key_ring.LOOKS_PER_SECOND)]
    answers = await asyncio.gather(*(refusal(ring, key) for key in many))
    assert set(answers) == {401, 429}
    assert (await ring.caller(right)).owner == "user:key:billing"


async def refusal(ring: KeyRing, key: str) -> int:
    try:
        await ring.caller(key)
    except Problem as problem:
        return problem.status.value
    return 200


async def test_what_cannot_be_made(house: House) -> None:
    for body, field in (
        ({"name": "x", "scopes": []}, "scopes"),
        ({"name": "x", "scopes": ["admin"]}, "scopes.0"),
        ({"name": "", "scopes": ["send"]}, "name"),
        ({"scopes": ["send"]}, "name"),
        ({"name": "x", "scopes": ["send"], "expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"name": "x", "scopes": ["send"], "expires_at": "2030-01-01T00:00:00"}, "expires_at"),
        ({"name": "x", "scopes": ["send"], "key": "mine"}, "key"),
    ):
        answer = await house.http.post("/v1/admin/api-keys", json=body, headers=ADMIN)
        assert answer.status_code == 422 and answer.json()["errors"][0]["field"] == field, (body, answer.text)


async def test_keys_are_the_tenants(house: House) -> None:
    told = await made(house)
    assert (await house.http.get("/v1/admin/api-keys", headers=ADMIN_ELSEWHERE)).json()["items"] == []
    for id in (told["id"], "nonsense"):
        gone = await house.http.delete(f"/v1/admin/api-keys/{id}", headers=ADMIN_ELSEWHERE)
        assert gone.status_code == 404
    assert (await house.http.get("/v1/stats", headers=by(told["key"]))).status_code == 200
    assert (await house.http.post("/v1/admin/api-keys", json={}, headers=ALICE)).status_code == 403


async def test_no_token_names_itself_like_a_key(house: House) -> None:
    assert (await house.http.get("/v1/stats", headers=bearer("key:billing"))).status_code == 401


def test_a_key_is_made_of_all_its_bits() -> None:
    key = keys.made(bytes(range(keys.SECRET_BYTES)))
    assert keys.is_one(key)
    assert base64.b32decode(key[3:43].upper()) == bytes(range(keys.SECRET_BYTES))
