"""Two relays over the whole stack: the first one dies and comes back, is paused by hand, is tried out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from deploy.local.catcher import Catcher
from deploy.local.ports import free_port
from kit.settings import KafkaSettings
from tests import servers as real
from tests.journeys.stack import Stack
from tests.kit.bus.support import until_true

pytestmark = pytest.mark.asyncio(loop_scope="module")

CONFIG = """
notifications:
  email:
    retry: {{max_attempts: 3, retry_delay_seconds: 300}}
    providers:
      - {{name: main, type: smtp, host: 127.0.0.1, port: {main}, security: none, from_email: a@example.org}}
      - {{name: spare, type: smtp, host: 127.0.0.1, port: {spare}, security: none, from_email: a@example.org}}
"""
MAIN = free_port()
"""Where nobody listens until a test has somebody listen."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(session: real.Session, kafka_address: str, postgres_url: str, template: str) -> AsyncIterator[Stack]:
    folder: Path = session.new_folder("stack")
    kafka: KafkaSettings = real.kafka_settings(kafka_address)
    async with real.copied_database(postgres_url, template) as database, Catcher() as spare:
        config = CONFIG.format(main=MAIN, spare=spare.port)
        async with Stack(kafka, database, folder, session.look_after, config=config) as stack:
            yield stack
    await real.delete_topics(kafka)


async def sent(stack: Stack, lane: str = "normal") -> dict[str, Any]:
    """A mail's whole life."""
    body = {"channel": "email", "to": "ann@example.com", "subject": "Hello", "body": "Hi.", "lane": lane}
    return await stack.final((await stack.post(body))["id"])


async def order(stack: Stack, provider: str, what: str) -> dict[str, Any]:
    """What came of it. Where that takes longer it is ordered once more: twice is once."""
    answers: list[httpx.Response] = []

    async def is_done() -> bool:
        answers.append(await stack.call("POST", f"/v1/admin/providers/{provider}/{what}", admin=True))
        assert answers[-1].is_success, answers[-1].text
        return answers[-1].status_code == 200

    await until_true(is_done)
    return dict(answers[-1].json())


async def state(stack: Stack, provider: str) -> str:
    items = (await stack.call("GET", "/v1/admin/providers", admin=True)).json()["items"]
    return str(next(one["state"] for one in items if one["name"] == provider))


async def test_the_first_is_down_and_nobody_notices(stack: Stack) -> None:
    """The retry's delay would be five minutes; the mail is there at once, and its timeline says by whom."""
    seen = await sent(stack)
    events = [(line["event"], line.get("provider")) for line in seen["timeline"]]
    assert [line for line in events if line[0] in ("retrying", "failed_over", "sent")] == [
        ("retrying", "main"), ("failed_over", "spare"), ("sent", "spare")
    ]  # fmt: skip
    assert (await sent(stack, "urgent"))["status"] == "sent"


async def test_it_is_tried_out_and_comes_back(stack: Stack) -> None:
    tried = (await order(stack, "main", "test"))["result"]
    assert not tried["ok"] and tried["checks"][0]["name"] == "connection"
    async with Catcher(port=MAIN) as main:
        assert (await order(stack, "main", "test"))["result"]["ok"]

        async def by_main() -> bool:
            return (await sent(stack))["timeline"][-1]["provider"] == "main"

        await until_true(by_main)
        assert main.mails()


async def test_p9_paused_by_hand_over_a_restart(stack: Stack) -> None:
    async with Catcher(port=MAIN) as main:
        assert (await order(stack, "main", "pause"))["state"] == "done"

        async def paused() -> bool:
            return await state(stack, "main") == "paused"

        await until_true(paused)
        await stack.restart(stack.of("email_sender")[0])
        assert (await sent(stack))["timeline"][-1]["provider"] == "spare"
        assert main.mails() == []
        await order(stack, "main", "resume")

        async def resumed() -> bool:
            return await state(stack, "main") == "open"

        await until_true(resumed)
        assert (await sent(stack))["timeline"][-1]["provider"] == "main"
