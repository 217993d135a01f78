"""What a mail carries beside its words, from request to catcher: a way out, a tenant's name, files, and no script."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from deploy.local.catcher.mail import Mail
from kit.settings import KafkaSettings
from tests import servers as real
from tests.journeys.stack import CONFIG, Stack

pytestmark = pytest.mark.asyncio(loop_scope="module")

PUBLIC = "https://notify.example.org/tocsin"
TENANTS = """
  email:
    retry: {max_attempts: 5, retry_delay_seconds: 1}
    tenants: {acme: {from_email: "Acme, département Été <hello@acme.example>", reply_to: desk@acme.example}}
"""
INVITATION = "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nSUMMARY:Été\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(session: real.Session, kafka_address: str, postgres_url: str, template: str) -> AsyncIterator[Stack]:
    """All five services, with an address of their own to the outside and a tenant with a head of its own."""
    folder: Path = session.new_folder("content")
    kafka: KafkaSettings = real.kafka_settings(kafka_address)
    settings = {"TOCSIN_PUBLIC_URL": PUBLIC, "TOCSIN_LINK_SECRET": "a secret of the links, long enough for all"}
    async with real.copied_database(postgres_url, template) as database:
        config = CONFIG.replace("  email: {retry: {max_attempts: 5, retry_delay_seconds: 1}}\n", TENANTS.lstrip("\n"))
        async with Stack(kafka, database, folder, session.look_after, settings=settings, config=config) as stack:
            yield stack
    await real.delete_topics(kafka)


async def received(stack: Stack, to: str, tenant: str | None = None, **more: Any) -> Mail:
    """The mail that comes of such a request."""
    body = {"channel": "email", "to": to, "subject": "s", "body": "b"} | more
    headers = {"Authorization": f"Bearer {stack.token(tenant=tenant)}"}
    answer = await stack.http.post(f"{stack.url}/v1/notifications", json=body, headers=headers)
    assert answer.status_code == 202, answer.text
    [mail] = await stack.catcher.wait_for(to=to)
    return mail


async def test_one_click_in_a_mail_stops_its_category(stack: Stack) -> None:
    """The link leads to the public address; a proxy passes on what is behind it. Other categories still come."""
    person = {"email": "bob@example.com"}
    assert (await stack.call("PUT", "/v1/recipients/bob", json=person, admin=True)).is_success
    await stack.have_heard()
    asked = {"channel": "email", "user_id": "bob", "subject": "s", "body": "b"}
    await stack.final((await stack.post(asked | {"category": "news"}))["id"])
    [mail] = await stack.catcher.wait_for(to="bob@example.com")
    headers = mail.parsed()
    link = str(headers["List-Unsubscribe"])[1:-1]
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click" and link.startswith(PUBLIC)
    where = stack.url + link.removeprefix(PUBLIC)
    assert (await stack.http.post(where, data={"List-Unsubscribe": "One-Click"})).is_success
    await stack.have_heard()
    stopped = await stack.final((await stack.post(asked | {"category": "news"}))["id"])
    assert (stopped["status"], stopped["reason"]) == ("rejected", "opted_out")
    for category in ("offers", "security", None):
        other = await stack.final((await stack.post(asked | ({"category": category} if category else {})))["id"])
        assert other["status"] == "sent"
    offers, security, none = [mail.parsed() for mail in await stack.catcher.wait_for(4, to="bob@example.com")][1:]
    assert offers["List-Unsubscribe"] and offers["List-Unsubscribe"] != headers["List-Unsubscribe"]
    assert not (security["List-Unsubscribe"] or none["List-Unsubscribe"]), "nobody opts out of these"


async def test_a_tenant_has_a_head_of_its_own(stack: Stack) -> None:
    ours, theirs = await received(stack, "a@example.com"), await received(stack, "b@example.com", "acme")
    assert (ours.parsed()["From"].addresses[0].addr_spec, ours.parsed()["Reply-To"]) == ("tocsin@localhost", None)
    [author] = theirs.parsed()["From"].addresses
    assert (author.display_name, author.addr_spec) == ("Acme, département Été", "hello@acme.example")
    assert theirs.parsed()["Reply-To"] == "desk@acme.example"
    assert theirs.sender == "hello@acme.example"


async def test_html_of_a_request_is_cleaned_and_has_a_text(stack: Stack) -> None:
    dirty = '<h1 onclick="x()">Été</h1><script>x()</script><p>See <a href="javascript:x()">this</a> &amp; that</p>'
    mail = await received(stack, "html@example.com", html=dirty, body=None)
    assert mail.parsed().get_content_type() == "multipart/alternative"
    assert mail.html.strip() == '<h1>Été</h1><p>See <a rel="noopener noreferrer">this</a> &amp; that</p>'
    assert mail.text.split() == ["Été", "See", "this", "&", "that"]


async def test_files_come_whole_and_an_invitation_as_one(stack: Stack) -> None:
    octets = bytes(range(256)) * 1000
    files = [
        {"name": "été 🎄.bin", "content_type": "application/octet-stream", "content": b64encode(octets).decode()},
        {
            "name": "rdv.ics",
            "content_type": "text/calendar; method=REQUEST",
            "content": b64encode(INVITATION.encode()).decode(),
        },
    ]
    mail = await received(stack, "files@example.com", attachments=files)
    one, other = mail.parsed().iter_attachments()
    assert (one.get_filename(), one.get_content()) == ("été 🎄.bin", octets)
    assert (other.get_filename(), other["Content-Type"].params["method"]) == ("rdv.ics", "REQUEST")
    readable, *_ = mail.parsed().iter_parts()
    assert [part.get_content_type() for part in readable.iter_parts()] == ["text/plain", "text/calendar"]


@pytest.mark.parametrize("size", [600 * 1024, 10 * 1024 * 1024])
async def test_too_large_a_file_is_refused_with_what_helps(stack: Stack, size: int) -> None:
    """Before it is read to its end, where it is far too large."""
    file = {"name": "a.pdf", "content_type": "application/pdf", "content": "A" * (size // 3 * 4)}
    body = {"channel": "email", "to": "a@example.com", "subject": "s", "body": "b", "attachments": [file]}
    answer = await stack.call("POST", "/v1/notifications", json=body)
    assert answer.status_code in (413, 422)
    [wrong] = answer.json()["errors"]
    assert wrong["field"] == "attachments" and "link" in wrong["message"]
