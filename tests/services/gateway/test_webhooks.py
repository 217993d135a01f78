"""What becomes of a delivery: receivers that are away, slow, angry, gone or up to no good; and of its webhook."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import pytest
from standardwebhooks import Webhook, WebhookVerificationError
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from contracts import events as e
from contracts.erasure import Forget
from contracts.status import Channel, Status
from kit import failpoints
from kit.bus.publisher import Publisher
from kit.clock import utc_now
from kit.metrics import Metrics
from kit.postgres import Database
from kit.settings import KafkaSettings
from services.gateway.handlers.alerts import Telling
from services.gateway.handlers.cleaning import Cleaning
from services.gateway.handlers.erasing import Erasing
from services.gateway.handlers.jobs import works
from services.gateway.outbox.announcer import Announcer
from services.gateway.rules.reaching import Network
from services.gateway.rules.webhooks import Answer
from services.gateway.settings import Pace, WebhookPace
from services.gateway.store import webhook_deliveries
from services.gateway.webhooks.delivering import Delivering
from services.gateway.webhooks.network import Resolve, resolve
from services.gateway.webhooks.notice import Notice
from services.gateway.webhooks.posting import Poster
from tests.secured.certificates import Authority
from tests.services.gateway.conftest import ADMIN, ADMIN_ELSEWHERE, House, opened, settings_of
from tests.services.gateway.receiving import Post, Receiver, dripping, listening
from tests.services.gateway.support import as_owner, until
from tests.waiting import eventually

WHERE = "/v1/admin/webhooks"
HERE: tuple[Network, ...] = (ip_network("127.0.0.0/8"),)
PACE = WebhookPace(look_every=0.02)
LENIENT = {"allow_http": True, "private_networks": ["127.0.0.0/8"]}
SERVED: dict[str, Any] = {"provider": "smtp"}


@pytest.fixture
async def house(database: str, nowhere: KafkaSettings, tmp_path: Path) -> AsyncIterator[House]:
    """Whose webhooks may lead to this machine; an operator is told of alerts."""
    settings = settings_of(
        nowhere, database, tmp_path, notifications={"alerts": {"recipients": ["olga"]}}, webhooks=LENIENT
    )
    async with opened(settings, Publisher(nowhere, "gateway", deadline=0.3)) as house:
        yield house


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with listening(Receiver()) as one:
        yield one


def delivering_of(
    house: House,
    *,
    permitted: Sequence[Network] = HERE,
    resolve: Resolve = resolve,
    pace: WebhookPace = PACE,
    trust: ssl.SSLContext | None = None,
) -> Delivering:
    poster = Poster(True, permitted, pace.patience, resolve=resolve, trust=trust)
    telling = Telling(house.settings, house.database, house.desk.writer, house.desk.limits.alerts_per_hour)
    notice = Notice(telling.tell, house.settings.notifications.alerts.recipients)
    return Delivering(house.database, poster, notice, pace, house.desk.metrics)


@asynccontextmanager
async def delivering(house: House, **more: Any) -> AsyncIterator[Delivering]:
    part = delivering_of(house, **more)
    await part.start()
    try:
        yield part
    finally:
        await part.stop()


async def register(house: House, url: str, who: dict[str, str] = ADMIN, **more: Any) -> dict[str, Any]:
    answer = await house.http.post(WHERE, json={"url": url, **more}, headers=who)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def happen(house: House, n: int = 1, event: type[e.Taken] = e.Sent) -> list[str]:
    """So many notifications are sent; their ids."""
    ids = [await house.post() for _ in range(n)]
    for id in ids:
        common = {"id": id, "owner": "user:alice", "channel": Channel.EMAIL, "accepted_at": utc_now()}
        await house.hears(event(**common, at=utc_now(), **SERVED))
    return ids


async def deliveries(house: House, made: dict[str, Any], **query: str) -> list[dict[str, Any]]:
    answer = await house.http.get(f"{WHERE}/{made['id']}/deliveries", params=query, headers=ADMIN)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def tried(house: House, made: dict[str, Any], attempts: int = 1, **fields: Any) -> dict[str, Any]:
    """The only delivery, once so many attempts are over and it says this."""

    async def look() -> dict[str, Any] | None:
        [one] = await deliveries(house, made)
        done = one["attempts"] == attempts and "tried_at" in one and await over(house, one["id"])
        return one if done and all(one.get(name) == value for name, value in fields.items()) else None

    return await until(look)


async def over(house: House, id: str) -> bool:
    sql = f"select leased_until is null from gateway.webhook_deliveries where id = '{id}'"
    return bool(await as_owner(house.settings.database_url, sql))


async def shown(house: House, made: dict[str, Any]) -> dict[str, Any]:
    answer = await house.http.get(f"{WHERE}/{made['id']}", headers=ADMIN)
    found: dict[str, Any] = answer.json()
    return found


async def later(house: House, interval: str) -> None:
    await as_owner(house.settings.database_url, f"update tocsin.clock_offset set by = by + interval '{interval}'")


def verified(post: Post, secret: str) -> Any:
    """As a receiver does it."""
    return Webhook(secret).verify(post.body.decode(), dict(post.headers))


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


async def told_of_it(house: House) -> list[str]:
    rows = await house.http.get("/v1/notifications", params={"user_id": "olga"}, headers=ADMIN)
    return [item["subject"] for item in rows.json()["items"]]


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


async def test_a_receiver_of_the_house_is_trusted_by_its_own_authority(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SSL_CERT_FILE names whom else to trust, as for every other program of the machine."""
    authority = Authority(tmp_path)
    signed = authority.identity("receiver")
    options = {"ssl_certfile": str(signed.certificate), "ssl_keyfile": str(signed.key)}
    async with listening(Receiver(), **options) as receiver:
        made = await register(house, receiver.url.replace("http:", "https:"))
        await happen(house)
        async with delivering(house):
            await tried(house, made, error="tls_failed")
        assert receiver.posts == []
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca))
        await house.http.post(f"{WHERE}/{made['id']}/test", headers=ADMIN)
        async with delivering(house):
            await eventually(lambda: bool(receiver.posts))
    assert verified(receiver.posts[0], made["secret"])["type"] == "webhook.test"


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


async def test_one_that_never_ends_its_answer_is_left(house: House) -> None:
    pace = WebhookPace(look_every=0.02, patience=0.5)
    async with dripping(0.05) as port, delivering(house, pace=pace):
        made = await register(house, f"http://127.0.0.1:{port}/")
        await happen(house)
        await tried(house, made, state="pending", error="timeout")


async def test_one_that_is_slow_holds_up_nobody_else(house: House, receiver: Receiver) -> None:
    ending = asyncio.Event()

    async def wait(_: Request, __: bytes) -> Response:
        await ending.wait()
        return Response(status_code=204)

    async with listening(Receiver(reply=wait)) as slow:
        await register(house, slow.url)
        quick = await register(house, receiver.url)
        await happen(house, 20)
        async with delivering(house):
            await eventually(lambda: len(receiver.posts) == 20)

            async def all_done() -> bool:
                return len(await deliveries(house, quick, state="delivered")) == 20

            await until(all_done)
            assert len(slow.posts) == slow.most_at_once == PACE.each
            ending.set()
            await eventually(lambda: len(slow.posts) == 20)


async def test_of_a_huge_answer_only_the_beginning_is_read(house: House, receiver: Receiver) -> None:
    said = 0

    async def much() -> AsyncIterator[bytes]:
        nonlocal said
        while True:
            said += 65536
            yield b"x" * 65536
            await asyncio.sleep(0)

    async def reply(_: Request, __: bytes) -> Response:
        return StreamingResponse(much(), 200)

    receiver.reply = reply
    made = await register(house, receiver.url)
    async with delivering(house):
        await happen(house)
        one = await tried(house, made, state="delivered")
        await eventually(lambda: receiver.at_once == 0)
    assert one["answer"] == "x" * 200 and said < 64 * 1024 * 1024


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "169.254.169.254", "::1", "::ffff:10.0.0.1", "::ffff:127.0.0.1", "10.0.0.1", "fe80::1%lo"]
)
async def test_a_name_that_leads_into_the_house_is_not_followed(house: House, receiver: Receiver, address: str) -> None:
    async def leads(_host: str, _port: int) -> list[str]:
        return [address]

    made = await register(house, f"http://example.org:{receiver.port}/")
    async with delivering(house, permitted=(), resolve=leads):
        await happen(house)
        one = await tried(house, made, error="address_refused")
    assert one["state"] == "pending" and not receiver.posts


async def test_what_a_name_means_is_asked_once_and_that_is_connected_to(house: House, receiver: Receiver) -> None:
    """DNS rebinding: a second look would see another address."""
    asked: list[str] = []

    async def rebinding(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.1"]

    made = await register(house, f"http://rebinding.example:{receiver.port}/")
    async with delivering(house, resolve=rebinding):
        await happen(house)
        await tried(house, made, state="delivered")
    assert asked == ["rebinding.example"] and receiver.posts[0].headers["host"].startswith("rebinding.example")


async def test_of_several_addresses_only_those_outside_are_tried(house: House, receiver: Receiver) -> None:
    async def both(_host: str, _port: int) -> list[str]:
        return ["10.0.0.1", "127.0.0.2", "127.0.0.1"]

    made = await register(house, f"http://both.example:{receiver.port}/")
    async with delivering(house, resolve=both):
        await happen(house)
        await tried(house, made, state="delivered")


async def test_localhost_by_its_own_name_is_refused(house: House, receiver: Receiver) -> None:
    """With the machine's own resolver, in whatever way the number is written."""
    for host in ("localhost", "127.1", "2130706433", "0x7f000001"):
        made = await register(house, f"http://{host}:{receiver.port}/")
        async with delivering(house, permitted=()):
            await happen(house)
            one = await tried(house, made)
        assert one["error"] in ("address_refused", "name_not_found"), host
        await house.http.delete(f"{WHERE}/{made['id']}", headers=ADMIN)
    assert not receiver.posts


async def test_settings_that_became_stricter_count(house: House, receiver: Receiver) -> None:
    made = await register(house, receiver.url)
    async with delivering(house, permitted=()):
        await happen(house)
        await tried(house, made, error="address_refused")
    assert not receiver.posts


async def test_a_name_that_nobody_knows(house: House) -> None:
    made = await register(house, "http://nobody.invalid/")
    async with delivering(house):
        await happen(house)
        await tried(house, made, error="name_not_found")


async def test_a_certificate_that_is_not_trusted(house: House, receiver: Receiver) -> None:
    """Nor is a server that speaks no TLS at all."""
    made = await register(house, receiver.url.replace("http:", "https:"))
    async with delivering(house):
        await happen(house)
        await tried(house, made, error="tls_failed")
    assert not receiver.posts


async def test_ended_between_sending_and_recording_it_is_sent_again_with_the_same_id(
    house: House, receiver: Receiver
) -> None:
    made = await register(house, receiver.url)
    await happen(house)
    failpoints.arm("webhook_before_record:raise")
    try:
        async with delivering(house, pace=WebhookPace(look_every=0.02, lease=0.2)):
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


async def test_disabled_by_an_admin_nothing_waits(house: House, receiver: Receiver) -> None:
    made = await register(house, receiver.url)
    await happen(house)
    where, body = f"{WHERE}/{made['id']}", {"url": receiver.url, "enabled": False}
    assert (await house.http.put(where, json=body, headers=ADMIN)).json()["disabled_why"] == "by_admin"
    await happen(house)
    assert [(one["state"], one["error"]) for one in await deliveries(house, made)] == [("failed", "disabled")]


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


async def test_an_address_that_cannot_be_used_is_refused(database: str, nowhere: KafkaSettings, tmp_path: Path) -> None:
    """Without the settings for development."""
    async with opened(settings_of(nowhere, database, tmp_path)) as strict:
        for url in ("http://example.org/", "https://127.0.0.1/", "https://[::ffff:10.0.0.1]/"):
            answer = await strict.http.post(WHERE, json={"url": url}, headers=ADMIN)
            assert answer.status_code == 422 and answer.json()["errors"][0]["field"] == "url", url
        assert (await strict.http.post(WHERE, json={"url": "https://example.org/"}, headers=ADMIN)).status_code == 201


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


async def test_a_person_who_is_forgotten_is_told_of_no_more(house: House, receiver: Receiver) -> None:
    """P8: what waits is not posted, of what was posted nothing is kept."""
    made = await register(house, receiver.url)
    body = {"channel": "email", "user_id": "bob", "subject": "s", "body": "b"}
    async with delivering(house):
        id = await house.post(body | {"metadata": {"name": "Bob"}})
        common = {"id": id, "owner": "user:alice", "channel": Channel.EMAIL, "accepted_at": utc_now(), "user_id": "bob"}
        await house.hears(e.Sent(**common, at=utc_now()))
        await tried(house, made, state="delivered")
    await house.hears(e.Delivered(**common, at=utc_now()))
    assert "Bob" in receiver.posts[0].body.decode()
    async with house.database.connection() as connection:
        await connection.execute("delete from outbox")
    who = Forget(tenant="default", user_id="bob", address_hashes=(), through=utc_now())
    announcer = Announcer(house.database, Publisher(house.settings.kafka, "gateway"), Pace())
    erasing = Erasing(house.database, announcer, house.settings.archive_dir)
    done = await erasing.forget(who.model_dump(mode="json"))
    assert done["webhooks"] == 2
    kept = "select count(*) from gateway.webhook_deliveries where body is not null or answer is not null"
    assert await as_owner(house.settings.database_url, kept) == 0
    assert [one["state"] for one in await deliveries(house, made)] == ["forgotten", "delivered"]
    await house.hears(e.Undelivered(**common, at=utc_now()))
    later_on = await as_owner(
        house.settings.database_url, "select body from gateway.webhook_deliveries where body is not null"
    )
    assert "Bob" not in later_on
    where = f"{WHERE}/{made['id']}/replay"
    answer = await house.http.post(where, json={"delivery_id": receiver.posts[0].id}, headers=ADMIN)
    assert answer.status_code == 404


async def test_deliveries_are_kept_for_thirty_days_and_their_bodies_for_seven(house: House, receiver: Receiver) -> None:
    made = await register(house, receiver.url)
    await happen(house, 3)
    async with delivering(house):

        async def all_done() -> bool:
            return len(await deliveries(house, made, state="delivered")) == 3

        await until(all_done)
    old, older, _ = [UUID(one["id"]) for one in await deliveries(house, made)]
    for id, days in ((old, 8), (older, 31)):
        aged = f"place_of(clock_timestamp() - interval '{days} days', id)"
        await as_owner(
            house.settings.database_url,
            f"update gateway.webhook_deliveries set place = gateway.{aged} where id = '{id}'",
        )
    announcer, nothing = Announcer(house.database, Publisher(house.settings.kafka, "gateway"), Pace()), cast(Any, None)
    folder = house.settings.archive_dir
    cleaning = Cleaning(house.database, house.settings.cleanup, folder, Metrics())
    erasing = Erasing(house.database, announcer, folder)
    done = await works(house.database, nothing, erasing, cleaning, PACE, Metrics())["cleanup"]({})
    assert done["webhook_deliveries"] == 1
    bodies = "select count(*) from gateway.webhook_deliveries where body is not null"
    assert len(await deliveries(house, made)) == 2 and await as_owner(house.settings.database_url, bodies) == 1


async def test_a_failed_end_tells_its_reason(house: House, receiver: Receiver, database: str) -> None:
    await register(house, receiver.url)
    id = await house.post()
    common = {"id": id, "owner": "user:alice", "channel": Channel.EMAIL, "accepted_at": utc_now()}
    secret = "550 <somebody@example.org> unknown"
    await house.hears(e.Failed(**common, outcome=Status.FAILED, reason="refused", detail=secret))
    async with delivering(house):
        await eventually(lambda: len(receiver.posts) == 1)
    assert receiver.posts[0].told["data"]["reason"] == "refused" and b"somebody" not in receiver.posts[0].body


async def test_a_webhook_is_deleted_while_its_tenant_is_busy(house: House, receiver: Receiver, database: str) -> None:
    """A batch that has begun with it is done with it."""
    made = await register(house, receiver.url)
    other = await Database.open(database, "gateway", size=1)
    try:
        async with other.transaction() as connection:
            await connection.fetch("select id from webhooks for key share")
            deleting = asyncio.create_task(house.http.delete(f"{WHERE}/{made['id']}", headers=ADMIN))
            await happen(house)
        assert (await deleting).status_code == 204
    finally:
        await other.close()
    assert await as_owner(database, "select count(*) from gateway.webhook_deliveries") == 0


async def test_what_waits_by_the_ten_thousand_is_given_up_replayed_and_deleted_by_handfuls(
    house: House, receiver: Receiver
) -> None:
    receiver.answers(410)
    made = await register(house, receiver.url)
    await as_owner(
        house.settings.database_url,
        "insert into gateway.webhook_deliveries (id, place, webhook_id, event, body) select id,"
        f" gateway.place_of(clock_timestamp(), id), '{made['id']}', 'webhook.test', '{{}}'"
        " from (select gen_random_uuid() as id from generate_series(1, 12000)) made",
    )

    async def waiting() -> int:
        async with house.database.connection() as connection:
            return await webhook_deliveries.pending(connection)

    async def none_waits() -> bool:
        return await waiting() == 0

    assert await waiting() == 12000
    async with delivering(house, pace=WebhookPace(look_every=0.02, measure_every=0.1, each=1)):
        await until(none_waits)
    where = f"{WHERE}/{made['id']}"
    assert (await house.http.put(where, json={"url": receiver.url}, headers=ADMIN)).status_code == 200
    answer = await house.http.post(f"{where}/replay", json={"since": "2020-01-01T00:00:00Z"}, headers=ADMIN)
    assert answer.json() == {"replayed": 12000}
    assert (await house.http.delete(where, headers=ADMIN)).status_code == 204
    assert await as_owner(house.settings.database_url, "select count(*) from gateway.webhook_deliveries") == 0
