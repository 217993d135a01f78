"""The SQL of people's zones and of plans, as the directory tells them; only what is newer replaces anything (P1)."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from kit.postgres import Connection
from services.scheduler.rules.deadlines import As

Tenanted = tuple[str, str]
"""Tenant, and the name of a person or plan."""


@dataclass(frozen=True, slots=True)
class Person:
    """What reminders go by; who is forgotten, or was never known, has neither."""

    time_zone: str | None = None
    locale: str | None = None


async def put_people(connection: Connection, people: Mapping[Tenanted, tuple[Person, As]]) -> set[Tenanted]:
    """Takes over what is newer; those whose zone is another one than before."""
    rows = [(*key, person.time_zone, person.locale, *at) for key, (person, at) in sorted(people.items())]
    before = await _zones(connection, people)
    written = await connection.fetch(_PUT_PEOPLE, *zip(*rows, strict=True))
    return {key for row in written if before.get(key := (row["tenant"], row["user_id"])) != people[key][0].time_zone}


async def _zones(connection: Connection, people: Collection[Tenanted]) -> dict[Tenanted, str | None]:
    rows = await connection.fetch(_PEOPLE.format(lock="for update"), *zip(*sorted(people), strict=True))
    return {(row["tenant"], row["user_id"]): row["time_zone"] for row in rows}


async def people(connection: Connection, wanted: Collection[Tenanted]) -> dict[Tenanted, Person]:
    """Those of them whom the directory has told of."""
    rows = await connection.fetch(_PEOPLE.format(lock="offset 0"), *zip(*sorted(wanted), strict=True))
    return {(row["tenant"], row["user_id"]): Person(row["time_zone"], row["locale"]) for row in rows}


async def put_plans(connection: Connection, plans: Mapping[Tenanted, tuple[str | None, As]]) -> set[Tenanted]:
    """Takes over what is newer; those that are new."""
    rows = [(*key, value, *at) for key, (value, at) in sorted(plans.items())]
    written = await connection.fetch(_PUT_PLANS, *zip(*rows, strict=True))
    return {(row["tenant"], row["name"]) for row in written}


async def plans(connection: Connection, wanted: Collection[Tenanted]) -> dict[Tenanted, str]:
    """Those of these plans that there are, as JSON."""
    if not wanted:
        return {}
    rows = await connection.fetch(_PLANS, *zip(*sorted(wanted), strict=True))
    return {(row["tenant"], row["name"]): row["value"] for row in rows}


async def begin_replans(
    connection: Connection, what: Literal["person", "plan"], names: Iterable[Tenanted], now: datetime
) -> None:
    """All reminders that go by these are to be looked at again, from the first."""
    rows = sorted(names)
    if rows:
        await connection.execute(_BEGIN_REPLANS, *zip(*rows, strict=True), what, now)


async def is_another_basis(connection: Connection, basis: str) -> bool:
    """Whether somebody went by another one before, or nobody has; from now on it is this one."""
    return await connection.fetchval(_REPLACE_BASIS, basis) is not None


async def begin_all_replans(connection: Connection, now: datetime) -> int:
    """The reminders and reports of everybody who has any are to be looked at again; how many people."""
    status = await connection.execute(_BEGIN_ALL_REPLANS, now)
    return int(status.rpartition(" ")[2])


_PUT_PEOPLE: Final = """
insert into people as p (tenant, user_id, time_zone, locale, as_of, "offset")
select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::bigint[])
on conflict (tenant, user_id) do update set time_zone = excluded.time_zone, locale = excluded.locale,
    as_of = excluded.as_of, "offset" = excluded."offset"
where (p.as_of, p."offset") < (excluded.as_of, excluded."offset")
returning tenant, user_id
"""

# Key by key, which `offset 0` keeps the planner from making a join of.
_PEOPLE: Final = """
select p.* from unnest($1::text[], $2::text[]) as k(tenant, user_id)
cross join lateral (select * from people p where p.tenant = k.tenant and p.user_id = k.user_id {lock}) as p
"""

_PUT_PLANS: Final = """
insert into plans as p (tenant, name, value, as_of, "offset")
select * from unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::bigint[])
on conflict (tenant, name) do update set value = excluded.value, as_of = excluded.as_of, "offset" = excluded."offset"
where (p.as_of, p."offset") < (excluded.as_of, excluded."offset")
returning tenant, name
"""

_PLANS: Final = """
select p.* from unnest($1::text[], $2::text[]) as k(tenant, name)
cross join lateral (
    select * from plans p where p.tenant = k.tenant and p.name = k.name and p.value is not null offset 0
) as p
"""

_FROM_THE_FIRST: Final = """
on conflict (tenant, what, name) do update
set changed_at = excluded.changed_at, next_at = excluded.next_at, done_to = '{"", ""}'
"""

_BEGIN_REPLANS: Final = f"""
insert into replans as r (tenant, name, what, changed_at, next_at)
select tenant, name, $3, $4, $4 from unnest($1::text[], $2::text[]) as g(tenant, name)
{_FROM_THE_FIRST}
"""

_REPLACE_BASIS: Final = """
insert into reckoning as r (basis) values ($1)
on conflict (one) do update set basis = excluded.basis where r.basis <> excluded.basis
returning one
"""

# Who is told of a deadline has a row of reports.
_BEGIN_ALL_REPLANS: Final = f"""
insert into replans as r (tenant, name, what, changed_at, next_at)
select tenant, user_id, 'person', $1, $1 from reports order by tenant, user_id
{_FROM_THE_FIRST}
"""
