"""What can be forgotten: by the place where rows lie, so that one walk through the table finds it without an index."""

from collections.abc import Collection
from datetime import timedelta
from typing import Final
from uuid import UUID

from kit.postgres import Connection
from services.intake.rules.facts import Tenanted

FIRST: Final[Tenanted | None] = ("", "")
"""Before all groups."""


async def pages(connection: Connection) -> int:
    """How many pages the table of notifications has."""
    n: int = await connection.fetchval("select pg_relation_size('notifications') / current_setting('block_size')::int")
    return n


ON_PAGES: Final = "ctid >= format('(%s,0)', $1::bigint)::tid and ctid < format('(%s,0)', $2::bigint)::tid"

# No later than this a row has ended. Whose outcome was heard has no time of its own: it came before its expiry, or as
# long behind its last hand-over as nothing was said about it.
_ENDED: Final = "greatest(accepted_at, since, case when answer is not null then expires_at end)"


async def forget_ended(connection: Connection, first: int, through: int, age: timedelta) -> int:
    """Deletes what lies on these pages and ended before `age`, and what was asked of ids that never came since; how
    many. What somebody has locked stays until the next run."""
    status = await connection.execute(_FORGET_ENDED, first, through, age)
    return int(status.rpartition(" ")[2])


_FORGET_ENDED: Final = f"""
delete from notifications where id in (
    select id from notifications
    where {ON_PAGES} and state in ('ended', 'expected') and accepted_at < clock_timestamp() - $3::interval
      and {_ENDED} < clock_timestamp() - $3::interval
    for update skip locked
)
"""


async def split(connection: Connection, first: int, through: int, age: timedelta) -> list[UUID]:
    """What lies on these pages, asked for several channels, and is as old."""
    return [row["id"] for row in await connection.fetch(_SPLIT, first, through, age)]


_SPLIT: Final = f"""
select id from notifications
where {ON_PAGES} and state = 'split' and accepted_at < clock_timestamp() - $3::interval
"""


async def known(connection: Connection, ids: Collection[UUID]) -> frozenset[UUID]:
    """Those of them that there are."""
    rows = await connection.fetch("select id from notifications where id = any($1::uuid[])", ids) if ids else ()
    return frozenset(row["id"] for row in rows)


async def forget(connection: Connection, ids: Collection[UUID]) -> int:
    """Deletes these; how many."""
    if not ids:
        return 0
    status = await connection.execute("delete from notifications where id = any($1::uuid[])", ids)
    return int(status.rpartition(" ")[2])


async def forget_keys(connection: Connection, age: timedelta, most: int) -> int:
    """Deletes at most so many collapse keys that name a notification which is not there any more, or none; how many."""
    return len(await connection.fetch(_FORGET_KEYS, age, most))


_FORGET_KEYS: Final = """
delete from collapse_keys where ctid = any (array(
    select k.ctid from collapse_keys k
    where k.accepted_at < clock_timestamp() - $1::interval is not false
      and not exists (select from notifications n where n.id = k.id)
    limit $2 for update skip locked
))
returning 1
"""


async def forget_group_ends(connection: Connection, age: timedelta, most: int) -> int:
    """Deletes at most so many cancels of groups that were asked for before `age` and of which all members were told:
    a member that would come now is newer, or known to nobody any more. How many."""
    return len(await connection.fetch(_FORGET_GROUP_ENDS, age, most))


_FORGET_GROUP_ENDS: Final = """
delete from group_ends where ctid = any (array(
    select ctid from group_ends where done and ended_at < clock_timestamp() - $1::interval
    limit $2 for update skip locked
))
returning 1
"""


async def forget_groups(connection: Connection, after: Tenanted, most: int) -> tuple[int, Tenanted | None]:
    """Looks at the next so many groups behind this one, and deletes those without a cancel and without any member that
    is remembered. How many, and the last that was looked at; None: there are no more."""
    row = await connection.fetchrow(_FORGET_GROUPS, *after, most)
    assert row is not None
    return row["gone"], (row["tenant"], row["name"]) if row["seen"] == most else None


# What was asked for several channels, or is to escalate, is a group by its id (P6.3).
_FORGET_GROUPS: Final = """
with page as materialized (
    select tenant, name from groups where (tenant, name) > ($1, $2) order by tenant, name limit $3
), alone as (
    select s.tenant, s.name from page s
    where not exists (select from group_ends e where e.tenant = s.tenant and e.name = s.name)
      and not exists (select from notifications n where n.tenant = s.tenant and n.group_name = s.name)
      and not exists (
          select from notifications n
          where n.id = case when s.name ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then s.name::uuid end
      )
), locked as (
    select g.ctid from groups g join alone using (tenant, name) for update of g skip locked
), gone as (
    delete from groups where ctid = any (array(select ctid from locked)) returning 1
)
select (select count(*) from gone) as gone, (select count(*) from page) as seen, last.tenant, last.name
from (values (1)) as one left join (select * from page order by tenant desc, name desc limit 1) as last on true
"""
