"""What `/metrics` of real services says: every figure of the table and no other, and that nobody is lost (P9)."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from kit.metrics.__main__ import PAGE
from tests.journeys.stack import SERVICES, Stack
from tests.journeys.test_first_journeys import mail, publish
from tests.kit.bus.support import until_true
from tests.waiting import PATIENCE

pytestmark = pytest.mark.asyncio(loop_scope="module")

OF_THE_PROCESS = ("process_", "python_")
ROW = re.compile(r"^\| `(tocsin_\w+)` \| (\w+) \| ([^|]*) \| [^|]+ \| [^|]+ \| ([^|]+) \|$", re.MULTILINE)
ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-|\S+@\S+|\+\d{6}")
FINAL = {"sent", "delivered", "rejected", "cancelled", "failed", "expired"}


def table(service: str) -> dict[str, tuple[str, set[str]]]:
    """What the docs promise of this service: type and labels of each figure."""
    return {
        name: (kind, set(re.findall(r"`(\w+)`", labels)))
        for name, kind, labels, services in ROW.findall(PAGE.read_text())
        if services == "all" or service in services.split(", ")
    }


async def figures(stack: Stack, service: str) -> dict[str, Metric]:
    """What it says, by the name that a query would use."""
    [instance] = stack.of(service)
    accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
    answer = await stack.http.get(f"http://127.0.0.1:{instance.port}/metrics", headers=accept)
    suffix = {"counter": "_total", "info": "_info"}
    families = text_string_to_metric_families(answer.text)  # type: ignore[no-untyped-call]
    return {one.name + suffix.get(one.type, ""): one for one in families}


async def value(stack: Stack, of: str, name: str, **labels: str) -> float:
    """The sum of a figure over the labels that are not named."""
    samples = (await figures(stack, of))[f"tocsin_{name}"].samples
    fitting = [one for one in samples if not one.name.endswith("_bucket") and labels.items() <= one.labels.items()]
    return sum(one.value for one in fitting)


async def proof(stack: Stack) -> dict[str, int]:
    answer = await stack.call("GET", "/v1/admin/stats", admin=True)
    found: dict[str, int] = answer.json()["reconciliation"]
    return found


def reconciled(stack: Stack, *, accepted: int, open_: int) -> Callable[[], Awaitable[bool]]:
    """Whether the sides, each counted by another service, come to the same."""

    async def look() -> bool:
        ours = await value(stack, "gateway", "reconciliation_accepted")
        ended = await value(stack, "gateway", "reconciliation_final")
        theirs = await value(stack, "intake", "reconciliation_open")
        print("accepted", ours, "ended", ended, "open", theirs)  # what a test that waited in vain has seen
        return (ours, theirs) == (accepted, open_) and ours - ended - theirs == 0

    return look


async def mixed(stack: Stack) -> int:
    """Some of everything; how many notifications that is."""
    later = (datetime.now(UTC) + timedelta(days=3)).isoformat()
    for number in range(20):
        await stack.post(mail(f"p{number}@example.com"))
    await stack.post({"channel": "sms", "to": "+33612345678", "body": "Votre colis"})
    await stack.post({"channel": "inapp", "user_id": "bob", "subject": "Hello", "body": "A bell"}, user="bob")
    for _ in range(2):
        await stack.post(mail("twice@example.com"), key="once")
    await stack.post(mail("delivered@simulator.test"))
    await stack.post(mail("bounce@simulator.test"))
    await stack.post(mail("later@example.com", send_at=later))
    await stack.post({"channels": ["email", "inapp"], "user_id": "nobody", "subject": "s", "body": "b"})
    cancelled = await stack.post(mail("never@example.com", send_at=later))
    assert (await stack.call("DELETE", f"/v1/notifications/{cancelled['id']}")).status_code in (200, 202)
    await publish(stack, b'{"channel": "email", "to": "k@example.com", "subject": "s", "body": "b"}', key=b"k")
    await publish(stack, b'{"channel": "carrier pigeon"}')
    await publish(stack, b"no JSON at all")
    return 20 + 2 + 1 + 2 + 1 + 2 + 1 + 2


async def test_p9_nobody_is_lost_under_a_mixed_load(stack: Stack) -> None:
    """accepted = final + open, as the gateway's and intake's own tables say; one waits for the day after tomorrow."""
    accepted = await mixed(stack)
    await until_true(reconciled(stack, accepted=accepted, open_=1), seconds=2 * PATIENCE)
    assert await proof(stack) == {"accepted": accepted, "final": accepted - 1, "open": 1, "lost": 0}
    assert await value(stack, "intake", "requests_repeated_total") == 0, "the gateway knew the key"
    assert await value(stack, "gateway", "requests_repeated_total") == 1
    assert await value(stack, "intake", "notifications_accepted_total") == accepted - 1, "one named no channel"
    assert await value(stack, "intake", "poison_records_total", topic="notifications.requested") == 1


@pytest.mark.parametrize("service", SERVICES)
async def test_every_figure_of_the_table_is_there_and_no_other(stack: Stack, service: str) -> None:
    promised = table(service)
    shown = {name: one for name, one in (await figures(stack, service)).items() if not name.startswith(OF_THE_PROCESS)}
    assert shown.keys() == promised.keys()
    assert {name: one.type for name, one in shown.items()} == {name: kind for name, (kind, _) in promised.items()}
    for name, one in shown.items():
        labels = [set(sample.labels) - {"le"} for sample in one.samples]
        assert all(found == promised[name][1] for found in labels), name


@pytest.mark.parametrize("service", SERVICES)
async def test_no_label_names_a_notification_or_a_person(stack: Stack, service: str) -> None:
    values = {
        f"{name} {found}"
        for name, one in (await figures(stack, service)).items()
        for sample in one.samples
        for found in sample.labels.values()
    }
    assert [found for found in values if ID.search(found)] == []


async def test_the_way_of_a_notification_is_counted_where_it_goes(stack: Stack) -> None:
    """Each by the service that does it; a histogram has as many as were handed over."""
    sent = await value(stack, "email_sender", "notifications_sent_total", channel="email")
    assert sent >= 22
    assert await value(stack, "email_sender", "provider_answers_total", answer="sent") == sent
    for name in ("notification_end_to_end_seconds", "provider_answer_seconds"):
        family = (await figures(stack, "email_sender"))[f"tocsin_{name}"]
        counts = [one.value for one in family.samples if one.name.endswith("_count")]
        assert sum(counts) >= sent, name
    assert await value(stack, "email_sender", "provider_state", state="open") >= 1
    assert await value(stack, "gateway", "notifications_sent_total", channel="inapp") == 2
    assert await value(stack, "intake", "notifications_scheduled_total", channel="email") >= 2
    assert await value(stack, "scheduler", "timers_pending", kind="timer") >= 1
    for service in SERVICES:
        assert await value(stack, service, "database_pool_connections_max") > 0
        assert await value(stack, service, "build_info", service=service) == 1


async def test_p9_one_that_vanishes_from_the_judges_table_is_seen(stack: Stack) -> None:
    """Lost on purpose: two services hold figures of it, and its row is gone."""
    later = (datetime.now(UTC) + timedelta(days=3)).isoformat()
    asked = await stack.post(mail("lost@example.com", send_at=later))
    await stack.wait_for(asked["id"], lambda seen: seen["status"] == "scheduled")
    before = await proof(stack)
    assert before["lost"] == 0
    await _sql(stack, "delete from intake.notifications where id = $1", asked["id"])

    async def seen() -> bool:
        told = [await value(stack, service, "reconciliation_lost") for service in ("intake", "gateway")]
        return told == [1, 1]

    await until_true(seen)
    assert await proof(stack) == before | {"open": before["open"] - 1, "lost": 1}


async def _sql(stack: Stack, statement: str, *values: Any) -> None:
    connection = await asyncpg.connect(stack.database)
    try:
        await connection.execute(statement, *values)
    finally:
        await connection.close()
