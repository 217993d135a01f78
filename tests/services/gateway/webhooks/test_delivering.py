"""What becomes of a delivery: delivered once, tried again with the same id, given up, replayed."""

from __future__ import annotations

import pytest

from contracts import events as e
from contracts.status import Channel, Status
from kit import failpoints
from kit.clock import utc_now
from services.gateway.rules.webhooks import Answer
from services.gateway.store import webhook_deliveries
from tests.services.gateway.conftest import ADMIN, ADMIN_ELSEWHERE, House
from tests.services.gateway.receiving import Receiver, listening
from tests.services.gateway.support import as_owner, until
from tests.services.gateway.test_webhook_crashes import LEASE_IS_OVER
from tests.services.gateway.webhooks.support import (
    WHERE,
    deliveries,
    delivering,
    happen,
    later,
    register,
    shown,
    tried,
    verified,
)
from tests.waiting import eventually


async def test_delivered(house: House, receiver: Receiver) -> None:
    made = await register(house, receiver.url)
    async with delivering(house):
        [id] = await happen(house)
        one = await tried(house, made, state="delivered")
    [post] = receiver.posts
    told = verified(post, made["secret"])
    assert (told["type"], told["data"]["id"], post.id) == ("notification.sent", id, one["id"])
    assert one["status"] == 204 and one["notification_id"] == id and one["duration_ms"] >= 0
    assert post.headers["content-type"] == "application/json"


async def test_heard_twice_it_is_delivered_once(house: House, receiver: Receiver) -> None:
    """P6.7: its id is made of what happened and of the webhook."""
    made = await register(house, receiver.url)
    id = await house.post()
    event = e.Sent(id=id, owner="user:alice", channel=Channel.EMAIL, accepted_at=utc_now(), at=utc_now())
    await house.hears(event, event)
    async with delivering(house):
        await tried(house, made, state="delivered")
        await house.hears(event)
        await tried(house, made, state="delivered")
    assert len(receiver.posts) == 1


async def test_only_what_was_asked_for(house: House, receiver: Receiver) -> None:
    made = await register(house, receiver.url, events=["notification.delivered"])
    await happen(house)
    await happen(house, event=e.Delivered)
    assert [one["event"] for one in await deliveries(house, made)] == ["notification.delivered"]


async def test_nothing_is_written_for_a_tenant_without_webhooks(house: House, receiver: Receiver) -> None:
    made = await register(house, receiver.url, ADMIN_ELSEWHERE)
    await happen(house)
    assert await as_owner(house.settings.database_url, "select count(*) from gateway.webhook_deliveries") == 0
    assert (await house.http.get(f"{WHERE}/{made['id']}", headers=ADMIN)).status_code == 404


async def test_a_receiver_that_is_away_gets_it_when_it_is_back(house: House) -> None:
    receiver = Receiver()
    async with listening(receiver):
        made = await register(house, receiver.url)
    async with delivering(house):
        await happen(house)
        first = await tried(house, made, state="pending", error="not_connected")
        assert first["next_at"] and (await shown(house, made))["failing_since"]
        async with listening(receiver):
            await later(house, "1 minute")
            await tried(house, made, 2, state="delivered")
    assert [post.id for post in receiver.posts] == [first["id"]]
    assert "failing_since" not in await shown(house, made)


@pytest.mark.parametrize("status", [500, 429, 404, 302])
async def test_one_that_says_no_is_asked_again_with_the_same_id(house: House, receiver: Receiver, status: int) -> None:
    """Redirects are not followed, wherever they lead."""
    receiver.answers(status, "no\x00 such\r\nthing" * 100, location="http://169.254.169.254/latest/meta-data")
    made = await register(house, receiver.url)
    async with delivering(house):
        await happen(house)
        one = await tried(house, made, state="pending", status=status, error=f"status_{status}")
        assert one["answer"].startswith("no such thing") and len(one["answer"]) == 200
        receiver.answers(200)
        await later(house, "1 minute")
        await tried(house, made, 2, state="delivered")
    first, second = receiver.posts
    assert first.id == second.id and first.body == second.body


async def test_its_own_wish_when_to_come_back_is_heeded(house: House, receiver: Receiver) -> None:
    receiver.answers(503, retry_after="600")
    made = await register(house, receiver.url)
    async with delivering(house):
        await happen(house)
        await tried(house, made, error="status_503")
        wait = "select next_at > tocsin.clock() + interval '9 minutes' from gateway.webhook_deliveries"
        assert await as_owner(house.settings.database_url, wait)


async def test_given_up_after_days_and_replayed(house: House, receiver: Receiver) -> None:
    receiver.answers(500)
    made = await register(house, receiver.url)
    async with delivering(house):
        await happen(house)
        for attempts in range(1, 10):
            await tried(house, made, attempts, state="pending")
            await as_owner(
                house.settings.database_url, "update gateway.webhook_deliveries set next_at = tocsin.clock()"
            )
        one = await tried(house, made, 10, state="failed")
        receiver.answers(200)
        where = f"{WHERE}/{made['id']}/replay"
        answer = await house.http.post(where, json={"since": "2020-01-01T00:00:00Z"}, headers=ADMIN)
        assert (answer.status_code, answer.json()) == (202, {"replayed": 1})
        await tried(house, made, 11, state="delivered")
        again = await house.http.post(where, json={"delivery_id": one["id"]}, headers=ADMIN)
        assert again.json() == {"replayed": 1}
        await tried(house, made, 12, state="delivered")
    assert {post.id for post in receiver.posts} == {one["id"]}
    nothing = await house.http.post(where, json={"since": "2020-01-01T00:00:00Z"}, headers=ADMIN)
    assert nothing.json() == {"replayed": 0}


async def test_told_of_one_channel_only(house: House, receiver: Receiver) -> None:
    mails = await register(house, receiver.url, channels=["email"])
    texts = await register(house, receiver.url, channels=["sms"])
    assert (mails["channels"], texts["channels"]) == (["email"], ["sms"])
    await happen(house)
    assert len(await deliveries(house, mails)) == 1
    assert await deliveries(house, texts) == []
    body = {"url": receiver.url}
    changed = await house.http.put(f"{WHERE}/{texts['id']}", json=body, headers=ADMIN)
    assert "channels" not in changed.json()
    await happen(house)
    assert [len(await deliveries(house, made)) for made in (mails, texts)] == [2, 1]


async def test_ended_between_sending_and_recording_it_is_sent_again_with_the_same_id(
    house: House, receiver: Receiver
) -> None:
    made = await register(house, receiver.url)
    await happen(house)
    failpoints.arm("webhook_before_record:raise")
    try:
        async with delivering(house) as part:
            await eventually(lambda: bool(receiver.posts) and not part._under_way)
            await as_owner(house.settings.database_url, LEASE_IS_OVER)
            one = await tried(house, made, 2, state="delivered")
    finally:
        failpoints.arm("")
    assert [post.id for post in receiver.posts] == [one["id"]] * 2


async def test_two_gateways_deliver_each_once(house: House, receiver: Receiver) -> None:
    """P6.7: what one has taken, no other takes."""
    made = await register(house, receiver.url)
    await happen(house, 60)
    async with delivering(house), delivering(house):

        async def all_done() -> bool:
            return len(await deliveries(house, made, state="delivered", limit="100")) == 60

        await until(all_done)
    assert len(receiver.posts) == len({post.id for post in receiver.posts}) == 60


async def test_who_was_overtaken_records_nothing(house: House, receiver: Receiver) -> None:
    """A gateway that stood still for longer than its lease."""
    made = await register(house, receiver.url)
    await happen(house)
    async with house.database.connection() as connection:
        [slow] = await webhook_deliveries.take(connection, {}, 8, 8, 0.0)
        [quick] = await webhook_deliveries.take(connection, {}, 8, 8, 60.0)
        answer = Answer(204, None, 1)
        assert not await webhook_deliveries.failed(connection, slow, answer, None)
        assert await webhook_deliveries.arrived(connection, quick, answer)
        assert not await webhook_deliveries.arrived(connection, slow, answer)
    assert (await tried(house, made, 2))["state"] == "delivered"


async def test_a_failed_end_tells_its_reason(house: House, receiver: Receiver, database: str) -> None:
    await register(house, receiver.url)
    id = await house.post()
    common = {"id": id, "owner": "user:alice", "channel": Channel.EMAIL, "accepted_at": utc_now()}
    secret = "550 <somebody@example.org> unknown"
    await house.hears(e.Failed(**common, outcome=Status.FAILED, reason="refused", detail=secret))
    async with delivering(house):
        await eventually(lambda: len(receiver.posts) == 1)
    assert receiver.posts[0].told["data"]["reason"] == "refused" and b"somebody" not in receiver.posts[0].body
