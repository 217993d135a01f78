"""Schedules over REST, on a whole gateway with its Kafka: made, seen, changed by who made them, and by nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from contracts import events as e
from contracts.identity import firing_id
from contracts.schedule import RUN, Run
from contracts.topics import CONTROL, SETTINGS
from kit.settings import KafkaSettings
from kit.zone_data import edition
from tests.services.gateway.conftest import ADMIN, ADMIN_ELSEWHERE, ALICE, BOB, House, bearer, settings_of
from tests.services.gateway.support import Gateway, Others, as_owner, others, running

PLANTS: dict[str, Any] = {
    "name": "plants",
    "cron": "30 2 * * *",
    "time_zone": "Europe/Paris",
    "recipients": ["alice", {"to": "delivered@simulator.test"}],
    "notification": {"channel": "email", "subject": "s", "body": "water them"},
}


@pytest.fixture
async def services(kafka: KafkaSettings) -> AsyncIterator[Others]:
    """Everybody else, who reads what the gateway says of schedules."""
    async with others(kafka, (SETTINGS, CONTROL), "scheduler.schedules") as found:
        yield found


@pytest.fixture
async def gateway(services: Others, database: str, folder: Path) -> AsyncIterator[Gateway]:
    async with running(settings_of(services.kafka, database, folder)) as found:
        yield found


async def make(gateway: Gateway, who: dict[str, str] = ALICE, **more: Any) -> dict[str, Any]:
    answer = await gateway.http.post("/v1/schedules", json=PLANTS | more, headers=who)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_made_seen_changed_and_gone(gateway: Gateway, services: Others) -> None:
    """A schedule's life, and what the scheduler is told of it."""
    made = await make(gateway)
    url = f"/v1/schedules/{made['id']}"
    seen = await gateway.http.get(url, headers=ALICE)
    assert seen.json() == made and made["owner"] == "alice" and made["version"] == 1 and "next_at" in made
    changed = await gateway.http.put(url, json=PLANTS | {"cron": "0 9 * * *", "enabled": False}, headers=ALICE)
    assert changed.status_code == 200 and changed.json()["version"] == 2 and "next_at" not in changed.json()
    assert changed.json()["created_at"] == made["created_at"]
    assert (await gateway.http.delete(url, headers=ALICE)).status_code == 204
    assert (await gateway.http.get(url, headers=ALICE)).status_code == 404
    first, second = await services.hear(e.Setting, 2)
    assert [first.value and first.value["cron"], second.value and second.value["cron"]] == ["30 2 * * *", "0 9 * * *"]
    [gone] = await services.hear(e.Tombstone)
    assert gone.key == first.key == f"default/schedule/{made['id']}"


async def test_an_edit_is_dated_by_tocsin_clock(gateway: Gateway, database: str) -> None:
    """P4.4: it applies to instants after its own time, by the clock that says what is due."""
    await as_owner(database, "update tocsin.clock_offset set by = '2027-03-01 12:00Z'::timestamptz - clock_timestamp()")
    made = await make(gateway)
    assert made["changed_at"].startswith("2027-03-01T12:00") and made["next_at"] == "2027-03-02T01:30:00Z"


async def test_a_stale_version_is_412(gateway: Gateway) -> None:
    """Whoever changes what he has not seen is told so; without If-Match the last one wins."""
    made = await make(gateway)
    url = f"/v1/schedules/{made['id']}"
    tag = (await gateway.http.get(url, headers=ALICE)).headers["etag"]
    first = await gateway.http.put(url, json=PLANTS, headers=ALICE | {"If-Match": tag})
    assert first.status_code == 200 and first.headers["etag"] != tag
    for method in ("PUT", "DELETE"):
        body = PLANTS if method == "PUT" else None
        stale = await gateway.http.request(method, url, json=body, headers=ALICE | {"If-Match": tag})
        assert (stale.status_code, stale.json()["code"]) == (412, "stale")
    assert (await gateway.http.put(url, json=PLANTS, headers=ALICE)).json()["version"] == 3


async def test_of_two_changes_of_one_version_one_gets_through(gateway: Gateway) -> None:
    """At the same moment, before either is seen here: the version is taken before it is published."""
    made = await make(gateway)
    url = f"/v1/schedules/{made['id']}"
    for version in range(1, 4):
        seen = ALICE | {"If-Match": f'"{version}"'}
        answers = await asyncio.gather(*(gateway.http.put(url, json=PLANTS, headers=seen) for _ in range(4)))
        assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412]


async def test_of_a_change_and_a_deletion_of_one_version_one_gets_through(gateway: Gateway) -> None:
    """At the same moment: who deletes takes the next version as well, or it would be of one that nobody has seen."""
    for _ in range(5):
        url = f"/v1/schedules/{(await make(gateway))['id']}"
        seen = ALICE | {"If-Match": '"1"'}
        answers = await asyncio.gather(
            gateway.http.put(url, json=PLANTS, headers=seen),
            gateway.http.delete(url, headers=seen),
            gateway.http.delete(url, headers=seen),
        )
        [done] = [answer.status_code for answer in answers if answer.status_code in (200, 204)]
        assert {answer.status_code for answer in answers} - {done} <= {404, 412}
        assert (await gateway.http.get(url, headers=ALICE)).status_code == (200 if done == 200 else 404)


async def test_anothers_does_not_exist(gateway: Gateway) -> None:
    """404 on every route, as for an admin of another tenant; the tenant's own admin sees and changes it."""
    made = await make(gateway)
    url = f"/v1/schedules/{made['id']}"
    for who in (BOB, ADMIN_ELSEWHERE):
        answers = [
            await gateway.http.get(url, headers=who),
            await gateway.http.put(url, json=PLANTS, headers=who),
            await gateway.http.delete(url, headers=who),
            await gateway.http.post(f"{url}/run", headers=who),
            await gateway.http.get(f"{url}/preview", headers=who),
        ]
        assert {answer.status_code for answer in answers} == {404}
        assert (await gateway.http.get("/v1/schedules", headers=who)).json()["items"] == []
    assert (await gateway.http.put(url, json=PLANTS, headers=ADMIN)).json()["owner"] == "alice"


async def test_pages(gateway: Gateway) -> None:
    """The newest first, each once."""
    ids = [(await make(gateway, name=str(n)))["id"] for n in range(5)]
    found, after = [], ""
    while True:
        page = (await gateway.http.get(f"/v1/schedules?limit=2{after}", headers=ALICE)).json()
        found += [one["id"] for one in page["items"]]
        if "next" not in page:
            break
        after = f"&after={page['next'].replace('+', '%2B')}"
    assert found == ids[::-1]
    none = await gateway.http.get("/v1/schedules?created_before=2020-01-01T00:00:00Z", headers=ALICE)
    assert none.json() == {"items": []}


async def test_the_same_key_is_one_schedule(gateway: Gateway) -> None:
    """And another body under it is a conflict."""
    key = {"Idempotency-Key": "plants"}
    first = await make(gateway, ALICE | key)
    assert (await make(gateway, ALICE | key))["id"] == first["id"]
    other = await gateway.http.post("/v1/schedules", json=PLANTS | {"cron": "0 1 * * *"}, headers=ALICE | key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_conflict")


async def test_p1_the_same_key_at_the_same_moment_is_one_schedule(gateway: Gateway) -> None:
    """Before either is seen here: the same body gets the same answer, another one a conflict."""
    key = ALICE | {"Idempotency-Key": "at-once"}
    answers = await asyncio.gather(
        *(gateway.http.post("/v1/schedules", json=PLANTS | {"name": name}, headers=key) for name in ("one", "two") * 2)
    )
    first = next(answer.json() for answer in answers if answer.status_code == 201)
    for name, answer in zip(("one", "two") * 2, answers, strict=True):
        if name == first["name"]:
            assert (answer.status_code, answer.json()) == (201, first)
        else:
            assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_conflict")


async def test_a_key_whose_schedule_is_gone_makes_it_anew(gateway: Gateway) -> None:
    key = ALICE | {"Idempotency-Key": "again"}
    made = await make(gateway, key)
    assert (await gateway.http.delete(f"/v1/schedules/{made['id']}", headers=ALICE)).status_code == 204
    assert (await make(gateway, key))["id"] == made["id"]


async def test_run_now(gateway: Gateway, services: Others) -> None:
    """A command with the schedule as it is; the answer names what will come of it."""
    made = await make(gateway, enabled=False)
    answer = await gateway.http.post(f"/v1/schedules/{made['id']}/run", headers=ALICE)
    assert answer.status_code == 202
    [command] = await services.hear(e.Control)
    told = answer.json()
    assert command.command == RUN and str(command.correlation_id) == told["run_id"]
    assert Run.model_validate(command.args).schedule.notification["body"] == "water them"
    recipients = ("user/alice", "to/delivered@simulator.test")
    ids = [firing_id("default", made["id"], told["run_id"], one) for one in recipients]
    assert told["notifications"] == [str(id) for id in ids]


async def test_preview_shows_gap_and_overlap(gateway: Gateway) -> None:
    """Of a schedule that is there, and of one that is not."""
    made = await make(gateway)
    gap = await gateway.http.get(f"/v1/schedules/{made['id']}/preview?n=2&from=2027-03-27T12:00:00Z", headers=ALICE)
    assert gap.json() == {
        "firings": [
            {"at": "2027-03-28T01:00:00Z", "local": "2027-03-28T03:00:00+02:00", "note": "gap"},
            {"at": "2027-03-29T00:30:00Z", "local": "2027-03-29T02:30:00+02:00"},
        ],
        "time_zone": "Europe/Paris",
        "tzdata": edition(),
    }
    query = "cron=30 2 * * *&time_zone=Europe/Paris&from=2027-10-30T12:00:00Z&n=1"
    overlap = await gateway.http.get(f"/v1/schedules/preview?{query}", headers=ALICE)
    assert overlap.json()["firings"] == [
        {"at": "2027-10-31T00:30:00Z", "local": "2027-10-31T02:30:00+02:00", "note": "overlap"}
    ]


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"cron": "0 0 0 * * *"}, "cron: has six fields"),
    ({"cron": "0 0 * * FRI#L"}, "5L"),
    ({"cron": "0 0 30 2 *"}, "would never fire"),
    ({"cron": None}, "cron: give either cron or every_seconds"),
    ({"cron": None, "every_seconds": 0}, "every_seconds: is a whole number from 1"),
    ({"time_zone": "Europe/Pariss"}, "did you mean Europe/Paris?"),
    ({"starts_at": "2027-03-28T02:30:00"}, "starts_at: does not exist in Europe/Paris"),
    ({"ends_at": "2020-01-01T00:00:00Z"}, "ends_at: is over already"),
    ({"starts_at": "9999-12-31T23:59:00Z"}, "cron: it would never fire within these bounds"),
    ({"starts_at": "9999-12-31T23:59:59Z", "cron": None, "every_seconds": 60}, "would never fire within these bounds"),
    ({"recipients": []}, "recipients"),
    ({"recipients": ["bob", "bob"]}, "recipients: names somebody twice"),
    ({"recipients": [{"to": "nobody"}]}, "recipients"),
    ({"notification": {"channel": "email", "body": "b"}}, "notification.subject: an email needs a subject"),
    ({"notification": {"channel": "inapp", "body": "b", "send_at": "x"}}, "notification.send_at: recipients and times"),
    ({"misfire": "never"}, "misfire"),
    ({"colour": "red"}, "colour"),
]


ENDS_OF_THE_CALENDAR = [
    ("every_seconds=60&starts_at=0001-01-01T00:00:00Z", 200),
    ("cron=0 8 * * *&starts_at=0001-01-01T00:00:00Z", 200),
    ("every_seconds=60&starts_at=9999-12-31T23:59:59Z", 422),
    ("cron=*/59 */23 29 2 *&n=100", 200),
]


@pytest.mark.parametrize(("query", "status"), ENDS_OF_THE_CALENDAR)
async def test_a_preview_at_the_ends_of_the_calendar(house: House, query: str, status: int) -> None:
    """An answer in any case: what began long ago goes on, what no clock of the zone can show never fires."""
    answer = await house.http.get(f"/v1/schedules/preview?time_zone=Europe/Paris&{query}", headers=ALICE)
    assert answer.status_code == status, answer.text


@pytest.mark.parametrize(("more", "sentence"), WRONG, ids=[sentence for _, sentence in WRONG])
async def test_refused_with_field_and_remedy(house: House, more: dict[str, Any], sentence: str) -> None:
    body = {name: value for name, value in (PLANTS | more).items() if value is not None}
    answer = await house.http.post("/v1/schedules", json=body, headers=ALICE)
    assert answer.status_code == 422
    assert sentence in answer.json()["detail"]


async def test_without_kafka_nothing_is_promised(house: House) -> None:
    """503: the topic is the truth, and it has not heard."""
    answer = await house.http.post("/v1/schedules", json=PLANTS, headers=ALICE)
    assert answer.status_code == 503 and "retry-after" in answer.headers


async def test_a_local_time_that_is_not_one_is_422_with_both_candidates(house: House) -> None:
    """One-off times: in the gap, and in the overlap; `fold` says which."""
    body = {"channel": "inapp", "user_id": "bob", "body": "b", "time_zone": "Europe/Paris"}
    for text, first, second in (
        ("2027-03-28T02:30:00", "2027-03-28T01:30:00+01:00", "2027-03-28T03:30:00+02:00"),
        ("2027-10-31T02:30:00", "2027-10-31T02:30:00+02:00", "2027-10-31T02:30:00+01:00"),
    ):
        answer = await house.http.post("/v1/notifications", json=body | {"send_at": text}, headers=ALICE)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "send_at"
        assert first in answer.json()["detail"] and second in answer.json()["detail"]
        chosen = await house.http.post("/v1/notifications", json=body | {"send_at": text, "fold": 1}, headers=ALICE)
        assert chosen.status_code == 202


async def test_only_oneself_where_users_may_address_nobody_else(services: Others, database: str, folder: Path) -> None:
    async with running(settings_of(services.kafka, database, folder, address_anyone=["service", "admin"])) as closed:
        answer = await closed.http.post("/v1/schedules", json=PLANTS, headers=ALICE)
        assert (answer.status_code, answer.json()["code"]) == (403, "recipient_not_allowed")
        assert await make(closed, bearer("carol"), recipients=["carol"], notification={"channel": "inapp", "body": "b"})
