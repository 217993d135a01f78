"""All about one person: exported whole, and forgotten only by an admin of the tenant."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from contracts import events as e
from contracts.erasure import FORGET, Forget, hashed
from contracts.schedule import Schedule
from contracts.topics import DEADLINES, PREFERENCES, RECIPIENTS, SETTINGS, Topic
from kit.bus.record import Received
from kit.clock import utc_now
from kit.stage import Message
from services.gateway.handlers import directory, operations
from services.gateway.http.people.exporting import PAGE
from services.gateway.rules import people
from services.gateway.rules.recurring import Kept
from tests.services.gateway.conftest import (
    ADMIN,
    ADMIN_ELSEWHERE,
    ALICE,
    BELL,
    EMAIL,
    House,
    due_of,
    message,
    offsets,
)

WHERE = "/v1/admin/people/bob"


def told(topic: Topic, event: e.Event) -> Message:
    return Message(event, Received(topic.name, 0, next(offsets), utc_now(), b"", b""))


def schedule(**more: Any) -> Schedule:
    now = utc_now()
    said = {"cron": "0 8 * * *", "time_zone": "UTC", "notification": {"channel": "email", "subject": "s", "body": "b"}}
    return Schedule.model_validate({"owner": "user:alice", "created_at": now, "changed_at": now} | said | more)


def setting(id: str, **more: Any) -> e.Setting:
    return e.Setting(
        what="schedule", id=id, version=1, value=schedule(**more).model_dump(mode="json", exclude_none=True)
    )


async def known(house: House) -> None:
    """Bob as everybody knows him."""
    await house.remembers(
        told(RECIPIENTS, e.Recipient(user_id="bob", email="delivered@simulator.test")),
        told(PREFERENCES, e.Preference(user_id="bob", subject_name="categories", value={"news": {"email": False}})),
        told(DEADLINES, e.Deadline(id="d1", title="t", due_date="2031-01-01", assignees=("bob", "carol"))),
        told(DEADLINES, e.Deadline(id="d2", title="t", due_date="2031-01-01", assignees=("carol",))),
        told(SETTINGS, setting("s1", recipients=["bob", "carol"])),
        told(SETTINGS, setting("s2", recipients=[{"to": "Delivered@simulator.test"}])),
        told(SETTINGS, setting("s3", recipients=["carol"])),
    )


async def test_all_that_is_kept_is_exported(house: House) -> None:
    """Also what went to an address of his without naming him; nothing that is another one's."""
    await known(house)
    bell = await house.post(BELL)
    await house.shows(due_of(bell))
    by_address = await house.post(EMAIL)
    older = await house.post(EMAIL | {"to": "bounce@simulator.test"})
    await house.post(BELL | {"user_id": "carol"})
    answer = await house.http.get(f"{WHERE}/export?address=bounce@simulator.test", headers=ADMIN)
    assert answer.status_code == 200, answer.text
    all_ = answer.json()
    assert [one["id"] for one in all_["notifications"]] == [older, by_address, bell]
    assert all_["notifications"][0]["timeline"][0]["event"] == "accepted"
    assert all_["recipient"]["email"] == "delivered@simulator.test"
    assert all_["preferences"] == {"categories": {"news": {"email": False}}}
    assert [one["id"] for one in all_["deadlines"]] == ["d1"]
    assert sorted(one["id"] for one in all_["schedules"]) == ["s1", "s2"]
    assert [one["title"] for one in all_["inbox"]] == ["title"]
    nobody = (await house.http.get("/v1/admin/people/nobody/export", headers=ADMIN)).json()
    assert nobody["notifications"] == nobody["inbox"] == [] and nobody["recipient"] is None
    [deed] = (await house.http.get("/v1/admin/audit?path=/v1/admin/people/bob", headers=ADMIN)).json()["items"]
    assert (deed["method"], deed["status"]) == ("GET", 200)


async def test_many_are_exported_in_pages(house: House) -> None:
    many = {"notifications": [BELL] * (2 * PAGE + 1)}
    answer = await house.http.post("/v1/notifications/batch", json=many, headers=ALICE)
    ids = {one["id"] for one in answer.json()["results"]}
    all_ = (await house.http.get(f"{WHERE}/export", headers=ADMIN)).json()
    assert {one["id"] for one in all_["notifications"]} == ids and len(all_["notifications"]) == len(ids)


async def test_another_tenant_exports_nothing(house: House) -> None:
    await known(house)
    await house.post(BELL)
    all_ = (await house.http.get(f"{WHERE}/export", headers=ADMIN_ELSEWHERE)).json()
    assert all_["notifications"] == all_["deadlines"] == all_["schedules"] == [] and all_["recipient"] is None


async def test_an_erasure_is_seen_by_its_tenant_alone(house: House) -> None:
    """The report of each service, as it comes in."""
    await known(house)
    [order] = await directory_hears(house, told(RECIPIENTS, e.Tombstone(path="bob")))
    where = f"{WHERE}/erasures/{order.correlation_id}"
    answered = {"correlation_id": order.correlation_id, "command": "forget", "instance": "one", "at": utc_now()}
    for service in FORGET.owners[:2]:
        status = e.ServiceStatus.model_validate(answered | {"service": service, "state": "done", "result": {"n": 1}})
        async with house.database.transaction() as connection:
            await operations.note(connection, [message(status)])
    seen = (await house.http.get(where, headers=ADMIN)).json()
    assert (seen["user_id"], seen["state"]) == ("bob", "running")
    assert [part["state"] for part in seen["results"].values()].count("done") == 2
    assert (await house.http.get(where, headers=ADMIN_ELSEWHERE)).status_code == 404
    assert (await house.http.get(where.replace("bob", "carol"), headers=ADMIN)).status_code == 404
    assert (await house.http.get(f"{WHERE}/erasures/{uuid4()}", headers=ADMIN)).status_code == 404


async def directory_hears(house: House, *messages: Message) -> list[e.Control]:
    async with house.database.transaction() as connection:
        said = await directory.remember(connection, messages)
    return [out.event for out in said if isinstance(out.event, e.Control)]


async def test_p8_a_tombstone_orders_to_forget_once(house: House) -> None:
    """By the hashes of what the entry said. Read again, or for nobody, it orders nothing."""
    await known(house)
    gone = told(RECIPIENTS, e.Tombstone(path="bob"))
    [order] = await directory_hears(house, gone)
    who = Forget.model_validate(order.args)
    assert (who.user_id, who.address_hashes) == ("bob", (hashed("DELIVERED@simulator.test "),))
    assert order.command == "forget" and "simulator" not in order.model_dump_json()
    assert await directory_hears(house, gone) == []
    assert await directory_hears(house, told(RECIPIENTS, e.Tombstone(path="stranger"))) == []


async def test_what_cannot_be_erased(house: House) -> None:
    for body in ({"addresses": ["nonsense"]}, {"addresses": ["a@example.com"] * 21}, {"address": "a@example.com"}, []):
        answer = await house.http.post(f"{WHERE}/erase", json=body, headers=ADMIN)
        assert answer.status_code == 422, body
    assert (await house.http.post(f"{WHERE}/erase", json={}, headers=ALICE)).status_code == 403
    kafka_is_away = await house.http.post(f"{WHERE}/erase", json={}, headers=ADMIN)
    assert kafka_is_away.status_code == 503


def test_a_schedule_goes_on_for_those_who_are_left() -> None:
    who = Forget(tenant="default", user_id="bob", address_hashes=(hashed("a@example.com"),), through=utc_now())
    kept = Kept("default", "s", 3, schedule(recipients=["bob", "carol", {"to": "A@example.com"}]))
    left = people.without(kept, who, 4, uuid4())
    assert isinstance(left, e.Setting) and left.version == 4 and left.value and left.value["recipients"] == ["carol"]
    alone = Kept("default", "s", 3, schedule(recipients=[{"to": "A@example.com"}]))
    assert isinstance(people.without(alone, who, 4, uuid4()), e.Tombstone)
