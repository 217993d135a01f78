"""Claims are kept for as long as they can prevent a second sending, and not longer (P8)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from contracts.erasure import FORGET, Forget, hashed
from kit.clock import utc_now
from kit.delivery.forgetting import forget_claims, works
from kit.delivery.store.claims import BY_INDEX
from kit.metrics import Metrics
from kit.postgres import Database

OLD, YOUNG = timedelta(days=31), timedelta(days=29)

Claim = tuple[int, str | None, timedelta]
"""Try, result and how long ago that was."""


@pytest.fixture
async def db(database: str) -> AsyncIterator[Database]:
    db = await Database.open(database, "email_sender", settings=BY_INDEX)
    yield db
    await db.close()


INSERT = """
insert into claims (id, try, lease_until, made_at, at, result, result_at, about, unannounced)
select $1, $2, clock_timestamp(), clock_timestamp(), clock_timestamp(),
       $3, case when $3::text is null then null else clock_timestamp() - $4::interval end,
       case when $3::text is null then null else '{}' end, $5
"""


async def claimed(db: Database, claims: Iterable[Claim], *, unannounced: bool = False) -> UUID:
    """A notification with these claims."""
    id = uuid4()
    async with db.connection() as connection:
        for try_, result, ago in claims:
            await connection.execute(INSERT, id, try_, result, ago, unannounced)
    return id


async def left(db: Database) -> set[UUID]:
    async with db.connection() as connection:
        return {row["id"] for row in await connection.fetch("select distinct id from claims")}


@pytest.mark.parametrize(
    ("claims", "stays"),
    [
        ([(1, "sent", OLD)], False),
        ([(1, "retry", OLD), (2, "failed", OLD)], False),
        ([(1, "unknown", OLD), (2, "delivered", OLD)], False),
        ([(1, "sent", YOUNG)], True),
        ([(1, "retry", OLD), (2, "sent", YOUNG)], True),
        ([(1, "retry", OLD)], True),
        ([(1, "unknown", OLD)], True),
        ([(1, None, OLD)], True),
        ([(1, "retry", OLD), (2, None, OLD)], True),
    ],
)
async def test_p8_what_is_open_stays_and_what_has_ended_goes(db: Database, claims: list[Claim], stays: bool) -> None:
    """Counted from the end, for all claims of a notification together."""
    id = await claimed(db, claims)
    assert await forget_claims(db) == (0 if stays else len(claims))
    assert await left(db) == ({id} if stays else set())


async def test_an_acceptance_that_was_not_announced_stays(db: Database) -> None:
    """P5.6: its event is still to be said."""
    id = await claimed(db, [(1, "sent", OLD)], unannounced=True)
    assert await forget_claims(db) == 0 and await left(db) == {id}


async def test_page_by_page(db: Database) -> None:
    """Small transactions, however many there are; the young ones between the old ones stay."""
    old = {await claimed(db, [(1, "retry", OLD), (2, "sent", OLD)]) for _ in range(25)}
    young = {await claimed(db, [(1, "sent", YOUNG)]) for _ in range(25)}
    assert await forget_claims(db, at_once=7) == 2 * len(old)
    assert await left(db) == young


SAID: tuple[tuple[str | None, str, str | None], ...] = (
    ("ann", "550 5.1.1 <whoever@example.com> unknown", None),
    (None, "550 5.1.1 <Ann@Example.com>: no such user", None),
    (None, "the number +46701740605 cannot be reached", None),
    ("bob", "550 5.1.1 <bob@example.com> unknown", "550 5.1.1 <bob@example.com> unknown"),
    (None, "421 come back later", "421 come back later"),
)
"""Whose claim, what the provider said, and what is left of that."""


async def test_p8_of_a_person_claims_stay_and_what_was_said_goes(db: Database) -> None:
    """By the person's id, or by an address of which only the hash is known here."""
    ids = []
    for user_id, detail, _ in SAID:
        ids.append(await claimed(db, [(1, "retry", YOUNG), (2, "failed", YOUNG)]))
        about = f'{{"tenant": "acme", "user_id": "{user_id}"}}' if user_id else '{"tenant": "acme"}'
        async with db.connection() as connection:
            await connection.execute("update claims set detail = $2, about = $3 where id = $1", ids[-1], detail, about)
    hashes = tuple(map(hashed, ("ann@example.com", "+46701740605")))
    who = Forget(tenant="acme", user_id="ann", address_hashes=hashes, through=utc_now())
    forget = works(db, Metrics())[FORGET.id]
    assert await forget(who.model_dump(mode="json")) == {"receipts": 0, "claims": 6}
    assert await forget(who.model_dump(mode="json")) == {"receipts": 0, "claims": 0}
    async with db.connection() as connection:
        rows = {row["id"]: row["detail"] for row in await connection.fetch("select id, detail from claims")}
    assert [rows[id] for id in ids] == [left for _, _, left in SAID]
