"""A webhook that is gone or fails for days is disabled, and somebody is told."""

from __future__ import annotations

from services.gateway.settings import WebhookPace
from tests.services.gateway.conftest import ADMIN, House
from tests.services.gateway.receiving import Receiver
from tests.services.gateway.support import as_owner, until
from tests.services.gateway.webhooks.support import (
    WHERE,
    deliveries,
    delivering,
    happen,
    later,
    register,
    shown,
    told_of_it,
    tried,
)


async def test_gone_it_is_disabled_at_once_and_somebody_is_told(house: House, receiver: Receiver) -> None:
    receiver.answers(410)
    made = await register(house, receiver.url)
    await happen(house, 3)
    async with delivering(house, pace=WebhookPace(look_every=0.02, each=1)):

        async def disabled() -> bool:
            return (await shown(house, made)).get("disabled_why") == "gone"

        await until(disabled)
        await until(lambda: told_of_it(house))
        assert {one["state"] for one in await deliveries(house, made)} == {"failed"}
        assert len(receiver.posts) == 1
        await happen(house)
        assert len(await deliveries(house, made)) == 3
        refused = await house.http.post(f"{WHERE}/{made['id']}/test", headers=ADMIN)
        assert (refused.status_code, refused.json()["code"]) == (409, "webhook_disabled")
    assert await told_of_it(house) == ["Alert: a webhook is disabled"]
    assert "tocsin_webhooks_disabled_total 1.0" in (await house.http.get("/metrics")).text


async def test_enabled_again_those_are_told_who_heard_that_it_was_disabled(house: House, receiver: Receiver) -> None:
    receiver.answers(410)
    made = await register(house, receiver.url)
    await happen(house)
    async with delivering(house):
        await until(lambda: told_of_it(house))
    where, body = f"{WHERE}/{made['id']}", {"url": receiver.url}
    for enabled in (True, True, False, True):  # what an admin does himself he need not be told
        answer = await house.http.put(where, json=body | {"enabled": enabled}, headers=ADMIN)
        assert answer.json()["enabled"] is enabled
    assert await told_of_it(house) == ["Resolved: a webhook is enabled again", "Alert: a webhook is disabled"]


async def test_enabled_it_is_also_where_nobody_can_be_told(house: House, receiver: Receiver) -> None:
    """What keeps the alert from being told is no mistake of the admin's, who has done what was asked."""
    receiver.answers(410)
    made = await register(house, receiver.url)
    await happen(house)
    async with delivering(house):
        await until(lambda: told_of_it(house))
    await as_owner(house.settings.database_url, "alter table gateway.alerts rename to elsewhere")
    answer = await house.http.put(f"{WHERE}/{made['id']}", json={"url": receiver.url}, headers=ADMIN)
    assert (answer.status_code, answer.json()["enabled"]) == (200, True), answer.text


async def test_nothing_but_failures_for_five_days_disables_it(house: House, receiver: Receiver) -> None:
    receiver.answers(500)
    made = await register(house, receiver.url)
    async with delivering(house):
        await happen(house)
        await tried(house, made, 1, state="pending")
        assert (await shown(house, made))["enabled"]
        await later(house, "5 days 1 minute")
        await until(lambda: told_of_it(house))
    seen = await shown(house, made)
    assert (seen["enabled"], seen["disabled_why"]) == (False, "failing") and seen["version"] == 2
    body = {"url": receiver.url}
    back = await house.http.put(f"{WHERE}/{made['id']}", json=body, headers=ADMIN | {"If-Match": '"2"'})
    assert back.json()["enabled"] and "failing_since" not in back.json() and "disabled_why" not in back.json()


async def test_disabled_by_an_admin_nothing_waits(house: House, receiver: Receiver) -> None:
    made = await register(house, receiver.url)
    await happen(house)
    where, body = f"{WHERE}/{made['id']}", {"url": receiver.url, "enabled": False}
    assert (await house.http.put(where, json=body, headers=ADMIN)).json()["disabled_why"] == "by_admin"
    await happen(house)
    assert [(one["state"], one["error"]) for one in await deliveries(house, made)] == [("failed", "disabled")]
