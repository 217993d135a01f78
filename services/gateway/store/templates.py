"""The templates of a tenant and their versions, out of what the directory knows."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from contracts.topics import SETTINGS
from kit.postgres import Connection


class Numbered(NamedTuple):
    """One version that was ever known here; `value` None: it is gone, and its number is not used again."""

    number: int
    value: str | None


async def versions(connection: Connection, tenant: str, name: str) -> list[Numbered]:
    """All versions of one template, the newest first."""
    rows = await connection.fetch(_VERSIONS, SETTINGS.name, tenant, f"{tenant}/template/{name}@")
    return sorted((Numbered(row["number"], row["value"]) for row in rows), reverse=True, key=lambda one: one.number)


async def names(connection: Connection, tenant: str, after: str, limit: int) -> Sequence[str]:
    """The settings' events (JSON) that say which version of a template is in force, by name, after this name."""
    rows = await connection.fetch(_NAMES, SETTINGS.name, tenant, f"{tenant}/template/{after}", limit)
    return [row["value"] for row in rows]


_OURS: Final = (
    "topic = $1 and topic = 'directory.settings' and tenant = $2 and starts_with(key, tenant || '/template/')"
)

_VERSIONS: Final = f"""
select substr(key, length($3::text) + 1)::integer as number, value from directory
where {_OURS} and starts_with(key, $3) and substr(key, length($3::text) + 1) ~ '^[0-9]{{1,9}}$'
"""

_NAMES: Final = f"""
select value from directory
where {_OURS} and value is not null and position('@' in substr(key, length(tenant) + 1)) = 0
  and key collate "C" > $3 collate "C"
order by key collate "C"
limit $4
"""
