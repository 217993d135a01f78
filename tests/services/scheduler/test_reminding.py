"""The fates of a deadline on a real PostgreSQL and a real Kafka: reminded, moved, closed, handed over, reported."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from contracts import events as e
from contracts.status import Lane
from contracts.topics import REQUESTED
from kit import failpoints
from kit.bus.publisher import Publisher
from kit.settings import KafkaSettings
from tests.kit.bus.support import delete, until_true
from tests.kit.bus.support import make as make_topics
from tests.services.scheduler.support import Listener, Owner
from tests.services.scheduler.tracking import (
    CRITICAL,
    DAY_BEFORE,
    FEBRUARY,
    LATE,
    SAME_DAY,
    SECOND,
    WEEK_BEFORE,
    Desk,
    dossier,
    message,
    person,
    plan,
    reminding,
)

SEED = [
    (WEEK_BEFORE, "week_before"),
    (DAY_BEFORE, "day_before"),
    (SAME_DAY, "same_day"),
    (LATE, "late"),
    (CRITICAL, "critical"),
]


async def next_at(owner: Owner, deadline: str = "118", user: str = "bob") -> datetime | None:
    found: datetime | None = await owner.connection.fetchval(
        "select next_at from scheduler.reminders where deadline_id = $1 and user_id = $2", deadline, user
    )
    return found


# ------------------------------------------------------------------------------------------------ reminded


async def test_each_reminder_of_the_seed_at_its_instant(desk: Desk, owner: Owner) -> None:
    """P4.4: and nothing a second before it, nor ever after."""
    await desk.hears(person(), dossier())
    assert await desk.fires() == []
    for at, rule in SEED:
        assert await next_at(owner) == at
        await owner.stop_clock(at - SECOND)
        assert [word for word in await desk.says() if word[1] != "daily_report"] == []
        await owner.stop_clock(at)
        assert [word for word in await desk.says() if word[1] != "daily_report"] == [("bob", rule)]
    assert await next_at(owner) is None


async def test_what_a_reminder_is(desk: Desk, owner: Owner) -> None:
    """A notification of the deadline's owner for the assignee, in the group that its end cancels."""
    await desk.hears(person(locale="fr"), dossier())
    await desk.fires()
    await owner.set_clock(WEEK_BEFORE)
    [word] = await desk.fires()
    assert isinstance(word, e.Requested)
    request = word.request
    assert (word.owner, request.user_id, request.channel, request.kind) == (
        "user:alice",
        "bob",
        "inapp",
        "deadline_reminder",
    )
    assert (request.group or "").startswith("deadline/118/") and (request.group or "").endswith("/bob")
    assert request.subject == "Dossier 118 : échéance dans 7 jours"
    assert request.data == {
        "deadline": {
            "id": "118",
            "title": "Dossier 118",
            "due_date": "2027-03-10",
            "late_from": "2027-03-10T23:00:00.000Z",
            "urgent": False,
        },
        "rule": "week_before",
        "at": "2027-03-03T07:00:00.000Z",
    }


async def test_urgent_every_hour_while_it_is_urgent(desk: Desk, owner: Owner) -> None:
    await desk.hears(person(), dossier(urgent=True))
    assert await desk.says() == []
    for hour in (13, 14):
        await owner.set_clock(FEBRUARY.replace(hour=hour))
        assert await desk.says() == [("bob", "urgent")]
    await desk.hears(dossier(urgent=False))
    await owner.set_clock(FEBRUARY.replace(hour=15))
    assert await desk.says() == []


async def test_after_a_long_sleep_each_once_and_of_the_hours_the_last(desk: Desk, owner: Owner) -> None:
    """Nothing changed meanwhile: the scheduler was away. No reminder is lost, no hour is said that is over."""
    await desk.hears(person(), dossier(urgent=True))
    await desk.fires()
    await owner.set_clock(LATE + SECOND)
    said = await desk.says()
    assert [rule for _, rule in said if rule != "daily_report"] == [
        "week_before",
        "day_before",
        "same_day",
        "late",
        "urgent",
    ]


async def test_everybody_in_the_own_zone(desk: Desk, owner: Owner) -> None:
    await desk.hears(person(), person("eve", "America/New_York"), dossier(assignees=["bob", "eve", "nobody"]))
    await desk.fires()
    assert await next_at(owner) == WEEK_BEFORE
    assert await next_at(owner, user="eve") == WEEK_BEFORE + timedelta(hours=6)
    assert await next_at(owner, user="nobody") == WEEK_BEFORE, "the installation's zone"


async def test_a_plan_of_ones_own_and_one_of_the_tenant(desk: Desk, owner: Owner) -> None:
    """By email and bell, in another lane, with a template: as it says."""
    own = {"reminders": [{"rule": "x", "days": -2, "at": "10:30", "channels": ["email", "inapp"], "lane": "urgent"}]}
    noon = {"rule": "noon", "days": 0, "at": "12:00", "kind": "dossier_update", "template": "noon", "category": "lunch"}
    await desk.hears(plan("default", noon), person(), dossier(plan=own), dossier("119"))
    await desk.fires()
    assert await next_at(owner) == datetime(2027, 3, 8, 9, 30, tzinfo=UTC)
    assert await next_at(owner, "119") == datetime(2027, 3, 10, 11, tzinfo=UTC)
    await owner.set_clock(datetime(2027, 3, 10, 11, tzinfo=UTC))
    words = [word for word in await desk.fires() if isinstance(word, e.Requested) and word.group]
    by_rule = {(word.request.data or {})["rule"]: word for word in words}
    assert by_rule["x"].request.channels == ("email", "inapp") and by_rule["x"].lane is Lane.URGENT
    asked = by_rule["noon"].request
    assert (asked.kind, asked.template, asked.category) == ("dossier_update", "noon", "lunch")


# ------------------------------------------------------------------------------------------------ moved


async def test_p4_4_moved_there_and_back(desk: Desk, owner: Owner) -> None:
    """P4.4: three epochs; what was said of the first is cancelled, and what is to come is that of the last."""
    await desk.hears(person(), dossier())
    await desk.fires()
    await owner.set_clock(WEEK_BEFORE)
    [first] = await desk.fires()
    assert isinstance(first, e.Requested)
    await desk.hears(dossier(due_date="2027-06-01"))
    [end] = await desk.fires()
    assert isinstance(end, e.Cancel)
    assert (end.group, end.owner, end.for_ever, end.reason) == (first.group, None, True, "deadline_moved")
    await desk.hears(dossier())
    said = await desk.fires()
    assert [(w.request.data or {})["missed"] for w in said if isinstance(w, e.Requested)] == [["week_before"]]
    assert await next_at(owner) == DAY_BEFORE


async def test_p4_4_moved_into_the_past_says_missed_once(desk: Desk, owner: Owner) -> None:
    """P4.4: not five times; by the way of the last of them."""
    await desk.hears(person(), dossier())
    await desk.fires()
    await desk.hears(dossier(due_date="2027-01-20"))
    [word] = [word for word in await desk.fires() if isinstance(word, e.Requested)]
    assert (word.request.data or {})["missed"] == ["week_before", "day_before", "same_day", "late", "critical"]
    assert (word.request.kind, word.request.subject) == ("new_alert", "Dossier 118: late for 11 days")
    assert await next_at(owner) is None


async def test_closed_is_silent_and_ends_its_groups_only(desk: Desk, owner: Owner) -> None:
    """P4.4: the neighbour of another id goes on."""
    await desk.hears(person(), dossier(), dossier("119"))
    await desk.fires()
    await owner.set_clock(WEEK_BEFORE)
    said = {word.request.subject: word for word in await desk.fires() if isinstance(word, e.Requested)}
    await desk.hears(dossier(status="closed"))
    [end] = await desk.fires()
    assert isinstance(end, e.Cancel)
    assert end.group == said["Dossier 118: due in 7 days"].group and end.reason == "deadline_closed"
    await owner.set_clock(CRITICAL)
    groups = {word.group for word in await desk.fires() if isinstance(word, e.Requested) and word.group}
    assert {group.split("/")[1] for group in groups} == {"119"}


async def test_what_never_spoke_is_closed_without_a_word(desk: Desk, owner: Owner) -> None:
    """A cancel of nothing would cost everybody something."""
    await desk.hears(person(), dossier())
    await desk.fires()
    await desk.hears(dossier(status="closed"))
    assert await desk.fires() == []
    await desk.hears(dossier())
    await desk.fires()
    assert await next_at(owner) == WEEK_BEFORE


async def test_deleted_and_forgotten(desk: Desk, owner: Owner) -> None:
    await desk.hears(person(), dossier())
    await desk.fires()
    await desk.hears(e.Tombstone(path="118"))
    await owner.set_clock(CRITICAL)
    assert await desk.says() == []
    row = await owner.connection.fetchrow("select * from scheduler.deadlines")
    assert row is not None and (row["title"], row["assignees"], row["is_open"]) == ("", [], False)


async def test_p4_4_who_is_taken_off_hears_no_more(desk: Desk, owner: Owner) -> None:
    """P4.4: that person's group alone is cancelled."""
    await desk.hears(person(), person("eve"), dossier(assignees=["bob", "eve"]))
    await desk.fires()
    await owner.set_clock(WEEK_BEFORE)
    assert await desk.says() == [("bob", "week_before"), ("eve", "week_before")]
    await desk.hears(dossier(assignees=["eve"]))
    [end] = await desk.fires()
    assert isinstance(end, e.Cancel) and (end.group or "").endswith("/bob") and end.reason == "unassigned"
    await owner.set_clock(DAY_BEFORE)
    assert ("eve", "day_before") in (said := await desk.says()) and ("bob", "day_before") not in said


async def test_a_person_who_moves_takes_the_reminders_along(desk: Desk, owner: Owner) -> None:
    """Of every open deadline, and nobody else's."""
    await desk.hears(person(), dossier(), dossier("119", assignees=["bob", "eve"]), person("eve"))
    await desk.fires()
    await desk.hears(person(time_zone="Asia/Tokyo"))
    assert await desk.fires() == []
    for deadline in ("118", "119"):
        assert await next_at(owner, deadline) == WEEK_BEFORE - timedelta(hours=8)
    assert await next_at(owner, "119", "eve") == WEEK_BEFORE
    await desk.hears(e.Recipient(user_id="bob"))
    await desk.fires()
    assert await next_at(owner) == WEEK_BEFORE, "the installation's zone again"


async def test_what_was_said_in_one_zone_is_not_said_again_in_another(desk: Desk, owner: Owner) -> None:
    await desk.hears(person(), dossier())
    await desk.fires()
    await owner.set_clock(WEEK_BEFORE)
    assert await desk.says() == [("bob", "week_before")]
    await desk.hears(person(time_zone="America/New_York"))
    await owner.set_clock(WEEK_BEFORE + timedelta(hours=7))
    assert await desk.says() == []


async def test_a_changed_plan_moves_all_that_go_by_it(desk: Desk, owner: Owner) -> None:
    """In pieces: a tenant may have a million of them."""
    await desk.hears(person(), *(dossier(str(n)) for n in range(1203)), dossier("x", plan={"reminders": []}))
    await desk.fires(200)
    await desk.hears(plan("default", {"rule": "noon", "at": "12:00"}))
    await desk.fires(200)
    rows = await owner.connection.fetch("select next_at, count(*) from scheduler.reminders group by 1 order by 1")
    assert [tuple(row) for row in rows] == [(datetime(2027, 3, 10, 11, tzinfo=UTC), 1203), (None, 1)]
    assert await owner.connection.fetchval("select count(*) from scheduler.replans") == 0


async def test_p1_only_what_is_newer_counts(desk: Desk, owner: Owner) -> None:
    """In whatever order and however often it comes."""
    at = datetime(2026, 11, 1, tzinfo=UTC)
    told = [
        message(dossier(due_date="2027-05-01"), at=at, offset=7),
        message(dossier(due_date="2027-06-01"), at=at, offset=8),
        message(dossier(), at=at + SECOND, offset=3),
    ]
    for order in ((2, 0, 1), (0, 2, 1, 2), (1, 1, 0, 2)):
        for n in order:
            await desk.hears(told[n])
        await desk.fires()
        assert await next_at(owner) == WEEK_BEFORE
        await owner.connection.execute("truncate scheduler.deadlines, scheduler.reminders")


async def test_the_rows_are_what_the_rules_say_whatever_the_batches(desk: Desk, owner: Owner) -> None:
    """The same history one by one, and in batches with firings in between: the same is to come."""
    dice = random.Random(4)
    history = [
        dossier(
            str(dice.randint(1, 3)),
            due_date=f"2027-0{dice.randint(2, 5)}-1{dice.randint(0, 9)}",
            assignees=dice.sample(["bob", "eve", "ann"], dice.randint(1, 3)),
            status=dice.choice(["open", "open", "closed"]),
            urgent=dice.random() < 0.3,
        )
        for _ in range(60)
    ]
    seen = []
    for sizes in ((1,), (7, 3), (60,)):
        await owner.set_clock(FEBRUARY)
        left, n = list(history), 0
        while left:
            size = sizes[n % len(sizes)]
            batch, left, n = left[:size], left[size:], n + 1
            await desk.hears(*batch)
            if n % 2:
                await desk.fires()
        await desk.fires()
        rows = await owner.connection.fetch(
            "select deadline_id, user_id, next_at from scheduler.reminders order by 1, 2"
        )
        seen.append([tuple(row) for row in rows])
        await owner.connection.execute("truncate scheduler.deadlines, scheduler.reminders, scheduler.ended_groups")
    assert seen[0] == seen[1] == seen[2] and len(seen[0]) > 2


# ------------------------------------------------------------------------------------------------ with Kafka


async def test_fired_to_kafka_and_on_to_the_next(
    desk: Desk, owner: Owner, publisher: Publisher, listener: Listener
) -> None:
    """In the lanes of the plan; two schedulers side by side say it once."""
    urgent = {"rule": "x", "days": -7, "at": "08:00", "lane": "urgent"}
    await desk.hears(person(), *(dossier(str(n)) for n in range(200)), dossier("u", plan={"reminders": [urgent]}))
    await desk.fires()
    async with reminding(desk.db, publisher), reminding(desk.db, publisher):
        await owner.set_clock(WEEK_BEFORE)
        await listener.hear(201)
        await until_true(lambda: _moved_on(owner))
    events = await listener.hear_out()
    assert len(events) == 201 and len({event.ce_id for event in events}) == 201
    [lane] = [got.topic for event, got in listener.heard if isinstance(event, e.Requested) and event.lane == "urgent"]
    assert lane == REQUESTED[Lane.URGENT].name


async def test_without_kafka_it_waits_and_says_the_same(
    desk: Desk, owner: Owner, hasty: Publisher, listener: Listener, kafka: KafkaSettings
) -> None:
    """The pause grows; nothing moves on that was not heard."""
    await desk.hears(person(), dossier())
    await desk.fires()
    await delete(kafka, REQUESTED[Lane.NORMAL])
    await owner.set_clock(WEEK_BEFORE)
    async with reminding(desk.db, hasty):
        await until_true(lambda: _failed(owner))
        row = await owner.connection.fetchrow("select * from scheduler.reminders")
        assert row is not None and list(row["said"]) == [] and not row["spoke"]
        await make_topics(kafka, REQUESTED[Lane.NORMAL])
        await until_true(lambda: _moved_on(owner))
    row = await owner.connection.fetchrow("select * from scheduler.reminders")
    assert row is not None and (list(row["said"]), row["failures"], row["next_at"]) == (["week_before"], 0, DAY_BEFORE)


async def test_p4_4_broken_off_between_saying_and_committing(
    desk: Desk, owner: Owner, publisher: Publisher, listener: Listener
) -> None:
    """P4.4: said twice under one id; and where it is closed before the second time, its group is cancelled."""
    await desk.hears(person(), dossier())
    await desk.fires()
    failpoints.arm("firing_after_publish:raise")
    await owner.set_clock(WEEK_BEFORE)
    async with reminding(desk.db, publisher):
        [first] = await listener.hear(1)
        await until_true(lambda: _moved_on(owner))
    events = await listener.hear_out()
    assert {event.ce_id for event in events} == {first.ce_id} and len(events) >= 2


async def test_p4_4_closed_before_a_broken_firing_came_again(desk: Desk, owner: Owner) -> None:
    """P4.4: it may have been heard, so that its group is cancelled although no row says that it spoke."""
    await desk.hears(person(), dossier())
    await desk.fires()
    await owner.set_clock(WEEK_BEFORE)
    await desk.hears(dossier(status="closed"))
    assert [word.reason for word in await desk.fires() if isinstance(word, e.Cancel)] == ["deadline_closed"]


async def _moved_on(owner: Owner) -> bool:
    found = await owner.connection.fetchval(
        "select count(*) from scheduler.reminders where next_at <= tocsin.clock() or failures > 0"
    )
    return bool(found == 0)


async def _failed(owner: Owner) -> bool:
    return bool(await owner.connection.fetchval("select max(failures) > 0 from scheduler.reminders"))
