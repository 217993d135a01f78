"""Addresses to which nothing is sent, as the admins of a tenant see, add and lift them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from contracts import events as e
from contracts.status import Channel
from contracts.suppression import Suppression, name_of
from contracts.topics import SETTINGS
from kit.bus.record import Received
from kit.settings import KafkaSettings
from kit.stage import Message
from services.gateway.rules.suppressing import id_of
from tests.services.gateway.conftest import (
    ADMIN,
    ADMIN_ELSEWHERE,
    ALICE,
    SERVICE,
    House,
    offsets,
    settings_of,
)
from tests.services.gateway.support import Gateway, Others, others, running

URL = "/v1/admin/suppressions"
MAY = datetime(2027, 5, 3, 8, tzinfo=UTC)
GONE = "gone@example.org"


def told(address: str = GONE, *, minute: int = 0, tenant: str = "default", **more: Any) -> Message:
    """The directory's word about an address, as the gateway's stage hears it."""
    channel = Channel.SMS if address.startswith("+") else Channel.EMAIL
    found = Suppression.model_validate({"reason": "hard_bounce", "code": "5.1.1", "at": MAY} | more)
    event = e.Setting(
        tenant=tenant,
        what="suppression",
        id=name_of(channel, address),
        value=found.model_dump(mode="json", exclude_none=True),
    )
    heard = MAY + timedelta(minutes=minute)
    return Message(event, Received(SETTINGS.name, 0, next(offsets), heard, b"", b""))


async def listed(house: House, query: str = "", who: dict[str, str] = ADMIN) -> list[dict[str, Any]]:
    answer = await house.http.get(f"{URL}{query}", headers=who)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def test_seen_with_the_notification_that_showed_it(house: House) -> None:
    """The address is that notification's, as long as it is known; the directory holds the hash alone."""
    id = await house.post({"channel": "email", "to": GONE, "subject": "s", "body": "b"})
    await house.remembers(told(notification_id=id))
    [seen] = await listed(house)
    assert seen == {
        "id": id_of(Channel.EMAIL, GONE),
        "channel": "email",
        "reason": "hard_bounce",
        "code": "5.1.1",
        "created_at": "2027-05-03T08:00:00Z",
        "notification_id": id,
        "to": GONE,
    }
    assert (await house.http.get(f"{URL}/{seen['id']}", headers=ADMIN)).json() == seen


async def test_another_tenants_notification_tells_nothing(house: House) -> None:
    id = await house.post({"channel": "email", "to": GONE, "subject": "s", "body": "b"})
    await house.remembers(told(notification_id=id, tenant="elsewhere"))
    [seen] = await listed(house, who=ADMIN_ELSEWHERE)
    assert "to" not in seen and await listed(house) == []


async def test_found_by_its_address_and_by_its_channel(house: House) -> None:
    await house.remembers(told(), told("+33612345678", minute=1, reason="stop"), told("b@example.org", minute=2))
    assert [one["id"] for one in await listed(house, "?to=GONE@example.org")] == [id_of(Channel.EMAIL, GONE)]
    assert [one["reason"] for one in await listed(house, "?to=%2B33%206%2012%2034%2056%2078")] == ["stop"]
    assert [one["channel"] for one in await listed(house, "?channel=email")] == ["email", "email"]
    assert await listed(house, "?to=here@example.org") == []


async def test_the_newest_first_a_page_at_a_time(house: House) -> None:
    await house.remembers(*[told(f"n{n}@example.org", minute=n) for n in range(5)])
    seen, after = [], ""
    while True:
        page = (await house.http.get(f"{URL}?limit=2{after}", headers=ADMIN)).json()
        seen += [one["id"] for one in page["items"]]
        if "next" not in page:
            break
        after = f"&after={page['next']}"
    assert seen == [id_of(Channel.EMAIL, f"n{n}@example.org") for n in range(4, -1, -1)]
    assert len(await listed(house, "?created_after=2027-05-03T08:02:00Z")) == 2


@pytest.mark.parametrize("query", ["?to=nonsense", "?after=x", "?after=2027-05-03~x", "?channel=inapp", "?limit=0"])
async def test_a_bad_question_names_its_field(house: House, query: str) -> None:
    answer = await house.http.get(f"{URL}{query}", headers=ADMIN)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"].endswith(query[1:].partition("=")[0])


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"channel": "email", "to": "nonsense"}, "to"),
        ({"channel": "sms", "to": "0612345678"}, "to"),
        ({"channel": "inapp", "to": GONE}, "channel"),
        ({"channel": "email", "to": GONE, "why": "?"}, "why"),
    ],
)
async def test_a_bad_address_is_refused(house: House, body: dict[str, str], field: str) -> None:
    answer = await house.http.post(URL, json=body, headers=ADMIN)
    assert answer.status_code == 422 and [one["field"] for one in answer.json()["errors"]] == [field]


async def test_only_admins_and_each_of_his_own_tenant(house: House) -> None:
    await house.remembers(told())
    one = f"{URL}/{id_of(Channel.EMAIL, GONE)}"
    for method, path in (("GET", URL), ("POST", URL), ("GET", one), ("DELETE", one)):
        for who in (ALICE, SERVICE):
            answer = await house.http.request(method, path, headers=who, json={"channel": "email", "to": GONE})
            assert (answer.status_code, answer.json()["code"]) == (403, "admins_only")
    for method in ("GET", "DELETE"):
        assert (await house.http.request(method, one, headers=ADMIN_ELSEWHERE)).status_code == 404
    assert await listed(house, who=ADMIN_ELSEWHERE) == []


@pytest.mark.parametrize("id", ["nonsense", "email-1", "template-welcome", "email/" + "0" * 32, "email-" + "0" * 32])
async def test_what_is_none_is_not_there(house: House, id: str) -> None:
    for method in ("GET", "DELETE"):
        assert (await house.http.request(method, f"{URL}/{id}", headers=ADMIN)).status_code == 404


# ------------------------------------------------------------------------------------------------ with its Kafka


@pytest.fixture
async def services(kafka: KafkaSettings) -> AsyncIterator[Others]:
    """Everybody else, who reads what the gateway says of addresses."""
    async with others(kafka, (SETTINGS,), "intake.directory") as found:
        yield found


@pytest.fixture
async def gateway(services: Others, database: str, folder: Path) -> AsyncIterator[Gateway]:
    async with running(settings_of(services.kafka, database, folder)) as found:
        yield found


async def test_added_and_lifted_by_an_admin(gateway: Gateway, services: Others) -> None:
    """Everybody hears of it; it is in force here when the answer comes."""
    made = await gateway.http.post(URL, json={"channel": "email", "to": GONE}, headers=ADMIN)
    assert made.status_code == 201 and (made.json()["reason"], made.json()["by"]) == ("manual", "root")
    again = await gateway.http.post(URL, json={"channel": "email", "to": "Gone@Example.org"}, headers=ADMIN)
    assert again.status_code == 200 and again.json()["id"] == made.json()["id"]
    one = f"{URL}/{made.json()['id']}"
    assert (await gateway.http.delete(one, headers=ADMIN)).status_code == 204
    assert (await gateway.http.get(one, headers=ADMIN)).status_code == 404
    assert (await gateway.http.delete(one, headers=ADMIN)).status_code == 404
    put, gone = [await services.hear(kind) for kind in (e.Setting, e.Tombstone)]
    assert put[0].key == gone[0].key == f"default/suppression/{name_of(Channel.EMAIL, GONE)}"
    assert GONE.encode() not in b"".join(record.value or b"" for record in services.heard)
