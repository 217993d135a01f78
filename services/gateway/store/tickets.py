"""Tickets: who may open a stream, once, within seconds; kept as hashes, valid at every gateway."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from kit.postgres import Connection
from services.gateway.store.inbox import Person

OLD_ONES: Final = 20
"""Forgotten tickets that each new one sweeps out: there are never many more than are good."""


@dataclass(frozen=True, slots=True)
class Redeemed:
    """Whose ticket it was, until when he may listen, and where his stream stands."""

    person: Person
    until: datetime | None
    good: bool
    epoch: UUID
    last: int
    trimmed: int
    unread: int


async def keep(connection: Connection, hash: bytes, person: Person, seconds: int, until: datetime | None) -> None:
    """A ticket that is good for so many seconds; it cannot outlive what it was given for."""
    await connection.execute(_KEEP, hash, *person, seconds, until, OLD_ONES)


_KEEP = """
with old as (
    delete from tickets where ctid = any(array(
        select ctid from tickets where expires_at < clock_timestamp() limit $6 for update skip locked))
)
insert into tickets (hash, tenant, user_id, expires_at, until)
values ($1, $2, $3, least(clock_timestamp() + make_interval(secs => $4), $5), $5)
"""


async def redeem(connection: Connection, hash: bytes) -> Redeemed | None:
    """Takes a ticket, so that nobody takes it again. None: there is none."""
    row = await connection.fetchrow(_REDEEM, hash)
    return Redeemed((row["tenant"], row["user_id"]), *list(row.values())[2:]) if row else None


_REDEEM = """
with taken as (delete from tickets where hash = $1 returning *)
select t.tenant, t.user_id, t.until, t.expires_at >= clock_timestamp() as good,
       (select epoch from stream_epoch) as epoch,
       coalesce(p.last_offset, 0) as last, coalesce(p.trimmed, 0) as trimmed,
       (select count(*) from inbox i
        where i.tenant = t.tenant and i.user_id = t.user_id and i."offset" is not null
          and i.read_at is null and i.archived_at is null and i.recalled_at is null) as unread
from taken t left join people p on p.tenant = t.tenant and p.user_id = t.user_id
"""
