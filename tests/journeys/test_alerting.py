"""What goes wrong rings a bell: our rules in a real Prometheus, our routes in a real Alertmanager, and back to us."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer

from kit.settings import KafkaSettings
from tests import servers as real
from tests.journeys.prometheus import Alertmanager, Prometheus, eventually
from tests.journeys.stack import Answer, Stack

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.needs("prometheus"),
    pytest.mark.needs("alertmanager"),
]

RECIPIENTS = {"NOTIFICATION_ALERT_RECIPIENTS": "alice,desk@example.org"}
MAIL = {"channel": "email", "subject": "s", "body": "b"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def watch(
    session: real.Session, kafka_address: str, postgres_url: str, template: str
) -> AsyncIterator[Prometheus]:
    """Of a stack, by a Prometheus which waits for nothing before an alert fires; alice and a desk are told."""
    kafka: KafkaSettings = real.kafka_settings(kafka_address)
    async with real.copied_database(postgres_url, template) as database:
        folder = session.new_folder("alerting")
        async with Stack(kafka, database, folder, session.look_after, settings=RECIPIENTS) as stack:
            key = await stack.call("POST", "/v1/admin/api-keys", admin=True, json={"name": "a", "scopes": ["alerts"]})
            async with Alertmanager(stack, session.new_folder("alertmanager"), key.json()["key"]) as told:
                async with Prometheus(stack, session.new_folder("prometheus"), told.port, hasty=True) as watch:
                    yield watch
    await real.delete_topics(kafka)


@pytest.fixture(scope="module")
def stack(watch: Prometheus) -> Stack:
    """The one that is watched."""
    return watch.stack


async def bells(stack: Stack, alert: str) -> list[Answer]:
    """What alice's inbox says of this alert, the newest first."""
    shown = (await stack.call("GET", "/v1/inbox", user="alice")).json()["items"]
    return [one for one in shown if one.get("data", {}).get("alert") == alert]


async def test_a_service_that_dies_rings_a_bell_and_one_when_it_is_back(stack: Stack) -> None:
    """Others may be called down as well: who answers nothing within a second is, and a busy machine takes longer."""
    [sms] = stack.of("sms_sender")
    stack.kill(sms)
    await eventually(lambda: _has(stack, "TocsinServiceDown", "firing", "sms_sender"))
    stack.start(sms)
    await eventually(lambda: _has(stack, "TocsinServiceDown", "resolved", "sms_sender"))
    *_, over, begun = [one for one in await bells(stack, "TocsinServiceDown") if "sms_sender" in one["title"]]
    assert (begun["title"], over["title"]) == ("Alert: sms_sender is down", "Resolved: sms_sender is down")
    assert "docs/runbook.md#tocsinservicedown" in begun["body"]
    for one in (begun, over):
        await stack.catcher.wait_for(to="desk@example.org", subject=one["title"])


async def test_what_nobody_knows_of_rings_a_bell(stack: Stack) -> None:
    """A counter that counts for the first time is an event, too."""
    asked = await stack.post({"channel": "email", "to": "unknown@simulator.test", "subject": "s", "body": "b"})
    await stack.final(asked["id"])
    await eventually(lambda: _has(stack, "TocsinClaimsUnknown", "firing"))


async def test_what_is_over_resolves_and_what_has_happened_fires_by_real_figures(watch: Prometheus) -> None:
    """The only provider is paused, and not any more; an old list of addresses; bytes that are nothing; and a copy of
    what may have arrived."""
    stack = watch.stack
    for n in range(12):
        await stack.post(MAIL | {"to": f"550+{n}@example.org"})
    await stack.post(MAIL | {"to": "unknown@simulator.test", "lane": "urgent"})
    async with AIOKafkaProducer(bootstrap_servers=stack.kafka.bootstrap_servers) as producer:
        await producer.send_and_wait(f"{stack.kafka.topic_prefix}notifications.requested", b"\xff no event")
    await fire(watch, "TocsinFailedRatio", "TocsinCopies", "TocsinPoison")
    await order(stack, "pause")
    await fire(watch, "TocsinAllProvidersDown")
    await order(stack, "resume")
    await eventually(lambda: _is_over(watch, "TocsinAllProvidersDown"))


async def order(stack: Stack, what: str) -> None:
    """To the only provider of mails that there is; it is done a moment later."""
    answer = await stack.call("POST", f"/v1/admin/providers/smtp/{what}", admin=True)
    assert answer.is_success, answer.text


async def firing(watch: Prometheus) -> set[str]:
    """The names of all alerts that fire now."""
    return {one["metric"]["alertname"] for one in await watch.ask('ALERTS{alertstate="firing"}')}


async def fire(watch: Prometheus, *alerts: str) -> None:
    """Waits until each of them has fired; some do for as long as it takes to look away."""
    left = set(alerts)

    async def all_have() -> bool:
        left.difference_update(await firing(watch))
        return not left

    try:
        await eventually(all_have)
    except TimeoutError:
        pytest.fail(f"did not fire: {left}")


async def _is_over(watch: Prometheus, alert: str) -> bool:
    return alert not in await firing(watch)


async def _has(stack: Stack, alert: str, state: str, about: str = "") -> bool:
    return any(one["data"]["state"] == state and about in one["title"] for one in await bells(stack, alert))
