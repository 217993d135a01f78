"""Everything that is kept about one person: found for an export, and blanked when the person is forgotten (P8)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from contracts.erasure import Forget
from contracts.topics import SETTINGS
from kit.control.erasing import SECONDS, erase, hash_of, unhurried
from kit.postgres import Connection, Database

BLANK: Final = "{}"
"""What stands for a request that is forgotten; not null, so that its record, read again, does not bring it back."""


async def notifications_of(connection: Connection, who: Forget) -> list[UUID]:
    """The places of the person's notifications: addressed to the person, or without a person to an address of these."""
    await unhurried(connection)
    found = await connection.fetch(
        _NOTIFICATIONS, who.tenant, who.user_id, who.address_hashes, who.through, timeout=SECONDS
    )
    return [row["place"] for row in found]


_NOTIFICATIONS: Final = f"""
select place from notifications where tenant = $1 and user_id = $2 and accepted_at <= $4
union
select n.place from finds f join notifications n on n.tenant = f.tenant and n.place = f.place
where f.tenant = $1 and f.key = 'to' and (f.value = any($3::text[]) or {hash_of("f.value")} = any($3::text[]))
    and n.user_id is null and n.accepted_at <= $4
"""


async def are_unsaid(connection: Connection, places: Sequence[UUID]) -> bool:
    """Whether Kafka may not have one of them yet: what it says is needed until the judge has answered."""
    return bool(await connection.fetchval(_ARE_UNSAID, places))


_ARE_UNSAID: Final = """
select exists (
    select from notifications n join outbox o on o.id = n.id and o.command = n.id
    where n.place = any($1::uuid[])
)
"""


async def blank(connection: Connection, places: Sequence[UUID]) -> int:
    """What was asked for, and what was said about it. How many there were."""
    for statement in (_FINDS, _LINES, _REFUSALS):
        await connection.execute(statement, places)
    return int((await connection.execute(_BLANK, places)).rpartition(" ")[2])


_BLANK: Final = f"""
update notifications set request = '{BLANK}', files = null, detail = null
where place = any($1::uuid[]) and request is distinct from '{BLANK}'
"""
_FINDS: Final = """
delete from finds f using notifications n
where n.place = any($1::uuid[]) and f.tenant = n.tenant and f.place = n.place and f.key <> 'status'
"""
_LINES: Final = "update timeline set detail = null where place = any($1::uuid[]) and detail is not null"
_REFUSALS: Final = """
update refusals r set detail = null from notifications n
where n.place = any($1::uuid[]) and r.id = n.id and r.detail is not null
"""


async def parents_of(connection: Connection, places: Sequence[UUID]) -> list[UUID]:
    """The places of what asked for several channels, of which these are one each."""
    found = await connection.fetch(
        "select distinct p.place from notifications c join notifications p on p.id = c.parent"
        " where c.place = any($1::uuid[]) and p.channels is not null",
        places,
    )
    return [row["place"] for row in found]


async def blank_inbox(database: Database, who: Forget) -> int:
    """The rows stay, as they say that each was shown once (P6.2); nobody sees them any more."""
    return await erase(database, _INBOX, who.tenant, who.user_id, who.through)


_INBOX: Final = """
update inbox set title = null, body = null, data = null, archived_at = coalesce(archived_at, clock_timestamp())
where tenant = $1 and user_id = $2 and created_at <= $3 and (title, body, data) is distinct from (null, null, null)
"""


async def schedules(connection: Connection, tenant: str) -> list[str]:
    """All schedules of the tenant, as the settings' events (JSON)."""
    rows = await connection.fetch(_SCHEDULES, SETTINGS.name, tenant)
    return [row["value"] for row in rows]


_SCHEDULES: Final = """
select value from directory
where topic = $1 and topic = 'directory.settings' and tenant = $2
  and value is not null and ((value::jsonb) ->> 'what') = 'schedule'
"""


async def note_erasure(connection: Connection, run_id: UUID, who: Forget) -> None:
    """The order is about to be given."""
    await connection.execute(
        "insert into erasures (run_id, tenant, user_id, asked_at) values ($1, $2, $3, $4) on conflict do nothing",
        run_id,
        who.tenant,
        who.user_id,
        who.through,
    )


async def is_erasure(connection: Connection, run_id: UUID, tenant: str, user_id: str) -> bool:
    """Whether this run forgot this person of the tenant."""
    sql = "select true from erasures where run_id = $1 and tenant = $2 and user_id = $3"
    return bool(await connection.fetchval(sql, run_id, tenant, user_id))


async def erased_since(connection: Connection, tenant: str, user_id: str, at: datetime) -> bool:
    """Whether the person was forgotten then or later."""
    sql = "select true from erasures where tenant = $1 and user_id = $2 and asked_at >= $3 limit 1"
    return bool(await connection.fetchval(sql, tenant, user_id, at))


async def open_ones(connection: Connection, places: Sequence[UUID], ended: int) -> list[UUID]:
    """The ids of those that have not ended: their rank is below `ended`."""
    found = await connection.fetch(
        "select id from notifications where place = any($1::uuid[]) and rank < $2 and channels is null", places, ended
    )
    return [row["id"] for row in found]


async def inbox(connection: Connection, who: Forget) -> list[dict[str, Any]]:
    """What the bell has shown to the person."""
    rows = await connection.fetch(_SHOWN, who.tenant, who.user_id)
    return [dict(row) for row in rows]


_SHOWN: Final = """
select id, kind, category, title, body, data, created_at, read_at, archived_at from inbox
where tenant = $1 and user_id = $2 and "offset" is not null order by "offset"
"""
