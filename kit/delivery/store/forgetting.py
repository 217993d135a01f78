"""Claims that prevent nothing any more go (P8), and what a provider said of a person who is forgotten."""

from datetime import timedelta
from typing import Final
from uuid import UUID

from contracts.erasure import Forget
from kit.control.erasing import erase, names_one_of
from kit.delivery.store.results import IS_TAKEN
from kit.postgres import Connection, Database


async def last_of_page(connection: Connection, after: UUID, most: int) -> UUID | None:
    """The last of the next so many notifications; None: there is none behind that one."""
    last: UUID | None = await connection.fetchval(_PAGE, after, most)
    return last


async def forget(connection: Connection, after: UUID, last: UUID, age: timedelta) -> int:
    """Deletes claims of the notifications behind `after`, `last` included, that ended longer ago than `age`; how many.

    Not where a try is open, a retry waits, or an acceptance was not announced.
    """
    return int(await connection.fetchval(_DELETE, after, last, age))


async def erase_claims(database: Database, who: Forget) -> int:
    """Blanks what a provider said of this person, or of one of these addresses; of how many claims."""
    return await erase(database, _ERASE_CLAIMS, who.tenant, who.user_id, who.address_hashes)


async def erase_receipts(database: Database, who: Forget) -> int:
    """The same of what was called back; before `erase_claims`, which blanks that by which they are found."""
    return await erase(database, _ERASE_RECEIPTS, who.tenant, who.user_id, who.address_hashes)


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
