"""People, templates and the like as the directory tells them; only what is newer replaces anything (P1)."""

from collections.abc import Collection, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from pydantic_core import from_json, to_json

from kit.postgres import Connection
from kit.rendering import Template, Unrenderable
from services.intake.rules.facts import Found, Person, Tenanted

As = tuple[datetime, int]
"""When something was first published, and the offset that decides between two of the same time."""


ObjectKey = tuple[str, str, str]
"""Kind, tenant and name."""


async def put_people(connection: Connection, people: Sequence[tuple[Tenanted, Person | None, As]]) -> None:
    """Learn where people are reached; None: forget them. Each key comes once in a batch."""
    values = [
        (*key, *((p.email, p.phone, p.locale, p.time_zone) if p else (None,) * 4), p is None, *at)
        for key, p, at in sorted(people, key=lambda one: one[0])
    ]
    await connection.execute(_PUT_PEOPLE, *zip(*values, strict=True))


_PUT_PEOPLE: Final = """
insert into people as p (tenant, user_id, email, phone, locale, time_zone, gone, as_of, "offset")
select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::boolean[],
    $8::timestamptz[], $9::bigint[])
on conflict (tenant, user_id) do update set email = excluded.email, phone = excluded.phone, locale = excluded.locale,
    time_zone = excluded.time_zone, gone = excluded.gone, as_of = excluded.as_of, "offset" = excluded."offset"
where (p.as_of, p."offset") < (excluded.as_of, excluded."offset")
"""


async def people(connection: Connection, wanted: Collection[Tenanted]) -> dict[Tenanted, Person]:
    """Those of them whom the directory knows."""
    found = await connection.fetch(_PEOPLE, *zip(*wanted, strict=True))
    return {(r[0], r[1]): Person(r[2], r[3], r[4], r[5]) for r in found}


_PEOPLE: Final = """
select tenant, user_id, email, phone, locale, time_zone from people
where (tenant, user_id) in (select * from unnest($1::text[], $2::text[])) and not gone
"""


async def put_objects(connection: Connection, objects: Sequence[tuple[ObjectKey, Any, As]]) -> None:
    """Learn other objects; None: gone. Each key comes once in a batch.

    The texts of a template's version never change, and stay when it is gone: notifications were judged with them.
    """
    values = [
        (*key, None if value is None else to_json(value).decode(), value is None, *at)
        for key, value, at in sorted(objects, key=lambda one: one[0])
    ]
    await connection.execute(_PUT_OBJECTS, *zip(*values, strict=True))


_PUT_OBJECTS: Final = """
insert into objects as o (kind, tenant, name, value, gone, as_of, "offset")
select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::boolean[], $6::timestamptz[], $7::bigint[])
on conflict (kind, tenant, name) do update set
    gone = excluded.gone, as_of = excluded.as_of, "offset" = excluded."offset",
    value = case when o.kind = 'template' and position('@' in o.name) > 0 then coalesce(o.value, excluded.value)
        else excluded.value end
where (o.as_of, o."offset") < (excluded.as_of, excluded."offset")
"""


async def templates(
    connection: Connection, wanted: Collection[Tenanted], frozen: Collection[Tenanted]
) -> dict[Tenanted, Found]:
    """`wanted` by name or version, as they are now; `frozen` versions, even those that are gone."""
    asked = {*wanted, *frozen}
    rows = await connection.fetch(_TEMPLATES, *zip(*asked, strict=True))
    known = {(r["tenant"], r["name"]): (r["value"], r["gone"]) for r in rows}
    found = {}
    for tenant, name in asked:
        version = _current(name, known.get((tenant, name)))
        value, gone = known.get((tenant, version), (None, True))
        if value is not None and (not gone or (tenant, name) in frozen):
            found[tenant, name] = found[tenant, version] = read(version, value)
    return found


_TEMPLATES: Final = """
with asked as (
    select t.tenant, t.name, t.value, t.gone from objects t
    where kind = 'template' and (tenant, name) in (select * from unnest($1::text[], $2::text[]))
)
select * from asked
union all
select v.tenant, v.name, v.value, v.gone
from asked a join objects v on v.kind = 'template' and v.tenant = a.tenant
    and v.name = a.name || '@' || (a.value::json ->> 'current')
where position('@' in a.name) = 0 and not a.gone
"""


def _current(name: str, known: tuple[str, bool] | None) -> str:
    """The version that a plain name stands for: {"current": 3}."""
    if "@" in name or known is None or known[1]:
        return name
    return f"{name}@{from_json(known[0]).get('current')}"


@lru_cache(maxsize=256)
def read(version: str, value: str) -> Found:
    """A version's texts, checked once."""
    try:
        return Found(version, Template.of(from_json(value)))
    except Unrenderable as trouble:
        return Found(version, None, trouble)
