"""Nobody knew whether it was taken, and then its provider speaks of it: so it was (P5.9)."""

from typing import Final

from kit.delivery.rules import PERHAPS_SENT
from kit.delivery.store import IS_TAKEN
from kit.postgres import Connection

PROVEN: Final = "its answer was lost: what was called back shows that it was taken"


async def prove(connection: Connection, most: int) -> None:
    """Hand-overs of unknown fate of which there is a receipt become late acceptances, to be announced (P5.6). What only
    says that the provider has it, and is no news any more, goes."""
    await connection.execute(_PROVE, most, PROVEN, PERHAPS_SENT)
    await connection.execute(_SPENT)


# An end that is `perhaps_sent` for what came before it says nothing about its own hand-over: that one was refused. In
# the order of all who lock claims.
_PROVE: Final = """
with proven as (
    select c.id, c.try, r.received_at, past.unknown
    from receipts as r
    join claims as c on c.id = r.id and c.try = r.try
    cross join lateral (
        select coalesce(max(unknown), 0) as unknown
        from claims as other where other.id = c.id and other.try < c.try and other.hand_overs = 1
    ) as past
    where c.hand_overs = 1 and c.unknown > past.unknown
      and (c.result = 'unknown' or (c.result = 'failed' and c.reason = $3))
    order by c.id, c.try
    limit $1
    for update of c
)
update claims as c
set token = null, result = 'sent', at = proven.received_at, unknown = proven.unknown, reason = null, detail = $2,
    unannounced = true, result_at = clock_timestamp()
from proven
where c.id = proven.id and c.try = proven.try
"""

_SPENT: Final = f"""
delete from receipts as r
using claims as c
where r.result = 'sent' and c.id = r.id and c.try = r.try and c.result in ({IS_TAKEN})
"""
