"""Webhooks: whom a tenant has told of what, and with which secret."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from kit.postgres import Connection
from services.gateway.rules.webhooks import Endpoint


@dataclass(frozen=True, slots=True)
class Described:
    """What an admin says about a webhook."""

    url: str
    description: str | None
    events: tuple[str, ...]
    channels: tuple[str, ...] | None
    enabled: bool


@dataclass(frozen=True, slots=True)
class Webhook:
    """A webhook, without its secret."""

    id: UUID
    url: str
    description: str | None
    events: tuple[str, ...]
    channels: tuple[str, ...] | None
    enabled: bool
    version: int
    disabled_at: datetime | None
    disabled_why: str | None
    failing_since: datetime | None
    old_secret_until: datetime | None
    created_at: datetime
    created_by: str
    changed_at: datetime


_FIELDS: Final = """
id, url, description, events, channels, enabled, version, disabled_at, disabled_why, failing_since, old_secret_until,
created_at, created_by, changed_at
"""


async def listening(connection: Connection, tenants: Collection[str]) -> list[Endpoint]:
    """The webhooks that are told something; none of them is deleted before this transaction is over."""
    rows = await connection.fetch(_LISTENING, tenants)
    return [Endpoint(row["id"], row["tenant"], tuple(row["events"]), _texts(row["channels"])) for row in rows]


_LISTENING: Final = """
select id, tenant, events, channels from webhooks where tenant = any($1::text[]) and enabled order by id for key share
"""


async def add(
    connection: Connection, id: UUID, tenant: str, owner: str, asked: Described, secret: bytes, most: int
) -> Webhook | None:
    """A new one; None when the tenant has `most` already."""
    row = await connection.fetchrow(
        _ADD, id, tenant, asked.url, asked.description, asked.events, asked.enabled, owner, secret, most, asked.channels
    )
    return _webhook(row) if row else None


_ADD: Final = f"""
insert into webhooks (
    id, tenant, url, description, events, enabled, disabled_at, disabled_why, created_by, secret, channels
)
select $1, $2, $3, $4, $5, $6, case when not $6 then clock_timestamp() end, case when not $6 then 'by_admin' end,
    $7, $8, $10::text[]
where (select count(*) from webhooks where tenant = $2) < $9
returning {_FIELDS}
"""


async def page(connection: Connection, tenant: str, after: UUID | None, limit: int) -> list[Webhook]:
    """A tenant's webhooks, the newest first."""
    sql = (
        f"select {_FIELDS} from webhooks where tenant = $1 and ($2::uuid is null or id < $2) order by id desc limit $3"
    )
    return [_webhook(row) for row in await connection.fetch(sql, tenant, after, limit)]


async def one(connection: Connection, tenant: str, id: UUID) -> Webhook | None:
    """The tenant's webhook of this id."""
    row = await connection.fetchrow(f"select {_FIELDS} from webhooks where tenant = $1 and id = $2", tenant, id)
    return _webhook(row) if row else None


async def change(connection: Connection, id: UUID, version: int | None, asked: Described) -> Webhook | None:
    """What is said of it now; None when it is not of this `version` any more. Enabled anew it begins anew."""
    said = (asked.url, asked.description, asked.events, asked.enabled, asked.channels)
    row = await connection.fetchrow(_CHANGE, id, version, *said)
    return _webhook(row) if row else None


_CHANGE: Final = f"""
update webhooks set url = $3, description = $4, events = $5, enabled = $6, channels = $7::text[], version = version + 1,
    changed_at = clock_timestamp(),
    failing_since = case when $6 and not enabled then null else failing_since end,
    disabled_at = case when not $6 then coalesce(disabled_at, clock_timestamp()) end,
    disabled_why = case when not $6 then coalesce(disabled_why, 'by_admin') end
where id = $1 and ($2::bigint is null or version = $2)
returning {_FIELDS}
"""


async def silence(connection: Connection, id: UUID, version: int | None) -> bool:
    """Nothing is told to it any more, before it goes; False when it is not of this `version` any more. Whoever has seen
    it as it was is told that it is another one by now."""
    return bool(await connection.fetchval(_SILENCE, id, version))


_SILENCE: Final = """
update webhooks set enabled = false, version = version + 1, changed_at = clock_timestamp(),
    disabled_at = coalesce(disabled_at, clock_timestamp()), disabled_why = coalesce(disabled_why, 'by_admin')
where id = $1 and ($2::bigint is null or version = $2)
returning true
"""


async def delete(connection: Connection, id: UUID) -> None:
    """It goes with all its deliveries."""
    await connection.execute("delete from webhooks where id = $1", id)


async def rotate(connection: Connection, id: UUID, secret: bytes, hours: int) -> Webhook | None:
    """A new secret; the one before signs beside it for so many hours. None when the webhook is gone."""
    row = await connection.fetchrow(_ROTATE, id, secret, hours)
    return _webhook(row) if row else None


_ROTATE: Final = f"""
update webhooks set secret = $2, old_secret = secret, old_secret_until = tocsin.clock() + $3 * interval '1 hour',
    version = version + 1, changed_at = clock_timestamp()
where id = $1
returning {_FIELDS}
"""


async def forget_old_secrets(connection: Connection) -> None:
    """Secrets that sign no more are of use only to who steals them."""
    await connection.execute(
        "update webhooks set old_secret = null, old_secret_until = null where old_secret_until <= tocsin.clock()"
    )


def _webhook(row: Any) -> Webhook:
    return Webhook(**dict(row) | {"events": tuple(row["events"]), "channels": _texts(row["channels"])})


def _texts(array: Sequence[str] | None) -> tuple[str, ...] | None:
    return None if array is None else tuple(array)
