"""What a newcomer does first, on real servers: an email, a text message, a bell, a reminder, a line of kcat."""

import asyncio
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer

from contracts.identity import notification_id
from tests.journeys.stack import Stack

pytestmark = pytest.mark.asyncio(loop_scope="module")


def mail(to: str, **more: Any) -> dict[str, Any]:
    """A request for one email."""
    return {"channel": "email", "to": to, "subject": "Your order", "body": "It is on its way.", **more}


def events(answer: dict[str, Any]) -> list[str]:
    """The names of what happened, in order."""
    return [entry["event"] for entry in answer["timeline"]]


async def publish(
    stack: Stack, value: bytes, topic: str = "notifications.requested", *, key: bytes | None = None, **headers: str
) -> None:
    """What `kcat -P` does: one value, perhaps headers, and a key with `-k`."""
    producer = AIOKafkaProducer(bootstrap_servers=stack.kafka.bootstrap_servers, acks="all")
    await producer.start()
    try:
        pairs = [(name, text.encode()) for name, text in headers.items()]
        await producer.send_and_wait(stack.kafka.topic_prefix + topic, value, key=key, headers=pairs)
    finally:
        await producer.stop()


async def test_an_email_by_rest_is_sent_and_tells_its_life(stack: Stack) -> None:
    asked = await stack.post(mail("ann@example.com"))
    done = await stack.final(asked["id"])
    assert done["status"] == "sent"
    assert events(done)[0] == "accepted"
    assert events(done)[-1] == "sent"
    [caught] = await stack.catcher.wait_for(to="ann@example.com")
    assert caught.subject == "Your order"


async def test_a_text_message_is_written_to_the_console_provider(stack: Stack) -> None:
    asked = await stack.post({"channel": "sms", "to": "+33612345678", "body": "Votre colis est arrivé."})
    done = await stack.final(asked["id"])
    assert done["status"] == "sent"
    assert done["sms"] == {"encoding": "GSM-7", "segments": 1}
    assert "Votre colis" in (stack.folder / "logs" / "sms_simulation.log").read_text()


async def test_a_bell_rings_in_the_inbox_of_its_user_only(stack: Stack) -> None:
    asked = await stack.post({"channel": "inapp", "user_id": "bob", "subject": "Hello", "body": "A bell"}, user="bob")
    assert (await stack.final(asked["id"]))["status"] == "sent"
    inbox = (await stack.call("GET", "/v1/inbox", user="bob")).json()
    assert [item["id"] for item in inbox["items"]] == [asked["id"]]
    assert (await stack.call("GET", "/v1/inbox", user="carol")).json()["items"] == []


async def test_a_reminder_is_never_early(stack: Stack) -> None:
    due = datetime.now(UTC) + timedelta(seconds=10)
    asked = await stack.post(mail("later@example.com", send_at=due.isoformat()))
    await stack.catcher.wait_for(to="later@example.com")
    assert datetime.now(UTC) >= due
    done = await stack.final(asked["id"])
    at = {line["event"]: datetime.fromisoformat(line["at"]) for line in done["timeline"]}
    assert at["scheduled"] < due <= at["sent"]


async def test_what_recurs_comes_by_mail_until_it_is_deleted(stack: Stack) -> None:
    """By the version that was seen; what was said before stays said."""
    asked = {"every_seconds": 2, "recipients": [{"to": "often@example.com"}], "notification": mail("often@example.com")}
    del asked["notification"]["to"]
    made = await stack.call("POST", "/v1/schedules", json=asked)
    assert made.status_code in (201, 202), made.text
    url, seen = f"/v1/schedules/{made.json()['id']}", {"If-Match": made.headers["etag"]}
    first, second = (await stack.catcher.wait_for(to="often@example.com", count=2))[:2]
    assert (first.subject, second.subject) == ("Your order", "Your order")
    assert (await stack.call("DELETE", url, headers=seen)).status_code in (202, 204)
    assert (await stack.call("PUT", url, json=asked, headers=seen)).status_code in (404, 412)


async def test_a_plain_json_line_on_kafka_is_enough(stack: Stack) -> None:
    key = f"kcat-{uuid4()}"
    await publish(stack, json.dumps(mail("kcat@example.com", id=key)).encode())
    assert (await stack.final(str(notification_id("default", "source:", key))))["status"] == "sent"
    await stack.catcher.wait_for(to="kcat@example.com")


async def test_cloudevents_headers_name_source_and_id(stack: Stack) -> None:
    await publish(
        stack,
        json.dumps(mail("ce@example.com")).encode(),
        ce_id="order-77",
        ce_source="/shop",
        ce_type="shop.order.shipped",
        ce_specversion="1.0",
    )
    assert (await stack.final(str(notification_id("default", "source:/shop", "order-77"))))["status"] == "sent"


async def test_a_cancelled_reminder_is_not_sent(stack: Stack) -> None:
    due = datetime.now(UTC) + timedelta(hours=1)
    asked = await stack.post(mail("never@example.com", send_at=due.isoformat()))
    await stack.wait_for(asked["id"], lambda seen: seen["status"] == "scheduled")
    assert (await stack.call("DELETE", f"/v1/notifications/{asked['id']}")).status_code == 202
    assert (await stack.final(asked["id"]))["status"] == "cancelled"


async def test_the_same_key_is_one_mail_and_another_body_is_refused(stack: Stack) -> None:
    body = mail("once@example.com")
    first, again = [await stack.post(body, key="order-1") for _ in range(2)]
    assert first["id"] == again["id"]
    other = await stack.call(
        "POST", "/v1/notifications", json=mail("twice@example.com"), headers={"Idempotency-Key": "order-1"}
    )
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_conflict")
    await stack.final(first["id"])
    assert len(stack.catcher.mails(to="once@example.com")) == 1
    assert not stack.catcher.mails(to="twice@example.com")


async def test_a_bad_request_on_kafka_is_rejected_with_its_reason(stack: Stack) -> None:
    await publish(stack, b'{"channel": "email", "to": "nobody", "subject": "x", "body": "y", "id": "bad-1"}')
    done = await stack.final(str(notification_id("default", "source:", "bad-1")))
    assert done["status"] == "rejected"
    assert any("to" in (entry.get("detail") or "") for entry in done["timeline"])


async def test_a_temporary_refusal_is_tried_again(stack: Stack) -> None:
    asked = await stack.post(mail("once-450@example.com", lane="urgent"))
    done = await stack.final(asked["id"])
    assert done["status"] == "sent"
    assert "retrying" in events(done)


async def test_a_refused_recipient_fails_at_once(stack: Stack) -> None:
    asked = await stack.post(mail("550@example.com"))
    assert (await stack.final(asked["id"]))["status"] == "failed"


async def test_many_at_once_all_arrive_once(stack: Stack) -> None:
    began = time.monotonic()
    asked = await asyncio.gather(*(stack.post(mail(f"many{n}@example.com")) for n in range(200)))
    done = await stack.finals([one["id"] for one in asked], within=60)
    assert {one["status"] for one in done.values()} == {"sent"}
    mails = [caught for n in range(200) for caught in stack.catcher.mails(to=f"many{n}@example.com")]
    assert len(mails) == 200, f"after {time.monotonic() - began:.1f} s"
