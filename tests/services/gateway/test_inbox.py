"""The bell: each notification is shown exactly once, in an order that has no holes."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from contracts import events as e
from contracts import identity
from contracts.status import Status
from kit.clock import utc_now
from kit.metrics import Metrics
from services.gateway.handlers import entries
from services.gateway.handlers import inbox as handler
from tests.services.gateway.conftest import ADMIN, ALICE, BELL, BOB, CAROL, House, due_of, message
from tests.services.gateway.support import as_owner


async def inbox(house: House, query: str = "", who: dict[str, str] = BOB) -> dict[str, Any]:
    answer = await house.http.get(f"/v1/inbox{query}", headers=who)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_shown(house: House) -> None:
    id = uuid4()
    [said] = await house.shows(due_of(id))
    assert isinstance(said, e.Sent)
    assert (said.id, said.provider, said.user_id) == (id, "inbox", "bob")
    page = await inbox(house)
    [entry] = page["items"]
    assert (entry["id"], entry["offset"], entry["title"], entry["body"]) == (str(id), 1, "title", "text")
    assert entry["data"] == {"n": 1}
    assert page["unread"] == 1
    assert (await inbox(house, who=CAROL))["items"] == []


async def test_how_long_it_was_on_its_way_is_a_figure(house: House) -> None:
    """From its planned instant on, where that is later than its acceptance; what is not shown has none."""
    metrics = Metrics("gateway")
    now = utc_now()
    dues = [due_of(uuid4(), accepted_at=now - timedelta(minutes=9), at=now - timedelta(seconds=90))]
    dues += [due_of(uuid4(), end="cancelled")]
    async with house.database.transaction() as connection:
        await handler.timed(metrics)(connection, [message(due) for due in dues])
    told = metrics.registry.get_sample_value
    within = {
        le: told("tocsin_notification_end_to_end_seconds_bucket", {"channel": "inapp", "le": le})
        for le in ("60.0", "300.0", "+Inf")
    }
    assert within == {"60.0": 0, "300.0": 1, "+Inf": 1}


async def test_p6_2_a_repeat_is_shown_once_and_says_the_same(house: House) -> None:
    id = uuid4()
    first = await house.shows(due_of(id), due_of(id))
    again = await house.shows(due_of(id))
    assert [x.ce_id for x in first] == [x.ce_id for x in again]
    assert [entry["offset"] for entry in (await inbox(house))["items"]] == [1]


async def test_p6_2_two_gateways_at_once_show_it_once(house: House) -> None:
    """After a rebalance both may work at the same notifications; offsets have no holes all the same."""
    ids = [uuid4() for _ in range(40)]
    halves = [ids[n : n + 20] for n in (0, 10, 20)] * 2
    await asyncio.gather(*(house.shows(*(due_of(id) for id in half)) for half in halves))
    entries = (await inbox(house, "?limit=200"))["items"]
    assert sorted(entry["offset"] for entry in entries) == list(range(1, len(ids) + 1))
    assert {UUID(entry["id"]) for entry in entries} == set(ids)


async def test_p5_8_an_end_before_it_is_shown(house: House) -> None:
    """The inbox row is the claim, also for an end: what was under way finds it when it arrives."""
    id = uuid4()
    [said] = await house.shows(due_of(id, end="cancelled"))
    assert isinstance(said, e.Failed)
    assert said.outcome is Status.CANCELLED
    [again] = await house.shows(due_of(id))
    assert isinstance(again, e.Failed)
    assert (await inbox(house))["items"] == []


async def test_p5_8_an_end_that_comes_too_late(house: House) -> None:
    id = uuid4()
    await house.shows(due_of(id))
    [said] = await house.shows(due_of(id, end="cancelled", user_id=None))
    assert isinstance(said, e.Sent)
    assert len((await inbox(house))["items"]) == 1


async def test_p6_2_expiry_goes_by_the_databases_clock(house: House, database: str) -> None:
    early, late = uuid4(), uuid4()
    await house.shows(due_of(early))
    await as_owner(database, "update tocsin.clock_offset set by = interval '2 hours'")
    [said] = await house.shows(due_of(late))
    assert isinstance(said, e.Failed)
    assert said.outcome is Status.EXPIRED
    assert [entry["id"] for entry in (await inbox(house))["items"]] == [str(early)]


async def test_read_and_archived(house: House) -> None:
    """Each change has an offset of its own in the stream; twice is once."""
    first, second = uuid4(), uuid4()
    await house.shows(due_of(first), due_of(second))
    for _ in range(2):
        answer = await house.http.post(f"/v1/inbox/{first}/read", headers=BOB)
        assert (answer.status_code, bool(answer.json()["read_at"])) == (200, True)
    page = await inbox(house)
    assert (page["unread"], len(page["items"])) == (1, 2)
    assert [entry["id"] for entry in (await inbox(house, "?unread=true"))["items"]] == [str(second)]
    await house.http.post(f"/v1/inbox/{second}/archive", headers=BOB)
    assert [entry["id"] for entry in (await inbox(house))["items"]] == [str(first)]
    assert [entry["id"] for entry in (await inbox(house, "?archived=true"))["items"]] == [str(second)]
    assert await changes(house) == [("read", 3), ("archived", 4)]


async def test_read_all(house: House) -> None:
    await house.shows(*(due_of(uuid4()) for _ in range(3)), due_of(uuid4(), "carol"))
    answer = await house.http.post("/v1/inbox/read-all", headers=BOB)
    assert answer.json() == {"read": 3}
    assert (await house.http.post("/v1/inbox/read-all", headers=BOB)).json() == {"read": 0}
    assert (await inbox(house))["unread"] == 0
    assert (await inbox(house, who=CAROL))["unread"] == 1
    assert await changes(house) == [("read", 4), ("read", 5), ("read", 6)]


async def test_a_great_many_are_read_part_by_part(house: House, database: str) -> None:
    """However many they are, no more than a part of them is in memory; and what comes meanwhile is unseen."""
    await house.shows(*(due_of(uuid4()) for _ in range(2 * entries.AT_ONCE + 1)))
    answer = await house.http.post("/v1/inbox/read-all", headers=BOB)
    assert answer.json() == {"read": 2 * entries.AT_ONCE + 1}
    assert (await inbox(house))["unread"] == 0
    parts = "select array_agg(n order by n) from (select count(*) n from gateway.inbox group by xmin::text) parts"
    assert await as_owner(database, parts) == [1, entries.AT_ONCE, entries.AT_ONCE]


async def test_all_that_was_seen_is_read_and_nothing_newer(house: House) -> None:
    """What came while the person was looking at the list was not in it."""
    await house.shows(*(due_of(uuid4()) for _ in range(3)))
    answer = await house.http.post("/v1/inbox/read-all?through=2", headers=BOB)
    assert answer.json() == {"read": 2}
    assert [entry["offset"] for entry in (await inbox(house, "?unread=true"))["items"]] == [3]


async def test_unread_and_back_in_sight(house: House) -> None:
    """What is undone is a change of its own; twice is once."""
    id = uuid4()
    await house.shows(due_of(id))
    for action in ("read", "archive", "unread", "unread", "unarchive", "unarchive"):
        assert (await house.http.post(f"/v1/inbox/{id}/{action}", headers=BOB)).status_code == 200
    page = await inbox(house)
    assert (page["unread"], [entry["id"] for entry in page["items"]]) == (1, [str(id)])
    assert "read_at" not in page["items"][0]
    assert [(event.change, event.detail) for event in await kept(house)] == [
        ("read", None),
        ("archived", None),
        ("updated", "unread"),
        ("updated", "unarchived"),
    ]


async def test_recalled(house: House) -> None:
    """Nobody sees it any more, its words are gone, and a repeat of its `due` does not bring it back."""
    id, other = uuid4(), uuid4()
    await house.shows(due_of(id), due_of(other))
    for _ in range(2):
        assert (await house.http.delete(f"/v1/inbox/{id}", headers=ALICE)).status_code == 204
    page = await inbox(house)
    assert (page["unread"], [entry["id"] for entry in page["items"]]) == (1, [str(other)])
    for method, path in (("GET", ""), ("PUT", ""), ("POST", "/read")):
        who = BOB if method == "POST" else ALICE
        answer = await house.http.request(method, f"/v1/inbox/{id}{path}", headers=who, json={"title": "t"})
        assert answer.status_code == 404, (method, path)
    assert await changes(house) == [("recalled", 3)]
    [said] = await house.shows(due_of(id))
    assert isinstance(said, e.Sent)
    assert len((await inbox(house))["items"]) == 1
    async with house.database.connection() as connection:
        row = await connection.fetchrow("select title, body, data from inbox where id = $1", id)
    assert row is not None and tuple(row) == (None, None, None)


async def test_updated(house: House) -> None:
    """What is left out stays, null takes away, and the same words once more are no change."""
    id = uuid4()
    await house.shows(due_of(id))
    first = await house.http.put(f"/v1/inbox/{id}", headers=ALICE, json={"title": "new", "data": None})
    assert (first.status_code, first.headers["etag"]) == (200, '"2"')
    again = await house.http.put(f"/v1/inbox/{id}", headers=ALICE, json={"subject": "new"})
    assert (again.status_code, again.headers["etag"]) == (200, '"2"')
    [entry] = (await inbox(house))["items"]
    assert (entry["title"], entry["body"], entry["version"]) == ("new", "text", 2)
    assert "data" not in entry and "read_at" not in entry
    assert await changes(house) == [("updated", 2)]


@pytest.mark.parametrize(("one", "another"), [(1, True), (0, False), (True, 1)])
async def test_updated_by_what_only_looks_the_same_to_us(house: House, one: Any, another: Any) -> None:
    """Python holds 1 for true; whoever reads JSON does not."""
    id = uuid4()
    await house.shows(due_of(id, content=e.Content(subject="title", text="text", data={"n": one})))
    await house.http.put(f"/v1/inbox/{id}", headers=ALICE, json={"data": {"n": another}})
    [entry] = (await inbox(house))["items"]
    assert repr(entry["data"]) == repr({"n": another})


async def test_updated_only_as_it_was_seen(house: House) -> None:
    """If-Match (RFC 9110, 13.1.1); a repeat whose answer was lost is no conflict, and reading is no new version."""
    id = uuid4()
    await house.shows(due_of(id))
    await house.http.post(f"/v1/inbox/{id}/read", headers=BOB)
    seen = {"If-Match": (await house.http.get(f"/v1/inbox/{id}", headers=ALICE)).headers["etag"]}
    for words, expected in (("mine", 200), ("mine", 200), ("too late", 412)):
        answer = await house.http.put(f"/v1/inbox/{id}", headers=ALICE | seen, json={"body": words})
        assert answer.status_code == expected, answer.text
    assert (await inbox(house))["items"][0]["body"] == "mine"


@pytest.mark.parametrize(
    "body", [{}, {"body": None}, {"titel": "x"}, {"title": "a\nb"}, {"body": "a\x00b"}, {"data": []}, {"body": 1}]
)
async def test_an_update_that_means_nothing(house: House, body: dict[str, Any]) -> None:
    id = uuid4()
    await house.shows(due_of(id))
    answer = await house.http.put(f"/v1/inbox/{id}", headers=ALICE, json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed"), answer.text
    assert answer.json()["errors"]


async def test_of_several_channels_the_bell_shows_the_child(house: House) -> None:
    """P6.3: the sender knows the parent's id, and may name the entry by it."""
    parent = await house.post(BELL | {"channel": None, "channels": ["inapp", "email"], "subject": "s"})
    child = identity.child_id(UUID(parent), "inapp")
    await house.shows(due_of(child))
    answer = await house.http.put(f"/v1/inbox/{parent}", headers=ALICE, json={"title": "new"})
    assert (answer.status_code, answer.json()["id"]) == (200, str(child))
    assert (await house.http.delete(f"/v1/inbox/{parent}", headers=ALICE)).status_code == 204
    assert (await inbox(house))["items"] == []


async def test_a_group_is_rewritten_and_taken_back(house: House) -> None:
    """Part by part, for each person in his own stream; a repeat changes nothing."""
    many = entries.AT_ONCE
    mine = [due_of(uuid4(), who, group="trip") for who in ("bob", "carol", "bob", "dave", "bob", *["erin"] * many)]
    foreign = due_of(uuid4(), "bob", group="trip", owner="user:carol")
    await house.shows(*mine, foreign, due_of(uuid4(), "bob"))
    for expected in (5 + many, 0):
        answer = await house.http.put("/v1/inbox?group=trip", headers=ALICE, json={"body": "at noon"})
        assert answer.json() == {"group": "trip", "updated": expected}
    assert [entry["body"] for entry in (await inbox(house))["items"]] == ["text", "text", *["at noon"] * 3]
    for expected in (5 + many, 0):
        answer = await house.http.delete("/v1/inbox?group=trip", headers=ALICE)
        assert answer.json() == {"group": "trip", "recalled": expected}
    assert (await inbox(house))["unread"] == 2
    assert (await inbox(house, who=CAROL))["unread"] == 0
    by_person: dict[str | None, list[int]] = {}
    for event in await kept(house):
        by_person.setdefault(event.user_id, []).append(event.offset)
    assert {who: sorted(places) for who, places in by_person.items()} == {
        "bob": [6, 7, 8, 9, 10, 11],
        "carol": [2, 3],
        "dave": [2, 3],
        "erin": list(range(many + 1, 3 * many + 1)),
    }


async def test_an_admin_takes_back_a_group_of_everybody(house: House) -> None:
    await house.shows(due_of(uuid4(), group="trip"), due_of(uuid4(), group="trip", owner="user:carol"))
    answer = await house.http.delete("/v1/inbox?group=trip", headers=ADMIN)
    assert answer.json()["recalled"] == 2


async def test_many_at_once_leave_no_hole_in_the_stream(house: House) -> None:
    """The person reads while the sender rewrites and takes back: each change has a place of its own."""
    ids = [uuid4() for _ in range(8)]
    await house.shows(*(due_of(id, group="trip") for id in ids))
    await asyncio.gather(
        *(house.http.post(f"/v1/inbox/{id}/read", headers=BOB) for id in ids),
        *(house.http.put(f"/v1/inbox/{id}", headers=ALICE, json={"title": "new"}) for id in ids),
        house.http.delete("/v1/inbox?group=trip", headers=ALICE),
        house.http.post("/v1/inbox/read-all", headers=BOB),
    )
    offsets = sorted(event.offset for event in await kept(house))
    assert offsets == list(range(9, 9 + len(offsets)))
    assert (await inbox(house))["items"] == []


async def test_what_a_person_read_is_on_the_timeline_and_ends_its_row(house: House) -> None:
    """P6.1 for the inbox: the event is kept in the outbox until it has come back from Kafka."""
    id = await house.post(BELL)
    await house.hears(*await house.shows(due_of(id)))
    await house.http.post(f"/v1/inbox/{id}/read", headers=BOB)
    [event] = await kept(house)
    await house.hears(event)
    assert await kept(house) == []
    assert await house.timeline(id) == ["accepted", "sent", "read"]


async def test_what_the_sender_did_is_on_the_timeline(house: House) -> None:
    id = await house.post(BELL)
    await house.hears(*await house.shows(due_of(id)))
    await house.http.put(f"/v1/inbox/{id}", headers=ALICE, json={"title": "new"})
    await house.http.delete(f"/v1/inbox/{id}", headers=ALICE)
    await house.hears(*await kept(house))
    assert await kept(house) == []
    assert await house.timeline(id) == ["accepted", "sent", "updated", "recalled"]


async def kept(house: House) -> list[e.InboxChanged]:
    async with house.database.connection() as connection:
        rows = await connection.fetch("select event from outbox where kind = 'inbox' order by accepted_at, command")
    return sorted((e.InboxChanged.model_validate_json(row["event"]) for row in rows), key=lambda event: event.offset)


async def changes(house: House) -> list[tuple[str, int]]:
    return [(event.change, event.offset) for event in await kept(house)]


async def test_pages_of_an_inbox(house: House) -> None:
    await house.shows(*(due_of(uuid4()) for _ in range(5)))
    first = await inbox(house, "?limit=3")
    second = await inbox(house, f"?limit=3&after={first['next']}")
    assert [entry["offset"] for entry in first["items"] + second["items"]] == [5, 4, 3, 2, 1]
    assert "next" not in second


async def test_a_page_that_means_nothing(house: House) -> None:
    for query in (
        "created_after=2026-01-01T00:00:00",
        "after=x",
        "after=-1",
        "after=99999999999999999999",
        "limit=0",
        "unread=perhaps",
    ):
        assert (await house.http.get(f"/v1/inbox?{query}", headers=BOB)).status_code == 422, query


async def test_the_highest_offset_is_a_page_too(house: House) -> None:
    assert (await inbox(house, f"?after={2**63 - 1}"))["items"] == []
