"""How the newest notifications of a tenant fared: how long they were under way, and which may have come twice."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from kit.postgres import Connection

NEWEST: Final = 1_000
"""So many are looked at, by the index of the tenant; figures of all are at /metrics."""


@dataclass(frozen=True, slots=True)
class Recent:
    """`latency` of those that were due at once, `lateness` of those that had a time to come, from then on; both in
    seconds, as (half of them, 95 of 100, 99 of 100) took no longer, and None where there is none."""

    accepted: int
    since: datetime | None
    sent: int
    copies: int
    latency: list[float] | None
    lateness: list[float] | None


async def recent(connection: Connection, tenant: str) -> Recent:
    """Of the newest ones that were accepted, whatever became of them."""
    row = await connection.fetchrow(_RECENT, tenant, NEWEST)
    assert row
    return Recent(**row)


_RECENT: Final = """
with newest as materialized (
    select place, accepted_at, sent_at, planned_at from notifications
    where tenant = $1 and channels is null order by place desc limit $2
), timed as (
    select extract(epoch from greatest(sent_at - greatest(accepted_at, planned_at), interval '0'))::float8 as seconds,
           coalesce(planned_at > accepted_at, false) as planned
    from newest where sent_at is not null
)
select (select count(*) from newest) as accepted, (select min(accepted_at) from newest) as since,
       (select count(*) from timed) as sent,
       (select count(distinct place) from timeline where event = 'resent' and place in (select place from newest))
           as copies,
       (select percentile_disc(array[0.5, 0.95, 0.99]) within group (order by seconds) from timed where not planned)
           as latency,
       (select percentile_disc(array[0.5, 0.95, 0.99]) within group (order by seconds) from timed where planned)
           as lateness
"""
