"""The bell: each notification is shown exactly once, in an order that has no holes."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID, uuid4

from contracts import events as e
from contracts.status import Status
from tests.services.gateway.conftest import BELL, BOB, CAROL, House, due_of
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


async def test_what_a_person_read_is_on_the_timeline_and_ends_its_row(house: House) -> None:
    """P6.1 for the inbox: the event is kept in the outbox until it has come back from Kafka."""
    id = await house.post(BELL)
    await house.hears(*await house.shows(due_of(id)))
    await house.http.post(f"/v1/inbox/{id}/read", headers=BOB)
    [event] = await kept(house)
    await house.hears(event)
    assert await kept(house) == []
    assert await house.timeline(id) == ["accepted", "sent", "read"]


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
    for query in ("after=x", "after=-1", "after=99999999999999999999", "limit=0", "unread=perhaps"):
        assert (await house.http.get(f"/v1/inbox?{query}", headers=BOB)).status_code == 422, query


async def test_the_highest_offset_is_a_page_too(house: House) -> None:
    assert (await inbox(house, f"?after={2**63 - 1}"))["items"] == []
