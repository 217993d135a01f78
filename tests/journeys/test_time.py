"""When people may be disturbed, how often, and when it is tried again: over all five services, as people see it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from contracts.identity import notification_id
from tests import servers as real
from tests.journeys.stack import Stack
from tests.journeys.test_first_journeys import events, mail, publish
from tests.waiting import PATIENCE

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOW = datetime.now(UTC)
OPENS = NOW.replace(minute=0, second=0, microsecond=0) + timedelta(hours=2)
CLOSES = OPENS + timedelta(hours=4)
CONFIG = f"""
notifications:
  default_time_zone: UTC
  email: {{retry: {{max_attempts: 3, retry_delay_seconds: 3600}}}}
  limits: {{per_user: {{hour: 0, day: 2}}}}
  digests: {{comments: {{channel: email, every_seconds: 4}}}}
  hours: {{sms: {{from: "{OPENS:%H:%M}", to: "{CLOSES:%H:%M}"}}}}
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(session: real.Session, kafka_address: str, postgres_url: str, template: str) -> AsyncIterator[Stack]:
    """A stack whose text messages may go in two hours only."""
    kafka = real.kafka_settings(kafka_address)
    async with real.copied_database(postgres_url, template) as database:
        async with Stack(kafka, database, session.new_folder("hours"), session.look_after, config=CONFIG) as stack:
            yield stack
    await real.delete_topics(kafka)


def text(**more: Any) -> dict[str, Any]:
    return {"channel": "sms", "to": "+15005550001", "body": "Are you awake?", **more}


async def held(stack: Stack, id: str) -> str:
    """Why and until when, once the timeline says so."""
    seen = await stack.wait_for(id, lambda seen: "held" in events(seen))
    return str(next(line["detail"] for line in seen["timeline"] if line["event"] == "held"))


async def test_a_person_who_does_not_want_it_does_not_get_it(stack: Stack) -> None:
    await stack.call("PUT", "/v1/recipients/gina", user="gina", json={"email": "gina@example.com"})
    wishes = {"categories": {"news": {"email": False}}}
    put = await stack.call("PUT", "/v1/recipients/gina/preferences", user="gina", json=wishes)
    assert put.is_success, put.text
    await stack.have_heard()
    to_gina = {"channel": "email", "user_id": "gina", "subject": "Hello", "body": "News!"}
    await stack.final((await stack.post(to_gina))["id"])
    refused = await stack.final((await stack.post(to_gina | {"category": "news"}))["id"])
    assert (refused["status"], refused["reason"]) == ("rejected", "opted_out")
    assert len(await stack.catcher.wait_for(to="gina@example.com")) == 1


async def test_over_the_limit_of_the_day_it_is_held_and_the_limits_say_so(stack: Stack) -> None:
    asked = [await stack.post(mail("hugo@example.com") | {"body": f"Number {n}"}) for n in range(3)]
    bells = [
        await stack.post({"channel": "inapp", "user_id": "hugo", "subject": "s", "body": str(n)}) for n in range(2)
    ]
    ends = [await stack.wait_for(one["id"], lambda seen: seen["status"] != "accepted") for one in asked]
    (late,) = [one["id"] for one in ends if one["status"] == "scheduled"]
    assert "day_limit" in await held(stack, late)
    await stack.finals([one["id"] for one in bells], within=PATIENCE)
    seen = (await stack.call("GET", "/v1/limits", user="hugo")).json()["per_user"]["day"]
    assert (seen["limit"], seen["used"], seen["left"]) == (2, 2, 0)


async def test_a_retry_says_when_and_because_of_what_and_can_be_cancelled(stack: Stack) -> None:
    asked = await stack.post(mail("unavailable@simulator.test"))
    seen = await stack.wait_for(asked["id"], lambda seen: seen["status"] == "retrying")
    (line,) = [line for line in seen["timeline"] if line["event"] == "retrying"]
    assert line["detail"].startswith("at 20") and "unavailable" in line["detail"] and line["attempt"] == 1
    await stack.call("DELETE", f"/v1/notifications/{asked['id']}")
    assert (await stack.final(asked["id"]))["status"] == "cancelled"


async def test_p3_7_what_has_expired_is_not_sent_whoever_asked(stack: Stack) -> None:
    past = (datetime.now(UTC) - timedelta(seconds=5)).isoformat()
    by_rest = await stack.post(mail("iris@example.com") | {"expires_at": past})
    on_kafka = mail("iris@example.com") | {"expires_at": past, "source": "dossiers", "id": "late"}
    await publish(stack, json.dumps(on_kafka).encode())
    ids = [by_rest["id"], str(notification_id("default", "source:dossiers", "late"))]
    done = await stack.finals(ids, within=PATIENCE)
    assert {one["status"] for one in done.values()} == {"expired"}
    assert not stack.catcher.mails(to="iris@example.com")


async def test_p3_5_a_program_collapses_what_it_asked_for(stack: Stack) -> None:
    later = (datetime.now(UTC) + timedelta(hours=30)).isoformat()
    for key in ("1", "2"):
        said = mail("jane@example.com") | {"collapse_key": "c", "source": "dossiers", "id": key, "send_at": later}
        await publish(stack, json.dumps(said).encode())
    first, second = (str(notification_id("default", "source:dossiers", key)) for key in ("1", "2"))
    assert (await stack.final(first))["reason"] == "collapsed"
    assert (await stack.wait_for(second, lambda seen: seen["status"] == "scheduled"))["send_at"]


async def test_p3_8_what_belongs_together_comes_as_one(stack: Stack) -> None:
    """Each comment says into which mail it went; a person who takes the comment back is not in it."""
    await stack.call("PUT", "/v1/recipients/kate", user="kate", json={"email": "kate@example.com"})
    comment = {"channel": "email", "user_id": "kate", "category": "comments", "body": "I agree."}
    ids = [(await stack.post(comment | {"subject": f"Comment {n}"}))["id"] for n in range(3)]
    assert "digest" in await held(stack, ids[0])
    done = await stack.finals(ids, within=PATIENCE)
    assert {(one["status"], one["reason"]) for one in done.values()} == {("cancelled", "merged")}
    digests = {one["detail"].removeprefix("into ") for one in done.values()}
    ends = await stack.finals(digests, within=PATIENCE)
    assert {one["status"] for one in ends.values()} == {"sent"}
    mails = await stack.catcher.wait_for(to="kate@example.com", count=len(digests))
    assert sorted(line for one in mails for line in (one.text or "").splitlines() if line.startswith("Comment")) == [
        f"Comment {n}" for n in range(3)
    ]


async def test_a9_held_until_the_hours_open_and_urgent_passes(stack: Stack) -> None:
    """The last one here: it moves the clock."""
    asked = await stack.post(text())
    assert await held(stack, asked["id"]) == f"until {OPENS:%Y-%m-%dT%H:%M:%S}.000Z: operating_hours"
    urgent = await stack.post(text(lane="urgent", to="+15005550006"))
    assert (await stack.final(urgent["id"]))["status"] in ("sent", "delivered", "failed")
    owner = await asyncpg.connect(stack.database)
    await owner.execute("update tocsin.clock_offset set by = $1 - clock_timestamp()", OPENS + timedelta(seconds=1))
    await owner.close()
    done = await stack.final(asked["id"])
    assert done["status"] in ("sent", "delivered")
    assert events(done)[:2] == ["accepted", "held"]
