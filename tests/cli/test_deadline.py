"""Deadlines from the command line, with a real gateway behind it."""

from __future__ import annotations

import asyncio

import pytest

from client.deadlines import Deadlines
from client.errors import NotFound
from client.rest import Tocsin
from tests.cli.conftest import Place

pytestmark = pytest.mark.asyncio(loop_scope="module")

PUT = ("deadline", "put", "118", "--title", "Dossier 118", "--due", "2036-03-10", "--assignee", "bob")


async def test_put_shows_what_is_to_come(place: Place) -> None:
    done = await place.until("week_before", *PUT, "--assignee", "eve", "--json")
    assert done.code == 0, done.err
    assert (done.json["due_date"], done.json["assignees"]) == ("2036-03-10", ["bob", "eve"])
    assert [one["rule"] for one in done.json["reminders"]][:2] == ["week_before", "week_before"]
    people = await place.until("week_before", *PUT)
    assert people.out.splitlines()[0] == "118: Dossier 118, due 2036-03-10, open"
    assert "week_before" in people.out


async def test_what_is_not_given_stays_as_it_is(place: Place) -> None:
    await place.until("week_before", *PUT)
    moving = ("deadline", "put", "118", "--due", "2036-03-10T17:00:00+01:00", "--urgent", "--json")
    moved = await place.until('"rule": "urgent"', *moving)
    assert (moved.json["title"], moved.json["due_at"], moved.json["urgent"]) == (
        "Dossier 118",
        "2036-03-10T16:00:00Z",
        True,
    )
    assert "due_date" not in moved.json and "urgent" in [one["rule"] for one in moved.json["reminders"]]


async def test_closed_reopened_and_deleted(place: Place) -> None:
    await place.until("week_before", *PUT)
    closed = await place.tocsin("deadline", "close", "118", "--json")
    assert (closed.json["status"], closed.json["reminders"]) == ("closed", [])
    assert (await place.tocsin("deadline", "put", "118", "--reopen", "--json")).json["status"] == "open"
    assert (await place.tocsin("deadline", "delete", "118")).out == "118 is deleted\n"
    gone = await place.until("there is no such deadline", "deadline", "show", "118")
    assert gone.code == 1


async def test_list_narrows(place: Place) -> None:
    for id in ("a/1", "b"):
        await place.tocsin("deadline", "put", id, "--title", id, "--due", "+2h", "--assignee", "dora")
    found = await place.tocsin("deadline", "list", "--user", "dora", "--status", "open", "--json")
    assert [one["id"] for one in found.json["deadlines"]] == ["b"]
    table = await place.tocsin("deadline", "list", "--user", "dora")
    assert table.out.splitlines()[0].split() == ["id", "status", "urgent", "due", "next", "reminder", "title"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("put", "x", "--title", "x", "--assignee", "bob"), "give due_at"),
        (("put", "x", "--title", "x", "--assignee", "bob", "--due", "soon"), "is not a time"),
        (("put", "x", "--title", "x", "--assignee", "bob", "--due", "+5y"), "is no time"),
        (("put", "x", "--title", "x", "--assignee", "bob", "--due", "2036-03-10", "--plan", "{"), "--plan is not JSON"),
        (
            ("put", "x", "--title", "x", "--assignee", "bob", "--due", "2036-03-10", "--plan", "none"),
            "there is no plan",
        ),
        (("close", "nothing"), "there is no such deadline"),
        (("show", "a/b"), "is no id of a deadline"),
    ],
)
async def test_what_is_wrong_is_a_sentence(place: Place, arguments: tuple[str, ...], sentence: str) -> None:
    done = await place.tocsin("deadline", *arguments)
    assert done.code == 1 and sentence in done.err


async def test_a_program_says_it_all_at_once(place: Place) -> None:
    """And sees page after page."""

    def say() -> None:
        with Tocsin(place.stack.url, place.stack.token("frank")) as tocsin:
            deadlines = Deadlines(tocsin)
            plan = {"reminders": [{"rule": "noon", "at": "12:00", "while": "urgent"}]}
            for n in range(3):
                put = deadlines.put(
                    f"f {n}", title="x", due_date="2036-03-10", assignees=["frank"], plan=plan, urgent=True
                )
                assert (put.owner, put.reminders[0].rule) == ("user:frank", "noon")
            assert [one.id for one in deadlines.all(limit="2")] == ["f 2", "f 1", "f 0"]
            assert deadlines.change("f 0", urgent=False).reminders == ()
            deadlines.delete("f 0")
            with pytest.raises(NotFound):
                deadlines.get("f 0")

    await asyncio.to_thread(say)
