"""The directory's topics are the truth; what is known of them here only ever becomes newer (P1, P9)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations

from contracts import events as e
from contracts.topics import PREFERENCES, RECIPIENTS
from kit.bus.record import AS_OF, Received
from kit.stage import Message
from tests.services.gateway.conftest import ADMIN, BOB, SERVICE, House, bearer

NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)


def said(event: e.Event, offset: int, at: datetime = NOW, as_of: datetime | None = None) -> Message:
    headers = ((AS_OF, str(int(as_of.timestamp() * 1000)).encode()),) if as_of else ()
    return Message(event, Received(RECIPIENTS.name, 0, offset, at, b"", b"", headers))


def person(locale: str, user_id: str = "bob") -> e.Recipient:
    return e.Recipient(user_id=user_id, locale=locale)


async def locale(house: House, user_id: str = "bob") -> str | None:
    answer = await house.http.get(f"/v1/recipients/{user_id}", headers=ADMIN)
    found: str | None = answer.json()["locale"] if answer.status_code == 200 else None
    return found


def history(user_id: str) -> list[Message]:
    return [
        said(person("fr", user_id), 1),
        said(person("en", user_id), 2),
        said(person("de", user_id), 3, NOW + timedelta(seconds=1)),
        said(person("fr", user_id), 0, NOW + timedelta(days=1), as_of=NOW),
    ]


async def test_p1_only_a_newer_one_replaces(house: House) -> None:
    """Also where a projection is published again days later with the time it was first said (P9)."""
    for n, order in enumerate(permutations(range(4))):
        told = history(f"bob{n}")
        for place in order[:2]:
            await house.remembers(told[place])
        await house.remembers(*(told[place] for place in order[2:]))
        assert await locale(house, f"bob{n}") == "de", order


async def test_a_tombstone_is_remembered(house: House) -> None:
    await house.remembers(said(person("fr"), 1), said(e.Tombstone(path="bob"), 2))
    assert await locale(house) is None
    await house.remembers(said(person("fr"), 1))
    assert await locale(house) is None
    await house.remembers(said(person("de"), 3))
    assert await locale(house) == "de"


async def test_every_directory_topic_is_kept(house: House) -> None:
    preference = e.Preference(user_id="bob", subject_name="categories", value={"news": {"email": False}})
    await house.remembers(Message(preference, Received(PREFERENCES.name, 0, 1, NOW, b"", b"")))
    async with house.database.connection() as connection:
        assert await connection.fetchval("select key from directory where topic = $1", PREFERENCES.name) == (
            "default/bob/categories"
        )


async def test_seen_by_the_person_and_who_keeps_the_directory(house: House) -> None:
    await house.remembers(said(person("fr"), 1))
    for who in (BOB, ADMIN, SERVICE):
        answer = await house.http.get("/v1/recipients/bob", headers=who)
        assert answer.json() == {"user_id": "bob", "locale": "fr", "updated_at": "2027-03-01T12:00:00Z"}
    for who in (bearer("carol"), bearer("root", "admin", tenant="elsewhere")):
        assert (await house.http.get("/v1/recipients/bob", headers=who)).status_code == 404


WRONG = [
    ({"email": "nonsense"}, "email"),
    ({"email": "a@example.com\r\nBcc: b@example.com"}, "email"),
    ({"phone": "0612345678"}, "phone"),
    ({"locale": "French"}, "locale"),
    ({"time_zone": "Europe/Pariss"}, "time_zone"),
    ({"name": "Bob"}, "name"),
]


async def test_what_is_wrong_is_named(house: House) -> None:
    for body, field in WRONG:
        answer = await house.http.put("/v1/recipients/bob", json=body, headers=BOB)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)
    for user_id in ("b%20b", "b" * 65, "b%0Ab"):
        assert (await house.http.put(f"/v1/recipients/{user_id}", json={}, headers=ADMIN)).status_code == 422


async def test_without_kafka_nothing_changes(house: House) -> None:
    """Design 4.2: the order of the topic is the truth, so that without it nothing is answered but 503."""
    for answer in (
        await house.http.put("/v1/recipients/bob", json={"locale": "fr"}, headers=BOB),
        await house.http.delete("/v1/recipients/bob", headers=BOB),
    ):
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert answer.headers["retry-after"]
