"""Claims that prevent nothing any more are deleted: longer after the end than Kafka keeps what could repeat it (P8).
Of a person who is forgotten they keep what prevents a second sending, and lose what a provider said of an address."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from contracts.erasure import FORGET, Forget
from kit.cleaning import Unhurried, cleanup
from kit.control.erasing import erase, names_one_of
from kit.control.forgetting import forget_orders
from kit.control.running import Work
from kit.delivery.awaiting import forget_awaited
from kit.delivery.receipts import forget_receipts
from kit.delivery.store.results import IS_TAKEN
from kit.metrics import Metrics
from kit.postgres import Connection, Database

AGE: Final = timedelta(days=30)
AT_ONCE: Final = 1000
LOWEST: Final = UUID(int=0)


async def forget_claims(database: Database, *, age: timedelta = AGE, at_once: int = AT_ONCE) -> int:
    """Walks over all notifications, a page at a time, each in a transaction of its own; how many claims it deleted.

    Only notifications whose highest claim is an end, and whose last result is older than `age`: a try that is open, a
    retry that waits, an acceptance that was not announced keep all claims of theirs.
    """
    last: UUID | None = LOWEST
    forgotten, rest = 0, Unhurried()
    while last is not None:
        async with database.transaction() as connection:
            last, some = await _page(connection, last, age, at_once)
        forgotten += some
        await rest.rest()
    return forgotten


def works(database: Database, metrics: Metrics) -> dict[str, Work]:
    """The jobs that are about a sender's rows, by name, as `contracts.jobs` lists them."""
    clean_up = cleanup(
        metrics,
        {
            "claims": lambda: forget_claims(database),
            "receipts": lambda: forget_receipts(database),
            "awaited": lambda: forget_awaited(database),
            "orders": lambda: forget_orders(database),
        },
    )

    async def forget(args: Mapping[str, Any]) -> dict[str, int]:
        who = Forget.model_validate(args)
        about = who.tenant, who.user_id, who.address_hashes
        return {
            "receipts": await erase(database, _ERASE_RECEIPTS, *about),
            "claims": await erase(database, _ERASE_CLAIMS, *about),
        }

    return {"cleanup": clean_up, FORGET.id: forget}


async def _page(connection: Connection, after: UUID, age: timedelta, most: int) -> tuple[UUID | None, int]:
    """The last notification of the next page, None at the end, and how many claims were deleted."""
    row = await connection.fetchrow(_PAGE, after, most)
    assert row is not None
    if row["last"] is None:
        return None, 0
    deleted = await connection.fetchval(_DELETE, after, row["last"], age)
    return row["last"], int(deleted)


_PAGE: Final = """
select (array_agg(id order by id desc))[1] as last
from (select id from claims where id > $1 group by id order by id limit $2) as page
"""

_DELETE: Final = f"""
with over as (
    select id from claims where id > $1 and id <= $2
    group by id
    having bool_and(result is not null and not unannounced)
        and (bool_or(result in ({IS_TAKEN})) or (array_agg(result order by try desc))[1] not in ('retry', 'unknown'))
        and max(result_at) < clock_timestamp() - $3::interval
), deleted as (
    delete from claims using over where claims.id = over.id returning 1
)
select count(*) from deleted
"""

_IS_ABOUT: Final = f"""
(coalesce(c.about::jsonb ->> 'tenant', 'default') = $1 and c.about::jsonb ->> 'user_id' = $2
    or {names_one_of("c.detail", "$3::text[]")})
"""

_ERASE_CLAIMS: Final = f"update claims c set detail = null where c.detail is not null and {_IS_ABOUT}"

_ERASE_RECEIPTS: Final = f"""
update receipts r set detail = null
where r.detail is not null and exists (select from claims c where c.id = r.id and c.about is not null and {_IS_ABOUT})
"""
