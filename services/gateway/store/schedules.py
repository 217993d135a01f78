"""The schedules of a tenant, out of what the directory knows."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from contracts.topics import SETTINGS
from kit.postgres import Connection


@dataclass(frozen=True, slots=True)
class Page:
    """What is asked for: of this owner (None: of all), after this place (made at, key), made between two instants."""

    tenant: str
    owner: str | None
    after: tuple[str, str] | None
    created_after: datetime | None
    created_before: datetime | None
    limit: int


async def page(connection: Connection, asked: Page) -> list[str]:
    """The settings' events as JSON, the newest first."""
    at, key = asked.after or (None, None)
    rows = await connection.fetch(
        _PAGE, SETTINGS.name, asked.tenant, asked.owner, at, key, asked.created_after, asked.created_before, asked.limit
    )
    return [row["value"] for row in rows]


_CREATED: Final = "((value::jsonb) -> 'value' ->> 'created_at')"

_PAGE: Final = f"""
select value from directory
where topic = $1 and topic = 'directory.settings' and tenant = $2
  and value is not null and ((value::jsonb) ->> 'what') = 'schedule'
  and ($3::text is null or ((value::jsonb) -> 'value' ->> 'owner') = $3)
  and ($4::text is null or ({_CREATED}, key) < ($4, $5))
  and ($6::timestamptz is null or {_CREATED}::timestamptz >= $6)
  and ($7::timestamptz is null or {_CREATED}::timestamptz < $7)
order by {_CREATED} desc, key desc
limit $8
"""
