"""The fates of what a gateway accepts and hears, over real Kafka and PostgreSQL."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from contracts import events as e
from contracts.status import Channel, Lane, Status
from contracts.topics import DUE_INAPP, FAILED, RECIPIENTS, REQUESTED, SENT, Topic
from kit.clock import utc_now
from kit.settings import KafkaSettings, Settings
from tests.kit.bus.support import delete, make
from tests.services.gateway.conftest import ADMIN, ALICE, BELL, BOB, EMAIL, due_of, settings_of
from tests.services.gateway.support import Gateway, Others, as_owner, others, running, until

QUICK = {"scheduler": {"check_interval_seconds": 0.25}}
"""Sweeps that look every half second, and take that as their slack."""


@pytest.fixture
def settings(kafka: KafkaSettings, database: str, tmp_path: Path) -> Settings:
    return settings_of(kafka, database, tmp_path)


@pytest.fixture
def quick(kafka: KafkaSettings, database: str, tmp_path: Path) -> Settings:
    """For what is said again and asked for. Whoever answers half a second later hears everything twice."""
    return settings_of(kafka, database, tmp_path, notifications=QUICK)


@pytest.fixture
async def judge(kafka: KafkaSettings) -> AsyncIterator[Others]:
    async with others(kafka) as judge:
        yield judge


@pytest.fixture
async def gateway(judge: Others, settings: Settings) -> AsyncIterator[Gateway]:
    async with running(settings) as gateway:
        yield gateway


def of(asked: e.Requested) -> dict[str, Any]:
    return asked.passed_on()


async def test_posted_published_and_answered(judge: Others, gateway: Gateway, database: str) -> None:
    id = await gateway.post(EMAIL | {"group": "g", "lane": "urgent"})
    [asked] = await judge.hear(e.Requested)
    assert judge.heard[0].topic == REQUESTED[asked.lane].name
    assert (str(asked.id), asked.owner, asked.group, asked.again) == (id, "user:alice", "g", False)
    assert asked.request.model_dump(exclude_unset=True) == EMAIL | {"group": "g", "lane": "urgent"}
    seen = await gateway.get(id)
    assert seen["created_at"] == asked.accepted_at.isoformat().replace("+00:00", "Z")
    await judge.say(e.Sent(**of(asked), at=utc_now(), provider="smtp"))
    seen = await gateway.shows(id, "sent")
    assert [line["event"] for line in seen["timeline"]] == ["accepted", "sent"]
    assert await as_owner(database, "select count(*) from gateway.outbox") == 0


async def test_wait_tells_the_outcome(judge: Others, gateway: Gateway) -> None:
    asking = asyncio.create_task(gateway.http.post("/v1/notifications?wait=20", json=EMAIL, headers=ALICE))
    [asked] = await judge.hear(e.Requested)
    await judge.say(e.Failed(**of(asked), outcome=Status.REJECTED, reason="unknown_template"))
    answer = await asking
    assert (answer.status_code, answer.json()["status"]) == (202, "rejected")
    assert answer.json()["reason"] == "unknown_template"


async def test_a_move_and_a_cancel_are_said(judge: Others, gateway: Gateway, database: str) -> None:
    id = await gateway.post(EMAIL | {"send_at": "2030-01-01T08:00:00Z"})
    [asked] = await judge.hear(e.Requested)
    at = asked.request.planned_at
    await judge.say(e.Scheduled(**of(asked), round=1, at=at))
    await gateway.shows(id, "scheduled")
    await gateway.http.patch(f"/v1/notifications/{id}", json={"send_at": "2031-01-01T08:00:00Z"}, headers=ALICE)
    [move] = await judge.hear(e.Move)
    assert (str(move.id), move.at.year) == (id, 2031)
    await judge.say(e.Scheduled(**of(asked), round=2, edit=move.edit, at=move.at))
    await gateway.http.delete(f"/v1/notifications/{id}", headers=ALICE)
    [cancel] = await judge.hear(e.Cancel)
    assert str(cancel.id) == id
    assert cancel.edit > move.edit
    assert judge.heard[-1].topic == "notifications.requested.urgent"
    await judge.say(e.Failed(**of(asked), outcome=Status.CANCELLED, reason="cancelled"))
    seen = await gateway.shows(id, "cancelled")
    assert seen["send_at"] == "2031-01-01T08:00:00Z"
    assert [line["event"] for line in seen["timeline"]] == ["accepted", "scheduled", "moved", "scheduled", "cancelled"]
    await until(lambda: as_owner(database, "select count(*) = 0 from gateway.outbox"))


async def test_a_group_is_cancelled(judge: Others, gateway: Gateway) -> None:
    await gateway.post(EMAIL | {"group": "g"})
    await gateway.http.delete("/v1/notifications?group=g", headers=ALICE)
    await gateway.http.delete("/v1/notifications?group=g", headers=ADMIN)
    own, all_ = await judge.hear(e.Cancel, 2)
    [asked] = await judge.hear(e.Requested)
    assert (own.group, own.owner, own.id, all_.owner) == ("g", "user:alice", None, None)
    assert own.accepted_at > asked.accepted_at


async def test_p6_1_what_is_not_answered_is_said_again(judge: Others, quick: Settings, database: str) -> None:
    """Intake has read past it and said nothing: it never heard, so it hears it once more, after pauses that double."""
    async with running(quick) as gateway:
        id = await gateway.post()
        await gateway.http.delete(f"/v1/notifications/{id}", headers=ALICE)
        first, *more = await judge.hear(e.Requested, 3)
        assert [asked.again for asked in (first, *more[:2])] == [False, True, True]
        assert {asked.id for asked in more} == {UUID(id)}
        assert more[0].request == first.request
        assert more[0].accepted_at == first.accepted_at
        cancels = await judge.hear(e.Cancel, 2)
        assert [cancel.again for cancel in cancels[:2]] == [False, True]
        await judge.say(e.Failed(**of(first), outcome=Status.CANCELLED, reason="cancelled"))
        await judge.listen_until(lambda: as_owner(database, "select count(*) = 0 from gateway.outbox"))


async def test_p6_1_what_is_only_late_is_not_said_again(judge: Others, quick: Settings, database: str) -> None:
    """Intake has not read that far: nothing is lost."""
    async with running(quick) as gateway:
        await gateway.post()
        published = "select count(*) from gateway.outbox where published_at < clock_timestamp() - interval '3 seconds'"
        await until(lambda: as_owner(database, published))
        assert await as_owner(database, "select sum(repeats) from gateway.outbox") == 0
        await judge.hear(e.Requested, 2)


async def test_p6_1_two_gateways_publish_each_row_once(judge: Others, settings: Settings, database: str) -> None:
    async with running(settings) as one, running(settings) as other:
        ids = await asyncio.gather(*(gateway.post() for gateway in (one, other) for _ in range(50)))
        heard = await judge.hear(e.Requested, 100)
        assert sorted(str(asked.id) for asked in heard) == sorted(ids)
        await judge.say(*(e.Sent(**of(asked), at=utc_now()) for asked in heard))
        await until(lambda: as_owner(database, "select count(*) = 0 from gateway.outbox"))
        for id in ids:
            assert (await one.get(id))["status"] == (await other.get(id))["status"] == "sent"
        stats = (await one.http.get("/v1/admin/stats", headers=ADMIN)).json()
        assert stats["reconciliation"] == {"accepted": 100, "final": 100, "open": 0, "lost": 0}


async def test_p6_2_the_bell_rings_once(judge: Others, settings: Settings) -> None:
    """Two gateways, the same notification three times, and an end that comes too late."""
    async with running(settings) as one, running(settings) as other:
        ids = [UUID(await one.post(BELL)) for _ in range(20)]
        for _ in range(3):
            await judge.say(*(due_of(id) for id in ids))
        for id in ids:
            await other.shows(id, "sent")
        await judge.say(*(due_of(id, end="cancelled") for id in ids[:5]))
        await judge.say(due_of(last := uuid4()))
        await one.shows(last, "sent")
        for gateway in (one, other):
            page = (await gateway.http.get("/v1/inbox?limit=200", headers=BOB)).json()
            assert {UUID(entry["id"]) for entry in page["items"]} == {*ids, last}
            assert sorted(entry["offset"] for entry in page["items"]) == list(range(1, 22))
        assert [line["event"] for line in (await one.get(ids[0]))["timeline"]] == ["accepted", "sent"]


async def test_a_person_reads_it(gateway: Gateway, judge: Others, database: str) -> None:
    id = await gateway.post(BELL)
    await judge.say(due_of(id))
    await gateway.shows(id, "sent")
    assert (await gateway.http.post(f"/v1/inbox/{id}/read", headers=BOB)).status_code == 200

    async def read() -> bool:
        seen = await gateway.get(id)
        return bool(seen["timeline"][-1]["event"] == "read")

    await until(read)
    await until(lambda: as_owner(database, "select count(*) = 0 from gateway.outbox where kind = 'inbox'"))


async def test_while_all_is_held_nothing_is_shown(
    judge: Others, kafka: KafkaSettings, database: str, tmp_path: Path
) -> None:
    """`notifications.enabled: false`: everything is accepted and held; switched on again, it is shown."""
    held = settings_of(kafka, database, tmp_path, notifications=QUICK | {"enabled": False})
    async with running(held) as gateway:
        id = await gateway.post(BELL)
        await judge.say(due_of(id))
        await judge.hear(e.Requested)
        await gateway.shows(id, "accepted")
        assert (await gateway.http.get("/v1/inbox", headers=BOB)).json()["items"] == []
    async with running(settings_of(kafka, database, tmp_path, notifications=QUICK)) as gateway:
        await gateway.shows(id, "sent")


async def test_a_recipient_is_in_force_when_it_is_answered(judge: Others, gateway: Gateway) -> None:
    """Design 4.2: answered after Kafka's acknowledgement and its own projection."""
    body = {"email": "delivered@simulator.test", "locale": "fr"}
    answer = await gateway.http.put("/v1/recipients/bob", json=body, headers=BOB)
    assert answer.status_code == 200, answer.text
    seen = (await gateway.http.get("/v1/recipients/bob", headers=BOB)).json()
    assert seen == answer.json()
    assert (seen["email"], seen["locale"]) == (body["email"], "fr")
    assert (await gateway.http.delete("/v1/recipients/bob", headers=BOB)).status_code == 204
    assert (await gateway.http.get("/v1/recipients/bob", headers=BOB)).status_code == 404


async def test_preferences_are_in_force_when_they_are_answered(judge: Others, gateway: Gateway) -> None:
    """Two objects on the topic, one here; what is left out of a PUT is wished for no more."""
    where = "/v1/recipients/bob/preferences"
    body = {
        "categories": {"news": {"email": False, "inapp": True}},
        "quiet_hours": [{"from": "22:00", "to": "07:00", "days": ["sat"]}],
    }
    answer = await gateway.http.put(where, json=body, headers=BOB)
    assert answer.status_code == 200, answer.text
    seen = (await gateway.http.get(where, headers=ADMIN)).json()
    assert seen == answer.json()
    assert {name: seen[name] for name in body} == body and seen["user_id"] == "bob" and seen["updated_at"]
    answer = await gateway.http.put(where, json={"quiet_hours": []}, headers=BOB)
    assert (answer.json()["categories"], answer.json()["quiet_hours"]) == ({}, [])
    assert (await gateway.http.delete(where, headers=BOB)).status_code == 204
    seen = (await gateway.http.get(where, headers=BOB)).json()
    assert seen == {"user_id": "bob", "categories": {}, "quiet_hours": []}


async def test_p9_a_directory_topic_made_anew_is_written_again(kafka: KafkaSettings, quick: Settings) -> None:
    """With the time each object was first said, so that readers who know something newer keep it."""
    async with others(kafka, [RECIPIENTS], "reader") as reader:
        async with running(quick) as gateway:
            for user in ("bob", "carol"):
                await gateway.http.put(f"/v1/recipients/{user}", json={"locale": "fr"}, headers=ADMIN)
            await reader.hear(e.Recipient, 2)
        first = {record.key: record.timestamp for record in reader.heard}
        await anew(kafka, RECIPIENTS)
        reader.heard.clear()
        await reader.say(e.Recipient(user_id="bob", locale="de"))
        async with running(quick) as gateway:
            again = await reader.hear(e.Recipient, 3)
            assert {(one.user_id, one.locale) for one in again} >= {("bob", "de"), ("carol", "fr")}
            for record in reader.heard:
                if b"fr" in (record.value or b""):
                    assert record.as_of == first[record.key] < record.timestamp
            seen = (await gateway.http.get("/v1/recipients/bob", headers=BOB)).json()
            assert seen["locale"] == "de"


async def anew(kafka: KafkaSettings, *topics: Topic) -> None:
    """These topics are gone with all they held, and there again, empty."""
    for topic in topics:
        await delete(kafka, topic)
    await make(kafka, *topics)


async def test_p6_1_sent_made_anew_what_is_open_is_asked_for(
    judge: Others, settings: Settings, quick: Settings, kafka: KafkaSettings
) -> None:
    """Records that nobody here had read may be lost: intake knows the outcome."""
    async with running(settings) as gateway:
        ids = [await gateway.post() for _ in range(3)]
        first, second, third = await judge.hear(e.Requested, 3)
        await judge.say(*(e.Scheduled(**of(one), round=1, at=utc_now()) for one in (first, second)))
        await judge.say(e.Sent(**of(third), at=utc_now()))
        await gateway.shows(third.id, "sent")
        await gateway.shows(second.id, "scheduled")
        await gateway.shows(first.id, "scheduled")
    await anew(kafka, SENT)
    await judge.say(e.Sent(**of(third), at=utc_now()))
    async with running(quick) as gateway:
        asked = await judge.hear(e.Again, 2)
        assert {str(again.id) for again in asked[:2]} == {str(first.id), str(second.id)} <= set(ids)
        await judge.say(*(e.Failed(**of(one), outcome=Status.EXPIRED, reason="expired") for one in (first, second)))
        await gateway.shows(first.id, "expired")


async def test_p6_1_where_kafka_forgot_us_what_is_open_is_asked_for(
    judge: Others, settings: Settings, quick: Settings, kafka: KafkaSettings
) -> None:
    """Topics were lost while we were away, and our offsets with them: that we know of a sending tells."""
    async with running(settings) as gateway:
        id = UUID(await gateway.post())
        await gateway.post()
        sent, open_ = await judge.hear(e.Requested, 2)
        if sent.id != id:
            sent, open_ = open_, sent
        await judge.say(e.Scheduled(**of(open_), round=1, at=utc_now()))
        await judge.say(e.Sent(**of(sent), at=utc_now()))
        await gateway.shows(sent.id, "sent")
        await gateway.shows(open_.id, "scheduled")
    await anew(kafka, SENT, FAILED)
    async with running(quick):
        assert {again.id for again in await judge.hear(e.Again)} == {open_.id}


async def test_p6_1_open_long_past_its_expiry_is_asked_for(judge: Others, quick: Settings, database: str) -> None:
    async with running(quick) as gateway:
        id = UUID(await gateway.post())
        [asked] = await judge.hear(e.Requested)
        await judge.say(e.Scheduled(**of(asked), round=1, at=utc_now(), expires_at=utc_now() + timedelta(hours=1)))
        await gateway.shows(id, "scheduled")
        await as_owner(database, "update tocsin.clock_offset set by = interval '3 hours'")
        assert {again.id for again in await judge.hear(e.Again)} == {id}


async def test_p9_where_the_counts_differ_the_hour_is_said_again(judge: Others, quick: Settings) -> None:
    """What the projector never heard of at all is found by counting."""
    async with running(quick) as gateway, others(judge.kafka, [SENT, FAILED], "intake.outcomes") as outcomes:
        id = await gateway.post()
        [asked] = await judge.hear(e.Requested)
        await judge.say(e.Sent(**of(asked), at=utc_now()))
        await gateway.shows(id, "sent")
        hour = asked.accepted_at.replace(minute=0, second=0, microsecond=0)
        await judge.say(counts(hour, accepted=1, final=1))

        async def asked_for() -> bool:
            await judge.say(counts(hour, accepted=2, final=2))
            await outcomes.listen(0.01)
            return bool(judge.of(e.Again))

        await judge.listen_until(asked_for)
        assert judge.of(e.Again)[0].hour == hour


def counts(hour: Any, accepted: int, final: int) -> e.ServiceStatus:
    result = {"hours": [{"hour": hour.isoformat(), "accepted": accepted, "final": final}]}
    return e.ServiceStatus(
        correlation_id=UUID(int=1), service="intake", instance="counts", state="counts", at=utc_now(), result=result
    )


async def test_c2_any_producer_may_ask(judge: Others, gateway: Gateway, kafka: KafkaSettings) -> None:
    """One line of plain JSON on the topic; what it wants shows up for admins."""
    from tests.kit.bus.support import publisher

    async with publisher(kafka) as out:
        connected = await out._connected()
        line = json.dumps(EMAIL | {"source": "billing", "id": "17"}).encode()
        await connected.send_and_wait(kafka.topic_prefix + "notifications.requested", line)
    await judge.listen_until(lambda: _listed(gateway))
    [item] = (await gateway.http.get("/v1/notifications", headers=ADMIN)).json()["items"]
    assert (item["status"], item["to"]) == ("accepted", EMAIL["to"])


async def _listed(gateway: Gateway) -> bool:
    return bool((await gateway.http.get("/v1/notifications", headers=ADMIN)).json()["items"])


async def test_poison_on_our_topics_is_reported_once_and_stops_nobody(
    judge: Others, gateway: Gateway, kafka: KafkaSettings, database: str
) -> None:
    """P7: the gateway is the one that reports what nobody can read on `sent`; good ones pass."""
    from tests.kit.bus.support import publisher

    async with publisher(kafka) as out:
        connected = await out._connected()
        for topic in (SENT, DUE_INAPP):
            await connected.send_and_wait(kafka.topic_prefix + topic.name, b"\xff nonsense")
    id = uuid4()
    common = {"id": id, "owner": "user:alice", "accepted_at": utc_now(), "channel": Channel.EMAIL}
    await judge.say(e.Sent(**common, at=utc_now()))
    await gateway.shows(id, "sent")
    await until(lambda: as_owner(database, "select count(*) = 2 from gateway.poison"))


@pytest.fixture
async def narrow(kafka: KafkaSettings) -> None:
    """A Kafka whose limit is lower than ours."""
    await make(kafka, replace(REQUESTED[Lane.NORMAL], max_message_bytes=20_000))


@pytest.mark.usefixtures("narrow")
async def test_p6_1_a_request_that_kafka_refuses_ends_rejected(judge: Others, gateway: Gateway, database: str) -> None:
    """It ends with the reason, and intake learns of it, too."""
    id = await gateway.post(EMAIL | {"body": "x" * 40_000})
    seen = await gateway.shows(id, "rejected")
    assert seen["reason"] == "too_large"
    assert "link" in seen["detail"]
    [stub] = await judge.hear(e.Cancel)
    assert (str(stub.id), stub.reason) == (id, "too_large")
    await until(lambda: as_owner(database, "select count(*) = 0 from gateway.outbox"))


@pytest.mark.usefixtures("narrow", "judge")
async def test_p6_1_each_channel_of_a_refused_request_ends(gateway: Gateway) -> None:
    both = {"channels": ["email", "inapp"], "user_id": "bob", "subject": "s", "body": "x" * 40_000}
    seen = await gateway.shows(await gateway.post(both), "rejected")
    assert [child["status"] for child in seen["children"]] == ["rejected", "rejected"]


async def test_p6_1_a_row_that_does_not_hold_any_more_stops_nobody(
    judge: Others, gateway: Gateway, database: str
) -> None:
    """A rule became stricter, or a time zone is gone: that request is rejected, the rest of the sweep goes its way."""
    ids = [await gateway.post() for _ in range(3)]
    await judge.hear(e.Requested, 3)
    wrong = 'update gateway.notifications set request = \'{"channel": "pigeon"}\' where id = '
    unsaid = "update gateway.outbox set published_at = null, repeats = 0, next_at = clock_timestamp()"
    await as_owner(database, f"with broken as ({wrong} '{ids[1]}') {unsaid}")
    seen = await gateway.shows(ids[1], "rejected")
    assert seen["reason"] == "invalid"
    assert "channel" in seen["detail"]
    said = await judge.hear(e.Requested, 5)
    assert {str(asked.id) for asked in said[3:]} >= {ids[0], ids[2]}
