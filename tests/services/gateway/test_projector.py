"""What people see of what happened, on the real tables: whatever comes, in whatever order, as often as it likes."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from contracts import events as e
from contracts import identity
from contracts.request import NotificationRequest
from contracts.status import Channel, Status
from kit.clock import utc_now
from tests.services.gateway.conftest import ADMIN, ALICE, EMAIL, House
from tests.services.gateway.said import (
    LATER,
    MANY,
    NOW,
    cancel,
    common,
    delivered,
    failed,
    requested,
    retry,
    scheduled,
    sent,
)


async def test_sent_before_requested(house: House) -> None:
    """Design 4.7: no order is assumed across topics, any event may create the row."""
    id = uuid4()
    await house.hears(sent(id))
    assert (await house.get(str(id)))["status"] == "sent"
    await house.hears(requested(id))
    seen = await house.get(str(id))
    assert (seen["status"], seen["subject"]) == ("sent", "s")
    assert [line["event"] for line in seen["timeline"]] == ["accepted", "sent"]


async def test_a_replay_names_what_it_repeats(house: House) -> None:
    """Told by its request, whichever event comes first."""
    id, failed_one = uuid4(), uuid4()
    await house.hears(sent(id))
    await house.hears(requested(id, replay_of=failed_one))
    assert (await house.get(str(id)))["replay_of"] == str(failed_one)


async def test_a_cancel_that_named_no_tenant_gives_nobody_elses_row_away(house: House) -> None:
    """The answer to a stray cancel may create the row; whose it is, the request says."""
    id = uuid4()
    stray = e.Failed(id=id, owner="", accepted_at=NOW, outcome=Status.CANCELLED, reason="cancelled")
    await house.hears(stray)
    await house.hears(requested(id).model_copy(update={"tenant": "acme"}))
    answer = await house.http.get(f"/v1/notifications/{id}", headers=ADMIN)
    assert answer.status_code == 404, "an administrator of another tenant"


async def test_what_was_cancelled_before_it_was_asked_for_shows_its_time(house: House) -> None:
    """The answer to the cancel has made the row; what is posted then says when it would have been."""
    id = identity.notification_id("default", "user:alice", "order-77")
    await house.hears(e.Failed(id=id, owner="", accepted_at=NOW, outcome=Status.CANCELLED, reason="cancelled"))
    planned = "2031-01-01T08:00:00Z"
    assert await house.post(EMAIL | {"send_at": planned}, key="order-77") == str(id)
    seen = await house.get(str(id))
    assert (seen["status"], seen["send_at"]) == ("cancelled", planned)


def history(id: UUID) -> list[e.Event]:
    return [
        requested(id),
        scheduled(id),
        scheduled(id, round=2, edit=9, at=LATER + timedelta(hours=1)),
        cancel(id),
        retry(id),
        retry(id, unknown=1, attempt=2),
        failed(id, Status.CANCELLED),
        sent(id, **{"try": 2, "unknown": 1}),
        delivered(id),
    ]


def parted(events: list[e.Event], chance: random.Random) -> list[list[e.Event]]:
    """In batches of chance, some of them twice."""
    batches = []
    while events:
        n = chance.randint(1, len(events))
        batches += [events[:n]] * chance.choice((1, 1, 2))
        events = events[n:]
    return batches


async def test_p2_whatever_the_order_the_end_is_the_same(house: House) -> None:
    """The status never goes down, the timeline says nothing twice, and all orders meet in one end."""
    ends: list[Any] = []
    for seed in range(25):
        chance, id = random.Random(seed), uuid4()
        told = history(id)
        chance.shuffle(told)
        ranks = [0]
        for batch in parted(told, chance):
            await house.hears(*batch)
            async with house.database.connection() as connection:
                ranks.append(await connection.fetchval("select rank from notifications where id = $1", id) or 0)
        assert ranks == sorted(ranks), f"seed {seed}"
        ends.append(await end_of(house, id))
        assert ends[-1] == ends[0], f"seed {seed}"
    assert (ends[0]["status"], ends[0]["attempts"]) == ("delivered", 2)
    lines = {"moved", "unknown", "retrying", "resent", "cancelled", "sent", "delivered", "too_late"}
    assert ends[0]["timeline"] == sorted(["accepted", "scheduled", "scheduled", *lines])


async def end_of(house: House, id: UUID) -> dict[str, Any]:
    seen = await house.get(str(id))
    lines = sorted(line["event"] for line in seen.pop("timeline"))
    del seen["id"]
    return seen | {"timeline": lines}


async def test_p2_the_timeline_says_nothing_twice(house: House) -> None:
    id = uuid4()
    for _ in range(3):
        await house.hears(requested(id), retry(id), retry(id), sent(id))
        await house.hears(sent(id, at=NOW + timedelta(seconds=5)))
    assert await house.timeline(str(id)) == ["accepted", "sent", "retrying"]


async def test_failed_says_why(house: House) -> None:
    id = uuid4()
    await house.hears(requested(id), failed(id, reason="bounced", detail="550 no such user", attempt=1, try_=1))
    seen = await house.get(str(id))
    assert (seen["status"], seen["reason"], seen["detail"]) == ("failed", "bounced", "550 no such user")
    assert seen["timeline"][-1]["detail"] == "bounced: 550 no such user"


async def test_a_plan_is_that_of_the_latest_round(house: House) -> None:
    id = uuid4()
    await house.hears(scheduled(id, round=2, edit=9, at=LATER + timedelta(hours=1)))
    await house.hears(requested(id), scheduled(id))
    assert datetime.fromisoformat((await house.get(str(id)))["send_at"]) == LATER + timedelta(hours=1)


async def test_a_text_message_shows_its_segments(house: House) -> None:
    id = uuid4()
    await house.hears(sent(id, channel=Channel.SMS, encoding="GSM-7", segments=2, provider_id="SM7"))
    seen = await house.get(str(id))
    assert seen["sms"] == {"encoding": "GSM-7", "segments": 2}
    assert seen["timeline"][-1]["provider_id"] == "SM7", "support of the provider asks for it"
    assert seen["timeline"][-1]["detail"] == "2 parts of GSM-7"


async def test_p2_cancel_too_late(house: House) -> None:
    """The cancel was accepted, and then a provider took it."""
    id = await house.post()
    assert (await house.http.delete(f"/v1/notifications/{id}", headers=ALICE)).json()["status"] == "accepted"
    await house.hears(sent(id))
    assert await house.timeline(id) == ["accepted", "sent", "too_late"]


async def test_p2_cancel_of_what_was_sent_is_too_late_at_once(house: House) -> None:
    id = await house.post()
    await house.hears(sent(id))
    answer = await house.http.delete(f"/v1/notifications/{id}", headers=ALICE)
    assert (answer.status_code, answer.json()["status"]) == (202, "sent")
    assert await house.timeline(id) == ["accepted", "sent", "too_late"]
    assert await outbox(house) == []


async def test_p2_cancelled_and_sent_all_the_same(house: House) -> None:
    """Shown as cancelled, and then an acceptance came late."""
    for first, second in ((failed, sent), (sent, failed)):
        id = uuid4()
        events = {failed: failed(id, Status.CANCELLED), sent: sent(id)}
        await house.hears(events[first])
        await house.hears(events[second])
        assert "too_late" in await house.timeline(str(id))
        assert (await house.get(str(id)))["status"] == "sent"


async def test_p2_a_move_that_was_not_answered_is_too_late(house: House) -> None:
    id = await house.post()
    await move(house, id)
    await house.hears(sent(id))
    assert await house.timeline(id) == ["accepted", "sent", "too_late"]


async def test_p2_a_move_that_was_answered_is_not(house: House) -> None:
    id = await house.post()
    await move(house, id)
    [(_, edit)] = await edits(house)
    await house.hears(scheduled(id, round=2, edit=edit))
    await house.hears(sent(id))
    assert await house.timeline(id) == ["accepted", "sent", "moved", "scheduled"]


async def test_p3_3_a_move_that_was_refused_is_told(house: House) -> None:
    id = await house.post()
    await move(house, id)
    [(_, edit)] = await edits(house)
    await house.hears(e.MoveRefused.model_validate(common(id) | {"edit": edit}))
    assert await house.timeline(id) == ["accepted", "too_late"]
    assert [kind for kind, _ in await edits(house)] == []


async def test_p1_edits_of_a_notification_are_numbered(house: House) -> None:
    """Also behind a move that came through Kafka, which is numbered by its milliseconds."""
    id = await house.post()
    ahead = identity.milliseconds(utc_now()) + 3_600_000
    await house.hears(e.Move(id=UUID(id), command=UUID(int=7), edit=ahead, at=LATER, accepted_at=NOW))
    await move(house, id)
    await move(house, id)
    assert [edit for _, edit in await edits(house)] == [ahead + 1, ahead + 2]


async def move(house: House, id: str) -> None:
    body = {"send_at": "2030-01-01T08:00:00+01:00"}
    answer = await house.http.patch(f"/v1/notifications/{id}", json=body, headers=ALICE)
    assert answer.status_code == 202, answer.text


async def outbox(house: House) -> list[str]:
    async with house.database.connection() as connection:
        rows = await connection.fetch("select kind from outbox where kind <> 'request' order by edit")
    return [row["kind"] for row in rows]


async def edits(house: House) -> list[tuple[str, int]]:
    async with house.database.connection() as connection:
        rows = await connection.fetch("select kind, edit from outbox where edit > 0 order by edit")
    return [(row["kind"], row["edit"]) for row in rows]


async def waiting(house: House) -> set[str]:
    async with house.database.connection() as connection:
        return {row["kind"] for row in await connection.fetch("select kind from outbox")}


@pytest.mark.parametrize("answer", [scheduled, sent, failed])
async def test_p6_1_a_request_ends_with_the_judges_answer(house: House, answer: Any) -> None:
    id = await house.post()
    await house.hears(requested(id))
    assert await waiting(house) == {"request"}
    await house.hears(answer(id))
    assert await waiting(house) == set()


async def test_p6_1_a_cancel_ends_with_an_end(house: House) -> None:
    id = await house.post()
    await house.http.delete(f"/v1/notifications/{id}", headers=ALICE)
    await house.hears(scheduled(id))
    assert await waiting(house) == {"cancel"}
    await house.hears(failed(id, Status.CANCELLED))
    assert await waiting(house) == set()


async def test_p6_3_any_child_answers_its_parent(house: House) -> None:
    id = UUID(await house.post(MANY))
    email, inapp = identity.child_id(id, "email"), identity.child_id(id, "inapp")
    await house.hears(scheduled(email, channel=Channel.EMAIL, user_id="bob"))
    assert await waiting(house) == set()
    assert (await house.get(str(id)))["status"] == "accepted"
    await house.hears(sent(inapp, channel=Channel.INAPP), failed(email))
    seen = await house.get(str(id))
    assert (seen["status"], seen["timeline"][0]["event"]) == ("sent", "accepted")


async def test_p6_3_a_parents_cancel_is_answered_when_no_child_is_open(house: House) -> None:
    id = UUID(await house.post(MANY))
    email, inapp = identity.child_id(id, "email"), identity.child_id(id, "inapp")
    await house.http.delete(f"/v1/notifications/{id}", headers=ALICE)
    await house.hears(failed(email, Status.CANCELLED))
    assert await waiting(house) == {"cancel"}
    await house.hears(sent(inapp, channel=Channel.INAPP))
    assert await waiting(house) == set()
    assert await house.timeline(str(inapp)) == ["accepted", "sent", "too_late"]


async def test_p3_4_a_groups_cancel_is_answered_by_an_event_of_its_own(house: House) -> None:
    id = await house.post(EMAIL | {"group": "g"})
    answer = await house.http.delete("/v1/notifications?group=g", headers=ALICE)
    assert answer.status_code == 202
    async with house.database.connection() as connection:
        at = await connection.fetchval("select accepted_at from outbox where kind = 'group'")
    early = e.GroupCancelled(group="g", owner="user:alice", through=at - timedelta(milliseconds=1))
    await house.hears(early, e.GroupCancelled(group="g", owner="user:bob", through=None))
    assert "group" in await waiting(house)
    await house.hears(early.model_copy(update={"through": at}))
    assert "group" not in await waiting(house)
    await house.hears(sent(id))
    assert await house.timeline(id) == ["accepted", "sent", "too_late"]


async def test_p1_a_refused_repeat_is_on_the_first_ones_timeline(house: House) -> None:
    """It may be heard first; it makes no row and changes no status."""
    id = uuid4()
    refused = e.Refused.of(requested(id), "f" * 64)
    await house.hears(refused, refused)
    assert (await house.http.get(f"/v1/notifications/{id}", headers=ADMIN)).status_code == 404
    assert (await house.http.get(f"/v1/notifications/{refused.id}", headers=ADMIN)).status_code == 404
    await house.hears(requested(id), sent(id))
    assert sorted(await house.timeline(str(id))) == ["accepted", "refused", "sent"]
    assert (await house.get(str(id)))["status"] == "sent"


async def test_p7_poison_is_kept_for_an_admin(house: House) -> None:
    poison = e.Poison(
        id=uuid4(),
        topic="notifications.sent",
        partition=1,
        offset=7,
        timestamp=NOW,
        error="is not JSON",
        size=5,
        sha256="0" * 64,
        value=b"AP9oaQ==",
        reported_by="gateway",
    )
    await house.hears(poison)
    await house.hears(poison)
    async with house.database.connection() as connection:
        rows = await connection.fetch('select topic, partition, "offset", value from poison')
    assert [tuple(row) for row in rows] == [("notifications.sent", 1, 7, b"\x00\xffhi")]


async def test_a_move_names_an_instant(house: House) -> None:
    id = await house.post()
    for body in (
        {},
        {"send_at": "soon"},
        {"send_at": "2050-01-01T08:00:00Z"},
        {"send_at": "2030-01-01T08:00:00"},
        {"send_at": "2030-01-01T08:00:00Z", "more": 1},
        [1],
    ):
        answer = await house.http.patch(f"/v1/notifications/{id}", json=body, headers=ALICE)
        assert answer.status_code == 422, body


async def test_p6_3_a_cancel_of_all_channels_is_too_late_for_what_was_sent(house: House) -> None:
    """Also where it came through Kafka, long after."""
    id = uuid4()
    request = NotificationRequest.model_validate(MANY)
    await house.hears(requested(id, channel=None, request=request))
    child = identity.child_id(id, "email")
    await house.hears(sent(child))
    await house.hears(cancel(id))
    assert await house.timeline(str(child)) == ["accepted", "sent", "too_late"]
    assert await house.timeline(str(identity.child_id(id, "inapp"))) == ["accepted"]


async def test_p6_6_what_a_cancel_met_before_its_request_is_found_all_the_same(house: House) -> None:
    id = uuid4()
    await house.hears(scheduled(id))
    await house.http.delete(f"/v1/notifications/{id}", headers=ALICE)
    await house.hears(requested(id))
    answer = await house.http.get(f"/v1/notifications?to={EMAIL['to']}", headers=ALICE)
    assert [item["id"] for item in answer.json()["items"]] == [str(id)]
