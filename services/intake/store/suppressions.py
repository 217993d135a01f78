"""The addresses to which nothing is sent, as the directory tells them: one question for all of a batch."""

from collections.abc import Collection, Mapping
from typing import Final

from pydantic import ValidationError

from contracts.suppression import Cause, Suppression
from kit.postgres import Connection
from services.intake.rules.suppressing import Standing, Suppressed

UNREADABLE: Final = Suppression(reason=Cause.MANUAL)
"""What cannot be read was meant to stop something."""


async def among(connection: Connection, names: Collection[Suppressed]) -> dict[Suppressed, Suppression]:
    """Those of these that are suppressed."""
    found = await connection.fetch(_AMONG, *zip(*names, strict=True))
    return {(row["tenant"], row["name"]): _read(row["value"]) for row in found}


async def standing(connection: Connection, names: Collection[Suppressed]) -> Mapping[Suppressed, Standing]:
    """Those of these of which anything was ever said, lifted ones included."""
    found = await connection.fetch(_STANDING, *zip(*names, strict=True))
    return {
        (row["tenant"], row["name"]): Standing(None if row["gone"] else _read(row["value"]), row["as_of"])
        for row in found
    }


def _read(value: str) -> Suppression:
    try:
        return Suppression.model_validate_json(value)
    except ValidationError:
        return UNREADABLE


_AMONG: Final = """
select tenant, name, value from objects
where kind = 'suppression' and not gone and (tenant, name) in (select * from unnest($1::text[], $2::text[]))
"""

_STANDING: Final = """
select tenant, name, value, gone, as_of from objects
where kind = 'suppression' and (tenant, name) in (select * from unnest($1::text[], $2::text[]))
"""
