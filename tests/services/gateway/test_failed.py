"""What failed is found, and sent again as often as it fails and no oftener (P6.5), over real PostgreSQL and Kafka."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

from contracts import events as e
from contracts import identity
from contracts.status import Channel, Status
from kit.clock import utc_now
from kit.settings import KafkaSettings
from tests.services.gateway.conftest import ADMIN, ALICE, BELL, EMAIL, House, settings_of
from tests.services.gateway.support import others, running

Outcome = Literal[Status.CANCELLED, Status.EXPIRED, Status.REJECTED, Status.FAILED]


def failed(id: str, outcome: Outcome = Status.FAILED, **more: Any) -> e.Failed:
    said = {"reason": "refused", "detail": "550 no such mailbox", "channel": Channel.EMAIL, "owner": "user:alice"}
    return e.Failed.model_validate({"id": id, "accepted_at": utc_now(), "outcome": outcome} | said | more)


async def one_that_failed(house: House, body: dict[str, Any] = EMAIL, **more: Any) -> str:
    id = await house.post(body)
    await house.hears(failed(id, **more))
    return id


async def replay(house: House, id: str, status: int = 202) -> dict[str, Any]:
    answer = await house.http.post(f"/v1/admin/failed/{id}/replay", headers=ADMIN)
    assert answer.status_code == status, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def replay_all(house: House, **which: Any) -> dict[str, Any]:
    answer = await house.http.post("/v1/admin/failed/replay", json=which, headers=ADMIN)
    assert answer.status_code == 202, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def listed(house: House, query: str = "") -> list[str]:
    answer = await house.http.get(f"/v1/admin/failed{query}", headers=ADMIN)
    assert answer.status_code == 200, answer.text
    return [one["id"] for one in answer.json()["items"]]


async def test_listed_the_newest_first_and_narrowed(house: House) -> None:
    first = await one_that_failed(house, EMAIL | {"metadata": {"order": "17"}})
    await house.post()
    second = await one_that_failed(house, BELL, outcome=Status.EXPIRED, reason="expired", channel=Channel.INAPP)
    cancelled = await one_that_failed(house, outcome=Status.CANCELLED, reason="cancelled")
    assert await listed(house) == [second, first]
    for query, found in (
        ("?status=expired", [second]),
        ("?status=rejected", []),
        ("?reason=refused", [first]),
        ("?channel=inapp", [second]),
        ("?to=DELIVERED@simulator.test", [first]),
        ("?user_id=bob", [second]),
        ("?metadata.order=17", [first]),
        ("?metadata.order=17&reason=expired", []),
        ("?since=2020-01-01T00:00:00Z", [second, first]),
        ("?since=2099-01-01T00:00:00Z", []),
    ):
        assert await listed(house, query) == found, query
    items = (await house.http.get("/v1/admin/failed", headers=ADMIN)).json()["items"]
    assert [line["event"] for line in items[1]["timeline"]] == ["accepted", "failed"]
    everything = await house.http.get("/v1/notifications?status=cancelled", headers=ADMIN)
    assert [one["id"] for one in everything.json()["items"]] == [cancelled]


async def test_pages_are_whole(house: House) -> None:
    ids = [await one_that_failed(house, outcome=(Status.FAILED, Status.REJECTED)[n % 2]) for n in range(7)]
    found: list[str] = []
    after = ""
    while after is not None:
        query = f"?limit=3{f'&after={after}' if after else ''}"
        page = (await house.http.get(f"/v1/admin/failed{query}", headers=ADMIN)).json()
        found += [one["id"] for one in page["items"]]
        after = page.get("next")
    assert found == ids[::-1]


async def test_p6_5_replayed(house: House) -> None:
    """A new one of the same maker, at once: its time is over, and it collapses nothing newer."""
    asked = EMAIL | {"send_at": "2029-01-01T08:00:00Z", "expires_at": "2029-01-02T08:00:00Z", "collapse_key": "k"}
    id = await one_that_failed(house, asked | {"group": "g"})
    told = await replay(house, id)
    assert told["replay_of"] == id and told["first"] is True
    assert told["id"] == str(identity.child_id(UUID(id), "replay/1"))
    seen = await house.get(told["id"])
    assert seen["replay_of"] == id and seen["status"] == "accepted" and seen["group"] == "g"
    assert not {"send_at", "expires_at", "collapse_key"} & seen.keys()


async def test_p6_5_two_clicks_are_one(house: House) -> None:
    id = await one_that_failed(house)
    told = await asyncio.gather(*(replay(house, id) for _ in range(5)))
    assert len({one["id"] for one in told}) == 1
    assert sum(one["first"] for one in told) == 1
    assert (await replay(house, id))["first"] is False


async def test_p6_5_replayed_again_only_when_the_replay_has_failed(house: House) -> None:
    """A replay's replay is the next one of the first, whichever of them is named."""
    id = await one_that_failed(house)
    first = (await replay(house, id))["id"]
    await house.hears(failed(first))
    second = await replay(house, first)
    assert (second["replay_of"], second["id"]) == (id, str(identity.child_id(UUID(id), "replay/2")))
    assert (await replay(house, id))["id"] == second["id"]
    sent = e.Sent(id=second["id"], accepted_at=utc_now(), owner="user:alice", channel=Channel.EMAIL, at=utc_now())
    await house.hears(sent)
    assert await replay(house, id) == {"id": second["id"], "replay_of": id, "status": "sent", "first": False}


async def test_p6_5_all_since(house: House) -> None:
    """Each once, however often it is asked; what is in the way of one stops no other."""
    before = utc_now() - timedelta(hours=1)
    ids = {await one_that_failed(house) for _ in range(3)}
    unheard_of = "00000000-0000-4000-8000-000000000001"
    await house.hears(failed(unheard_of))
    told = await replay_all(house, since=before.isoformat())
    assert {one["replay_of"] for one in told["replayed"]} == ids
    assert [one["id"] for one in told["skipped"]] == [unheard_of]
    again = await replay_all(house, since=before.isoformat())
    assert [one["first"] for one in again["replayed"]] == [] and len(again["skipped"]) == 1
    await house.hears(failed(told["replayed"][0]["id"]))
    third = await replay_all(house, since=before.isoformat(), channel="email")
    assert [one["replay_of"] for one in third["replayed"]] == [told["replayed"][0]["replay_of"]]
    assert (await replay_all(house, since=(utc_now() + timedelta(hours=1)).isoformat()))["replayed"] == []


async def test_p6_5_in_steps(house: House) -> None:
    ids = {await one_that_failed(house) for _ in range(5)}
    told = await replay_all(house, status="failed", limit=2)
    done = {one["replay_of"] for one in told["replayed"]}
    while told.get("next"):
        told = await replay_all(house, status="failed", limit=2, after=told["next"])
        done |= {one["replay_of"] for one in told["replayed"]}
    assert done == ids


async def test_one_channel_of_several(house: House) -> None:
    """The channel that failed, with the files of what was asked for."""
    file = {"name": "a.txt", "content_type": "text/plain", "content": "aGVsbG8="}
    asked = {"channels": ["email", "inapp"], "user_id": "bob", "subject": "s", "body": "b", "attachments": [file]}
    parent = await house.post(asked)
    child = str(identity.child_id(UUID(parent), "email"))
    await house.hears(failed(child))
    told = await replay(house, child)
    seen = await house.get(told["id"])
    assert (seen["channel"], seen["replay_of"], seen["attachments"][0]["name"]) == ("email", child, "a.txt")
    assert "channels" not in seen


async def test_what_cannot_be_replayed(house: House) -> None:
    open_ = await house.post()
    told = await replay(house, open_, 409)
    assert told["code"] == "not_failed" and "accepted" in told["detail"]
    unheard_of = "00000000-0000-4000-8000-000000000002"
    await house.hears(failed(unheard_of))
    assert (await replay(house, unheard_of, 409))["code"] == "not_replayable"
    await replay(house, "00000000-0000-4000-8000-00000000ffff", 404)
    everything = await house.http.post("/v1/admin/failed/replay", json={}, headers=ADMIN)
    assert everything.status_code == 422 and everything.json()["errors"][0]["field"] == "since"
    for status in ("sent", "cancelled"):
        assert (await house.http.get(f"/v1/admin/failed?status={status}", headers=ADMIN)).status_code == 422


async def test_admins_only(house: House) -> None:
    id = await one_that_failed(house)
    for method, path in (("GET", ""), ("POST", "/replay"), ("POST", f"/{id}/replay")):
        answer = await house.http.request(method, f"/v1/admin/failed{path}", headers=ALICE, json={"status": "failed"})
        assert (answer.status_code, answer.json()["code"]) == (403, "admins_only")


async def test_p6_5_intake_hears_whose_replay_it_is(kafka: KafkaSettings, database: str, tmp_path: Path) -> None:
    """Also when it is said again, from the table: there stands whose it is."""
    quick = {"scheduler": {"check_interval_seconds": 0.25}}
    async with others(kafka) as judge, running(settings_of(kafka, database, tmp_path, notifications=quick)) as gateway:
        id = await gateway.post()
        [asked] = await judge.hear(e.Requested)
        await judge.say(failed(id, accepted_at=asked.accepted_at))
        await gateway.shows(id, "failed")
        answer = await gateway.http.post(f"/v1/admin/failed/{id}/replay", headers=ADMIN)
        new = answer.json()["id"]

        def replayed() -> list[e.Requested]:
            return [one for one in judge.of(e.Requested) if str(one.id) == new]

        async def twice() -> bool:
            return len(replayed()) > 1

        await judge.listen_until(twice)
        heard = replayed()
        assert [one.again for one in heard[:2]] == [False, True]
        assert {(str(one.replay_of), one.owner, one.request.to) for one in heard} == {(id, asked.owner, EMAIL["to"])}
