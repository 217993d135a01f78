"""What was accepted has ended, or somebody has it; who is lost shows, and is driven again by who lost him (P9)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from contracts import events as e
from contracts.status import Channel
from kit.clock import utc_now
from kit.metrics import Metrics
from services.gateway.handlers import counts
from services.gateway.outbox.reconciling import Reconciling
from services.gateway.settings import Pace
from services.gateway.store import asking, reconciling
from services.gateway.store.asking import Judged
from services.gateway.store.people import BLANK
from services.gateway.store.reconciling import Lost
from tests.services.gateway.conftest import ADMIN, ADMIN_ELSEWHERE, ALICE, EMAIL, House, message

NOBODY = Lost(0, 0)
HOUR = datetime(2026, 3, 1, 9, tzinfo=UTC)


@pytest.fixture
def metrics() -> Metrics:
    return Metrics("gateway")


@pytest.fixture
def looking(house: House, metrics: Metrics) -> Reconciling:
    return Reconciling(house.database, Pace(), metrics)


async def sql(house: House, statement: str, *values: object) -> Any:
    async with house.database.connection() as connection:
        return await connection.fetchval(statement, *values)


async def proof(house: House, who: dict[str, str] = ADMIN) -> dict[str, int]:
    """What an admin sees."""
    found: dict[str, int] = (await house.http.get("/v1/admin/stats", headers=who)).json()["reconciliation"]
    return found


def sent(id: str) -> e.Sent:
    now = utc_now()
    return e.Sent(id=UUID(id), owner="user:alice", channel=Channel.EMAIL, accepted_at=now, at=now, provider="smtp")


async def test_p9_nobody_is_lost_who_waits_is_open_or_has_ended(house: House, looking: Reconciling) -> None:
    ids = [await house.post() for _ in range(3)]
    both = EMAIL | {"channels": ["email", "sms"], "user_id": "bob"}
    del both["channel"], both["to"]
    await house.post(both)
    await house.hears(sent(ids[0]))
    assert await looking.look() == NOBODY
    found = await proof(house)
    assert (found["final"], found["open"], found["lost"]) == (1, 2, 0)
    assert found["accepted"] == found["final"] + found["open"]


async def test_p9_what_vanished_from_the_outbox_is_seen_and_then_driven_again(
    house: House, looking: Reconciling, metrics: Metrics
) -> None:
    id = await house.post()
    kept = await house.post()
    await sql(house, "delete from outbox where id = $1", UUID(id))
    assert [await looking.look(), await looking.look()] == [NOBODY, Lost(1, 1)], "a difference must stand"
    assert await proof(house) == {"accepted": 2, "final": 0, "open": 1, "lost": 1}
    assert metrics.registry.get_sample_value("tocsin_reconciliation_lost") == 1
    assert await looking.look() == NOBODY
    assert await sql(house, "select topic from outbox where id = $1 and published_at is null", UUID(id)) is not None
    await house.hears(sent(id), sent(kept))
    assert await looking.look() == NOBODY
    assert await proof(house) == {"accepted": 2, "final": 2, "open": 0, "lost": 0}


async def test_p9_where_nothing_is_driven_again_it_is_shown_for_good(house: House) -> None:
    looking = Reconciling(house.database, Pace(), Metrics("gateway"), puts_back=False)
    id = await house.post()
    await sql(house, "delete from outbox where id = $1", UUID(id))
    assert [await looking.look() for _ in range(4)] == [NOBODY, *[Lost(1, 1)] * 3]


async def test_p9_what_was_heard_of_is_never_driven_again(house: House, looking: Reconciling) -> None:
    """What was erased has nothing to say any more, and what asked for several channels ended with the one of them that
    was cleaned up: a difference of their hour is of counts, and nobody is lost."""
    erased = await house.post()
    await sql(house, "update notifications set request = $2 where id = $1", UUID(erased), BLANK)
    both = {"channels": ["email", "sms"], "user_id": "bob", "subject": "s", "body": "b"}
    parent = await house.post(both)
    for child in (await house.get(parent))["children"]:
        row = "insert into cleaned (id, accepted_at, ended_at, rank) values ($1, now(), now(), 8)"
        await sql(house, row, UUID(child["id"]))
    await sql(house, "delete from notifications where parent = $1", UUID(parent))
    await sql(house, "delete from outbox")
    assert [await looking.look() for _ in range(4)] == [NOBODY] * 4
    assert await sql(house, "select count(*) from outbox") == 0


@pytest.mark.parametrize("done", ["update asked_hours set asked = 0", "update asked_hours set answered = 7"])
async def test_p9_what_a_gateway_of_another_version_counted_otherwise_is_no_loss(
    house: House, looking: Reconciling, done: str
) -> None:
    """Rows speak before counts: both versions work side by side for a while."""
    await house.post()
    await sql(house, done)
    assert [await looking.look() for _ in range(3)] == [NOBODY] * 3
    assert await sql(house, "select sum(asked - answered) from asked_hours") == 1


async def test_p9_one_alone_sets_right_what_was_counted(house: House, looking: Reconciling) -> None:
    await house.post()
    await sql(house, "update asked_hours set asked = 0")
    await looking.look()
    async with house.database.transaction() as connection:
        assert await reconciling.alone(connection)
        await looking.look()
        assert await sql(house, "select sum(asked) from asked_hours") == 0
    await looking.look()
    assert await sql(house, "select sum(asked - answered) from asked_hours") == 1


@pytest.mark.parametrize(
    ("ours", "theirs", "lost"),
    [
        ((1, 0), (0, 0), Lost(1, 0)),
        ((1, 0), (1, 1), Lost(1, 0)),
        ((0, 0), (1, 1), Lost(1, 1)),
        ((2, 1), (2, 1), NOBODY),
    ],
)
async def test_p9_hours_that_stay_different_from_the_judges_are_lost(
    house: House, ours: tuple[int, int], theirs: tuple[int, int], lost: Lost
) -> None:
    """What the judge never had, what ended for him alone, what only he has; and where both say the same."""
    accepted, final = ours
    for rank, n in ((0, accepted - final), (9, final)):
        await sql(house, "insert into hours values ($1, 'default', 'email', $2, $3)", HOUR, rank, n)
    now = utc_now()
    async with house.database.connection() as connection:
        await asking.note_judged(connection, [Judged(HOUR, *theirs)], now)
        await asking.compare(connection)
        await asking.note_judged(connection, [Judged(HOUR, *theirs)], now + timedelta(minutes=1))
        assert await reconciling.standing(connection, now - timedelta(minutes=1)) == NOBODY, "somebody may be behind"
        assert await reconciling.standing(connection, now + timedelta(minutes=1)) == lost


async def test_p9_what_the_judge_misses_shows_at_the_gateway(house: House, looking: Reconciling) -> None:
    id = await house.post()
    told = e.ServiceStatus(
        correlation_id=UUID(int=1),
        service="intake",
        instance="counts",
        state="counts",
        at=utc_now(),
        result={"hours": [], "missing": 1},
    )
    request = e.Scheduled(
        id=UUID(id), owner="user:alice", channel=Channel.EMAIL, accepted_at=utc_now(), round=0, at=utc_now()
    )
    await house.hears(request)
    async with house.database.transaction() as connection:
        await counts.note(connection, [message(told)])
    assert await looking.look() == Lost(1, 0)
    assert await proof(house) == {"accepted": 1, "final": 0, "open": 0, "lost": 1}


async def test_p9_where_there_are_several_tenants_each_keeps_its_own_figures(house: House) -> None:
    """What is lost is known of the whole house only."""
    await sql(house, "insert into hours values ($1, 'default', 'email', 9, 5)", HOUR)
    await sql(house, "insert into hours values ($1, 'elsewhere', 'email', 9, 3)", HOUR)
    await sql(house, "insert into losses values ('judge', 2, 0)")
    assert await proof(house, ADMIN_ELSEWHERE) == {"accepted": 3, "final": 3, "open": 0, "lost": 2}
    own = (await house.http.get("/v1/stats", headers=ALICE)).json()["reconciliation"]
    assert "lost" not in own or own["lost"] is None
