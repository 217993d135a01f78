"""How often each caller has asked of each gateway in a minute."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from kit.postgres import Connection


async def exchange(
    connection: Connection, gateway: UUID, minute: datetime, here: Mapping[str, int], most: int
) -> dict[str, int]:
    """Writes down what was counted `here`; what the other gateways have counted in this minute, of those who asked
    here as well and of those who have asked the others for `most` already."""
    rows = await connection.fetch(_EXCHANGE, minute, gateway, list(here), list(here.values()), most)
    return {row["caller"]: row["calls"] for row in rows}


# What is older than the minute before is of no use to anybody.
_EXCHANGE: Final = """
with told as (
    insert into calls (minute, gateway, caller, calls)
    select $1, $2, caller, calls from unnest($3::text[], $4::integer[]) as here (caller, calls)
    on conflict (minute, caller, gateway) do update set calls = excluded.calls
    where calls.calls <> excluded.calls
),
over as (
    delete from calls where minute < $1::timestamptz - interval '1 minute'
)
select caller, sum(calls)::integer as calls from calls
where minute = $1 and gateway <> $2
group by caller
having caller = any($3) or sum(calls) >= $5
"""
