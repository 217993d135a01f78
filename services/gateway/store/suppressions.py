"""The suppressed addresses of a tenant, out of what the directory knows, and what showed them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from contracts.topics import SETTINGS
from kit.postgres import Connection


@dataclass(frozen=True, slots=True)
class Page:
    """What is asked for: of this channel (None: of all), after this place (heard of at, key)."""

    tenant: str
    channel: str | None
    after: tuple[datetime, str] | None
    created_after: datetime | None
    created_before: datetime | None
    limit: int


@dataclass(frozen=True, slots=True)
class Found:
    """The setting's event as JSON, when it was heard of, and of the notification that showed it what is still known."""

    key: str
    value: str
    as_of: datetime
    user_id: str | None
    request: str | None


async def page(connection: Connection, asked: Page) -> list[Found]:
    """Those in force, the newest first."""
    at, key = asked.after or (None, None)
    rows = await connection.fetch(
        _PAGE,
        *(SETTINGS.name, asked.tenant, asked.channel, at, key),
        *(asked.created_after, asked.created_before, asked.limit),
    )
    return [Found(*row) for row in rows]


async def one(connection: Connection, tenant: str, path: str) -> Found | None:
    """The one of this name, if it is in force."""
    row = await connection.fetchrow(_ONE, SETTINGS.name, f"{tenant}/{path}")
    return Found(*row) if row else None


_FOUND: Final = """
select d.key, d.value, d.as_of, n.user_id, n.request
from directory d
left join notifications n
    on n.tenant = d.tenant and n.id = ((d.value::jsonb) -> 'value' ->> 'notification_id')::uuid
"""

_PAGE: Final = f"""
{_FOUND}
where d.topic = $1 and d.topic = 'directory.settings' and d.tenant = $2 and d.value is not null
  and starts_with(d.key, d.tenant || '/suppression/')
  and ($3::text is null or starts_with(d.key, d.tenant || '/suppression/' || $3 || '/'))
  and ($4::timestamptz is null or (d.as_of, d.key) < ($4, $5))
  and ($6::timestamptz is null or d.as_of > $6)
  and ($7::timestamptz is null or d.as_of < $7)
order by d.as_of desc, d.key desc
limit $8
"""

_ONE: Final = f"{_FOUND} where d.topic = $1 and d.key = $2 and d.value is not null"
