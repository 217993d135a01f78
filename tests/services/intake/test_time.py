"""Hours, preferences and limits on a real PostgreSQL: what is stored, what is counted, and two intakes at once."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from datetime import datetime, timedelta
from random import Random
from typing import Any

import asyncpg
import pytest

from contracts import events as e
from contracts.preferences import Preferences
from contracts.status import Channel, Status
from kit.hours import Calendar, span
from kit.postgres import Database
from services.intake.loops.usage import Forgetting
from services.intake.rules.facts import DigestRule, Policy
from services.intake.rules.limits import NO_CAPS, Caps
from services.intake.store import windows
from tests.services.intake.samples import cancel, move, requested, ripe
from tests.services.intake.support import Desk

START = datetime.fromisoformat("2027-03-01T12:30:00+00:00")
OPENS = datetime.fromisoformat("2027-03-01T17:00:00+00:00")
EVENING = Calendar((span("18:00", "22:00"),), "Europe/Paris")


@pytest.fixture(autouse=True)
async def clock(database: str) -> Any:
    """It is half past an hour, so that no test meets the next one."""

    async def show(at: datetime) -> None:
        owner = await asyncpg.connect(database)
        await owner.execute("update tocsin.clock_offset set by = $1 - clock_timestamp()", at)
        await owner.close()

    await show(START)
    return show


def asked(key: str, **fields: Any) -> e.Requested:
    fields = {"user_id": "alice"} | fields if "to" not in fields else fields
    return requested(key, **fields).model_copy(update={"accepted_at": START})


async def known(desk: Desk, *people: str) -> None:
    await desk.learn(*(e.Recipient(user_id=one, email=f"{one}@example.org") for one in people))


def wants(**wishes: Any) -> e.Preference:
    (subject,) = wishes
    return e.Preference(
        user_id="alice", subject_name=subject, value=Preferences.model_validate(wishes).parts()[subject]
    )


# ------------------------------------------------------------------------------------------------ preferences


async def test_preferences_are_judged_and_a_tombstone_forgets_them(desk: Desk) -> None:
    await known(desk, "alice")
    await desk.learn(
        wants(categories={"news": {"email": False}}), wants(quiet_hours=[{"from": "12:00", "to": "18:00"}])
    )
    (failed,) = await desk.hear(asked("k1", category="news"))
    assert isinstance(failed, e.Failed) and (failed.outcome, failed.reason) == (Status.REJECTED, "opted_out")
    (scheduled,) = await desk.hear(asked("k2", category="offers"))
    assert isinstance(scheduled, e.Scheduled) and (scheduled.why, scheduled.at) == ("quiet_hours", OPENS)
    await desk.learn(e.Tombstone(path="alice/categories"), e.Tombstone(path="alice/quiet_hours"))
    (due,) = await desk.hear(asked("k3", category="news"))
    assert isinstance(due, e.Due) and due.windows is None
    assert desk.watch.asked == 0


async def test_what_is_no_preference_says_nothing(desk: Desk) -> None:
    await known(desk, "alice")
    await desk.learn(e.Preference(user_id="alice", subject_name="quiet_hours", value={"items": [{"from": "noon"}]}))
    (due,) = await desk.hear(asked("k1"))
    assert isinstance(due, e.Due)


# ------------------------------------------------------------------------------------------------ hours


async def test_p3_2_what_is_held_is_judged_anew_when_it_is_ripe(db: Database, clock: Any) -> None:
    desk = Desk(db, Policy(hours={Channel.EMAIL: EVENING}))
    await known(desk, "alice")
    (held,) = await desk.hear(asked("k1"))
    assert isinstance(held, e.Scheduled) and (held.why, held.at, held.round) == ("operating_hours", OPENS, 1)
    assert await desk.hear(asked("k1")) == [held]
    await desk.learn(wants(quiet_hours=[{"from": "18:00", "to": "19:00"}]))
    await clock(OPENS + timedelta(seconds=1))
    (again,) = await desk.hear(ripe("k1"))
    assert isinstance(again, e.Scheduled)
    assert (again.why, again.at, again.round) == ("quiet_hours", OPENS + timedelta(hours=1), 2)
    await clock(OPENS + timedelta(hours=1, seconds=1))
    (due,) = await desk.hear(ripe("k1", round=2))
    assert isinstance(due, e.Due) and due.windows
    assert await desk.hear(asked("k1")) == await desk.hear(ripe("k1", round=2)) == [due]


def test_windows_are_read_back_as_they_were_written() -> None:
    some = ((START, OPENS), (OPENS + timedelta(microseconds=1), OPENS + timedelta(days=1)))
    assert windows.read(windows.written(some)) == some
    assert windows.read(windows.written(None)) is None


# ------------------------------------------------------------------------------------------------ limits


async def test_a_cap_holds_over_batches_and_a_repeat_is_counted_once(db: Database) -> None:
    desk = Desk(db, Policy(caps=Caps(hour=2)))
    await known(desk, "alice")
    assert kinds(await desk.hear(asked("k1"), asked("k1"), asked("k2"), asked("k3"))) == {"due": 2, "scheduled": 1}
    assert kinds(await desk.hear(asked("k1"), asked("k2"))) == {"due": 2}
    (held,) = await desk.hear(asked("k4"))
    assert isinstance(held, e.Scheduled) and held.why == "hour_limit"
    await desk.hear(cancel("k4"))
    (next_hour,) = await desk.hear(asked("k5"))
    assert isinstance(next_hour, e.Scheduled) and next_hour.at == START + timedelta(minutes=90)


async def test_p3_1_a_batch_that_is_rolled_back_counts_nothing(db: Database) -> None:
    desk = Desk(db, Policy(caps=Caps(hour=1)))
    await known(desk, "alice")
    with suppress(RuntimeError):
        async with db.transaction() as connection:
            assert kinds([one.event for one in await desk.judge.handle(connection, desk.messages([asked("k1")]))])
            raise RuntimeError("the process dies")
    assert kinds(await desk.hear(asked("k2"))) == {"due": 1}


async def test_two_intakes_never_exceed_a_cap_together(db: Database) -> None:
    """Eight batches at once, each about the same people in another order, each with room for the last place only."""
    people = [f"person{n}" for n in range(6)]
    desks = [Desk(db, Policy(caps=Caps(hour=3))) for _ in range(8)]
    await known(desks[0], *people)
    said = await asyncio.gather(*(desk.hear(*_shuffled(people, n)) for n, desk in enumerate(desks)))
    due = Counter(event.user_id for events in said for event in events if isinstance(event, e.Due))
    held = Counter((event.user_id, event.at) for events in said for event in events if isinstance(event, e.Scheduled))
    assert due == dict.fromkeys(people, 3)
    assert sum(held.values()) == 6 * (8 - 3) and max(held.values()) == 3


def _shuffled(people: list[str], n: int) -> list[e.Requested]:
    order = list(people)
    Random(n).shuffle(order)
    return [asked(f"{one}/{n}", user_id=one) for one in order]


async def test_counts_of_days_that_are_over_are_deleted(db: Database, clock: Any) -> None:
    desk = Desk(db, Policy(caps=Caps(hour=2)))
    await known(desk, "alice")
    await desk.hear(asked("k1"), asked("k2", to="bob@example.org"))
    assert [row["recipient"][:3] for row in await desk.query("select recipient from usage order by 1")] == [
        "ali",
        "to:",
    ]
    assert "bob" not in str(await desk.query("select * from usage"))
    await Forgetting(db).once()
    assert len(await desk.query("select from usage")) == 2
    await clock(START + timedelta(days=4))
    await Forgetting(db).once()
    assert not await desk.query("select from usage")


async def test_without_caps_nobody_is_counted(desk: Desk) -> None:
    await known(desk, "alice")
    await desk.hear(asked("k1"))
    assert not await desk.query("select from usage")


@pytest.mark.parametrize("far", ["9999-12-31T23:59:59Z", "9999-12-30T00:00:00Z", "0001-01-01T00:00:00Z"])
async def test_p7_the_ends_of_the_calendar_are_answered_and_stop_nobody(desk: Desk, far: str) -> None:
    """As Kafka brings them, which refuses nothing: alone, with an escalation, on several channels, and as a move."""
    await known(desk, "alice")
    steps = [{"after_seconds": 86_400 * 20, "channel": "inapp"}]
    for key, more in (("alone", {}), ("steps", {"escalate": steps}), ("both", {"channels": ["email", "inapp"]})):
        said = await desk.hear(asked(key, send_at=far, **more))
        assert {event.reason for event in said if isinstance(event, e.Failed)} <= {"invalid", "expired"}
        assert said and all(isinstance(event, e.Failed) for event in said)
    await desk.hear(asked("moved", send_at=(START + timedelta(hours=1)).isoformat(), escalate=steps))
    to = datetime.fromisoformat(far)
    said = await desk.hear(move("moved").model_copy(update={"at": to}))
    if to > START:
        assert {type(event) for event in said} == {e.MoveRefused}


@pytest.mark.parametrize("limited", [True, False])
async def test_p7_who_lives_in_a_zone_unknown_here_gets_it_by_the_clock_of_the_installation(
    db: Database, limited: bool
) -> None:
    """Whoever wrote the directory has newer zone data: caps, quiet hours and digests go by the default zone."""
    digests = {} if limited else {"news": DigestRule(Channel.EMAIL, at="18:00")}
    desk = Desk(db, Policy(caps=Caps(day=3) if limited else NO_CAPS, digests=digests))
    await desk.learn(e.Recipient(user_id="alice", email="alice@example.org", time_zone="Europe/Atlantis"))
    await desk.learn(wants(quiet_hours=[{"from": "22:00", "to": "07:00"}]))
    (said,) = await desk.hear(asked("k1", category="news"))
    assert isinstance(said, e.Due) if limited else isinstance(said, e.Scheduled) and said.at == OPENS


def kinds(said: list[e.Event]) -> dict[str, int]:
    return dict(Counter(event.ce_type.removeprefix("tocsin.") for event in said))
