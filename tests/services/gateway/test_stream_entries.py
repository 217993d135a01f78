"""What the sender does with what was shown is on the streams of everybody who has seen it."""

from __future__ import annotations

from uuid import uuid4

from tests.services.gateway.conftest import ALICE, BOB, CAROL
from tests.services.gateway.streaming import Real, listening, real

__all__ = ["real"]


async def test_p6_4_rewritten_and_taken_back(real: Real) -> None:
    http, id = real.gateway.http, uuid4()
    async with listening(http) as bob:
        await real.shows(id, group="trip")
        await bob.of("notification")
        await http.put(f"/v1/inbox/{id}", json={"title": "new"}, headers=ALICE)
        said = await bob.of("updated")
        assert (said["offset"], said["id"], said["title"], said["body"]) == (2, str(id), "new", "text")
        for action in ("read", "unread"):
            await http.post(f"/v1/inbox/{id}/{action}", headers=BOB)
        assert (await bob.of("updated"))["read_at"] is None
        assert await bob.of("unread_count") == {"type": "unread_count", "unread": 1}
        await http.delete("/v1/inbox?group=trip", headers=ALICE)
        assert (await bob.of("recalled"))["offset"] == 5
        assert await bob.of("unread_count") == {"type": "unread_count", "unread": 0}


async def test_p6_4_a_group_is_taken_back_from_everybody(real: Real) -> None:
    http = real.gateway.http
    async with listening(http) as bob, listening(http, CAROL) as carol:
        for user, stream in (("bob", bob), ("carol", carol)):
            await real.shows(uuid4(), user=user, group="trip")
            await stream.of("notification")
        await http.delete("/v1/inbox?group=trip", headers=ALICE)
        assert [(await stream.of("recalled"))["offset"] for stream in (bob, carol)] == [2, 2]


async def test_p6_4_who_comes_back_does_not_see_what_was_taken_back(real: Real) -> None:
    """Neither its words nor that it was rewritten in between; only that it is gone."""
    http, gone, kept = real.gateway.http, uuid4(), uuid4()
    async with listening(http) as bob:
        place = bob.place
    await real.shows(gone)
    await real.shown(1)
    await http.put(f"/v1/inbox/{gone}", json={"title": "secret"}, headers=ALICE)
    await http.delete(f"/v1/inbox/{gone}", headers=ALICE)
    await real.shows(kept)
    async with listening(http, **place) as bob:
        assert (bob.hello["recovered"], bob.hello["offset"]) == (True, 0)
        frames = await bob.until(lambda frames: any(frame["type"] == "notification" for frame in frames))
    placed = [(frame["type"], frame["offset"], frame["id"]) for frame in frames if "offset" in frame]
    assert placed == [("recalled", 3, str(gone)), ("notification", 4, str(kept))]
