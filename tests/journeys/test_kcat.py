"""`kcat` is all that a program needs: one line in, one line out. Played with kcat itself, where there is one."""

import asyncio
import json
import re
from uuid import UUID, uuid4

import pytest

from contracts.identity import notification_id
from tests.journeys.stack import ROOT, Stack
from tests.waiting import PATIENCE

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.needs("kcat"),
]


async def kcat(stack: Stack, line: str, topic: str, *more: str) -> None:
    """`echo LINE | kcat -P -t TOPIC`."""
    address = ("-b", stack.kafka.bootstrap_servers, "-P", "-t", stack.kafka.topic_prefix + topic)
    process = await asyncio.create_subprocess_exec("kcat", *address, *more, stdin=asyncio.subprocess.PIPE)
    await asyncio.wait_for(process.communicate(f"{line}\n".encode()), PATIENCE)
    assert process.returncode == 0


async def person(stack: Stack, user: str, there: bool) -> None:
    """Waits until the directory knows, or has forgotten, this user."""
    async with asyncio.timeout(PATIENCE):
        while (await stack.call("GET", f"/v1/recipients/{user}", admin=True)).is_success != there:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_the_line_of_the_readme(stack: Stack) -> None:
    [line] = re.findall(r"^echo '(\{.*\})'", (ROOT / "README.md").read_text(), re.MULTILINE)
    await kcat(stack, line, "notifications.requested")
    asked = json.loads(line)
    id = str(notification_id("default", "source:", asked["id"]))
    assert (await stack.final(id))["status"] == "sent"
    [mail] = await stack.catcher.wait_for(to=asked["to"])
    assert mail.subject == asked["subject"]


async def test_cloudevents_headers(stack: Stack) -> None:
    key = uuid4().hex
    headers = ("ce_specversion=1.0", "ce_type=shop.shipped", "ce_source=/shop", f"ce_id={key}")
    flags = [flag for header in headers for flag in ("-H", header)]
    bell = json.dumps({"channel": "inapp", "user_id": "ann", "subject": "Shipped", "body": "It is on its way."})
    await kcat(stack, bell, "notifications.requested.urgent", *flags)
    done = await stack.final(str(notification_id("default", "source:/shop", key)))
    assert (done["status"], done["lane"]) == ("sent", "urgent")


async def test_what_is_no_json_ends_as_a_poison_of_its_own_and_stops_nobody(stack: Stack) -> None:
    await kcat(stack, "not json", "notifications.requested")
    asked = await stack.post({"channel": "inapp", "user_id": "ann", "subject": "After", "body": "It goes on."})
    assert UUID(asked["id"])
    assert (await stack.final(asked["id"]))["status"] == "sent"


async def test_a_person_is_told_and_forgotten(stack: Stack) -> None:
    await kcat(stack, '{"user_id": "zoe", "email": "zoe@Example.com"}', "directory.recipients", "-k", "zoe")
    await person(stack, "zoe", there=True)
    asked = await stack.post({"channel": "email", "user_id": "zoe", "subject": "Hello", "body": "Found you."})
    assert (await stack.final(asked["id"]))["status"] == "sent"
    await stack.catcher.wait_for(to="zoe@example.com")
    await kcat(stack, "zoe:", "directory.recipients", "-K", ":", "-Z")
    await person(stack, "zoe", there=False)
