"""How much recipients have had: one row each, locked in one order, so that two intakes never exceed a cap together."""

from collections.abc import Collection, Iterable
from typing import Final

from pydantic_core import from_json, to_json

from kit.postgres import Connection
from services.intake.rules.limits import Counts, Recipient


async def lock(connection: Connection, recipients: Collection[Recipient]) -> dict[Recipient, Counts]:
    """The counts of these recipients, locked until the transaction's end; a row is made by being named.

    Locked after the rows of notifications and before any is inserted: nobody waits in a ring.
    """
    columns = tuple(zip(*sorted(recipients), strict=True))
    await connection.execute(_NAME, *columns)
    found = await connection.fetch(_LOCK, *columns)
    return {(row["tenant"], row["recipient"]): from_json(row["counts"]) for row in found}


_NAME: Final = """
insert into usage (tenant, recipient) select * from unnest($1::text[], $2::text[]) on conflict do nothing
"""

_LOCK: Final = """
select tenant, recipient, counts from usage
where (tenant, recipient) in (select * from unnest($1::text[], $2::text[]))
order by tenant, recipient for update
"""


async def write(connection: Connection, changed: Iterable[tuple[Recipient, Counts]]) -> None:
    """The counts of recipients that this transaction has locked."""
    values = [(*recipient, to_json(counts).decode(), max(counts)[:10]) for recipient, counts in changed]
    if values:
        await connection.execute(_WRITE, *zip(*values, strict=True))


_WRITE: Final = """
update usage u set counts = g.counts, last_day = g.last_day
from unnest($1::text[], $2::text[], $3::text[], $4::text[]) as g(tenant, recipient, counts, last_day)
where u.tenant = g.tenant and u.recipient = g.recipient
"""


async def forget(connection: Connection, before: str, most: int) -> int:
    """Delete rows whose last day is before this one; those that somebody has locked stay. How many went."""
    status = await connection.execute(_FORGET, before, most)
    return int(status.rpartition(" ")[2])


_FORGET: Final = """
delete from usage where (tenant, recipient) in (
    select tenant, recipient from usage where last_day < $1 limit $2 for update skip locked
)
"""
