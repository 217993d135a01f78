"""API keys: of each its hash, and what it opens."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from kit.postgres import Connection


@dataclass(frozen=True, slots=True)
class Key:
    """A key, without the secret."""

    id: UUID
    tenant: str
    name: str
    shown: str
    scopes: tuple[str, ...]
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


_FIELDS: Final = "id, tenant, name, shown, scopes, created_at, created_by, expires_at, revoked_at, last_used_at"


async def add(
    connection: Connection,
    id: UUID,
    hash: bytes,
    about: tuple[str, str, str, Sequence[str], str, datetime | None],
) -> Key:
    """Keeps a new one; `about` is tenant, name, shown, scopes, created_by, expires_at."""
    row = await connection.fetchrow(_ADD, id, hash, *about)
    return _key(row)


_ADD: Final = f"""
insert into api_keys (id, hash, tenant, name, shown, scopes, created_by, expires_at)
values ($1, $2, $3, $4, $5, $6, $7, $8)
returning {_FIELDS}
"""


async def in_force(connection: Connection, hash: bytes) -> Key | None:
    """The key of this hash, if it is neither revoked nor expired; that it was used is noted once a minute."""
    row = await connection.fetchrow(_IN_FORCE, hash)
    return _key(row) if row else None


_IN_FORCE: Final = f"""
with used as (
    update api_keys set last_used_at = clock_timestamp()
    where hash = $1 and revoked_at is null
        and (last_used_at is null or last_used_at < clock_timestamp() - interval '1 minute')
)
select {_FIELDS} from api_keys
where hash = $1 and revoked_at is null and (expires_at is null or expires_at > clock_timestamp())
"""


async def page(connection: Connection, tenant: str, after: UUID | None, limit: int) -> list[Key]:
    """A tenant's keys, the newest first, revoked ones too."""
    sql = (
        f"select {_FIELDS} from api_keys where tenant = $1 and ($2::uuid is null or id < $2) order by id desc limit $3"
    )
    return [_key(row) for row in await connection.fetch(sql, tenant, after, limit)]


async def revoke(connection: Connection, tenant: str, id: UUID) -> bytes | None:
    """The key opens nothing any more; its hash, or None when the tenant has no such key. Twice is once."""
    hash: bytes | None = await connection.fetchval(_REVOKE, tenant, id)
    return hash


_REVOKE: Final = """
update api_keys set revoked_at = coalesce(revoked_at, clock_timestamp())
where tenant = $1 and id = $2 returning hash
"""


def _key(row: Any) -> Key:
    id, tenant, name, shown, scopes, *times = row.values()
    return Key(id, tenant, name, shown, tuple(scopes), *times)
