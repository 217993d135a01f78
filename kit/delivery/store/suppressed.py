"""Suppressed addresses, as the directory says (P5.7)."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Final, NamedTuple

from pydantic import ValidationError

from contracts.suppression import Cause, Suppression
from kit.postgres import Connection

Name = tuple[str, str]
"""A tenant, and the name of a suppression: "email/2f1e..."."""

UNREADABLE: Final = Suppression(reason=Cause.MANUAL)
"""What cannot be read was meant to stop something."""


class Told(NamedTuple):
    """One state of one suppression; `value` None: lifted."""

    tenant: str
    name: str
    value: str | None
    as_of: datetime
    offset: int


async def put(connection: Connection, told: Iterable[Told]) -> None:
    """Writes one state of each, in one statement, where no newer one is there."""
    rows = sorted(told, key=lambda one: one[:2])
    await connection.execute(_PUT, *zip(*rows, strict=True))


async def among(connection: Connection, names: Collection[Name]) -> dict[Name, Suppression]:
    """Those of these that are suppressed."""
    found = await connection.fetch(_AMONG, *(list(column) for column in zip(*sorted(names), strict=True)))
    return {(row["tenant"], row["name"]): _read(row["value"]) for row in found}


def _read(value: str) -> Suppression:
    try:
        return Suppression.model_validate_json(value)
    except ValidationError:
        return UNREADABLE


_PUT: Final = """
insert into suppressed as s (tenant, name, value, as_of, "offset")
select * from unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::bigint[])
on conflict (tenant, name) do update set value = excluded.value, as_of = excluded.as_of, "offset" = excluded."offset"
where (s.as_of, s."offset") < (excluded.as_of, excluded."offset")
"""

_AMONG: Final = """
select s.tenant, s.name, s.value
from unnest($1::text[], $2::text[]) as asked (tenant, name)
join suppressed as s on s.tenant = asked.tenant and s.name = asked.name
where s.value is not null
"""
