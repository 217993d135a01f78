"""A notification is remembered for 36 days after its end; what is open is remembered for ever (P8)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

from contracts.status import Channel
from kit.postgres import Database
from services.intake.handlers.cleaning import Cleaning
from services.intake.rules.asking import channel_id
from services.intake.settings import REMEMBERED_DAYS
from services.intake.store import groups
from services.intake.store.cleaning import ON_PAGES
from tests.kit.bus.support import until_true

AGE = timedelta(days=REMEMBERED_DAYS)


async def put(
    db: Database, state: str, days: int, *, id: UUID | None = None, answered: bool = False, expires: int | None = None
) -> UUID:
    """A row as it was left so many days ago; `expires`: so many days ago."""
    named = id or uuid4()
    async with db.connection() as connection:
        await connection.execute(_PUT, named, state, days, answered, expires)
    return named


_PUT = """
insert into notifications (id, tenant, owner, channel, lane, accepted_at, judged_at, steps, fingerprint, time_zone,
    state, edit, round, since, unknown, outcome, answer, sweeps, look_at, pile, expires_at)
select $1, 'default', 'user:alice', 'email', 'normal', at, at, 0, '\\x00', 'UTC', $2, 0, 1, at, 0,
    case when $2 = 'ended' then 'sent' end, case when $4 then '\\x00'::bytea end, 0,
    case when $2 in ('waiting', 'handed') then at end, case when $2 in ('waiting', 'handed') then 'waiting.normal' end,
    now() - make_interval(days => $5)
from (select now() - make_interval(days => $3) as at) g
"""


async def ids(db: Database) -> set[UUID]:
    async with db.connection() as connection:
        return {row["id"] for row in await connection.fetch("select id from notifications")}


async def test_p8_what_ended_long_ago_is_forgotten(db: Database) -> None:
    """Also what was asked of an id that never came; never what waits, or a sender has."""
    gone = {await put(db, "ended", 37), await put(db, "expected", 37), await put(db, "ended", 37, answered=True)}
    stays = {await put(db, state, 400) for state in ("waiting", "handed")} | {await put(db, "ended", 35)}
    assert await Cleaning(db, AGE).forget_notifications() == len(gone)
    assert await ids(db) == stays


async def test_p8_an_outcome_that_was_heard_counts_from_its_expiry(db: Database) -> None:
    """Nobody wrote down when it came: it may have been as late as that."""
    late = await put(db, "ended", 60, answered=True, expires=20)
    await put(db, "ended", 60, answered=True, expires=40)
    own = await put(db, "ended", 60, expires=20)
    await Cleaning(db, AGE).forget_notifications()
    assert await ids(db) == {late} and own != late


async def test_p6_3_one_of_several_channels_is_forgotten_last(db: Database) -> None:
    parent = await put(db, "split", 60)
    child = await put(db, "waiting", 60, id=channel_id(parent, Channel.SMS))
    assert await Cleaning(db, AGE).forget_notifications() == 0
    async with db.connection() as connection:
        await connection.execute("delete from notifications where id = $1", child)
    assert await Cleaning(db, AGE).forget_notifications() == 1


async def test_p3_5_a_key_goes_with_its_notification(db: Database) -> None:
    there = await put(db, "waiting", 60)
    async with db.connection() as connection:
        for key, id in (("kept", there), ("gone", uuid4())):
            await connection.execute(
                "insert into collapse_keys (tenant, person, channel, key, accepted_at, id)"
                " values ('default', 'bob', 'email', $1, now() - interval '60 days', $2)",
                *(key, id),
            )
    assert await Cleaning(db, AGE).forget_keys() == 1
    async with db.connection() as connection:
        assert await connection.fetchval("select key from collapse_keys") == "kept"


async def test_the_walk_reads_no_page_twice(db: Database) -> None:
    """By the place of rows: PostgreSQL looks at those pages and no others."""
    async with db.transaction() as connection:
        await connection.execute("set local enable_seqscan = off")
        await connection.execute("set local plan_cache_mode = force_generic_plan")
        await connection.execute(f"prepare walk(bigint, bigint) as select id from notifications where {ON_PAGES}")
        plan = await connection.fetch("explain execute walk(0, 256)")
    assert "Tid Range Scan" in plan[0][0]


async def test_p3_5_a_key_that_was_only_named_goes(db: Database) -> None:
    async with db.connection() as connection:
        await connection.execute(
            "insert into collapse_keys (tenant, person, channel, key) values ('t', 'b', 'sms', 'k')"
        )
    assert await Cleaning(db, AGE).forget_keys() == 1


async def test_p3_4_a_groups_cancel_goes_when_nobody_can_come_any_more_that_it_meets(db: Database) -> None:
    """One that lasts for ever, too; not before its members were told."""
    for name, days, through, done in (
        ("gone", 37, "now() - interval '37 days'", True),
        ("gone for ever", 37, "timestamptz '9999-12-31'", True),
        ("young", 35, "timestamptz '9999-12-31'", True),
        ("untold", 37, "now() - interval '37 days'", False),
    ):
        async with db.connection() as connection:
            await connection.execute(
                f"insert into group_ends (tenant, name, through, done, ended_at)"
                f" values ('default', $1, {through}, $2, now() - make_interval(days => $3))",
                *(name, done, days),
            )
    assert await Cleaning(db, AGE).forget_group_ends() == 2
    async with db.connection() as connection:
        assert {row["name"] for row in await connection.fetch("select name from group_ends")} == {"young", "untold"}


async def test_p3_4_a_group_goes_with_its_last_member_and_its_cancel(db: Database) -> None:
    """However many there are, in one walk; a request for several channels is a group by its id."""
    parent = await put(db, "split", 60)
    member = await put(db, "ended", 1)
    async with db.connection() as connection:
        await connection.execute("update notifications set group_name = 'has a member' where id = $1", member)
        await connection.execute(
            "insert into group_ends (tenant, name, through, done) values ('default', 'was cancelled', now(), true)"
        )
        names = ["has a member", "was cancelled", str(parent), str(uuid4()), *(f"nobody's {n}" for n in range(2500))]
        await connection.execute("insert into groups select 'default', unnest($1::text[])", names)
    assert await Cleaning(db, AGE).forget_groups() == 2501
    async with db.connection() as connection:
        left = {row["name"] for row in await connection.fetch("select name from groups")}
    assert left == {"has a member", "was cancelled", str(parent)}


async def test_p3_4_a_group_that_is_forgotten_under_our_eyes_is_locked_all_the_same(db: Database) -> None:
    """Its row goes between its being named and its being locked."""
    async with db.connection() as other, db.transaction() as connection:
        await other.execute("insert into groups values ('default', 'g')")
        racing = other.transaction()
        await racing.start()
        await other.execute("delete from groups")
        locking = asyncio.create_task(groups.lock(connection, {("default", "g")}, set()))
        await until_locked(db)
        await racing.commit()
        await locking
        assert len(await connection.fetch("select name from groups for share")) == 1


async def until_locked(db: Database) -> None:
    """Somebody waits for somebody."""

    async def waits() -> bool:
        async with db.connection() as third:
            return bool(await third.fetchval("select count(*) from pg_locks where not granted"))

    await until_true(waits)
