"""Acceptances that came after the lease: written whatever the token, and said until Kafka has them (P5.6)."""

from collections.abc import Iterable
from typing import Final
from uuid import UUID

from kit.delivery.store.results import (
    ATTEMPTS,
    INSERT,
    IS_TAKEN,
    RESULT,
    WIDTH,
    Unsaid,
    Written,
    by_id,
    columns,
    keys,
    row_of,
    unsaid_of,
)
from kit.postgres import Connection


async def accept_late(connection: Connection, acceptances: Iterable[Written]) -> None:
    """Writes acceptances whatever the token, to be announced, unless the claim says that it was taken (P5.6)."""
    rows = [row_of(one) for one in sorted(acceptances, key=by_id)]
    await connection.execute(_ACCEPT, *columns(rows, WIDTH))


async def unannounced(connection: Connection, limit: int) -> list[Unsaid]:
    """Late acceptances whose event is not acknowledged yet."""
    return [unsaid_of(row) for row in await connection.fetch(_UNANNOUNCED, limit)]


async def announced(connection: Connection, late: Iterable[Unsaid]) -> set[tuple[UUID, int]]:
    """Their events are acknowledged; those of which nobody has written that before."""
    rows = await connection.fetch(_ANNOUNCED, *columns(sorted((one.id, one.try_) for one in late), 2))
    return keys(rows)


_ACCEPT: Final = f"""
{INSERT.format(late="true")}
on conflict (id, try) do update set {RESULT}, unannounced = true
where c.result is null or c.result not in ({IS_TAKEN})
"""

_UNANNOUNCED: Final = f"""
select c.*, {ATTEMPTS}
from claims as c
where unannounced
limit $1
"""

_ANNOUNCED: Final = """
update claims as c
set unannounced = false
from unnest($1::uuid[], $2::smallint[]) as said (id, try)
where c.id = said.id and c.try = said.try and c.unannounced
returning c.id, c.try
"""
