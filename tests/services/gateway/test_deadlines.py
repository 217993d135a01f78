"""Deadlines over REST: whose they are, what is to come of them, and what is wrong with them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from contracts import events as e
from contracts.topics import BY_NAME, DEADLINES, RECIPIENTS, SETTINGS
from kit.bus.record import Received
from kit.settings import KafkaSettings
from kit.stage import Message
from tests.services.gateway.conftest import (
    ADMIN,
    ADMIN_ELSEWHERE,
    ALICE,
    BOB,
    CAROL,
    SERVICE,
    House,
    bearer,
    offsets,
    opened,
    settings_of,
)
from tests.services.gateway.support import as_owner, others, running

TOPICS = {e.Deadline: DEADLINES, e.Recipient: RECIPIENTS, e.Setting: SETTINGS, e.Tombstone: DEADLINES}
SINCE = datetime(2026, 11, 1, tzinfo=UTC)
MARCH = "update tocsin.clock_offset set by = timestamptz '2027-03-01 00:00Z' - clock_timestamp()"


def dossier(id: str = "118", **more: Any) -> e.Deadline:
    said = {"id": id, "title": f"Dossier {id}", "due_date": "2027-03-10", "assignees": ["bob"], "owner": "user:alice"}
    return e.Deadline.model_validate(said | more)


def said(event: e.Event) -> Message:
    place = next(offsets)
    return Message(event, Received(TOPICS[type(event)].name, 0, place, SINCE + timedelta(seconds=place), b"", b""))


BODY = {"title": "Dossier 118", "due_date": "2027-03-10", "assignees": ["bob"]}


async def test_shown_with_the_reminders_to_come(house: House) -> None:
    """Of each person in the own zone; the time is the database's."""
    await as_owner(house.settings.database_url, MARCH)
    await house.remembers(
        said(dossier(assignees=["bob", "eve"])), said(e.Recipient(user_id="eve", time_zone="Asia/Tokyo"))
    )
    answer = (await house.http.get("/v1/deadlines/118", headers=ALICE)).json()
    assert {name: answer[name] for name in ("id", "title", "due_date", "assignees", "urgent", "status", "owner")} == {
        "id": "118",
        "title": "Dossier 118",
        "due_date": "2027-03-10",
        "assignees": ["bob", "eve"],
        "urgent": False,
        "status": "open",
        "owner": "user:alice",
    }
    told = [(one["rule"], one["user_id"], one["at"]) for one in answer["reminders"]]
    assert told[:3] == [
        ("week_before", "eve", "2027-03-02T23:00:00Z"),
        ("week_before", "bob", "2027-03-03T07:00:00Z"),
        ("day_before", "eve", "2027-03-08T23:00:00Z"),
    ]
    assert len(told) == 10 and told == sorted(told, key=lambda one: (one[2], one[1]))


async def test_the_plan_decides(house: House) -> None:
    """The tenant's, a named one, one of its own; and what is closed has nothing to come."""
    await as_owner(house.settings.database_url, MARCH)
    noon = {"reminders": [{"rule": "noon", "at": "12:00"}]}
    await house.remembers(
        said(e.Setting(what="plan", id="default", value=noon)),
        said(e.Setting(what="plan", id="quick", value={"reminders": [{"rule": "soon", "days": -1, "at": "12:00"}]})),
        said(dossier("tenant")),
        said(dossier("named", plan="quick")),
        said(dossier("own", plan={"reminders": [{"rule": "own", "after_seconds": -60}]})),
        said(dossier("closed", status="closed")),
    )
    page = (await house.http.get("/v1/deadlines", headers=ALICE)).json()
    rules = {one["id"]: [reminder["rule"] for reminder in one["reminders"]] for one in page["items"]}
    assert rules == {"tenant": ["noon"], "named": ["soon"], "own": ["own"], "closed": []}


async def test_whose_it_is(house: House) -> None:
    """Owner and assignees read, owner, services and admins write; for everybody else it does not exist."""
    await house.remembers(said(dossier()))
    for who, reads, writes in (
        (ALICE, 200, 503),
        (BOB, 200, 403),
        (ADMIN, 200, 503),
        (SERVICE, 200, 503),
        (CAROL, 404, 404),
        (ADMIN_ELSEWHERE, 404, 503),  # there it would be a new one
        ({}, 401, 401),
    ):
        assert (await house.http.get("/v1/deadlines/118", headers=who)).status_code == reads
        # This house has no Kafka: what would be allowed is 503.
        assert (await house.http.put("/v1/deadlines/118", json=BODY, headers=who)).status_code == writes
        delete = 404 if who is ADMIN_ELSEWHERE else writes
        assert (await house.http.delete("/v1/deadlines/118", headers=who)).status_code == delete


async def test_lists_are_ones_own_and_what_is_assigned(house: House) -> None:
    await house.remembers(
        said(dossier("1")),
        said(dossier("2", owner="user:bob", assignees=["carol"], urgent=True)),
        said(dossier("3", owner="user:carol", assignees=["dora"], status="closed")),
        said(dossier("4", tenant="elsewhere")),
        said(dossier("5")),
        said(e.Tombstone(path="5")),
    )

    async def ids(who: dict[str, str], query: str = "") -> list[str]:
        answer = await house.http.get(f"/v1/deadlines{query}", headers=who)
        assert answer.status_code == 200, answer.text
        return [one["id"] for one in answer.json()["items"]]

    assert await ids(ALICE) == ["1"]
    assert await ids(BOB) == ["2", "1"]
    assert await ids(CAROL) == ["3", "2"]
    assert await ids(SERVICE) == await ids(ADMIN) == ["3", "2", "1"]
    assert await ids(ADMIN_ELSEWHERE) == ["4"]
    assert await ids(ADMIN, "?status=closed") == ["3"]
    assert await ids(ADMIN, "?urgent=true") == ["2"]
    assert await ids(ADMIN, "?user_id=bob&status=open") == ["1"]
    assert await ids(ADMIN, "?created_before=2026-10-01T00:00:00Z") == []


async def test_a_list_has_pages(house: House) -> None:
    await house.remembers(*(said(dossier(str(n))) for n in range(7)))
    seen, query = [], "?limit=3"
    for _ in range(3):
        page = (await house.http.get(f"/v1/deadlines{query}", headers=ALICE)).json()
        seen += [one["id"] for one in page["items"]]
        query = f"?limit=3&after={page.get('next')}"
    assert seen == ["6", "5", "4", "3", "2", "1", "0"] and page.get("next") is None


WRONG = [
    ({"title": None}, "title"),
    ({"due_date": None}, "due_at"),
    ({"due_date": "tomorrow"}, "due_date"),
    ({"due_at": "2027-03-10T12:00:00Z"}, "due_date"),
    ({"due_date": "2097-03-10"}, "due_date"),
    ({"due_date": None, "due_at": "2027-03-28T02:30", "time_zone": "Europe/Paris"}, "due_at"),
    ({"time_zone": "Europe/Pariss"}, "time_zone"),
    ({"assignees": []}, "assignees"),
    ({"assignees": ["b b"]}, "assignees.0"),
    ({"plan": "nonexistent"}, "plan"),
    ({"colour": "red"}, "colour"),
    ({"status": "done"}, "status"),
]


@pytest.mark.parametrize(("wrong", "field"), WRONG)
async def test_what_is_wrong_is_named(house: House, wrong: dict[str, Any], field: str) -> None:
    body = {name: value for name, value in (BODY | wrong).items() if value is not None}
    answer = await house.http.put("/v1/deadlines/118", json=body, headers=ALICE)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field), answer.text


async def test_a_closed_installation_lets_people_remind_themselves_only(
    database: str, nowhere: KafkaSettings, tmp_path: Path
) -> None:
    async with opened(settings_of(nowhere, database, tmp_path, address_anyone=["service", "admin"])) as house:
        answer = await house.http.put("/v1/deadlines/118", json=BODY, headers=ALICE)
        assert (answer.status_code, answer.json()["code"]) == (403, "recipient_not_allowed")
        for who, people in ((ALICE, ["alice"]), (SERVICE, ["bob"])):
            answer = await house.http.put("/v1/deadlines/118", json=BODY | {"assignees": people}, headers=who)
            assert answer.status_code == 503


async def test_plans_are_read_by_all_and_changed_by_admins(house: House) -> None:
    plan = {"reminders": [{"rule": "noon", "at": "12:00"}]}
    brought = (await house.http.get("/v1/admin/plans/default", headers=ALICE)).json()
    assert [one["rule"] for one in brought["reminders"]][:2] == ["week_before", "day_before"]
    assert (await house.http.get("/v1/admin/plans/x", headers=ALICE)).status_code == 404
    await house.remembers(said(e.Setting(what="plan", id="x", value=plan)))
    assert (await house.http.get("/v1/admin/plans/x", headers=ALICE)).json()["reminders"] == plan["reminders"]
    assert (await house.http.put("/v1/admin/plans/x", json=plan, headers=ALICE)).status_code == 403
    assert (await house.http.delete("/v1/admin/plans/x", headers=SERVICE)).status_code == 403
    wrong = await house.http.put("/v1/admin/plans/x", json={"reminders": [{"rule": "y"}]}, headers=ADMIN)
    assert wrong.status_code == 422 and "give at" in wrong.text
    assert (await house.http.put("/v1/admin/plans/x", json=plan, headers=ADMIN)).status_code == 503


async def test_put_is_in_force_when_it_is_answered(database: str, kafka: KafkaSettings, tmp_path: Path) -> None:
    """Over Kafka: said, changed by a service that does not take it over, and forgotten."""
    async with others(kafka, [DEADLINES], "scheduler.deadlines") as rest:
        async with running(settings_of(kafka, database, tmp_path)) as gateway:
            await as_owner(database, MARCH)
            put = await gateway.http.put("/v1/deadlines/118", json=BODY, headers=ALICE)
            assert put.status_code == 200, put.text
            assert [one["rule"] for one in put.json()["reminders"]][:1] == ["week_before"]
            moved = await gateway.http.put("/v1/deadlines/118", json=BODY | {"due_date": "2027-03-12"}, headers=SERVICE)
            assert (moved.json()["due_date"], moved.json()["owner"]) == ("2027-03-12", "user:alice")
            assert (await gateway.http.delete("/v1/deadlines/118", headers=ALICE)).status_code == 204
            assert (await gateway.http.get("/v1/deadlines/118", headers=ALICE)).status_code == 404
            plan = {"reminders": [{"rule": "noon", "at": "12:00"}]}
            assert (await gateway.http.put("/v1/admin/plans/x", json=plan, headers=ADMIN)).status_code == 200
            named = await gateway.http.put("/v1/deadlines/119", json=BODY | {"plan": "x"}, headers=bearer("eve"))
            assert [one["rule"] for one in named.json()["reminders"]] == ["noon"]
            await rest.listen_until(lambda: _heard(rest, 4))
            told = [record.event(BY_NAME[record.topic]) for record in rest.heard]
            assert [type(event) for event in told if event and event.key == "default/118"] == [
                e.Deadline,
                e.Deadline,
                e.Tombstone,
            ]


async def test_of_two_people_who_make_one_deadline_it_is_the_first_ones(
    database: str, kafka: KafkaSettings, tmp_path: Path
) -> None:
    """At the same moment, before either is seen here: to the other it does not exist. Forgotten, it is anybody's."""
    async with others(kafka, [DEADLINES], "scheduler.deadlines"):
        async with running(settings_of(kafka, database, tmp_path)) as gateway:
            url = "/v1/deadlines/118"
            both = await asyncio.gather(
                *(gateway.http.put(url, json=BODY | {"assignees": [who]}, headers=bearer(who)) for who in ("al", "bo"))
            )
            assert sorted(answer.status_code for answer in both) == [200, 404]
            owner, other = ("al", "bo") if both[0].status_code == 200 else ("bo", "al")
            seen = await gateway.http.get(url, headers=bearer(owner))
            assert (seen.json()["owner"], seen.json()["assignees"]) == (f"user:{owner}", [owner])
            assert (await gateway.http.delete(url, headers=bearer(owner))).status_code == 204
            assert (await gateway.http.put(url, json=BODY, headers=bearer(other))).status_code == 200


async def test_whoever_says_the_same_twice_at_once_is_answered_twice(
    database: str, kafka: KafkaSettings, tmp_path: Path
) -> None:
    """With 202 where the other's came later in the log, although its command is of the same millisecond."""
    async with others(kafka, [DEADLINES], "scheduler.deadlines"):
        async with running(settings_of(kafka, database, tmp_path), patience=1.0) as gateway:
            both = await asyncio.gather(
                *(gateway.http.put("/v1/deadlines/118", json=BODY, headers=ALICE) for _ in range(2))
            )
            assert {answer.status_code for answer in both} <= {200, 202}


async def _heard(rest: Any, count: int) -> bool:
    return len(rest.heard) >= count
