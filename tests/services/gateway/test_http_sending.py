"""What is accepted, what is refused, and in which words."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from contracts import events as e
from contracts.identity import notification_id
from contracts.request import NotificationRequest
from kit.metrics import Metrics
from kit.settings import KafkaSettings
from services.gateway.http.ids import new_id
from services.gateway.outbox.writer import CannotAccept, Writer
from services.gateway.rules.asked import Acceptance, Asked
from services.gateway.settings import Pace
from services.gateway.store import outbox
from tests.services.gateway.conftest import ALICE, BELL, BOB, EMAIL, SERVICE, House, opened, settings_of
from tests.services.gateway.support import as_owner, away, until

KIB = 1024


async def test_accepted_and_found_at_once(house: House) -> None:
    """Kafka is away here: a POST is 202 all the same (design 4.2), and GET finds it."""
    answer = await house.http.post("/v1/notifications", json=EMAIL | {"metadata": {"order": "17"}}, headers=ALICE)
    assert answer.status_code == 202
    told = answer.json()
    assert answer.headers["location"] == f"/v1/notifications/{told['id']}"
    assert (told["status"], told["channel"], told["to"]) == ("accepted", "email", EMAIL["to"])
    seen = await house.get(told["id"])
    assert (seen["status"], seen["subject"], seen["body"]) == ("accepted", "s", "b")
    assert seen["metadata"] == {"order": "17"}
    assert [(line["event"], line["at"]) for line in seen["timeline"]] == [("accepted", seen["created_at"])]
    assert seen["created_at"] == told["created_at"]


async def test_p1_the_same_key_names_the_same_notification(house: House) -> None:
    first = await house.post(key="order-17")
    assert UUID(first) == notification_id("default", "user:alice", "order-17")
    assert await house.post(key="order-17") == first
    assert await house.post(who=BOB, key="order-17") != first
    async with house.database.connection() as connection:
        assert await connection.fetchval("select count(*) from outbox") == 2


async def test_p1_without_a_key_every_post_is_a_new_one(house: House) -> None:
    first, second = UUID(await house.post()), UUID(await house.post())
    assert first != second
    assert (first.version, second.version) == (7, 7)


async def test_p1_the_same_key_with_another_body_is_refused(house: House) -> None:
    first = await house.post(key="k")
    other = EMAIL | {"body": "another"}
    answer = await house.http.post("/v1/notifications", json=other, headers=ALICE | {"Idempotency-Key": "k"})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "idempotency_conflict"
    assert answer.json()["errors"][0]["field"] == "Idempotency-Key"
    assert (await house.get(first))["body"] == "b"


async def test_p1_the_same_key_at_the_same_moment(house: House) -> None:
    """Twice in one group of the writer: one row, one conflict for the other body."""
    headers = ALICE | {"Idempotency-Key": "k"}
    bodies = [EMAIL, EMAIL, EMAIL | {"body": "another"}]
    answers = await asyncio.gather(
        *(house.http.post("/v1/notifications", json=body, headers=headers) for body in bodies)
    )
    assert [answer.status_code for answer in answers] == [202, 202, 422]
    assert answers[0].json()["id"] == answers[1].json()["id"]


async def test_p1_beside_another_body_a_repeat_is_a_repeat(house: House) -> None:
    """In one group of the writer: what somebody else tries under the key takes nothing from who has it."""
    first = await house.post(key="k")
    items = [EMAIL | {"body": "another"}, EMAIL, EMAIL | {"body": "a third one"}]
    asked = {"notifications": [item | {"idempotency_key": "k"} for item in items]}
    answer = await house.http.post("/v1/notifications/batch", json=asked, headers=ALICE)
    refused, repeat, refused_too = answer.json()["results"]
    assert repeat["id"] == first
    assert {one["error"]["code"] for one in (refused, refused_too)} == {"idempotency_conflict"}


async def test_concurrent_requests_share_their_transactions(house: House) -> None:
    """Design 4.2: the commit to the disk is what costs, and many share one."""
    before = house.writer.groups
    ids = await asyncio.gather(*(house.post() for _ in range(200)))
    assert len(set(ids)) == 200
    assert house.writer.groups - before < 50


async def test_several_channels_are_several_notifications(house: House) -> None:
    """P6.3: a parent is a group; each channel is a notification of its own."""
    body = {"channels": ["email", "inapp"], "user_id": "bob", "subject": "s", "body": "b"}
    seen = await house.get(await house.post(body))
    assert seen["channels"] == ["email", "inapp"]
    assert [(child["channel"], child["status"]) for child in seen["children"]] == [
        ("email", "accepted"),
        ("inapp", "accepted"),
    ]
    child = await house.get(seen["children"][0]["id"])
    assert (child["parent"], child["body"]) == (seen["id"], "b")


WRONG: list[tuple[dict[str, Any], str]] = [
    (EMAIL | {"colour": "red"}, "colour"),
    (EMAIL | {"to": "not an address"}, "to"),
    (EMAIL | {"to": None}, "to"),
    (EMAIL | {"subject": "two\r\nBcc: all@example.com"}, "subject"),
    (EMAIL | {"body": "a\x00b"}, "body"),
    (EMAIL | {"metadata": {"k": "v" * 65}}, "metadata"),
    (EMAIL | {"channel": "pigeon"}, "channel"),
    (EMAIL | {"send_at": "2027-03-28T02:30:00", "time_zone": "Europe/Paris"}, "send_at"),
    (EMAIL | {"send_at": "2050-01-01T08:00:00Z"}, "send_at"),
    (EMAIL | {"data": {"a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": {"i": {}}}}}}}}}}}, "data"),
    ({"channel": "sms", "to": "0612345678", "body": "b"}, "to"),
]


async def test_what_is_wrong_is_named(house: House) -> None:
    for body, field in WRONG:
        answer = await house.http.post("/v1/notifications", json=body, headers=ALICE)
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (422, "validation_failed"), field
        assert field in {error["field"] for error in problem["errors"]}, problem


NO_JSON = {
    "nothing": b"",
    "half": b"{",
    "a list": b"[]",
    "null": b"null",
    "a surrogate": b'{"channel": "email", "to": "a@example.com", "subject": "\\ud800", "body": "b"}',
    "latin 1": b'{"channel": "email", "to": "a@example.com", "subject": "\xff", "body": "b"}',
    "deep": b'{"data": ' + b'{"a":' * 5000 + b"1" + b"}" * 5000 + b"}",
    "digits": b'{"data": {"n": ' + b"9" * 6000 + b"}}",
    "brackets": b"[" * 20000,
}


async def test_what_is_no_json_is_422_and_never_500(house: House) -> None:
    for name, body in NO_JSON.items():
        for path in ("/v1/notifications", "/v1/notifications/batch"):
            answer = await house.http.post(path, content=body, headers=ALICE)
            assert answer.status_code == 422, (name, path)
            assert answer.json()["code"] in ("invalid_json", "validation_failed"), (name, path)


async def test_any_json_number_ends_well(house: House) -> None:
    """NaN and numbers beyond all bounds are in some people's JSON."""
    for number in ("NaN", "1e999", "-Infinity", "1" * 400):
        body = json.dumps(EMAIL)[:-1] + f', "data": {{"n": {number}}}}}'
        answer = await house.http.post("/v1/notifications", content=body, headers=ALICE)
        assert answer.status_code in (202, 422)


async def test_a_key_is_a_short_text(house: House) -> None:
    for key in ("", "k" * 256, "a\tb"):
        answer = await house.http.post("/v1/notifications", json=EMAIL, headers=ALICE | {"Idempotency-Key": key})
        assert answer.status_code == 422, key


async def test_a_body_is_limited_while_it_is_read(house: House) -> None:
    read = 0

    async def endless() -> Any:
        nonlocal read
        while True:
            read += 64 * KIB
            yield b" " * 64 * KIB

    answer = await house.http.post("/v1/notifications", content=endless(), headers=ALICE)
    assert answer.status_code == 413
    assert answer.json()["code"] == "too_large"
    assert read < 900 * KIB


async def test_a_notification_is_at_most_64_kib(house: House) -> None:
    for size, status in ((60 * KIB, 202), (65 * KIB, 413)):
        answer = await house.http.post("/v1/notifications", json=EMAIL | {"body": "x" * size}, headers=ALICE)
        assert answer.status_code == status


@pytest.mark.parametrize(("size", "status"), [(450 * KIB, 202), (720 * KIB, 413)])
async def test_attachments_may_be_larger(house: House, size: int, status: int) -> None:
    content = b64encode(b"x" * (size * 3 // 4)).decode()
    files = [{"name": "a.pdf", "content_type": "application/pdf", "content": content}]
    answer = await house.http.post("/v1/notifications", json=EMAIL | {"attachments": files}, headers=ALICE)
    assert answer.status_code == status
    if status == 202:
        seen = await house.get(answer.json()["id"])
        assert seen["attachments"] == [{"name": "a.pdf", "content_type": "application/pdf"}]


async def test_what_is_kept_is_what_is_published(house: House) -> None:
    """Whoever publishes a row later says what the first would have said, attachments and all (P6.1)."""
    files = [{"name": "a.ics", "content_type": "text/calendar", "content": b64encode(b"BEGIN").decode()}]
    bodies: list[dict[str, Any]] = [EMAIL, EMAIL | {"attachments": files, "lane": "urgent", "data": {"n": [1, None]}}]
    ids = [await house.post(body) for body in bodies]
    async with house.database.transaction() as connection:
        await connection.execute("update outbox set next_at = clock_timestamp()")
        rows = {str(row.id): row.said() for row in await outbox.take(connection, 10, 15)}
        assert await outbox.take(connection, 10, 15) == []
    for id, body in zip(ids, bodies, strict=True):
        said = rows[id]
        assert isinstance(said, e.Requested)
        assert said.request.model_dump(mode="json", exclude_unset=True) == body
        assert said.request.fingerprint == NotificationRequest.model_validate(body).fingerprint
        assert (said.owner, said.channel, said.again) == ("user:alice", "email", False)


async def test_a_batch_is_answered_item_by_item(house: House) -> None:
    first = await house.post(key="taken")
    items = [
        EMAIL,
        EMAIL | {"to": "nonsense"},
        EMAIL | {"idempotency_key": "taken"},
        EMAIL | {"idempotency_key": "taken", "body": "another"},
        "no object",
        EMAIL | {"idempotency_key": 7},
    ]
    answer = await house.http.post("/v1/notifications/batch", json={"notifications": items}, headers=ALICE)
    assert answer.status_code == 202
    results = answer.json()["results"]
    assert results[0]["status"] == "accepted"
    assert results[1]["error"]["errors"][0]["field"] == "to"
    assert results[2]["id"] == first
    assert results[3]["error"]["code"] == "idempotency_conflict"
    assert results[4]["error"]["code"] == results[5]["error"]["code"] == "validation_failed"
    assert (await house.get(results[0]["id"]))["status"] == "accepted"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"notifications": [EMAIL] * 1000}, 202),
        ({"notifications": [EMAIL] * 1001}, 422),
        ({"notifications": []}, 422),
        ({"notifications": [EMAIL], "more": 1}, 422),
        ({"notifications": [EMAIL | {"body": "x" * 1024 * KIB}]}, 413),
    ],
    ids=["thousand", "more", "none", "unknown", "large"],
)
async def test_a_batch_has_limits(house: House, body: dict[str, Any], status: int) -> None:
    answer = await house.http.post("/v1/notifications/batch", json=body, headers=ALICE)
    assert answer.status_code == status, answer.text[:300]
    if status == 202:
        assert len({result["id"] for result in answer.json()["results"]}) == 1000


async def test_a_channel_that_is_switched_off(database: str, nowhere: KafkaSettings, tmp_path: Path) -> None:
    settings = settings_of(nowhere, database, tmp_path, notifications={"sms": {"enabled": False}})
    async with opened(settings) as house:
        body = {"channel": "sms", "to": "+33612345678", "body": "b"}
        answer = await house.http.post("/v1/notifications", json=body, headers=ALICE)
        assert (answer.status_code, answer.json()["code"]) == (422, "channel_disabled")
        assert await house.post()


async def test_a_closed_installation_refuses_strangers(database: str, nowhere: KafkaSettings, tmp_path: Path) -> None:
    settings = settings_of(nowhere, database, tmp_path, address_anyone=["service", "admin"])
    async with opened(settings) as house:
        answer = await house.http.post("/v1/notifications", json=EMAIL, headers=ALICE)
        assert (answer.status_code, answer.json()["code"]) == (403, "recipient_not_allowed")
        assert await house.post(BELL, who=BOB)
        assert await house.post(who=SERVICE)


async def test_without_postgresql_it_is_503(database: str, nowhere: KafkaSettings, tmp_path: Path) -> None:
    """Nothing is accepted that is not on the disk (design 4.2)."""
    away = database.replace("host=/", "host=/nowhere/")
    async with opened(settings_of(nowhere, away, tmp_path)) as house:
        answers = [
            await house.http.post("/v1/notifications", json=EMAIL, headers=ALICE),
            await house.http.get("/v1/notifications", headers=ALICE),
            await house.http.get("/v1/inbox", headers=ALICE),
        ]
        for answer in answers:
            assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
            assert answer.headers["retry-after"]


async def test_who_waits_too_long_for_the_database_is_told_to_come_back(house: House, database: str) -> None:
    """Each when his own patience is over, and nobody who is answered is kept."""
    request = NotificationRequest.model_validate(EMAIL)
    writer = Writer(house.database, house.desk.announcer, Pace(patience=0.6, queue_patience=0.3), Metrics())
    await writer.start()
    owner = await asyncpg.connect(database)

    def accepted() -> asyncio.Task[object]:
        return asyncio.create_task(writer.accept([Asked.of(new_id(), "default", "user:alice", request)]))

    async with owner.transaction():
        await owner.execute("lock table gateway.outbox in exclusive mode")
        early, later = accepted(), accepted()
        await asyncio.wait({early})
        last = accepted()
        await asyncio.wait({later, last})
    assert all(isinstance(one.exception(), CannotAccept) for one in (early, later, last))
    writer._pace = Pace()  # what comes now is well: how long it takes says only how busy the machine is
    assert isinstance((await writer.accept([Asked.of(new_id(), "default", "user:alice", request)]))[0], Acceptance)
    assert not writer.unanswered
    # The first two were under way, and nobody can say; the last one was not begun, and is not sent behind his back.
    assert await owner.fetchval("select count(*) from gateway.outbox") == 3
    await owner.close()
    await writer.stop()


async def test_wait_ends_with_the_time(house: House) -> None:
    answer = await house.http.post("/v1/notifications?wait=0.2", json=EMAIL, headers=ALICE)
    assert (answer.status_code, answer.json()["status"]) == (202, "accepted")
    assert answer.json()["timeline"]


@pytest.mark.parametrize("path", ["/v1/notifications?wait=20", "/notifications/envoyer-immediatement"])
async def test_p6_1_what_is_accepted_is_never_answered_by_an_error(house: House, database: str, path: str) -> None:
    """The database goes while the outcome is waited for: who was told 503 would ask again, and two would be sent."""
    body = EMAIL if "/v1/" in path else {"type": "email", "destinataire": EMAIL["to"], "sujet": "s", "contenu": "b"}
    asking = asyncio.create_task(house.http.post(path, json=body, headers=ALICE))
    accepted = "select id from gateway.notifications"
    await until(lambda: as_owner(database, accepted))
    async with away(database):
        answer = await asking
    assert answer.status_code in (201, 202), answer.text
    told = answer.json()
    assert UUID(told["id"]) == await as_owner(database, accepted)
    assert told.get("status", told.get("statut")) in ("accepted", "en_attente")
    assert answer.headers["location"].endswith(f"/notifications/{told['id']}")


async def test_wait_is_a_number_of_seconds(house: House) -> None:
    for wait in ("-1", "nan", "31", "soon"):
        answer = await house.http.post(f"/v1/notifications?wait={wait}", json=EMAIL, headers=ALICE)
        assert answer.status_code == 422, wait


def shortest(body: dict[str, Any]) -> bytes:
    """The body as short as JSON allows: 1e15 takes four bytes, and eighteen when it is written out."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).replace("1000000000000000.0", "1e15").encode()


async def test_a_request_that_grows_beyond_a_record_is_refused_before_it_is_accepted(house: House) -> None:
    """Kafka would never take it: better 413 at once than a 202 of which nothing comes."""
    file = {"name": "f", "content_type": "text/plain", "content": b64encode(b"x").decode()}
    body = shortest(EMAIL | {"data": {"many": [1e15] * 110_000}, "attachments": [file]})
    assert len(body) < 700 * KIB
    answer = await house.http.post("/v1/notifications", content=body, headers=ALICE)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert "link" in answer.json()["detail"]
    async with house.database.connection() as connection:
        assert await connection.fetchval("select count(*) from outbox") == 0


@pytest.mark.parametrize("data", [{"many": [1e15] * 180_000}, {"text": "x" * 1022 * KIB}], ids=["grows", "fills it"])
async def test_an_item_that_fits_no_record_is_refused_alone(house: House, data: dict[str, Any]) -> None:
    body = shortest({"notifications": [EMAIL, EMAIL | {"data": data}]})
    assert len(body) <= KIB * KIB
    answer = await house.http.post("/v1/notifications/batch", content=body, headers=ALICE)
    first, second = answer.json()["results"]
    assert first["status"] == "accepted"
    assert (second["error"]["status"], second["error"]["code"]) == (413, "too_large")


@pytest.mark.parametrize("path", ["/v1/notifications", "/v1/notifications/batch"])
async def test_what_is_served_at_the_door_answers_like_everybody(house: House, path: str) -> None:
    """Its errors are problems, its other methods and whatever lies beside it are FastAPI's."""
    answer = await house.http.post(path, json=EMAIL)
    assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")
    answer = await house.http.post(path, content=b"{", headers=ALICE)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_json")
    assert (await house.http.put(path, headers=ALICE)).status_code == 405
    assert (await house.http.post(f"{path}?x=%00", json=EMAIL, headers=ALICE)).status_code == 422
    assert (await house.http.post(f"{path}/none", json=EMAIL, headers=ALICE)).status_code in (404, 405)
