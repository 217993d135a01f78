"""A mail goes out, comes back, and nobody is written to again before an admin says so; over the whole stack."""

from __future__ import annotations

import asyncio
import smtplib
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from deploy.local.ports import free_port
from kit.settings import KafkaSettings
from tests import servers as real
from tests.journeys.stack import SECRET, Answer, Stack
from tests.services.email_sender.test_reports import sample

pytestmark = pytest.mark.asyncio(loop_scope="module")

URL = "/v1/admin/suppressions"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(session: real.Session, kafka_address: str, postgres_url: str, template: str) -> AsyncIterator[Stack]:
    """All five services, and a port for what comes back."""
    kafka: KafkaSettings = real.kafka_settings(kafka_address)
    settings = {
        "SMTP_FROM_EMAIL": "noreply@example.org",
        "SMTP_BOUNCE_ADDRESS": "bounces@example.org",
        "TOCSIN_LINK_SECRET": SECRET,
        "TOCSIN_RETURNED_MAIL_PORT": str(free_port()),
    }
    async with real.copied_database(postgres_url, template) as database:
        folder = session.new_folder("returned")
        async with Stack(kafka, database, folder, session.look_after, settings=settings) as stack:
            yield stack
    await real.delete_topics(kafka)


async def mailed(stack: Stack, to: str, **more: Any) -> Answer:
    """A mail to this address, once it has ended."""
    asked = await stack.post({"channel": "email", "to": to, "subject": "Your invoice", "body": "Hello."} | more)
    return await stack.final(asked["id"])


SAMPLES = ("gone@example.com", "gone@gmail.example")
"""Whom the samples are about."""


async def comes_back(stack: Stack, to: str, name: str, about: str | None = None) -> None:
    """What a server returns about the recipient, or whom he forwards to: to the return address of the last mail, as
    any relay would."""
    [*_, sent] = await stack.catcher.wait_for(to=to)
    assert sent.sender.startswith("bounces+") and sent.sender.endswith("@example.org")
    port, source = int(stack.settings["TOCSIN_RETURNED_MAIL_PORT"]), sample(name, sent.sender)
    for address in SAMPLES:
        source = source.replace(address.encode(), (about or to).encode())

    def say() -> None:
        with smtplib.SMTP("127.0.0.1", port, timeout=20) as server:
            server.sendmail("", [sent.sender], source)

    await asyncio.to_thread(say)


async def suppressions(stack: Stack, to: str) -> list[Answer]:
    answer = await stack.call("GET", URL, params={"to": to}, admin=True)
    return list(answer.json()["items"])


async def until_mailed(stack: Stack, to: str, status: str, tries: int = 20) -> Answer:
    """The first of several mails that ends so: what intake hears of an address takes a moment."""
    for _ in range(tries):
        seen = await mailed(stack, to)
        if seen["status"] == status:
            return seen
    raise AssertionError(f"still {seen['status']} after {tries} mails")


async def test_sent_returned_suppressed_lifted_and_sent_again(stack: Stack) -> None:
    to = "gone@example.com"
    first = await mailed(stack, to)
    assert first["status"] == "sent"
    await comes_back(stack, to, "postfix")
    seen = await stack.wait_for(first["id"], lambda one: one["status"] == "undelivered")
    [line] = [line for line in seen["timeline"] if line["event"] == "undelivered"]
    assert line["detail"].startswith("550 5.1.1 <address>: Recipient address rejected")

    refused = await until_mailed(stack, to, "rejected")
    assert refused["reason"] == "suppressed" and refused["detail"].startswith("5.1.1 on ")
    assert refused["timeline"][-1]["detail"].startswith("suppressed: 5.1.1 on ")
    assert (await mailed(stack, "GONE@example.com", category="security", lane="urgent"))["reason"] == "suppressed"
    [found] = await suppressions(stack, to)
    assert (found["reason"], found["code"], found["to"]) == ("hard_bounce", "5.1.1", to)
    assert found["notification_id"] == first["id"]

    lifted = await stack.call("DELETE", f"{URL}/{found['id']}", admin=True)
    assert lifted.status_code in (202, 204)
    await stack.have_heard()
    assert await suppressions(stack, to) == []
    before = len(stack.catcher.mails(to=to))
    assert (await until_mailed(stack, to, "sent"))["status"] == "sent"
    await stack.catcher.wait_for(before + 1, to=to)
    logs = [path for path in stack.folder.rglob("*.log") if path.name != "sms_simulation.log"]
    assert logs and not [path for path in logs if "gone@" in path.read_text(errors="replace").lower()]


async def test_what_is_full_today_may_be_written_to_tomorrow(stack: Stack) -> None:
    to = "full@example.com"
    first = await mailed(stack, to)
    await comes_back(stack, to, "postfix_delayed")
    await comes_back(stack, to, "postfix_full")
    seen = await stack.wait_for(first["id"], lambda one: one["status"] == "undelivered")
    assert "5.2.2" in seen["timeline"][-1]["detail"]
    assert (await mailed(stack, to))["status"] == "sent" and await suppressions(stack, to) == []


async def test_p3_10_who_forwards_to_somebody_who_is_gone_is_written_to_again(stack: Stack) -> None:
    to = "forwards@example.com"
    first = await mailed(stack, to)
    await comes_back(stack, to, "postfix", about="moved@example.net")
    await stack.wait_for(first["id"], lambda one: one["status"] == "undelivered")
    assert (await mailed(stack, to))["status"] == "sent" and await suppressions(stack, to) == []


async def test_p5_9_what_came_back_shows_that_it_was_sent(stack: Stack) -> None:
    """Its relay takes it and closes without a word, each time: nobody knows, until it comes back."""
    to = "keep-drop-dot@example.com"
    first = await mailed(stack, to)
    assert (first["status"], first["reason"]) == ("failed", "perhaps_sent")
    await comes_back(stack, to, "postfix")
    seen = await stack.wait_for(first["id"], lambda one: one["status"] == "undelivered")
    told = [line["event"] for line in seen["timeline"] if line["event"] in ("failed", "sent", "undelivered")]
    assert told == ["failed", "sent", "undelivered"]
    [line] = [line for line in seen["timeline"] if line["event"] == "sent"]
    assert line["detail"].startswith("its answer was lost") and line["try"] == 5
    assert (await until_mailed(stack, to, "rejected", tries=5))["reason"] == "suppressed"


async def test_who_complains_has_it_and_gets_no_other(stack: Stack) -> None:
    to = "annoyed@example.com"
    first = await mailed(stack, to)
    await comes_back(stack, to, "complaint")
    seen = await stack.wait_for(first["id"], lambda one: one["status"] == "delivered")
    assert seen["timeline"][-1]["detail"] == "complaint (abuse)"
    assert (await until_mailed(stack, to, "rejected"))["detail"].startswith("complaint on ")


async def test_refused_for_good_at_once_is_suppressed_too(stack: Stack) -> None:
    to = "550@example.com"
    assert (await mailed(stack, to))["status"] == "failed"
    assert (await until_mailed(stack, to, "rejected"))["detail"].startswith("5.1.1 on ")
    tries = len(stack.catcher.tries(to))
    assert (await mailed(stack, to))["reason"] == "suppressed" and len(stack.catcher.tries(to)) == tries


async def test_p5_9_what_was_answered_survives_a_crash(stack: Stack) -> None:
    """The other server has deleted it: Kafka has it."""
    to = "lost@example.com"
    first = await mailed(stack, to)
    await comes_back(stack, to, "gmail")
    [sender] = stack.of("email_sender")
    stack.kill(sender)
    stack.start(sender)
    await stack.wait_for(first["id"], lambda one: one["status"] == "undelivered")
    await until_mailed(stack, to, "rejected")
