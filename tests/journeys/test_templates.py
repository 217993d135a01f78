"""A template from its writing by REST to the mail, the text message and the bell that it makes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.journeys.stack import Stack

pytestmark = pytest.mark.asyncio(loop_scope="module")

ORDER: dict[str, Any] = {
    "subject": "Your order {{ number }}",
    "html": "<p>It is on its way, {{ name }}.</p>",
    "sms": "Order {{ number }}",
    "locales": {"fr": {"subject": "Votre commande {{ number }}", "html": "<p>Elle est en route, {{ name }}.</p>"}},
    "required": ["number", "name"],
    "types": {"number": "number"},
}
DATA = {"number": 7, "name": "Zoé <b>"}


async def write(stack: Stack, body: dict[str, Any]) -> str:
    """A new version that is in force; as notifications name it."""
    answer = await stack.call("PUT", "/v1/admin/templates/order", json=body, admin=True)
    assert answer.is_success, answer.text
    await stack.have_heard()
    return str(answer.json()["template"])


async def ask(stack: Stack, **more: Any) -> dict[str, Any]:
    asked = await stack.post({"channel": "email", "to": "ann@example.com", "template": "order", "data": DATA} | more)
    return await stack.final(asked["id"])


async def test_it_is_sent_as_it_was_previewed(stack: Stack) -> None:
    """In the language of the request, with the text that was made of the HTML."""
    await write(stack, ORDER)
    asked = {"locale": "fr-CA", "data": DATA}
    answer = await stack.call("POST", "/v1/admin/templates/order/preview", json=asked, admin=True)
    seen = answer.json()
    assert (await ask(stack, to="fr@example.com", locale="fr-CA"))["status"] == "sent"
    [mail] = await stack.catcher.wait_for(to="fr@example.com")
    assert mail.subject == seen["subject"] == "Votre commande 7"
    assert mail.text.split() == seen["text"].split() == ["Elle", "est", "en", "route,", "Zoé", "<b>."]
    assert mail.html.split() == seen["html"].split() and "Zoé &lt;b&gt;" in mail.html


async def test_data_that_is_missing_or_wrong_is_rejected_by_name(stack: Stack) -> None:
    """At intake, by the words of the preview."""
    await write(stack, ORDER)
    missing = await ask(stack, data={"number": 7})
    assert (missing["status"], missing["reason"]) == ("rejected", "missing_data")
    assert "the template needs name" in missing["detail"]
    wrong = await ask(stack, data=DATA | {"number": "7"})
    assert (wrong["status"], wrong["reason"]) == ("rejected", "bad_data") and "number is to be a number" in wrong[
        "detail"
    ]


async def test_an_older_version_is_sent_by_its_name(stack: Stack) -> None:
    """A new version is in force for who names none."""
    old = await write(stack, ORDER | {"subject": "old"})
    await write(stack, ORDER | {"subject": "new"})
    for to, template, subject in (("old@example.com", old, "old"), ("new@example.com", "order", "new")):
        assert (await ask(stack, to=to, template=template))["status"] == "sent"
        [mail] = await stack.catcher.wait_for(to=to)
        assert mail.subject == subject


async def test_the_version_is_on_the_timeline(stack: Stack) -> None:
    """P2: by which it was sent, of a mail, of a bell, and of what a provider refused."""
    version = await write(stack, ORDER)
    sent = await ask(stack)
    bell = await ask(stack, channel="inapp", to=None, user_id="alice")
    failed = await ask(stack, to="550@example.com")
    assert [one["status"] for one in (sent, bell, failed)] == ["sent", "sent", "failed"]
    for one in (sent, bell, failed):
        assert one["timeline"][-1]["detail"].endswith(f"template: {version}")
