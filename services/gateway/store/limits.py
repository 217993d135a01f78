"""How many notifications a person has had, as the gateway knows it."""

from datetime import datetime
from typing import Final

from contracts.status import Status
from kit.postgres import Connection

_UNSENT: Final = [Status.CANCELLED.rank, Status.EXPIRED.rank, Status.REJECTED.rank]


async def used(connection: Connection, tenant: str, user_id: str, hour: datetime, day: datetime) -> tuple[int, int]:
    """Notifications to this person that became due since `hour` and since `day`, but for those that intake ended.

    The plan of a row changes while it lives, so that no index holds it: all that is kept of the person is looked at.
    """
    row = await connection.fetchrow(_USED, tenant, user_id, hour, day, _UNSENT)
    return (row["hour"], row["day"]) if row else (0, 0)


_USED = """
select count(*) filter (where due_at >= $3) as hour, count(*) filter (where due_at >= $4) as day
from (
    select greatest(accepted_at, planned_at) as due_at from notifications
    where tenant = $1 and user_id = $2 and channels is null and rank <> all($5::smallint[])
) due
where due_at <= clock()
"""
