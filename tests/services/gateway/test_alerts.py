"""Alerts that come in: told once to who is to be told, of one name a few an hour, and never of themselves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from contracts import events as e
from contracts.topics import RECIPIENTS
from kit.bus.record import Received
from kit.clock import utc_now
from kit.settings import KafkaSettings
from kit.stage import Message
from services.gateway.http.operations.alertmanager import EXAMPLE
from services.gateway.settings import Limits
from services.gateway.store import alerts as store
from tests.services.gateway.conftest import (
    ADMIN,
    ADMIN_ELSEWHERE,
    House,
    bearer,
    offsets,
    opened,
    settings_of,
)
from tests.services.gateway.support import as_owner
from tests.services.gateway.test_api_keys import by, made

PATH = "/v1/admin/alerts"
ALERT = EXAMPLE["alerts"][0]
RECIPIENTS_SET = ["alice", "desk@example.org"]
MOST = Limits().alerts_per_hour
NEXT_HOUR = "update tocsin.clock_offset set by = by + interval '1 hour'"
MID_HOUR = "update tocsin.clock_offset set by = timestamptz '2027-03-01 12:30Z' - clock_timestamp()"

Taken = dict[str, Any]


@pytest.fixture
async def told(database: str, nowhere: KafkaSettings, tmp_path: Path) -> AsyncIterator[House]:
    """A gateway that tells alice, and a desk by email; it is half past twelve there."""
    await as_owner(database, MID_HOUR)
    notifications = {"alerts": {"recipients": RECIPIENTS_SET}}
    async with opened(settings_of(nowhere, database, tmp_path, notifications=notifications)) as house:
        yield house


def alert(n: int = 0, name: str = "LagGrows", **more: Any) -> dict[str, Any]:
    labels = {"alertname": name, "severity": "critical", "instance": str(n)} | more.pop("labels", {})
    return ALERT | {"fingerprint": f"{name}{n}", "labels": labels} | more


def resolved(alert: dict[str, Any]) -> dict[str, Any]:
    return alert | {"status": "resolved", "endsAt": utc_now().isoformat()}


async def post(house: House, *alerts: dict[str, Any], who: dict[str, str] = ADMIN) -> Taken:
    answer = await house.http.post(PATH, json=EXAMPLE | {"alerts": list(alerts)}, headers=who)
    assert answer.status_code == 202, answer.text
    taken: Taken = answer.json()
    return taken


def counts(taken: Taken) -> tuple[int, int, int, int]:
    return taken["told"], taken["repeated"], taken["held"], taken["dropped"]


async def subjects(house: House) -> list[str]:
    """Of all that was asked for, in any order."""
    found = await house.http.get("/v1/notifications?limit=200", headers=ADMIN)
    return [one["subject"] for one in found.json()["items"]]


async def test_everybody_of_the_setting_is_told(told: House) -> None:
    taken = await post(told, alert())
    assert counts(taken) == (1, 0, 0, 0) and len(taken["notifications"]) == 2
    bell, mail = [await told.get(id, ADMIN) for id in taken["notifications"]]
    assert (bell["user_id"], bell["lane"], bell["category"]) == ("alice", "urgent", "alerts")
    assert bell["channel"] == "inapp", "nobody knows an address of hers"
    assert (mail["channel"], mail["to"], mail["subject"]) == ("email", "desk@example.org", "Alert: intake falls behind")


async def test_a_person_with_an_address_has_an_email_beside_the_bell(told: House) -> None:
    person = e.Recipient(user_id="alice", email="alice@example.org")
    await told.remembers(Message(person, Received(RECIPIENTS.name, 0, next(offsets), utc_now(), b"", b"")))
    first = (await post(told, alert()))["notifications"][0]
    assert [child["channel"] for child in (await told.get(first, ADMIN))["children"]] == ["email", "inapp"]


async def test_the_same_alert_posted_twice_is_told_once(told: House) -> None:
    """Also by another Alertmanager at the same moment, with other figures in its text, and twice in one post."""
    answers = await asyncio.gather(*(post(told, alert(), alert()) for _ in range(4)))
    assert sum(taken["told"] for taken in answers) == 1
    changed = alert(annotations={"summary": "now there are more"})
    assert counts(await post(told, changed)) == (0, 1, 0, 0)
    assert len(await subjects(told)) == 2, "of two recipients"


async def test_its_end_is_told_too_and_when_it_begins_again(told: House) -> None:
    await post(told, alert())
    assert counts(await post(told, resolved(alert()))) == (1, 0, 0, 0)
    assert counts(await post(told, resolved(alert()))) == (0, 1, 0, 0)
    assert counts(await post(told, alert(startsAt="2026-11-28T22:00:00Z"))) == (1, 0, 0, 0)
    assert sorted(await subjects(told)) == ["Alert: intake falls behind"] * 4 + ["Resolved: intake falls behind"] * 2


async def test_an_alert_that_comes_of_being_told_ends(told: House, database: str) -> None:
    """Each mail about it fails, so that it begins again, and again: after a few in an hour nobody is told any more."""
    for n in range(40):
        again = alert(startsAt=f"2026-11-28T22:{n:02}:00Z")
        await post(told, again)
        await post(told, resolved(again))
    assert len(await subjects(told)) == MOST * len(RECIPIENTS_SET) * 2, "its beginnings and their ends"
    assert counts(await post(told, alert(name="Another"))) == (1, 0, 0, 0), "nobody else is kept quiet by it"
    await as_owner(database, NEXT_HOUR)
    assert counts(await post(told, alert(startsAt="2026-11-28T23:00:00Z"))) == (1, 0, 0, 0)


async def test_what_was_held_back_is_told_when_it_is_repeated(told: House, database: str) -> None:
    """Nothing that goes on firing stays untold, and what was never told is not called over."""
    many = [alert(n) for n in range(MOST + 2)]
    assert counts(await post(told, *many)) == (MOST, 0, 2, 0)
    assert counts(await post(told, *many)) == (0, MOST, 2, 0)
    assert counts(await post(told, resolved(many[-1]))) == (0, 0, 1, 0)
    await as_owner(database, NEXT_HOUR)
    assert counts(await post(told, *many[:-1])) == (1, MOST, 0, 0)
    assert counts(await post(told, resolved(many[-2]))) == (1, 0, 0, 0)


async def test_what_becomes_of_them_is_counted(told: House) -> None:
    """From the first post on there is a 0 to rise from: what is held back is watched by an alert, too."""
    await post(told, alert(), alert(1, labels={"about": "alerts"}))
    shown = (await told.http.get("/metrics")).text
    for line in ('fate="told"} 1.0', 'fate="held"} 0.0', 'fate="dropped"} 1.0'):
        assert f"tocsin_alerts_total{{{line}" in shown


async def test_what_watches_the_telling_is_not_told(told: House) -> None:
    assert counts(await post(told, alert(labels={"about": "alerts"}), alert(1))) == (1, 0, 0, 1)


async def test_an_alert_about_an_alerts_notification_is_not_told(told: House) -> None:
    """Rules over logs name the notification that failed: where that one told of an alert, they would never end."""
    for id in (await post(told, alert()))["notifications"]:
        assert counts(await post(told, alert(1, labels={"notification_id": id}))) == (0, 0, 0, 1)
    theirs = await told.post()
    assert counts(await post(told, alert(2, annotations={"notification_id": theirs}))) == (1, 0, 0, 0)


async def test_a_key_of_its_scope_may_and_nobody_elses(told: House) -> None:
    key = by((await made(told, ["alerts"], "alertmanager"))["key"])
    assert counts(await post(told, alert(), who=key)) == (1, 0, 0, 0)
    assert counts(await post(told, alert())) == (0, 1, 0, 0), "whoever posts it"
    new = {"name": "alertmanager", "scopes": ["alerts"]}
    answer = await told.http.post("/v1/admin/api-keys", json=new, headers=ADMIN_ELSEWHERE)
    for who in (by(answer.json()["key"]), ADMIN_ELSEWHERE, bearer("alice"), bearer("billing", "service")):
        refused = await told.http.post(PATH, json=EXAMPLE, headers=who)
        assert (refused.status_code, refused.json()["code"]) == (403, "operators_only")


async def test_without_anybody_to_tell_alertmanager_is_to_come_back(house: House) -> None:
    answer = await house.http.post(PATH, json=EXAMPLE, headers=ADMIN)
    assert (answer.status_code, answer.json()["code"]) == (503, "no_recipients")
    assert answer.headers["retry-after"] and "notifications.alerts.recipients" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("change", "field", "said"),
    [
        ({"version": "3"}, "version", "is not 4"),
        ({"version": None}, "version", "is not 4"),
        ({"alerts": None}, "alerts", "array"),
        ({"alerts": [ALERT | {"status": "over"}]}, "alerts.0.status", "'firing' or 'resolved'"),
        ({"alerts": [ALERT | {"startsAt": "soon"}]}, "alerts.0.startsAt", "datetime"),
        ({"alerts": [ALERT | {"startsAt": "2026-11-28T21:04:05"}]}, "alerts.0.startsAt", "add one"),
        ({"alerts": [ALERT | {"endsAt": "0001-01-01T00:00:00+02:00"}]}, "alerts.0.endsAt", "years 1 to 9999"),
        ({"alerts": [ALERT | {"fingerprint": ""}]}, "alerts.0.fingerprint", "empty"),
        ({"alerts": [ALERT | {"labels": {"a": "\x00"}}]}, "alerts.0.labels.a", "NUL"),
        ({"alerts": [ALERT] * 1001}, "alerts", "more than 1000 entries"),
    ],
)
async def test_what_is_wrong_is_named(told: House, change: dict[str, Any], field: str, said: str) -> None:
    answer = await told.http.post(PATH, json=EXAMPLE | change, headers=ADMIN)
    assert answer.status_code == 422, answer.text
    [error] = answer.json()["errors"]
    assert error["field"] == field and said in error["message"], error


async def test_what_alertmanager_says_beyond_that_is_its_own_business(told: House) -> None:
    """A post as Alertmanager 0.25 writes it, and with fields of a later one."""
    whole = EXAMPLE | {
        "receiver": "tocsin",
        "groupLabels": {"alertname": "LagGrows"},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager:9093",
        "groupKey": "{}:{alertname=LagGrows}",
        "truncatedAlerts": 3,
        "alerts": [ALERT | {"startsAt": "2018-08-03T09:52:26.739266876+02:00", "values": {"A": 1}}],
    }
    answer = await told.http.post(PATH, json=whole, headers=ADMIN)
    assert (answer.status_code, answer.json()["told"]) == (202, 1)


async def test_lives_that_nobody_told_of_for_a_month_are_forgotten(told: House, database: str) -> None:
    await post(told, alert(), alert(1))
    long_ago = "update gateway.alerts set heard_at = heard_at - interval '31 days' where fingerprint like '%1'"
    await as_owner(database, long_ago)
    async with told.database.connection() as connection:
        assert await store.forget(connection) == 1
    assert counts(await post(told, alert())) == (0, 1, 0, 0)
