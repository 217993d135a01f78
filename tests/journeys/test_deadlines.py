"""A dossier with its date, through the whole stack: the bell rings at each instant, and is silent when it is done."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from contracts.topics import INTAKE_DIRECTORY, SCHEDULER_DEADLINES
from kit.settings import KafkaSettings
from tests import servers as real
from tests.journeys.stack import SERVICES, Stack
from tests.journeys.test_first_journeys import publish
from tests.waiting import PATIENCE

pytestmark = pytest.mark.asyncio(loop_scope="module")

CONFIG = "notifications: {email: {retry: {max_attempts: 5, retry_delay_seconds: 600}}}"
START = datetime(2027, 3, 1, 6, 30, tzinfo=UTC)
"""Where each test begins: a Monday, half past seven in Paris."""
SECOND = timedelta(seconds=1)

INSTANTS = [
    ("week_before", "deadline_reminder", datetime(2027, 3, 3, 7, tzinfo=UTC)),
    ("day_before", "deadline_reminder", datetime(2027, 3, 9, 7, tzinfo=UTC)),
    ("same_day", "deadline_reminder", datetime(2027, 3, 10, 7, tzinfo=UTC)),
    ("late", "new_alert", datetime(2027, 3, 10, 23, tzinfo=UTC)),
    ("critical", "new_alert", datetime(2027, 3, 13, 23, tzinfo=UTC)),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(session: real.Session, kafka_address: str, postgres_url: str, template: str) -> AsyncIterator[Stack]:
    """All services, two schedulers."""
    kafka: KafkaSettings = real.kafka_settings(kafka_address)
    async with real.copied_database(postgres_url, template) as database:
        async with Stack(
            kafka,
            database,
            session.new_folder("deadlines"),
            session.look_after,
            counts={"scheduler": 2},
            services=SERVICES,
            config=CONFIG,
        ) as stack:
            yield stack
    await real.delete_topics(kafka)


@pytest_asyncio.fixture(loop_scope="module")
async def clock(stack: Stack) -> AsyncIterator[Clock]:
    """What planned instants go by, in the test's hand; it never goes back further than its start."""
    connection = await asyncpg.connect(stack.database)
    clock = Clock(stack, connection)
    await clock.set(START)
    yield clock
    await connection.close()


class Clock:
    """It stands still, so that nothing rings early because a busy machine took its time over a look."""

    def __init__(self, stack: Stack, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        self._stack = stack
        self._connection = connection

    async def set(self, to: datetime) -> None:
        """Once all have heard what is to count by then."""
        await self._stack.have_heard((INTAKE_DIRECTORY, SCHEDULER_DEADLINES))
        await self._connection.execute(
            "create or replace function tocsin.clock() returns timestamptz language sql stable parallel safe"
            f" return timestamptz '{to.isoformat()}'"
        )


async def put(stack: Stack, id: str, user: str, **more: Any) -> dict[str, Any]:
    body = {"title": f"Dossier {id}", "due_date": "2027-03-10", "assignees": [user]} | more
    body = {name: value for name, value in body.items() if value is not None}
    answer = await stack.call("PUT", f"/v1/deadlines/{id}", json=body)
    if answer.status_code == 202:
        await stack.have_heard()
        answer = await stack.call("GET", f"/v1/deadlines/{id}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def person(stack: Stack, user: str, **more: Any) -> None:
    body = {"time_zone": "Europe/Paris"} | more
    answer = await stack.call("PUT", f"/v1/recipients/{user}", user="admin", admin=True, json=body)
    assert answer.status_code in (200, 202), answer.text
    if answer.status_code == 202:
        await stack.have_heard()


async def bells(stack: Stack, user: str, count: int, within: float = PATIENCE) -> list[dict[str, Any]]:
    """The person's inbox once it holds so many entries, the oldest first."""
    items: list[dict[str, Any]] = []
    async with asyncio.timeout(within):
        while len(items) < count:
            items = (await stack.call("GET", "/v1/inbox", user=user)).json()["items"]
            await asyncio.sleep(0.05)
    assert len(items) == count, [(one["kind"], one["title"]) for one in items]
    return items[::-1]


async def settled(stack: Stack, user: str) -> None:
    """What was due has been said: a bell that is asked for after it has rung."""
    before = len(await reminders(stack, f"{user}-check"))
    due = {"after_seconds": 0, "rule": "now"}
    await put(stack, f"check-{user}-{before}", f"{user}-check", due_date="2027-02-20", plan={"reminders": [due]})
    await until(stack, f"{user}-check", before + 1)


async def test_b3_b4_each_reminder_rings_at_its_instant(stack: Stack, clock: Clock) -> None:
    """Not a second before, once each, with two schedulers at work; the REST answer said so before."""
    await person(stack, "ann", locale="fr")
    told = await put(stack, "b3", "ann")
    assert [(one["rule"], datetime.fromisoformat(one["at"])) for one in told["reminders"]] == [
        (rule, at) for rule, _, at in INSTANTS
    ]
    for n, (rule, kind, at) in enumerate(INSTANTS):
        await clock.set(at - SECOND)
        await settled(stack, "ann")
        assert len(await reminders(stack, "ann")) == n, rule
        await clock.set(at)
        [*_, last] = await until(stack, "ann", n + 1)
        assert (last["kind"], last["data"]["rule"], last["data"]["at"]) == (
            kind,
            rule,
            at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        )
    assert last["title"] == "Dossier b3 : en retard de 3 jours"


async def test_a_reminder_comes_by_mail(stack: Stack, clock: Clock) -> None:
    """To the address that the person has at that moment."""
    await person(stack, "amy", email="old@example.com")
    by_mail = {"rule": "mail", "days": -1, "at": "08:00", "channels": ["email"]}
    await put(stack, "mail", "amy", plan={"reminders": [by_mail]})
    await person(stack, "amy", email="amy@example.com")
    await clock.set(INSTANTS[1][2])
    [caught] = await stack.catcher.wait_for(to="amy@example.com")
    assert "Dossier mail" in caught.subject
    assert not stack.catcher.mails(to="old@example.com")


async def test_closing_cancels_what_waits_in_another_lane(stack: Stack, clock: Clock) -> None:
    """A reminder by email that has become a notification and cannot be sent yet ends when the dossier is closed."""
    await person(stack, "ben", email="450@example.com")
    mail = {"rule": "mail", "days": -1, "at": "08:00", "channels": ["email"], "lane": "bulk"}
    await put(stack, "close", "ben", plan={"reminders": [mail]})
    await clock.set(INSTANTS[1][2])
    [waiting] = await notifications(stack, "ben", "retrying")
    await put(stack, "close", "ben", status="closed", plan={"reminders": [mail]})
    done = await stack.final(waiting["id"])
    assert done["status"] == "cancelled"


async def test_moved_into_the_past_says_once_what_was_missed(stack: Stack, clock: Clock) -> None:
    await person(stack, "cleo")
    await put(stack, "past", "cleo", due_date="2027-06-01")
    await put(stack, "past", "cleo", due_date="2027-02-20")
    [missed] = await bells(stack, "cleo", 1)
    assert missed["data"]["missed"] == ["week_before", "day_before", "same_day", "late", "critical"]
    await settled(stack, "cleo")
    assert len(await reminders(stack, "cleo")) == 1


async def test_b5_urgent_every_hour_until_it_is_not(stack: Stack, clock: Clock) -> None:
    """Said by a program with one line on Kafka."""
    line = {"id": "b5", "title": "Dossier b5", "assignees": ["dan"], "urgent": True}
    await publish(stack, json.dumps(line).encode(), "deadlines.tracked", key=b"b5")
    await shown(stack, "b5", lambda seen: seen["urgent"])
    for n in range(3):
        await clock.set(START + timedelta(minutes=30, hours=n))
        await until(stack, "dan", n + 1)
    await publish(stack, json.dumps(line | {"status": "closed"}).encode(), "deadlines.tracked", key=b"b5")
    await shown(stack, "b5", lambda seen: seen["status"] == "closed")
    await clock.set(START + timedelta(hours=9))
    await settled(stack, "dan")
    assert [one["kind"] for one in await reminders(stack, "dan")] == ["new_alert"] * 3


async def test_a_person_who_moves_takes_the_reminders_along(stack: Stack, clock: Clock) -> None:
    await person(stack, "eli")
    await put(stack, "zone", "eli")
    await person(stack, "eli", time_zone="America/New_York")
    seen = (await stack.call("GET", "/v1/deadlines/zone")).json()["reminders"][0]
    assert seen == {"rule": "week_before", "user_id": "eli", "at": "2027-03-03T13:00:00Z"}
    await clock.set(INSTANTS[0][2])
    await settled(stack, "eli")
    assert await reminders(stack, "eli") == []
    await clock.set(datetime(2027, 3, 3, 13, tzinfo=UTC))
    await until(stack, "eli", 1)


async def test_b6_one_report_for_each_person_and_none_for_who_has_nothing(stack: Stack, clock: Clock) -> None:
    for user in ("fay", "gus"):
        await person(stack, user)
    await put(stack, "b6-late", "fay", due_date="2027-02-01", plan={"reminders": []})
    await put(stack, "b6-today", "fay", due_date="2027-03-01", plan={"reminders": []})
    await put(stack, "b6-later", "gus", due_date="2027-06-01", plan={"reminders": []})
    await clock.set(datetime(2027, 3, 1, 17, tzinfo=UTC))
    [report] = await bells(stack, "fay", 1)
    assert (report["kind"], report["title"]) == ("daily_report", "Daily report: 1 late, 1 due today")
    assert [one["id"] for one in report["data"]["late"]] == ["b6-late"]
    await settled(stack, "gus")
    assert (await stack.call("GET", "/v1/inbox", user="gus")).json()["items"] == []


async def test_p7_a_deadline_that_is_none_is_reported_once_and_stops_nobody(stack: Stack, clock: Clock) -> None:
    """P7: two schedulers and a gateway read it; the one that its topic names tells of it."""
    await publish(stack, b'{"id": "p7", "title": "x", "due_date": "soon"}', "deadlines.tracked", key=b"p7")
    await put(stack, "p7-good", "hal")
    connection = await asyncpg.connect(stack.database)
    try:
        async with asyncio.timeout(PATIENCE):
            while not (found := await connection.fetch("select * from gateway.poison")):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    finally:
        await connection.close()
    assert [row["topic"] for row in found] == ["deadlines.tracked"]


async def test_two_schedulers_one_killed_inside_a_firing(stack: Stack, clock: Clock) -> None:
    """Between saying and committing: the other says it again under the same id, and the inbox shows it once."""
    [first, second] = stack.of("scheduler")
    await person(stack, "ivy")
    for n in range(5):
        await put(stack, f"kill-{n}", "ivy", plan={"reminders": [{"rule": "x", "days": -7, "at": "08:00"}]})
    await stack.terminate(second)
    await stack.terminate(first)
    first.environment["TOCSIN_FAILPOINTS"] = "firing_after_publish:kill"
    stack.start(first)
    await clock.set(INSTANTS[0][2])
    assert first.process is not None
    await asyncio.wait_for(asyncio.to_thread(first.process.wait), PATIENCE)
    stack.start(second)
    stack.start(first)
    await stack.ready()
    await until(stack, "ivy", 5)
    await settled(stack, "ivy")
    assert len(await reminders(stack, "ivy")) == 5


async def reminders(stack: Stack, user: str) -> list[dict[str, Any]]:
    """What the inbox shows of deadlines, the oldest first."""
    items = (await stack.call("GET", "/v1/inbox?limit=200", user=user)).json()["items"]
    return [one for one in items[::-1] if one["kind"] != "daily_report"]


async def until(stack: Stack, user: str, count: int) -> list[dict[str, Any]]:
    """The reminders once there are so many."""
    async with asyncio.timeout(PATIENCE):
        while len(found := await reminders(stack, user)) < count:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert len(found) == count, [(one["kind"], one["title"]) for one in found]
    return found


async def notifications(stack: Stack, user: str, status: str) -> list[dict[str, Any]]:
    """The person's notifications, once one has this status."""
    async with asyncio.timeout(PATIENCE):
        while True:
            answer = await stack.call("GET", f"/v1/notifications?user_id={user}&status={status}", user="a", admin=True)
            if items := answer.json()["items"]:
                return list(items)
            await asyncio.sleep(0.05)


async def shown(stack: Stack, id: str, fits: Any) -> None:
    """The deadline once REST shows it so."""
    async with asyncio.timeout(PATIENCE):
        while True:
            answer = await stack.call("GET", f"/v1/deadlines/{id}", user="a", admin=True)
            if answer.status_code == 200 and fits(answer.json()):
                return
            await asyncio.sleep(0.05)
