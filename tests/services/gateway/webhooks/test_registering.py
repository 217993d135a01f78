"""What an admin does with webhooks: makes, changes, tries, rotates, pages; and only his tenant's."""

from __future__ import annotations

import pytest
from standardwebhooks import WebhookVerificationError

from tests.services.gateway.conftest import ADMIN, ADMIN_ELSEWHERE, House
from tests.services.gateway.receiving import Receiver
from tests.services.gateway.webhooks.support import (
    WHERE,
    deliveries,
    delivering,
    happen,
    later,
    register,
    shown,
    verified,
)
from tests.waiting import eventually


async def test_a_secret_that_is_rotated_signs_for_a_day_beside_the_new_one(house: House, receiver: Receiver) -> None:
    made = await register(house, receiver.url)
    new = (await house.http.post(f"{WHERE}/{made['id']}/rotate", headers=ADMIN)).json()["secret"]
    assert new != made["secret"] and "secret" not in await shown(house, made)
    async with delivering(house):
        await happen(house)
        await eventually(lambda: len(receiver.posts) == 1)
        assert verified(receiver.posts[0], made["secret"]) == verified(receiver.posts[0], new)
        await later(house, "25 hours")
        await happen(house)
        await eventually(lambda: len(receiver.posts) == 2)
        assert verified(receiver.posts[1], new)
        with pytest.raises(WebhookVerificationError):
            verified(receiver.posts[1], made["secret"])


async def test_a_trial(house: House, receiver: Receiver) -> None:
    made = await register(house, receiver.url, events=["notification.read"])
    where = f"{WHERE}/{made['id']}/test"
    assert (await house.http.post(where, headers=ADMIN)).status_code == 202
    async with delivering(house):
        answer = await house.http.post(where, params={"wait": "30"}, headers=ADMIN)
        assert (answer.status_code, answer.json()["state"]) == (200, "delivered")
    assert {post.told["type"] for post in receiver.posts} == {"webhook.test"}


async def test_only_what_one_has_seen_is_changed(house: House, receiver: Receiver) -> None:
    made = await register(house, receiver.url)
    where, body = f"{WHERE}/{made['id']}", {"url": receiver.url, "description": "orders"}
    first = await house.http.put(where, json=body, headers=ADMIN | {"If-Match": '"1"'})
    assert (first.status_code, first.headers["etag"], first.json()["description"]) == (200, '"2"', "orders")
    stale = await house.http.put(where, json=body, headers=ADMIN | {"If-Match": '"1"'})
    assert (stale.status_code, stale.json()["code"]) == (412, "stale")
    assert (await house.http.delete(where, headers=ADMIN | {"If-Match": '"1"'})).status_code == 412
    assert (await house.http.delete(where, headers=ADMIN | {"If-Match": '"2"'})).status_code == 204
    assert (await house.http.get(where, headers=ADMIN)).status_code == 404


async def test_another_tenant_sees_and_changes_nothing(house: House, receiver: Receiver) -> None:
    made = await register(house, receiver.url)
    body = {"url": receiver.url}
    for method, path in (
        ("GET", ""),
        ("PUT", ""),
        ("DELETE", ""),
        ("POST", "/rotate"),
        ("POST", "/test"),
        ("GET", "/deliveries"),
        ("POST", "/replay"),
    ):
        answer = await house.http.request(method, f"{WHERE}/{made['id']}{path}", json=body, headers=ADMIN_ELSEWHERE)
        assert answer.status_code == 404, (method, path)
    assert (await house.http.get(WHERE, headers=ADMIN_ELSEWHERE)).json() == {"items": []}
    assert [one["id"] for one in (await house.http.get(WHERE, headers=ADMIN)).json()["items"]] == [made["id"]]


async def test_a_tenant_has_only_so_many(house: House) -> None:
    for n in range(house.desk.limits.webhooks):
        await register(house, f"https://example.org/{n}")
    answer = await house.http.post(WHERE, json={"url": "https://example.org/"}, headers=ADMIN)
    assert (answer.status_code, answer.json()["code"]) == (409, "too_many_webhooks")


async def test_pages_of_deliveries(house: House, receiver: Receiver) -> None:
    made = await register(house, receiver.url)
    await happen(house, 5)
    first = await house.http.get(f"{WHERE}/{made['id']}/deliveries", params={"limit": 3}, headers=ADMIN)
    rest = await deliveries(house, made, limit="3", after=first.json()["next"])
    assert len(first.json()["items"]) == 3 and len(rest) == 2
    assert len({one["id"] for one in first.json()["items"] + rest}) == 5
