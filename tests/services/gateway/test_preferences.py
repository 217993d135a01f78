"""What a person wants, and what he may still get: checked by name, seen by whom it concerns."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from contracts import events as e
from contracts.preferences import CATEGORIES
from contracts.status import Held, Status
from contracts.topics import PREFERENCES, RECIPIENTS
from kit.bus.publisher import Publisher
from kit.bus.record import Received
from kit.clock import utc_now
from kit.settings import KafkaSettings
from kit.stage import Message
from tests.services.gateway.conftest import ADMIN, ADMIN_ELSEWHERE, ALICE, BELL, BOB, House, due_of, opened, settings_of

WHERE = "/v1/recipients/bob/preferences"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"categories": {"news": {"mail": False}}}, "categories.news.mail"),
        ({"categories": {"news": {"email": "perhaps"}}}, "categories.news.email"),
        ({"categories": {"security": {"email": False}}}, "categories.security"),
        ({"quiet_hours": [{"from": "22:00"}]}, "quiet_hours.0.to"),
        ({"quiet_hours": [{"from": "24:30", "to": "07:00"}]}, "quiet_hours.0.from"),
        ({"quiet_hours": [{"from": "22:00", "to": "07:00", "days": ["monday"]}]}, "quiet_hours.0.days.0"),
        ({"quiet_hours": [{"from": "22:00", "to": "22:00"}]}, "quiet_hours.0"),
        ({"quiet": []}, "quiet"),
    ],
)
async def test_what_is_wrong_is_named(house: House, body: dict[str, object], field: str) -> None:
    answer = await house.http.put(WHERE, json=body, headers=BOB)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field), answer.text


async def test_without_kafka_nothing_changes(house: House) -> None:
    for answer in (
        await house.http.put(WHERE, json={"categories": {}}, headers=BOB),
        await house.http.delete(WHERE, headers=BOB),
    ):
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")


async def test_who_wishes_for_nothing_may_get_everything(house: House) -> None:
    answer = await house.http.get(WHERE, headers=BOB)
    assert answer.json() == {"user_id": "bob", "categories": {}, "quiet_hours": []}


async def test_what_was_changed_since_it_was_seen_is_not_changed(house: House) -> None:
    """A link in a mail is quicker than who has the page open: he reads again, and then changes (412 before 503)."""
    seen = (await house.http.get(WHERE, headers=BOB)).headers["etag"]
    await _stops(house, "news", offset=1)
    now = (await house.http.get(WHERE, headers=BOB)).headers["etag"]
    for ask in (lambda tag: house.http.put(WHERE, json={"categories": {}}, headers=BOB | {"If-Match": tag}),
                lambda tag: house.http.delete(WHERE, headers=BOB | {"If-Match": tag})):  # fmt: skip
        stale = await ask(seen)
        assert (stale.status_code, stale.json()["code"]) == (412, "stale")
        for tag in (now, "*", f'"another", {now}'):
            current = await ask(tag)
            assert (current.status_code, current.json()["title"]) == (503, "Service Unavailable"), current.text
            assert "Kafka" in current.json()["detail"], "whoever was refused must not keep his turn"


async def _stops(house: House, category: str, offset: int) -> None:
    value = {category: {"email": False}}
    wish = e.Preference(user_id="bob", subject_name=CATEGORIES, command=uuid4(), value=value)
    await house.remembers(Message(wish, Received(PREFERENCES.name, 0, offset, utc_now(), b"", b"")))


# ------------------------------------------------------------------------------------------------ limits


async def test_limits_show_what_is_used(database: str, nowhere: KafkaSettings, tmp_path: Path) -> None:
    """Shown is what was due: not what waits, nor what was never to be sent."""
    limits = {"limits": {"per_user": {"hour": 2, "day": 0}, "global": {"minute": 100}}}
    settings = settings_of(nowhere, database, tmp_path, notifications=limits)
    async with opened(settings, Publisher(nowhere, "gateway", deadline=0.3)) as house:
        zone = e.Recipient(user_id="bob", time_zone="Asia/Tokyo")
        await house.remembers(Message(zone, Received(RECIPIENTS.name, 0, 1, utc_now(), b"", b"")))
        await house.post(BELL)
        await house.shows(due_of(await house.post(BELL)))
        await house.hears(_ended(await house.post(BELL)), _waits(await house.post(BELL)))
        await house.post(BELL | {"user_id": "carol"})
        for answer in (
            await house.http.get("/v1/limits", headers=BOB),
            await house.http.get("/v1/admin/limits?user_id=bob", headers=ADMIN),
        ):
            seen = answer.json()
            assert (seen["user_id"], seen["time_zone"], seen["global"]) == ("bob", "Asia/Tokyo", {"minute": 100})
            hour, day = seen["per_user"]["hour"], seen["per_user"]["day"]
            assert (hour["limit"], hour["used"], hour["left"]) == (2, 2, 0)
            assert (day["limit"], day["used"], "left" in day) == (0, 2, False)
            assert datetime.fromisoformat(day["resets_at"]).hour == 15
        other = (await house.http.get("/v1/admin/limits?user_id=bob", headers=ADMIN_ELSEWHERE)).json()
        assert other["per_user"]["hour"]["used"] == 0


async def test_limits_of_others_need_a_name_and_an_admin(house: House) -> None:
    assert (await house.http.get("/v1/admin/limits", headers=ADMIN)).status_code == 422
    assert (await house.http.get("/v1/admin/limits?user_id=bob", headers=ALICE)).status_code == 403


async def test_what_is_held_is_on_the_timeline_with_why_and_until_when(house: House) -> None:
    id = await house.post(BELL)
    await house.hears(_waits(id))
    seen = await house.get(id)
    assert seen["status"] == "scheduled"
    (held,) = [line for line in seen["timeline"] if line["event"] == "held"]
    until = datetime.fromisoformat(seen["send_at"]).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert held["detail"] == f"until {until}: quiet_hours"


def _common(id: str) -> dict[str, object]:
    return due_of(id).passed_on()


def _ended(id: str) -> e.Failed:
    return e.Failed.model_validate(_common(id) | {"outcome": Status.REJECTED, "reason": "opted_out"})


def _waits(id: str) -> e.Scheduled:
    at = utc_now() + timedelta(hours=30)
    return e.Scheduled.model_validate(_common(id) | {"round": 1, "at": at, "why": Held.QUIET_HOURS})
